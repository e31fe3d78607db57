//! Two Zulip databases beside each other: the same tables, and in them the same rows but for declared exceptions.
//!
//! Test files take it in with `#[path = "support/same.rs"] mod same;`.
#![allow(dead_code, unused_imports)] // not every test uses all of it
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test's tool

#[path = "same/checksum.rs"]
mod checksum;
#[path = "dump.rs"]
mod dump;
#[path = "same/exception.rs"]
mod exception;
#[path = "same/html.rs"]
mod html;
#[path = "same/stored.rs"]
mod stored;
#[path = "same/table.rs"]
mod table;
#[path = "same/upstream.rs"]
mod upstream;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use postgres::{Client, IsolationLevel, Transaction};

pub use checksum::{checksums, checksums_where};
pub use dump::restore;
pub use exception::{Exception, Kind, WHOLE_ROW};
pub use html::same_html;
use stored::Stored;
use table::{Key, Row, Table};
pub use upstream::MADE_UP;

/// Where Zulip's tables live.
const SCHEMA: &str = "zulip";

/// What one of the databases has otherwise than the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// A table is in one of them only: the expected one, if `expected`.
    Table { table: String, expected: bool },
    /// A column is in one of them only.
    Column { table: String, column: String, expected: bool },
    /// A row is in one of them only; the row by its key, as `id=3`.
    Row { table: String, row: String, expected: bool },
    /// A value.
    Value { table: String, row: String, column: String, expected: Option<String>, found: Option<String> },
}

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = |expected: &bool| if *expected { "is missing" } else { "is not expected" };
        match self {
            Self::Table { table, expected } => write!(out, "the table {table} {}", state(expected)),
            Self::Column { table, column, expected } => write!(out, "the column {table}.{column} {}", state(expected)),
            Self::Row { table, row, expected } => write!(out, "the row {table} {row} {}", state(expected)),
            Self::Value { table, row, column, expected, found } => {
                write!(out, "{table} {row}: {column} is {found:?}, not {expected:?}")
            }
        }
    }
}

/// One of the two, for the time of the comparison.
struct Side<'a> {
    transaction: Transaction<'a>,
    tables: BTreeMap<String, Table>,
    stored: Stored,
}

impl<'a> Side<'a> {
    fn of(client: &'a mut Client) -> Self {
        let mut transaction = reading(client);
        let tables = table::tables(&mut transaction);
        let stored = Stored::of(&mut transaction, &tables);
        Self { transaction, tables, stored }
    }
}

/// One state of a database, in which a time is the same text everywhere.
fn reading(client: &mut Client) -> Transaction<'_> {
    let transaction = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true);
    let mut transaction = transaction.start().unwrap();
    transaction.batch_execute("SET LOCAL TIME ZONE 'UTC'; SET LOCAL search_path = zulip, public").unwrap();
    transaction
}

/// What `found` has otherwise than `expected`, in all tables of the schema, in the order of tables and of keys.
///
/// # Panics
/// When an exception names a table or column that there is not, or cannot be of its column.
pub fn compare(expected: &mut Client, found: &mut Client, exceptions: &[Exception]) -> Vec<Difference> {
    let (mut expected, mut found) = (Side::of(expected), Side::of(found));
    for exception in exceptions {
        exception.check(&expected.tables);
    }
    let mut differences = Vec::new();
    for name in expected.tables.keys().filter(|name| !found.tables.contains_key(*name)) {
        differences.push(Difference::Table { table: name.clone(), expected: true });
    }
    for (name, table) in found.tables.clone() {
        let Some(like) = expected.tables.get(&name).cloned() else {
            differences.push(Difference::Table { table: name, expected: false });
            continue;
        };
        let lone = |one: &Table, other: &Table, expected: bool| {
            let columns: Vec<_> = one.columns.keys().filter(|column| !other.columns.contains_key(*column)).collect();
            let lone =
                |column: &&String| Difference::Column { table: name.clone(), column: (*column).clone(), expected };
            columns.iter().map(lone).collect::<Vec<_>>()
        };
        differences.extend(lone(&like, &table, true));
        differences.extend(lone(&table, &like, false));
        let common = like.with_columns_of(&table);
        if common.sum(&mut expected.transaction) != common.sum(&mut found.transaction) {
            let of_table: Vec<&Exception> = exceptions.iter().filter(|exception| exception.table == name).collect();
            differences.extend(rows_differ(&common, &mut expected, &mut found, &of_table));
        }
    }
    differences
}

fn rows_differ(table: &Table, expected: &mut Side, found: &mut Side, exceptions: &[&Exception]) -> Vec<Difference> {
    let mut ours = table.rows(&mut expected.transaction, exceptions);
    let mut theirs = table.rows(&mut found.transaction, exceptions);
    let keys: BTreeSet<Key> = ours.keys().chain(theirs.keys()).cloned().collect();
    let mut differences = Vec::new();
    for key in keys {
        let ours = ours.remove(&key).unwrap_or_default();
        let theirs = theirs.remove(&key).unwrap_or_default();
        let row = table.named(&key, exceptions);
        for (ours, theirs) in ours.iter().zip(&theirs) {
            let pair = Pair { ours, theirs, stored: (&expected.stored, &found.stored) };
            for (at, column) in table.columns.keys().enumerate() {
                if !pair.same(at, column, exceptions) {
                    differences.push(Difference::Value {
                        table: table.name.clone(),
                        row: row.clone(),
                        column: column.clone(),
                        expected: ours.values[at].clone(),
                        found: theirs.values[at].clone(),
                    });
                }
            }
        }
        let paired = ours.len().min(theirs.len());
        for (lone, expected) in [(&ours[paired..], true), (&theirs[paired..], false)] {
            for _ in lone.iter().filter(|lone| !exception::lone_row_is_declared(exceptions, &lone.marks)) {
                differences.push(Difference::Row { table: table.name.clone(), row: row.clone(), expected });
            }
        }
    }
    differences
}

/// Two rows with the same key.
struct Pair<'a> {
    ours: &'a Row,
    theirs: &'a Row,
    stored: (&'a Stored, &'a Stored),
}

impl Pair<'_> {
    fn same(&self, at: usize, column: &str, exceptions: &[&Exception]) -> bool {
        let (ours, theirs) = (self.ours.values[at].as_deref(), self.theirs.values[at].as_deref());
        let declared = |(at, exception): (usize, &&Exception)| {
            let marks = (self.ours.marks[at], self.theirs.marks[at]);
            exception.column == column && exception.admits(ours, theirs, marks, self.stored)
        };
        ours == theirs || exceptions.iter().enumerate().any(declared)
    }
}
