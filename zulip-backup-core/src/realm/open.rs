//! Connections that find Zulip's tables by their names.

use postgres::Client;

use crate::postgres::{column, error, quote_identifier};
use crate::site::Site;
use crate::{Error, ErrorKind, Result};

/// A connection that finds Zulip's tables by their names, as `application` in the server's lists.
pub(crate) fn connect(site: &Site, application: &str) -> Result<Client> {
    let mut client = site.database()?.value.connect(application)?;
    search_path(&mut client)?;
    Ok(client)
}

/// Lets a connection find Zulip's tables by their names. The statement comes back, for others.
pub(crate) fn search_path(client: &mut Client) -> Result<String> {
    let statement = format!("SET search_path = {}, pg_catalog", quote_identifier(&schema(client)?));
    client.batch_execute(&statement).map_err(|failure| error("prepare the connection", failure))?;
    Ok(statement)
}

/// The schema with Zulip's tables.
fn schema(client: &mut Client) -> Result<String> {
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
