//! Which keys of the rows that differ do.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde_json::{Map, Value};

use crate::diff::index::{TASK, list_file};
use crate::diff::report::ListDifference;
use crate::package::{Item, Package, RowReader};
use crate::{Progress, Result};

/// What has to be known of a row to pass over it.
#[derive(serde::Deserialize)]
struct Id {
    #[serde(default)]
    id: Option<i64>,
}

/// Rows by file, list and id.
type Found = BTreeMap<(String, String, i64), Map<String, Value>>;

/// Names the keys of the changed rows that are listed, by reading both exports once more: a few rows are held.
pub(super) fn name(
    packages: [&Package; 2],
    lists: &mut [ListDifference],
    jobs: usize,
    progress: &dyn Progress,
) -> Result<()> {
    if lists.iter().all(|list| list.changed.first.is_empty()) {
        return Ok(());
    }
    let [a, b] = packages.map(|package| find(package, lists, jobs, progress));
    let (a, b) = (a?, b?);
    for list in lists {
        for row in &mut list.changed.first {
            let key = (list.file.clone(), list.list.clone(), row.id);
            let (Some(one), Some(other)) = (a.get(&key), b.get(&key)) else { continue };
            let keys = one.keys().chain(other.keys().filter(|key| !one.contains_key(*key)));
            row.keys = keys.filter(|key| one.get(*key) != other.get(*key)).cloned().collect();
        }
    }
    Ok(())
}

fn find(package: &Package, lists: &[ListDifference], jobs: usize, progress: &dyn Progress) -> Result<Found> {
    let found = Mutex::new(Found::new());
    let changed = |file: &str| lists.iter().any(|list| list.file == file && !list.changed.first.is_empty());
    package.for_each(
        jobs,
        &|name| list_file(name).is_some_and(changed),
        &|member, content| {
            let Some(file) = list_file(&member.name) else { return Ok(()) };
            let mut reader = RowReader::new(&member.name, content);
            let mut wanted: Option<&ListDifference> = None;
            while let Some(item) = reader.next_item()? {
                match item {
                    Item::List(key) => wanted = lists.iter().find(|list| list.file == file && list.list == key),
                    Item::Row(row) => {
                        let Some(list) = wanted.filter(|list| !list.changed.first.is_empty()) else { continue };
                        let Ok(Id { id: Some(id) }) = row.parse() else { continue };
                        if !list.changed.first.iter().any(|changed| changed.id == id) {
                            continue;
                        }
                        if let Ok(mut found) = found.lock() {
                            found.insert((file.to_owned(), list.list.clone(), id), row.parse()?);
                        }
                    }
                    Item::Value(..) => {}
                }
            }
            Ok(())
        },
        &|bytes| {
            progress.advance(TASK, bytes);
            progress.checkpoint()
        },
    )?;
    Ok(found.into_inner().unwrap_or_default())
}
