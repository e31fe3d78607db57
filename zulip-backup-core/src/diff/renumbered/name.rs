//! What differs in rows that do: their keys, with both values.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Mutex;

use serde_json::Value;

use crate::diff::index::{TASK, broken, list_file};
use crate::diff::renumbered::find::{Found, Reading};
use crate::diff::renumbered::index::{List, for_each_row};
use crate::diff::renumbered::row::Plan;
use crate::diff::renumbered::rules::is_secret;
use crate::diff::report::{ChangedRow, ChangedValue, Difference, Excerpt, ListDifference};
use crate::{Progress, Result};

/// More rows than this that only one export has are not looked through for those that belong together.
const PAIRS: usize = 200;

/// A row's keys with the hashes and the JSON of their values.
type Values = Vec<(String, u64, String)>;

/// Rows of one export, by list and id.
type Loaded = HashMap<List, HashMap<i64, Values>>;

/// Names at most `limit` rows of each difference, by reading both exports once more.
pub(super) fn name(
    readings: &[Reading<'_>; 2],
    found: BTreeMap<List, Found>,
    plans: &[Plan],
    limit: usize,
    jobs: usize,
    progress: &dyn Progress,
) -> Result<Vec<ListDifference>> {
    let mut wanted: [BTreeMap<&List, BTreeSet<i64>>; 2] = Default::default();
    for (list, rows) in &found {
        let pairs = rows.changed.iter().take(limit);
        let alone = |ids: &[i64]| if may_pair(rows, limit) { ids.to_vec() } else { Vec::new() };
        let of_a = pairs.clone().map(|(a, _)| *a).chain(alone(&rows.only_in_a)).collect();
        let of_b = pairs.map(|(_, b)| *b).chain(alone(&rows.only_in_b)).collect();
        wanted[0].insert(list, of_a);
        wanted[1].insert(list, of_b);
    }
    let [a, b] = readings;
    let loaded = [load(a, &wanted[0], plans, jobs, progress)?, load(b, &wanted[1], plans, jobs, progress)?];
    Ok(found.into_iter().map(|(list, rows)| difference(list, rows, &loaded, plans, limit)).collect())
}

/// Whether rows that only one export has may be one row that changed what it is told apart by: so few are looked at.
fn may_pair(found: &Found, limit: usize) -> bool {
    let most = limit.min(PAIRS);
    let (a, b) = (found.only_in_a.len(), found.only_in_b.len());
    a > 0 && b > 0 && a <= most && b <= most
}

fn load(
    reading: &Reading<'_>,
    wanted: &BTreeMap<&List, BTreeSet<i64>>,
    plans: &[Plan],
    jobs: usize,
    progress: &dyn Progress,
) -> Result<Loaded> {
    let loaded: Mutex<Loaded> = Mutex::default();
    let is_wanted = |name: &str| {
        list_file(name).is_some_and(|file| wanted.iter().any(|((of, _), ids)| of == file && !ids.is_empty()))
    };
    reading.package.for_each(
        jobs,
        &is_wanted,
        &|member, content| {
            let Some(file) = list_file(&member.name) else { return Ok(()) };
            let mut ids = None;
            for_each_row(plans, &member.name, content, &mut |plan, entries, place| {
                if place == -1 {
                    ids = wanted.get_key_value(&(file.to_owned(), plan.key.clone()));
                }
                let id = entries.integer("id").unwrap_or(place);
                if let Some((list, ids)) = ids
                    && ids.contains(&id)
                {
                    let values = reading.side.values(plan, entries);
                    let mut loaded = loaded.lock().map_err(|_| broken())?;
                    loaded.entry((*list).clone()).or_default().insert(id, values);
                }
                Ok(())
            })
        },
        &|bytes| {
            progress.advance(TASK, bytes);
            progress.checkpoint()
        },
    )?;
    loaded.into_inner().map_err(|_| broken())
}

fn difference(list: List, mut rows: Found, loaded: &[Loaded; 2], plans: &[Plan], limit: usize) -> ListDifference {
    let of = |side: usize, id: i64| loaded[side].get(&list).and_then(|rows| rows.get(&id));
    if may_pair(&rows, limit) {
        pair(&mut rows, |id| of(0, id), |id| of(1, id));
    }
    let table = plans.iter().find(|plan| plan.key == list.1).map_or(list.1.as_str(), |plan| plan.table.as_str());
    let mut changed = Excerpt::default();
    for &(a, b) in &rows.changed {
        let values = match (of(0, a), of(1, b)) {
            (Some(one), Some(other)) if changed.first.len() < limit => values(table, one, other),
            _ => Vec::new(),
        };
        let keys = values.iter().map(|value| value.key.clone()).collect();
        changed.push(limit, ChangedRow { id: a, id_b: Some(b), keys, values });
    }
    let mut ids = Difference::default();
    rows.only_in_a.iter().for_each(|id| ids.only_in_a.push(limit, *id));
    rows.only_in_b.iter().for_each(|id| ids.only_in_b.push(limit, *id));
    let (file, list) = list;
    ListDifference { file, list, ids, changed }
}

/// Puts together rows that only one export has and that are alike in at least half of their values: the most alike
/// first.
fn pair<'l>(rows: &mut Found, of_a: impl Fn(i64) -> Option<&'l Values>, of_b: impl Fn(i64) -> Option<&'l Values>) {
    let mut alike = Vec::new();
    for &a in &rows.only_in_a {
        for &b in &rows.only_in_b {
            let (Some(one), Some(other)) = (of_a(a), of_b(b)) else { continue };
            let hashes: HashMap<&str, u64> = other.iter().map(|(key, hash, _)| (key.as_str(), *hash)).collect();
            let equal = one.iter().filter(|(key, hash, _)| hashes.get(key.as_str()) == Some(hash)).count();
            if equal > 0 && equal * 2 >= one.len().max(other.len()) {
                alike.push((std::cmp::Reverse(equal), a, b));
            }
        }
    }
    alike.sort_unstable();
    for (_, a, b) in alike {
        let place_a = rows.only_in_a.iter().position(|id| *id == a);
        let place_b = rows.only_in_b.iter().position(|id| *id == b);
        if let (Some(place_a), Some(place_b)) = (place_a, place_b) {
            rows.only_in_a.remove(place_a);
            rows.only_in_b.remove(place_b);
            rows.changed.push((a, b));
        }
    }
    rows.changed.sort_unstable();
}

/// The keys whose values differ, or that only one has.
fn values(table: &str, a: &Values, b: &Values) -> Vec<ChangedValue> {
    fn of<'v>(values: &'v Values, key: &str) -> Option<&'v (String, u64, String)> {
        values.iter().find(|(name, ..)| name == key)
    }
    let keys = a.iter().chain(b.iter().filter(|(key, ..)| of(a, key).is_none())).map(|(key, ..)| key);
    let differ = keys.filter(|key| of(a, key).map(|one| one.1) != of(b, key).map(|one| one.1));
    let shown = |values: &Values, key: &str| -> Option<Value> {
        let (.., json) = of(values, key).filter(|_| !is_secret(table, key))?;
        serde_json::from_str(json).ok()
    };
    differ.map(|key| ChangedValue { key: key.clone(), a: shown(a, key), b: shown(b, key) }).collect()
}
