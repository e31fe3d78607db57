//! What becomes of the rows of one list.

use crate::ids::Of;
use crate::import::making::Making;
use crate::import::rules::{self, Make};
use crate::import::value::Value;
use crate::postgres::{ColumnType, RowBuffer, quote_identifier};
use crate::rows::{Cell, RowParser, Shape};
use crate::schema::{RowList, Source};
use crate::{Error, ErrorKind, Result};

/// Where a column's value comes from.
#[derive(Clone, Copy)]
pub(super) enum Rule {
    /// The export's value at this place.
    Keep(usize),
    /// The new id of what the export's value names.
    Refer(usize, Of, Missing),
    /// The new id of the row itself.
    Own(usize, Of),
    /// The new organisation.
    Realm,
    /// Made.
    Make(Make),
}

/// What is done about a reference to what the export does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// The export is damaged.
    Refuse,
    /// The column is null.
    Null,
    /// The row is left out.
    LeaveOut,
}

struct Column {
    name: String,
    sql_type: ColumnType,
    rule: Rule,
}

/// A table to be filled from a list.
pub(super) struct Table {
    /// Its name.
    pub(super) name: String,
    columns: Vec<Column>,
    skip: Option<fn(&Making<'_>, &RowParser<'_>) -> bool>,
    /// The list, for people.
    list: String,
}

impl Table {
    /// The table that a list's rows, of this shape, are written to.
    ///
    /// # Errors
    /// `Damaged` where the built-in files contradict each other, which the tests exclude.
    pub(super) fn new(list: &RowList, shape: &Shape) -> Result<Self> {
        let name = list.table().to_owned();
        let catalog = shape.release.catalog.table(&name)?;
        let exported = shape.release.export.table(&name)?;
        let column_type = |column: &str| {
            let sql_type = catalog.column(column).map(|column| column.sql_type.as_str()).unwrap_or_default();
            ColumnType::of(sql_type).ok_or_else(|| wrong(&name, column, sql_type))
        };
        let mut columns: Vec<Column> = Vec::new();
        for (at, field) in exported.fields.iter().enumerate() {
            let Source::Column { column, references, .. } = &field.source else { continue };
            debug_assert_eq!(shape.fields[at].key, field.key);
            let special = rules::of(&name, column);
            let rule = match references.as_deref().and_then(Of::of_table) {
                _ if special.is_some() => Rule::Make(special.ok_or_else(|| wrong(&name, column, ""))?),
                // A group's row is named by its other half.
                _ if name == "zerver_namedusergroup" && field.key == "id" => continue,
                _ if column == "id" => match Of::of_table(&name) {
                    Some(of) => Rule::Own(at, of),
                    // Nobody names it: the database gives it one.
                    None => continue,
                },
                Some(Of::Realm) => Rule::Realm,
                Some(of) => Rule::Refer(at, of, rules::missing(&name, column)),
                None => Rule::Keep(at),
            };
            columns.push(Column { name: column.clone(), sql_type: column_type(column)?, rule });
        }
        for column in &exported.dropped {
            let make = rules::of(&name, column).ok_or_else(|| wrong(&name, column, "not exported"))?;
            columns.push(Column { name: column.clone(), sql_type: column_type(column)?, rule: Rule::Make(make) });
        }
        Ok(Self { skip: rules::skip(&name), list: list.key.clone(), name, columns })
    }

    /// The statement that takes its rows.
    pub(super) fn copy(&self) -> String {
        let columns: Vec<String> = self.columns.iter().map(|column| quote_identifier(&column.name)).collect();
        format!("COPY {} ({}) FROM STDIN (FORMAT binary)", quote_identifier(&self.name), columns.join(", "))
    }

    /// Writes a row; `false` for one that is left out.
    ///
    /// # Errors
    /// `Damaged` where a value cannot be written or names what is not there.
    pub(super) fn write(&self, making: &Making<'_>, row: &RowParser<'_>, out: &mut RowBuffer) -> Result<bool> {
        if self.skip.is_some_and(|skip| skip(making, row)) {
            return Ok(false);
        }
        let start = out.bytes.len();
        out.begin(u16::try_from(self.columns.len()).unwrap_or(u16::MAX));
        for column in &self.columns {
            let value = match column.rule {
                Rule::Keep(at) => Value::of(row, row.cell(at)),
                Rule::Own(at, of) => self.id(making, row, at, of, Missing::Refuse)?.unwrap_or(Value::Null),
                Rule::Refer(at, of, _) if making.conversion.is_some() && row.cell(at) == Cell::Null => {
                    self.unsaid(making, row, &column.name, of)?
                }
                Rule::Refer(at, of, missing) => match self.id(making, row, at, of, missing)? {
                    Some(value) => value,
                    None => {
                        out.take_back(start);
                        return Ok(false);
                    }
                },
                Rule::Realm => Value::Int(making.realm),
                Rule::Make(make) => make(making, row).map_err(|error| self.in_row(row, &column.name, &error))?,
            };
            value.write(column.sql_type, out).map_err(|error| self.in_row(row, &column.name, &error))?;
        }
        Ok(true)
    }

    /// The new id that stands for the old one at a place; nothing where the row has to be left out.
    fn id<'a>(
        &self,
        making: &Making<'_>,
        row: &RowParser<'_>,
        at: usize,
        of: Of,
        missing: Missing,
    ) -> Result<Option<Value<'a>>> {
        let Cell::Int(old) = row.cell(at) else { return Ok(Some(Value::Null)) };
        match (making.ids.get(of, old), missing) {
            (Some(new), _) => Ok(Some(Value::Int(new))),
            (None, Missing::Null) => Ok(Some(Value::Null)),
            (None, Missing::LeaveOut) => Ok(None),
            (None, Missing::Refuse) => {
                let key = row.shape.fields.get(at).map_or("?", |field| field.key.as_str());
                let message = format!("refers to {of:?} {old}, which is not in the export");
                Err(self.in_row(row, key, &Error::new(ErrorKind::Damaged, message)))
            }
        }
    }

    /// What an export does not say that a converter made: who may do what, and the recipients that name a row.
    fn unsaid<'a>(&self, making: &Making<'_>, row: &RowParser<'_>, column: &str, of: Of) -> Result<Value<'a>> {
        let id = row.integer("id");
        let value = match (of, making.conversion) {
            (Of::UserGroup, Some(conversion)) => {
                conversion.group(&self.name, column, row.integer("stream_post_policy"))?
            }
            (Of::Recipient, _) => {
                let facts = making.facts;
                let old = id.and_then(|id| match self.name.as_str() {
                    "zerver_userprofile" => facts.users.get(&id)?.recipient,
                    "zerver_stream" => facts.streams.get(&id)?.recipient,
                    "zerver_huddle" => facts.groups.get(&id).copied(),
                    _ => None,
                });
                old.and_then(|old| making.ids.get(of, old))
            }
            _ => None,
        };
        Ok(value.map_or(Value::Null, Value::Int))
    }

    fn in_row(&self, row: &RowParser<'_>, column: &str, error: &Error) -> Error {
        let id = row.integer("id").map(|id| format!(" {id}")).unwrap_or_default();
        Error::new(error.kind(), format!("{}{id}, {column}: {}", self.list, error.chain()))
    }
}

fn wrong(table: &str, column: &str, what: &str) -> Error {
    Error::new(ErrorKind::Damaged, format!("no rule says what becomes of {table}.{column} ({what})"))
}
