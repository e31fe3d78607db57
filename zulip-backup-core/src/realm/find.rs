//! Finding the organisation that somebody names.

use postgres::GenericClient;

use crate::postgres::{column, error};
use crate::{Error, ErrorKind, Result};

/// An organisation, as far as every verb needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Realm {
    /// Its id.
    pub(crate) id: i64,
    /// Its subdomain; empty at the root domain.
    pub(crate) string_id: String,
    /// Its name.
    pub(crate) name: String,
    /// Whether it is deactivated.
    pub(crate) deactivated: bool,
}

const FIND: &str = "SELECT id::int8, string_id::text, name::text, deactivated FROM zerver_realm WHERE";

/// Whether there is an organisation with this id. Organisations are renamed, and their ids stay.
pub(crate) fn exists(client: &mut impl GenericClient, realm: i64) -> Result<bool> {
    let row = client
        .query_one("SELECT EXISTS (SELECT FROM zerver_realm WHERE id = $1::int8)", &[&realm])
        .map_err(|failure| error("look for the organisation", failure))?;
    column(&row, 0)
}

/// The organisation with this id, or else with this `string_id`.
pub(crate) fn find(client: &mut impl GenericClient, asked: &str) -> Result<Realm> {
    let failed = |failure| error("look for the organisation", failure);
    let id = asked.parse::<i64>().ok().filter(|_| asked.bytes().all(|byte| byte.is_ascii_digit()));
    let found = match id {
        Some(id) => client.query_opt(&format!("{FIND} id = $1::int8"), &[&id]),
        None => client.query_opt(&format!("{FIND} string_id = $1"), &[&asked]),
    };
    if let Some(row) = found.map_err(failed)? {
        return Ok(Realm {
            id: column(&row, 0)?,
            string_id: column(&row, 1)?,
            name: column(&row, 2)?,
            deactivated: column(&row, 3)?,
        });
    }
    let others = client.query("SELECT string_id::text FROM zerver_realm ORDER BY id LIMIT 20", &[]).map_err(failed)?;
    let others: Vec<String> = others.iter().map(|row| format!("{:?}", row.get::<_, String>(0))).collect();
    Err(Error::new(ErrorKind::NotFound, format!("there is no organisation {asked:?}"))
        .with_hint(format!("the server has {}", others.join(", "))))
}
