//! The sequences that columns draw their values from.

use postgres::GenericClient;

use super::{column, error, quote_identifier};
use crate::Result;

/// A sequence that belongs to a column. Names are as the connection would write them: quoted, and with their schema where
/// its search path does not lead there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnedSequence {
    pub(crate) name: String,
    pub(crate) table: String,
    /// As it is, without quotes.
    pub(crate) column: String,
}

/// A sequence whose next value is one that a row has already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Behind {
    /// The last value it gave.
    pub(crate) last: i64,
    /// The largest value in the column.
    pub(crate) largest: i64,
}

impl OwnedSequence {
    /// All of them.
    ///
    /// Not those of Zulip's archive tables, which keep the numbers of the rows that were moved into them and never ask.
    ///
    /// # Errors
    /// What the database answers.
    pub(crate) fn all(client: &mut impl GenericClient) -> Result<Vec<Self>> {
        let rows = client
            .query(
                "SELECT s.oid::regclass::text, t.oid::regclass::text, a.attname::text
                 FROM pg_class s
                 JOIN pg_depend d ON d.objid = s.oid AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
                 JOIN pg_class t ON t.oid = d.refobjid AND d.refclassid = 'pg_class'::regclass
                 JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
                 WHERE s.relkind = 'S' AND NOT starts_with(t.relname, 'zerver_archived') ORDER BY 1",
                &[],
            )
            .map_err(|failure| error("read which sequences there are", failure))?;
        let sequences =
            rows.iter().map(|row| Ok(Self { name: column(row, 0)?, table: column(row, 1)?, column: column(row, 2)? }));
        sequences.collect()
    }

    /// The last value it gave; the one before its first where it was never asked.
    ///
    /// # Errors
    /// What the database answers.
    pub(crate) fn last(&self, client: &mut impl GenericClient) -> Result<i64> {
        let query = format!("SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM {}", self.name);
        let row = client.query_one(&query, &[]).map_err(|failure| error("read a sequence", failure))?;
        column(&row, 0)
    }

    /// Whether the next row would get a value that another has already.
    ///
    /// # Errors
    /// What the database answers.
    pub(crate) fn behind(&self, client: &mut impl GenericClient) -> Result<Option<Behind>> {
        let query = format!("SELECT max({})::int8 FROM {}", quote_identifier(&self.column), self.table);
        let row = client.query_one(&query, &[]).map_err(|failure| error("look for the largest value", failure))?;
        let Some(largest) = column::<Option<i64>>(&row, 0)? else { return Ok(None) };
        let last = self.last(client)?;
        Ok((largest > last).then_some(Behind { last, largest }))
    }
}
