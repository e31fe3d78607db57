//! Where Zulip's tables are.

use postgres::GenericClient;

use crate::postgres::{column, error};
use crate::{Error, ErrorKind, Result};

/// The PostgreSQL schema with Zulip's tables.
///
/// # Errors
/// `NotFound` where a database has none.
pub(crate) fn home(client: &mut impl GenericClient) -> Result<String> {
    let found = client
        .query(
            "SELECT n.nspname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relname = 'zerver_realm' AND c.relkind IN ('r', 'p') ORDER BY n.nspname = 'zulip' DESC, 1",
            &[],
        )
        .map_err(|failure| error("look for Zulip's tables", failure))?;
    let first = found.first().ok_or_else(|| {
        Error::new(ErrorKind::NotFound, "the database has no table zerver_realm")
            .with_hint("is it the database of a Zulip server?")
    })?;
    column(first, 0)
}
