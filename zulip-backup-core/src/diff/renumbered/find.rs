//! Which rows differ: out of the sums that do.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Mutex;
use std::sync::atomic::Ordering;

use crate::diff::index::{TASK, broken, list_file};
use crate::diff::renumbered::align::align;
use crate::diff::renumbered::index::{Index, List, Rows, bucket, for_each_row};
use crate::diff::renumbered::row::{Plan, Row, Side};
use crate::package::Package;
use crate::{Progress, Result};

/// The rows of a list that differ, by their ids.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) only_in_a: Vec<i64>,
    pub(super) only_in_b: Vec<i64>,
    /// Of both.
    pub(super) changed: Vec<(i64, i64)>,
}

impl Found {
    fn is_empty(&self) -> bool {
        self.only_in_a.is_empty() && self.only_in_b.is_empty() && self.changed.is_empty()
    }
}

/// The sums of a list that differ, and how many there are.
type Differing = BTreeMap<List, (HashSet<usize>, usize)>;

/// What reads one export.
pub(super) struct Reading<'r> {
    pub(super) package: &'r Package,
    pub(super) side: &'r Side<'r>,
}

/// Looks for the rows of both exports that differ. Memory: 24 bytes for each row in a sum that differs, and what places
/// take.
pub(super) fn find(
    readings: &[Reading<'_>; 2],
    indexes: &[Index; 2],
    plans: &[Plan],
    jobs: usize,
    progress: &dyn Progress,
) -> Result<BTreeMap<List, Found>> {
    let [a, b] = indexes;
    let mut found = BTreeMap::new();
    let mut differing = Differing::new();
    let lists: BTreeSet<&List> = a.lists.keys().chain(b.lists.keys()).collect();
    for list in lists {
        match (a.lists.get(list).map(|rows| &**rows), b.lists.get(list).map(|rows| &**rows)) {
            (Some(Rows::Sums(one)), Some(Rows::Sums(other))) => {
                let pairs = one.iter().zip(other).enumerate();
                let unequal =
                    pairs.filter(|(_, (one, other))| one.load(Ordering::Relaxed) != other.load(Ordering::Relaxed));
                differing.insert(list.clone(), (unequal.map(|(at, _)| at).collect(), one.len()));
            }
            (Some(Rows::Sums(sums)), None) | (None, Some(Rows::Sums(sums))) => {
                differing.insert(list.clone(), ((0..sums.len()).collect(), sums.len()));
            }
            (one, other) => drop(found.insert(list.clone(), by_place(one, other)?)),
        }
    }
    differing.retain(|_, (sums, _)| !sums.is_empty());
    if !differing.is_empty() {
        let [mut of_a, mut of_b] = {
            let [a, b] = readings;
            [collect(a, plans, &differing, jobs, progress)?, collect(b, plans, &differing, jobs, progress)?]
        };
        for list in differing.into_keys() {
            let rows = [of_a.remove(&list).unwrap_or_default(), of_b.remove(&list).unwrap_or_default()];
            found.insert(list, by_identity(rows));
        }
    }
    found.retain(|_, found| !found.is_empty());
    Ok(found)
}

/// Rows that only their order tells apart.
fn by_place(a: Option<&Rows>, b: Option<&Rows>) -> Result<Found> {
    type Places = Vec<(i64, u64)>;
    let sorted = |rows: Option<&Rows>| match rows {
        Some(Rows::Places(rows)) => {
            let mut rows = rows.lock().map_err(|_| broken())?.clone();
            rows.sort_unstable();
            Ok(rows)
        }
        _ => Ok(Vec::new()),
    };
    let (a, b): (Places, Places) = (sorted(a)?, sorted(b)?);
    let hashes = |rows: &[(i64, u64)]| rows.iter().map(|(_, hash)| *hash).collect::<Vec<_>>();
    let mut found = Found::default();
    for run in align(&hashes(&a), &hashes(&b)) {
        let (one, other) = (&a[run.a.clone()], &b[run.b.clone()]);
        if run.is_paired() {
            let pairs = one.iter().zip(other).filter(|(one, other)| one.1 != other.1);
            found.changed.extend(pairs.map(|(one, other)| (one.0, other.0)));
        } else {
            found.only_in_a.extend(one.iter().map(|(id, _)| *id));
            found.only_in_b.extend(other.iter().map(|(id, _)| *id));
        }
    }
    Ok(found)
}

/// The rows in the sums that differ.
fn collect(
    reading: &Reading<'_>,
    plans: &[Plan],
    differing: &Differing,
    jobs: usize,
    progress: &dyn Progress,
) -> Result<BTreeMap<List, Vec<Row>>> {
    let all: Mutex<BTreeMap<List, Vec<Row>>> = Mutex::default();
    reading.package.for_each(
        jobs,
        &|name| list_file(name).is_some_and(|file| differing.keys().any(|(of, _)| of == file)),
        &|member, content| {
            let Some(file) = list_file(&member.name) else { return Ok(()) };
            let mut wanted = None;
            let mut rows: BTreeMap<List, Vec<Row>> = BTreeMap::new();
            for_each_row(plans, &member.name, content, &mut |plan, entries, place| {
                if place == -1 {
                    let list = (file.to_owned(), plan.key.clone());
                    wanted = differing.get_key_value(&list);
                }
                let Some((list, (sums, count))) = wanted else { return Ok(()) };
                if let Some(row) = reading.side.row(plan, entries, place)
                    && sums.contains(&bucket(row.identity, *count))
                {
                    rows.entry(list.clone()).or_default().push(row);
                }
                Ok(())
            })?;
            let mut all = all.lock().map_err(|_| broken())?;
            for (list, mut rows) in rows {
                all.entry(list).or_default().append(&mut rows);
            }
            Ok(())
        },
        &|bytes| {
            progress.advance(TASK, bytes);
            progress.checkpoint()
        },
    )?;
    all.into_inner().map_err(|_| broken())
}

fn by_identity([mut a, mut b]: [Vec<Row>; 2]) -> Found {
    a.sort_unstable();
    b.sort_unstable();
    let mut found = Found::default();
    let (mut rest_a, mut rest_b) = (&a[..], &b[..]);
    loop {
        let first = [rest_a, rest_b].into_iter().filter_map(|rest| rest.first()).map(|row| row.identity).min();
        let Some(identity) = first else { break };
        let here = |rest: &[Row]| rest.partition_point(|row| row.identity == identity);
        let (one, after_a) = rest_a.split_at(here(rest_a));
        let (other, after_b) = rest_b.split_at(here(rest_b));
        (rest_a, rest_b) = (after_a, after_b);
        // Mostly one each; what is equal goes, and the rest belongs together in its order.
        let (one, other) = (without(one, other), without(other, one));
        found.changed.extend(one.iter().copied().zip(other.iter().copied()));
        found.only_in_a.extend(one.iter().skip(other.len()));
        found.only_in_b.extend(other.iter().skip(one.len()));
    }
    found.only_in_a.sort_unstable();
    found.only_in_b.sort_unstable();
    found.changed.sort_unstable();
    found
}

/// The ids of rows that have no equal among the others. Both are sorted.
fn without(rows: &[Row], others: &[Row]) -> Vec<i64> {
    let mut others = others.iter().peekable();
    let mut left = Vec::new();
    for row in rows {
        while others.next_if(|other| other.hash < row.hash).is_some() {}
        if others.next_if(|other| other.hash == row.hash).is_none() {
            left.push(row.id);
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_one_identity_are_told_apart_by_their_values() {
        let row = |identity, hash, id| Row { identity, hash, id };
        let a = vec![row(1, 5, 10), row(2, 6, 11), row(3, 7, 12), row(3, 8, 13), row(3, 8, 14)];
        let b = vec![row(3, 8, 50), row(1, 5, 90), row(2, 9, 91), row(4, 0, 92)];
        let found = by_identity([a, b]);
        assert_eq!(found.changed, [(11, 91)]);
        assert_eq!((&found.only_in_a[..], &found.only_in_b[..]), (&[12, 14][..], &[92][..]));
    }
}
