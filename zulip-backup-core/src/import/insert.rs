//! Single rows.

use postgres::Client;
use serde_json::{Value, json};

use crate::Result;
use crate::postgres::{column, error, quote_identifier};

/// Writes a row whose columns are the keys of `row`. The database gives it its id, where none is given, which comes back
/// (0 of a table without).
///
/// # Errors
/// What the database answers.
pub(super) fn insert(client: &mut Client, table: &str, row: &Value) -> Result<i64> {
    let columns: Vec<String> =
        row.as_object().into_iter().flatten().map(|(column, _)| quote_identifier(column)).collect();
    let columns = columns.join(", ");
    // Values find their types by the columns' own.
    let statement = format!(
        "INSERT INTO {table} ({columns}) SELECT {columns} FROM jsonb_populate_record(NULL::{table}, $1::text::jsonb)
         RETURNING to_jsonb({table}) ->> 'id'"
    );
    let made = client.query_one(&statement, &[&row.to_string()]);
    let made = made.map_err(|failure| error(&format!("write a row of {table}"), failure))?;
    Ok(column::<Option<String>>(&made, 0)?.and_then(|id| id.parse().ok()).unwrap_or(0))
}

/// Writes a line of the audit log; `extra` has what is not as usual.
pub(super) fn audit(client: &mut Client, realm: i64, event: i64, extra: Value) -> Result<()> {
    let mut row = json!({"realm_id": realm, "event_type": event, "backfilled": false, "extra_data": {}});
    if let (Some(row), Value::Object(extra)) = (row.as_object_mut(), extra) {
        row.extend(extra);
    }
    if row.get("event_time").is_none() {
        row["event_time"] = now(client)?.into();
    }
    insert(client, "zerver_realmauditlog", &row).map(|_| ())
}

/// The time of the transaction.
pub(super) fn now(client: &mut Client) -> Result<String> {
    let row = client.query_one("SELECT now()::text", &[]).map_err(|failure| error("ask for the time", failure))?;
    column(&row, 0)
}
