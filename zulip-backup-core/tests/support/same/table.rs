//! Tables and their rows, as text.

use std::collections::BTreeMap;

use postgres::Transaction;

use super::SCHEMA;
use super::exception::{Exception, Kind};

const TABLES: &str = "
    SELECT c.relname::text, a.attname::text, format_type(a.atttypid, NULL),
           EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND a.attnum = ANY (i.indkey))
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relnamespace = $1::text::regnamespace AND c.relkind IN ('r', 'p')";

/// What a row is told from others by. A number's length goes before its digits, so 9 comes before 10.
pub(super) type Key = Vec<(usize, Option<String>)>;

/// A row: its values in the order of the columns' names, and its answers to the exceptions' conditions.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Row {
    pub(super) values: Vec<Option<String>>,
    pub(super) marks: Vec<[bool; 2]>,
}

/// A table.
#[derive(Clone)]
pub(super) struct Table {
    pub(super) name: String,
    /// The types of its columns.
    pub(super) columns: BTreeMap<String, String>,
    primary_key: Vec<String>,
}

/// All tables of the schema.
pub(super) fn tables(transaction: &mut Transaction) -> BTreeMap<String, Table> {
    let mut tables = BTreeMap::new();
    for row in transaction.query(TABLES, &[&SCHEMA]).unwrap() {
        let (name, column): (String, String) = (row.get(0), row.get(1));
        let new = || Table { name: name.clone(), columns: BTreeMap::new(), primary_key: Vec::new() };
        let table: &mut Table = tables.entry(name.clone()).or_insert_with(new);
        if row.get(3) {
            table.primary_key.push(column.clone());
        }
        table.columns.insert(column, row.get(2));
    }
    tables
}

impl Table {
    /// With the columns only that another one has too.
    pub(super) fn with_columns_of(&self, other: &Self) -> Self {
        let mut table = self.clone();
        table.columns.retain(|column, _| other.columns.contains_key(column));
        table.primary_key.retain(|column| other.columns.contains_key(column));
        table
    }

    /// The number of rows and a sum over them that does not depend on their order, nor on that of the columns.
    ///
    /// A sum, not an exclusive or: a row that is there twice has to count twice.
    pub(super) fn sum(&self, transaction: &mut Transaction) -> (i64, String) {
        self.sum_where(transaction, "true")
    }

    /// The same of the rows for which a condition holds.
    pub(super) fn sum_where(&self, transaction: &mut Transaction, condition: &str) -> (i64, String) {
        let columns: Vec<String> = self.columns.keys().map(|column| quoted(column)).collect();
        let sql = format!(
            "SELECT count(*), concat_ws(':', sum(hashtextextended(line, 1)), sum(hashtextextended(line, 2)))
             FROM (SELECT ROW({})::text AS line FROM {} WHERE {condition}) lines",
            columns.join(", "),
            self.place()
        );
        let row = transaction.query_one(sql.as_str(), &[]).unwrap();
        (row.get(0), row.get(1))
    }

    /// All rows by what they are told apart by. Those that share a key are in the order of their values.
    pub(super) fn rows(&self, transaction: &mut Transaction, exceptions: &[&Exception]) -> BTreeMap<Key, Vec<Row>> {
        let columns = self.columns.keys().map(|column| format!("t.{}::text", quoted(column)));
        let conditions = exceptions.iter().flat_map(|exception| exception.conditions());
        let conditions = conditions.map(|condition| format!("({condition}) IS TRUE"));
        let list: Vec<String> = columns.chain(conditions).collect();
        let sql = format!("SELECT {} FROM {} t", list.join(", "), self.place());
        let key = self.key(exceptions);
        let unkeyed = |column: &str| {
            exceptions.iter().any(|exception| exception.column == column && matches!(exception.kind, Kind::Unkeyed(_)))
        };
        let width = self.columns.len();
        let mut rows: BTreeMap<Key, Vec<Row>> = BTreeMap::new();
        for row in transaction.query(sql.as_str(), &[]).unwrap() {
            let values: Vec<Option<String>> = (0..width).map(|at| row.get(at)).collect();
            let mark = |at: usize| [row.get(width + 2 * at), row.get(width + 2 * at + 1)];
            let marks = (0..exceptions.len()).map(mark).collect();
            let of_key = self.columns.keys().zip(&values).filter(|(column, _)| key.contains(&column.as_str()));
            let key = of_key.map(|(_, value)| (value.as_ref().map_or(0, String::len), value.clone())).collect();
            rows.entry(key).or_default().push(Row { values, marks });
        }
        for rows in rows.values_mut().filter(|rows| rows.len() > 1) {
            // By what counts first: the numbers that mean nothing must not decide which rows are put together.
            rows.sort_by_cached_key(|row| {
                let (mut counting, mut rest) = (Vec::new(), Vec::new());
                for (column, value) in self.columns.keys().zip(&row.values) {
                    let list = if unkeyed(column) { &mut rest } else { &mut counting };
                    list.push(value.clone());
                }
                (counting, rest)
            });
        }
        rows
    }

    /// A row's name, as `id=3`.
    pub(super) fn named(&self, key: &Key, exceptions: &[&Exception]) -> String {
        let names = self.key(exceptions);
        let columns = self.columns.keys().filter(|column| names.contains(&column.as_str()));
        let parts = columns.zip(key).map(|(column, (_, value))| {
            let value = value.as_deref().unwrap_or("NULL");
            format!("{column}={value}")
        });
        parts.collect::<Vec<_>>().join(" ")
    }

    /// The columns rows are told apart by: the declared ones, else the primary key, else all.
    fn key<'a>(&'a self, exceptions: &[&Exception]) -> Vec<&'a str> {
        let declared = exceptions.iter().find_map(|exception| match exception.kind {
            Kind::Unkeyed(columns) => Some(columns.to_vec()),
            _ => None,
        });
        let all = || self.columns.keys().map(String::as_str).collect();
        let primary = || self.primary_key.iter().map(String::as_str).collect();
        declared.unwrap_or_else(|| if self.primary_key.is_empty() { all() } else { primary() })
    }

    fn place(&self) -> String {
        format!("{SCHEMA}.{}", quoted(&self.name))
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
