//! Keys and indexes that can be made as soon as the rows of their table are in.
//!
//! `pg_restore` begins with the first index when the last row is in. But the largest table is loaded by one connection,
//! and meanwhile the others could index what is there already.

use std::collections::{BTreeMap, BTreeSet};

use crate::postgres::dump::{Toc, TocEntry};

/// What is made of one table, by SQL of the dump.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TableIndexes {
    /// Primary key and unique constraints. Each locks its table against all others, so that one connection makes them all,
    /// before the indexes.
    pub(super) keys: Vec<TocEntry>,
    /// Indexes; several can be made at once.
    pub(super) indexes: Vec<TocEntry>,
}

/// Takes all that needs nothing but its table out of a table of contents, by the dump id of the table. What is left, foreign
/// keys and triggers first of all, is for `pg_restore`.
pub(super) fn take(contents: &mut Toc) -> BTreeMap<i64, TableIndexes> {
    let mut tables = BTreeMap::<i64, TableIndexes>::new();
    let ids = |wanted: &dyn Fn(&TocEntry) -> bool| -> BTreeSet<i64> {
        contents.entries.iter().filter(|entry| wanted(entry)).map(|entry| entry.dump_id).collect()
    };
    let all_tables = ids(&is_table);
    let with_rows: BTreeSet<i64> = contents.tables().filter_map(|data| table_of(data, &all_tables)).collect();
    let later = ids(&|entry| entry.section == 4);
    contents.entries.retain(|entry| {
        let alone = entry.section == 4
            && (entry.is("INDEX") || entry.is("CONSTRAINT"))
            && entry.defn.is_some()
            // Which tablespaces there are is for pg_restore to find out.
            && entry.tablespace.as_deref().unwrap_or_default().is_empty()
            && dependencies(entry).all(|id| !later.contains(&id));
        match table_of(entry, &with_rows).filter(|_| alone) {
            None => true,
            Some(table) => {
                let made = tables.entry(table).or_default();
                if entry.is("INDEX") { &mut made.indexes } else { &mut made.keys }.push(entry.clone());
                false
            }
        }
    });
    tables
}

/// The one table of `tables` that an entry needs; an index of several columns needs it several times.
pub(super) fn table_of(entry: &TocEntry, tables: &BTreeSet<i64>) -> Option<i64> {
    let mut found = dependencies(entry).filter(|id| tables.contains(id));
    found.next().filter(|&first| found.all(|other| other == first))
}

/// Whether an entry makes a table.
pub(super) fn is_table(entry: &TocEntry) -> bool {
    entry.is("TABLE")
}

fn dependencies(entry: &TocEntry) -> impl Iterator<Item = i64> {
    entry.dependencies.iter().filter_map(|id| id.parse().ok())
}

/// How long an index of a table of `bytes` takes, in proportion to others: an inverted one reads every word.
pub(super) fn weight(entry: &TocEntry, bytes: u64) -> u64 {
    let inverted = entry.defn.as_deref().is_some_and(|sql| sql.contains(" USING gin "));
    if inverted { bytes.saturating_mul(8) } else { bytes }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(dump_id: i64, desc: &str, section: i64, dependencies: &[i64]) -> TocEntry {
        let mut entry = TocEntry::default();
        entry.dump_id = dump_id;
        entry.desc = Some(desc.to_owned());
        entry.section = section;
        entry.defn = Some(format!("SQL {dump_id}"));
        entry.dependencies = dependencies.iter().map(ToString::to_string).collect();
        entry
    }

    #[test]
    fn what_needs_more_than_its_table_is_left() {
        let mut contents = Toc::new(14, "zulip", "15.1", "15.1");
        let mut elsewhere = entry(9, "INDEX", 4, &[1]);
        elsewhere.tablespace = Some("fast".to_owned());
        contents.entries = vec![
            entry(1, "TABLE", 2, &[]),
            entry(2, "TABLE", 2, &[]),
            entry(3, "FUNCTION", 2, &[]),
            entry(4, "TABLE DATA", 3, &[1]),
            entry(5, "CONSTRAINT", 4, &[1, 1]),
            entry(6, "INDEX", 4, &[1, 3]),
            entry(7, "INDEX", 4, &[2]), // of a table without rows in the dump
            entry(8, "INDEX", 4, &[1, 5]),
            elsewhere,
            entry(10, "FK CONSTRAINT", 4, &[1, 5]),
            entry(11, "TRIGGER", 4, &[1]),
        ];
        let taken = take(&mut contents);
        let ids = |entries: &[TocEntry]| entries.iter().map(|entry| entry.dump_id).collect::<Vec<_>>();
        assert_eq!(taken.keys().collect::<Vec<_>>(), [&1]);
        assert_eq!((ids(&taken[&1].keys), ids(&taken[&1].indexes)), (vec![5], vec![6]));
        assert_eq!(ids(&contents.entries), [1, 2, 3, 4, 7, 8, 9, 10, 11]);
    }
}
