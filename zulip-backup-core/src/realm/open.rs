//! Connections that find Zulip's tables by their names.

use postgres::Client;

use crate::Result;
use crate::postgres::{error, quote_identifier};
use crate::schema::home;
use crate::site::Site;

/// A connection that finds Zulip's tables by their names, as `application` in the server's lists.
pub(crate) fn connect(site: &Site, application: &str) -> Result<Client> {
    let mut client = site.database()?.value.connect(application)?;
    search_path(&mut client)?;
    Ok(client)
}

/// Lets a connection find Zulip's tables by their names. The statement comes back, for others.
pub(crate) fn search_path(client: &mut Client) -> Result<String> {
    let statement = format!("SET search_path = {}, pg_catalog", quote_identifier(&home(client)?));
    client.batch_execute(&statement).map_err(|failure| error("prepare the connection", failure))?;
    Ok(statement)
}
