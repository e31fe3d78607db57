//! Two indexes beside each other.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use crate::diff::index::Index;
use crate::diff::report::{ChangedRow, DiffReport, Difference, Excerpt, ListDifference, NameDifference};

/// Adds to `report` what differs, with at most `limit` names of each difference. Which keys of a row differ is not known
/// here.
pub(super) fn compare(a: &Index, b: &Index, limit: usize, report: &mut DiffReport) {
    let lists: BTreeSet<_> = a.lists.keys().chain(b.lists.keys()).collect();
    for key in lists {
        let rows_a = a.lists.get(key).map(Vec::as_slice).unwrap_or_default();
        let rows_b = b.lists.get(key).map(Vec::as_slice).unwrap_or_default();
        let (ids, changed) = rows(rows_a, rows_b, limit);
        if !ids.is_empty() || changed.count > 0 {
            let (file, list) = key.clone();
            report.lists.push(ListDifference { file, list, ids, changed });
        }
    }
    let directories: BTreeSet<_> = a.records.keys().chain(b.records.keys()).collect();
    for directory in directories {
        let of = |index: &Index| index.records.get(directory).cloned().unwrap_or_default();
        report.records.extend(names(directory, &of(a), &of(b), limit));
    }
    let (files_a, files_b) = (by_directory(&a.files), by_directory(&b.files));
    let directories: BTreeSet<_> = files_a.keys().chain(files_b.keys()).collect();
    for directory in directories {
        let of = |files: &BTreeMap<String, BTreeMap<String, _>>| files.get(directory).cloned().unwrap_or_default();
        report.files.extend(names(directory, &of(&files_a), &of(&files_b), limit));
    }
    if a.consented != b.consented {
        let of = |index: &Index| index.consented.clone().unwrap_or_default();
        report.consented = Some(sets(&of(a), &of(b), limit));
    }
    let none = super::index::Migrations::default();
    let (of_a, of_b) = (a.migrations.as_ref().unwrap_or(&none), b.migrations.as_ref().unwrap_or(&none));
    if of_a.zulip_version != of_b.zulip_version {
        report.zulip_versions = Some((of_a.zulip_version.clone(), of_b.zulip_version.clone()));
    }
    let apps: BTreeSet<_> = of_a.migrations_by_app.keys().chain(of_b.migrations_by_app.keys()).collect();
    for app in apps {
        let of = |all: &super::index::Migrations| all.migrations_by_app.get(app).cloned().unwrap_or_default();
        let difference = sets(&of(of_a), &of(of_b), limit);
        if !difference.is_empty() {
            report.migrations.insert(app.clone(), difference);
        }
    }
}

/// Two sorted lists of ids and hashes.
fn rows(a: &[(i64, u64)], b: &[(i64, u64)], limit: usize) -> (Difference<i64>, Excerpt<ChangedRow>) {
    let (mut ids, mut changed) = (Difference::default(), Excerpt::default());
    let (mut left, mut right) = (a.iter().peekable(), b.iter().peekable());
    loop {
        let order = match (left.peek(), right.peek()) {
            (None, None) => return (ids, changed),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((a, _)), Some((b, _))) => a.cmp(b),
        };
        let left = if order == Ordering::Greater { None } else { left.next() };
        let right = if order == Ordering::Less { None } else { right.next() };
        match (left, right) {
            (Some(&(id, one)), Some(&(_, other))) if one != other => {
                changed.push(limit, ChangedRow::of(id));
            }
            (Some(&(id, _)), None) => ids.only_in_a.push(limit, id),
            (None, Some(&(id, _))) => ids.only_in_b.push(limit, id),
            _ => {}
        }
    }
}

/// What only one of two sets has.
pub(super) fn sets<T: Ord + Clone>(a: &BTreeSet<T>, b: &BTreeSet<T>, limit: usize) -> Difference<T> {
    let mut difference = Difference::default();
    a.difference(b).for_each(|one| difference.only_in_a.push(limit, one.clone()));
    b.difference(a).for_each(|one| difference.only_in_b.push(limit, one.clone()));
    difference
}

fn names<T: PartialEq>(
    directory: &str,
    a: &BTreeMap<String, T>,
    b: &BTreeMap<String, T>,
    limit: usize,
) -> Option<NameDifference> {
    let mut found =
        NameDifference { directory: directory.to_owned(), names: Difference::default(), changed: Excerpt::default() };
    for (name, one) in a {
        match b.get(name) {
            None => found.names.only_in_a.push(limit, name.clone()),
            Some(other) if other != one => found.changed.push(limit, name.clone()),
            Some(_) => {}
        }
    }
    b.keys().filter(|name| !a.contains_key(*name)).for_each(|name| found.names.only_in_b.push(limit, name.clone()));
    (!found.names.is_empty() || found.changed.count > 0).then_some(found)
}

/// Files by the first part of their names.
fn by_directory<T: Clone>(files: &BTreeMap<String, T>) -> BTreeMap<String, BTreeMap<String, T>> {
    let mut directories: BTreeMap<String, BTreeMap<String, T>> = BTreeMap::new();
    for (name, value) in files {
        let (directory, rest) = name.split_once('/').unwrap_or((".", name));
        directories.entry(directory.to_owned()).or_default().insert(rest.to_owned(), value.clone());
    }
    directories
}
