//! Is what was loaded what the archive promised?

use crate::archive::TableFacts;
use crate::postgres::{ConnectOptions, column, error, quote_identifier};
use crate::restore::APPLICATION;
use crate::restore::database::{LoadReport, TableRows};
use crate::{Error, ErrorKind, Finding, Progress, Result};

/// Compares a loaded database with the manifest: the rows of every table, and that each index and each foreign key is
/// valid, which PostgreSQL checked row by row when it made them. Counts what the load did not count.
///
/// # Errors
/// `Damaged` with every difference as a reason.
pub(crate) fn check(
    target: &ConnectOptions,
    expected: &[TableFacts],
    loaded: &mut LoadReport,
    progress: &dyn Progress,
) -> Result<()> {
    let mut client = target.connect(APPLICATION)?;
    if loaded.rows.is_empty() {
        loaded.rows = count(&mut client, progress)?;
    }
    let mut reasons = Vec::new();
    for table in expected {
        let found = loaded.rows.iter().find(|rows| rows.schema == table.schema && rows.name == table.name);
        let found = found.map_or_else(|| "is missing".to_owned(), |rows| format!("has {} rows", rows.rows));
        if found != format!("has {} rows", table.rows) {
            reasons.push(Finding::error(
                "rows-differ",
                format!("{}.{}", table.schema, table.name),
                format!("{found}, the archive's manifest says {}", table.rows),
            ));
        }
    }
    let invalid = "
        SELECT 'index', indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid
        UNION ALL SELECT 'constraint', conrelid::regclass::text || '.' || conname FROM pg_constraint
        WHERE contype = 'f' AND NOT convalidated";
    for row in client.query(invalid, &[]).map_err(|failure| error("look for invalid indexes", failure))? {
        let (kind, name): (String, String) = (column(&row, 0)?, column(&row, 1)?);
        reasons.push(Finding::error("not-valid", name, format!("the {kind} is not valid after the load")));
    }
    if reasons.is_empty() {
        return Ok(());
    }
    let message = format!("the restored database differs from its archive in {} places", reasons.len());
    Err(Error::new(ErrorKind::Damaged, message)
        .with_hint("nothing was switched: the server still has what it had")
        .with_reasons(reasons))
}

fn count(client: &mut postgres::Client, progress: &dyn Progress) -> Result<Vec<TableRows>> {
    let failed = |failure| error("count the restored rows", failure);
    let tables = client
        .query(
            "SELECT n.nspname::text, c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2",
            &[],
        )
        .map_err(failed)?;
    let mut counted = Vec::new();
    for row in &tables {
        progress.checkpoint()?;
        let (schema, name): (String, String) = (column(row, 0)?, column(row, 1)?);
        let sql = format!("SELECT count(*) FROM {}.{}", quote_identifier(&schema), quote_identifier(&name));
        let rows: i64 = column(&client.query_one(sql.as_str(), &[]).map_err(failed)?, 0)?;
        counted.push(TableRows { schema, name, rows: u64::try_from(rows).unwrap_or(0) });
    }
    Ok(counted)
}
