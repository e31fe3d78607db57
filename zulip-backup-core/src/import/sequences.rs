//! Ids out of the server's own sequences: nobody else gets them, whoever is at work meanwhile.

use postgres::Client;

use crate::ids::Numbers;
use crate::postgres::{column, error};
use crate::{Error, ErrorKind, Result};

/// How many are taken with one statement. Where others take some as well, so many wait in memory on the server.
const AT_ONCE: u64 = 100_000;

/// Takes the next `count` ids of a table.
///
/// # Errors
/// What the server answers.
pub(super) fn take(client: &mut Client, table: &str, count: u64) -> Result<Numbers> {
    let mut numbers = Numbers::default();
    if count == 0 {
        return Ok(numbers);
    }
    let doing = format!("reserve ids of {table}");
    let failed = |failure| error(&doing, failure);
    let row = client.query_one("SELECT pg_get_serial_sequence($1, 'id')", &[&table]).map_err(failed)?;
    let sequence: String = column::<Option<String>>(&row, 0)?.ok_or_else(|| {
        Error::new(ErrorKind::Incompatible, format!("the ids of {table} come from no sequence"))
            .with_hint("ALTER SEQUENCE … OWNED BY names the sequence that a column draws from")
    })?;
    let statement = client
        .prepare(
            "SELECT min(id), max(id), CASE WHEN max(id) - min(id) + 1 = count(*) THEN NULL ELSE array_agg(id) END
             FROM (SELECT nextval($1::text::regclass) AS id FROM generate_series(1, $2::int8)) taken",
        )
        .map_err(failed)?;
    while numbers.len() < count {
        let wanted = i64::try_from((count - numbers.len()).min(AT_ONCE)).unwrap_or(1);
        let row = client.query_one(&statement, &[&sequence, &wanted]).map_err(failed)?;
        match column::<Option<Vec<i64>>>(&row, 2)? {
            None => numbers.push(column(&row, 0)?..column::<i64>(&row, 1)? + 1),
            Some(mut ids) => {
                ids.sort_unstable();
                for id in ids {
                    numbers.push(id..id + 1);
                }
            }
        }
    }
    Ok(numbers)
}
