//! Rows as PostgreSQL's COPY text.

use std::io::{self, Write};

use zulip_backup_core::schema::{Column, Release, Table};

use crate::time;

/// How much is collected before it is written: few calls, little memory.
const FLUSH: usize = 256 << 10;

/// One value of a row.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Text(String),
    /// Microseconds since 1970.
    Time(i64),
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}
impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}
impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}
impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A time, where an integer would be meant otherwise.
pub(crate) fn at(micros: i64) -> Value {
    Value::Time(micros)
}

/// Writes the rows of one table.
pub(crate) struct Rows<'a> {
    table: &'a Table,
    out: &'a mut dyn Write,
    buffer: Vec<u8>,
    count: u64,
}

impl<'a> Rows<'a> {
    pub(crate) fn new(table: &'a Table, out: &'a mut dyn Write) -> Self {
        Self { table, out, buffer: Vec::with_capacity(FLUSH + (64 << 10)), count: 0 }
    }

    pub(crate) fn table(&self) -> &'a Table {
        self.table
    }

    /// Writes one row: the named columns as given, as far as the release has them; `id` the number of the row where it is
    /// not given; any other column NULL where that is allowed and otherwise the empty value of its type.
    ///
    /// A name that is no column of the table in any release is a mistake in this program, and ends it.
    pub(crate) fn row(&mut self, values: &[(&str, Value)]) -> io::Result<()> {
        for (name, _) in values.iter().filter(|(name, _)| self.table.column(name).is_none()) {
            assert!(is_known(&self.table.name, name), "{} has no column {name}", self.table.name);
        }
        let default_id = Value::Int(self.count as i64 + 1);
        for (index, column) in self.table.columns.iter().enumerate() {
            if index > 0 {
                self.buffer.push(b'\t');
            }
            match values.iter().rev().find(|(name, _)| *name == column.name) {
                Some((_, value)) => write_value(&mut self.buffer, value),
                None if column.name == "id" => write_value(&mut self.buffer, &default_id),
                None => write_value(&mut self.buffer, &empty(self.table, column)),
            }
        }
        self.end_row()
    }

    /// The buffer of a table whose rows are written by hand, column by column in the catalog's order, each ended by
    /// [`end_row`](Self::end_row).
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    pub(crate) fn end_row(&mut self) -> io::Result<()> {
        self.buffer.push(b'\n');
        self.count += 1;
        if self.buffer.len() >= FLUSH {
            self.out.write_all(&self.buffer)?;
            self.buffer.clear();
        }
        Ok(())
    }

    /// Writes what is left and gives the number of rows.
    pub(crate) fn finish(self) -> io::Result<u64> {
        self.out.write_all(&self.buffer)?;
        Ok(self.count)
    }
}

/// Whether some release has a column.
fn is_known(table: &str, column: &str) -> bool {
    let has = |release: &Release| release.catalog.has_column(table, column);
    Release::all().is_ok_and(|releases| releases.into_iter().any(has))
}

fn empty(table: &Table, column: &Column) -> Value {
    if column.nullable {
        return Value::Null;
    }
    match column.sql_type.as_str() {
        "boolean" => Value::Bool(false),
        "smallint" | "integer" | "bigint" => Value::Int(0),
        "timestamp with time zone" => Value::Time(time::NOW),
        "jsonb" => Value::Text("{}".into()),
        other if other == "text" || other.starts_with("character varying") => Value::Text(String::new()),
        other => panic!("{}.{} has no empty value: it is of type {other}", table.name, column.name),
    }
}

fn write_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => out.extend_from_slice(b"\\N"),
        Value::Bool(value) => out.push(if *value { b't' } else { b'f' }),
        Value::Int(value) => integer(out, *value),
        Value::Text(value) => escaped(out, value.as_bytes()),
        Value::Time(value) => time::write(out, *value),
    }
}

/// Appends a decimal number.
pub(crate) fn integer(out: &mut Vec<u8>, value: i64) {
    let mut digits = [0u8; 20];
    let mut rest = value.unsigned_abs();
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[start..]);
}

/// Appends text with the four bytes escaped that mean something to COPY.
pub(crate) fn escaped(out: &mut Vec<u8>, text: &[u8]) {
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b'\\' | b'\t' | b'\n' | b'\r')) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(match rest[at] {
            b'\\' => b"\\\\",
            b'\t' => b"\\t",
            b'\n' => b"\\n",
            _ => b"\\r",
        });
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_and_numbers_are_whole() {
        let mut out = Vec::new();
        escaped(&mut out, b"a\tb\\c\nd\re");
        integer(&mut out, -120);
        integer(&mut out, i64::MIN);
        assert_eq!(out, b"a\\tb\\\\c\\nd\\re-120-9223372036854775808");
    }
}
