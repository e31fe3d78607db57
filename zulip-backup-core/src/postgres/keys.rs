//! The foreign keys of a live database.

use postgres::GenericClient;

use super::{column, error};
use crate::Result;

/// A foreign key between two of Zulip's tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ForeignKey {
    /// The constraint's name.
    pub(crate) name: String,
    /// The table that refers.
    pub(crate) table: String,
    /// Its column.
    pub(crate) column: String,
    /// Whether that column may be null.
    pub(crate) nullable: bool,
    /// The table that is referred to.
    pub(crate) parent: String,
    /// Its column.
    pub(crate) parent_column: String,
    /// How many columns it has. Zulip's have one; of others those above are the first.
    pub(crate) columns: i64,
}

const KEYS: &str = "
    SELECT k.conname::text, c.relname::text, a.attname::text, NOT a.attnotnull, p.relname::text, pa.attname::text,
           cardinality(k.conkey)::int8
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class p ON p.oid = k.confrelid
    JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
    JOIN pg_attribute pa ON pa.attrelid = k.confrelid AND pa.attnum = k.confkey[1]
    WHERE k.contype = 'f' AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'zerver_realm'::regclass)
    ORDER BY 2, 3, 1";

impl ForeignKey {
    /// All of them, by table and column. The connection finds Zulip's tables by their names.
    ///
    /// # Errors
    /// What the database answers.
    pub(crate) fn all(client: &mut impl GenericClient) -> Result<Vec<Self>> {
        let rows = client.query(KEYS, &[]).map_err(|failure| error("read the foreign keys", failure))?;
        let keys = rows.iter().map(|row| {
            Ok(Self {
                name: column(row, 0)?,
                table: column(row, 1)?,
                column: column(row, 2)?,
                nullable: column(row, 3)?,
                parent: column(row, 4)?,
                parent_column: column(row, 5)?,
                columns: column(row, 6)?,
            })
        });
        keys.collect()
    }
}
