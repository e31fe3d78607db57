//! Telling databases apart.

use postgres::GenericClient;

use super::{column, error};
use crate::Result;

/// What tells a database from all others: its number, and its server's, where the role may ask for that. A copy of the
/// database has another number or is on another server.
pub(crate) fn identity(client: &mut impl GenericClient) -> Result<String> {
    let row = client
        .query_one(
            "SELECT (SELECT oid FROM pg_database WHERE datname = current_database())::text || ' '
                    || CASE WHEN has_function_privilege('pg_control_system()', 'execute')
                            THEN (SELECT system_identifier::text FROM pg_control_system()) ELSE '' END",
            &[],
        )
        .map_err(|failure| error("ask which database this is", failure))?;
    column(&row, 0)
}
