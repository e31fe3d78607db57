//! How rows get into the large tables.

use std::collections::BTreeMap;
use std::fmt;

use postgres::Client;
use serde::Serialize;

use crate::Result;
use crate::postgres::{column, error};

/// How rows get into the large tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "way", rename_all = "kebab-case")]
pub enum Way {
    /// Indexes and foreign keys are set aside, and made again when the rows are there. Nobody can use these tables
    /// meanwhile.
    FirstImport,
    /// Indexes and foreign keys stay. Others read and send as always.
    SharedServer {
        /// Whether keys are checked for all rows at once instead of for each.
        bulk_checks: bool,
    },
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FirstImport => "first import",
            Self::SharedServer { bulk_checks: true } => "shared server, keys checked at once",
            Self::SharedServer { bulk_checks: false } => "shared server",
        })
    }
}

/// A table for which setting its indexes aside pays, in rows to be written. Making them again costs a few milliseconds
/// each, whatever there is.
const LARGE_ROWS: u64 = 5_000;

/// How many rows a table may have that is nearly empty: their index entries are made again as well.
const FEW_ROWS: i64 = 1_000;

/// Tables of an import with this many rows are large.
pub(super) fn large(rows: &BTreeMap<String, u64>) -> Vec<String> {
    let large = rows.iter().filter(|(_, rows)| **rows >= LARGE_ROWS).map(|(table, _)| table.as_str());
    // The search index is told of every message.
    large
        .flat_map(|table| [table].into_iter().chain((table == "zerver_message").then_some("fts_update_log")))
        .map(str::to_owned)
        .collect()
}

/// Which way, and why.
///
/// # Errors
/// What the database answers.
pub(super) fn choose(client: &mut Client, rows: &BTreeMap<String, u64>) -> Result<(Way, String)> {
    let failed = |failure| error("look at the server's tables", failure);
    let shared = |client: &mut Client, because: String| -> Result<(Way, String)> {
        // From PostgreSQL 15 on others than superusers may have been given the right.
        let row = client
            .query_one(
                "SELECT current_setting('is_superuser') = 'on' OR (current_setting('server_version_num')::int4 >= 150000
                        AND has_parameter_privilege('session_replication_role', 'SET'))",
                &[],
            )
            .or_else(|_| client.query_one("SELECT current_setting('is_superuser') = 'on'", &[]))
            .map_err(failed)?;
        let bulk_checks: bool = column(&row, 0)?;
        let how = if bulk_checks { "the role may switch triggers off" } else { "the role may not switch triggers off" };
        Ok((Way::SharedServer { bulk_checks }, format!("{because}; {how}")))
    };
    for table in ["zerver_message", "zerver_usermessage"] {
        let imported = rows.get(table).copied().unwrap_or(0);
        let few = i64::try_from(imported / 10).unwrap_or(i64::MAX).max(FEW_ROWS);
        let statement = format!("SELECT count(*) FROM (SELECT FROM {table} LIMIT $1::int8) few");
        let row = client.query_one(&statement, &[&(few + 1)]).map_err(failed)?;
        if column::<i64>(&row, 0)? > few {
            return shared(client, format!("{table} has rows of others"));
        }
    }
    let tables = large(rows);
    if tables.is_empty() {
        return shared(client, "there are few rows".to_owned());
    }
    let row = client
        .query_one(
            "SELECT string_agg(c.relname, ', ') FROM pg_class c
             WHERE c.oid = ANY ($1::text[]::regclass[]) AND NOT pg_has_role(c.relowner, 'USAGE')",
            &[&tables],
        )
        .map_err(failed)?;
    if let Some(foreign) = column::<Option<String>>(&row, 0)? {
        return shared(client, format!("the role does not own {foreign}"));
    }
    Ok((Way::FirstImport, "the server has hardly any messages yet".to_owned()))
}
