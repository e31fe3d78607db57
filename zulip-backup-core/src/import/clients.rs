//! The programs that people send messages with: all organisations of a server share them, by their names.

use postgres::Client;

use crate::Result;
use crate::ids::Of;
use crate::import::ids::Ids;
use crate::import::sequences;
use crate::postgres::{column, error};
use crate::validate::Facts;

/// A client that the server does not have, with its new id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NewClient {
    id: i64,
    name: String,
}

/// Finds the export's clients on the server. Those it lacks get ids, and are written as late as can be: whoever sends a
/// message with a client of the same name has to wait for the end of this transaction then.
///
/// # Errors
/// What the database answers.
pub(super) fn name(client: &mut Client, ids: &mut Ids, facts: &Facts) -> Result<Vec<NewClient>> {
    let mut new = Vec::new();
    for old in &facts.clients {
        let name = facts.client_names.get(old).map(String::as_str).unwrap_or_default();
        match find(client, name)? {
            Some(id) => ids.name(Of::Client, *old, id),
            None => {
                let id = sequences::take(client, "zerver_client", 1)?.get(0).unwrap_or(0);
                ids.name(Of::Client, *old, id);
                new.push(NewClient { id, name: name.to_owned() });
            }
        }
    }
    Ok(new)
}

/// Those of the export that the server has not, by their names.
///
/// # Errors
/// What the database answers.
pub(super) fn missing(client: &mut Client, facts: &Facts) -> Result<Vec<String>> {
    let mut missing = Vec::new();
    for name in facts.clients.iter().filter_map(|old| facts.client_names.get(old)) {
        if find(client, name)?.is_none() {
            missing.push(name.clone());
        }
    }
    Ok(missing)
}

/// Writes the clients that the server lacked.
///
/// # Errors
/// What the database answers.
pub(super) fn write(client: &mut Client, new: &[NewClient], ids: &Ids) -> Result<()> {
    let failed = |failure| error("write rows of zerver_client", failure);
    for NewClient { id, name } in new {
        let written = client
            .execute("INSERT INTO zerver_client (id, name) VALUES ($1::int8, $2) ON CONFLICT DO NOTHING", &[id, name])
            .map_err(failed)?;
        if written == 0 {
            // Somebody else was faster since.
            let found = find(client, name)?;
            let Some(found) = found else { continue };
            let realm = ids.range(Of::Realm).map_or(0, |(realm, _)| realm);
            for statement in [
                "UPDATE zerver_message SET sending_client_id = $2::int8
                 WHERE sending_client_id = $1::int8 AND realm_id = $3::int8",
                "UPDATE zerver_scheduledmessage SET sending_client_id = $2::int8
                 WHERE sending_client_id = $1::int8 AND realm_id = $3::int8",
                "UPDATE zerver_useractivity a SET client_id = $2::int8 FROM zerver_userprofile u
                 WHERE a.client_id = $1::int8 AND u.id = a.user_profile_id AND u.realm_id = $3::int8",
                "UPDATE zerver_userstatus a SET client_id = $2::int8 FROM zerver_userprofile u
                 WHERE a.client_id = $1::int8 AND u.id = a.user_profile_id AND u.realm_id = $3::int8",
            ] {
                client.execute(statement, &[id, &found, &realm]).map_err(failed)?;
            }
        }
    }
    Ok(())
}

fn find(client: &mut Client, name: &str) -> Result<Option<i64>> {
    let found = client.query_opt("SELECT id::int8 FROM zerver_client WHERE name = $1", &[&name]);
    let found = found.map_err(|failure| error("look for a client", failure))?;
    found.as_ref().map(|row| column(row, 0)).transpose()
}
