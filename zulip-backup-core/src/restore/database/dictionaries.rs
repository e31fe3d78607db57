//! Text-search dictionaries: a dump names files, and only the server knows whether it has them.

use std::collections::BTreeMap;

use postgres::Client;

use crate::postgres::dump::Toc;
use crate::postgres::{ServerError, error, quote_identifier};
use crate::{Error, Result};

/// SQLSTATE of a text-search file that cannot be opened or read.
const CONFIG_FILE_ERROR: &str = "F0000";

/// The dictionaries of a dump that this server cannot make for want of a file, as `schema.name`, with what it says.
///
/// Each is tried in a transaction that is rolled back, in a database that is not the dump's.
pub(crate) fn missing_dictionaries(toc: &Toc, client: &mut Client) -> Result<BTreeMap<String, String>> {
    let mut missing = BTreeMap::new();
    for entry in toc.entries.iter().filter(|entry| entry.is("TEXT SEARCH DICTIONARY")) {
        let (Some(schema), Some(name), Some(statement)) = (&entry.namespace, &entry.tag, &entry.defn) else { continue };
        let failed = |failure| error("try a text-search dictionary", failure);
        let mut transaction = client.transaction().map_err(failed)?;
        let schema_made =
            transaction.execute(&format!("CREATE SCHEMA IF NOT EXISTS {}", quote_identifier(schema)), &[]);
        // As a prepared statement it is one statement, whatever the dump says.
        let tried = schema_made.and_then(|_| transaction.execute(statement.trim().trim_end_matches(';'), &[]));
        let problem = tried.err().and_then(|failure| failure.as_db_error().map(ServerError::from));
        transaction.rollback().map_err(failed)?;
        if let Some(server) = problem.filter(|server| server.code == CONFIG_FILE_ERROR) {
            missing.insert(format!("{schema}.{name}"), server.message);
        }
    }
    Ok::<_, Error>(missing)
}
