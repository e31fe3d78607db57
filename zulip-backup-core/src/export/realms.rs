//! The organisations of a server.

use postgres::Client;
use serde::Serialize;

use crate::export::PlannedUser;
use crate::postgres::{column, error};
use crate::site::Site;
use crate::{Error, ErrorKind, Result};

/// An organisation of a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RealmSummary {
    /// Its id.
    pub id: i64,
    /// Its subdomain; empty at the root domain.
    pub string_id: String,
    /// Its name.
    pub name: String,
    /// Whether it is deactivated.
    pub deactivated: bool,
    /// Users who can log in, bots included.
    pub active_users: i64,
    /// Messages.
    pub messages: i64,
    /// Bytes of attachments.
    pub upload_bytes: i64,
}

const LIST: &str = "
    SELECT r.id::int8, r.string_id::text, r.name::text, r.deactivated,
           (SELECT count(*) FROM zerver_userprofile u WHERE u.realm_id = r.id AND u.is_active),
           (SELECT count(*) FROM zerver_message m WHERE m.realm_id = r.id),
           (SELECT coalesce(sum(a.size::int8), 0)::int8 FROM zerver_attachment a WHERE a.realm_id = r.id)
    FROM zerver_realm r ORDER BY r.id";

const FIND: &str = "SELECT id::int8, string_id::text, deactivated FROM zerver_realm WHERE";

/// The organisations of a server, in order of their ids.
///
/// # Errors
/// What the database answers.
pub fn realms(site: &Site) -> Result<Vec<RealmSummary>> {
    let mut client = connect(site)?;
    let failed = |failure| error("list the organisations", failure);
    client
        .query(LIST, &[])
        .map_err(failed)?
        .iter()
        .map(|row| {
            Ok(RealmSummary {
                id: column(row, 0)?,
                string_id: column(row, 1)?,
                name: column(row, 2)?,
                deactivated: column(row, 3)?,
                active_users: column(row, 4)?,
                messages: column(row, 5)?,
                upload_bytes: column(row, 6)?,
            })
        })
        .collect()
}

/// A connection that finds Zulip's tables by their names.
pub(crate) fn connect(site: &Site) -> Result<Client> {
    let mut client = site.database()?.value.connect(super::execute::APPLICATION)?;
    search_path(&mut client)?;
    Ok(client)
}

/// Lets a connection find Zulip's tables by their names. The statement comes back, for others.
pub(crate) fn search_path(client: &mut Client) -> Result<String> {
    let statement = format!("SET search_path = {}, pg_catalog", crate::postgres::quote_identifier(&schema(client)?));
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

/// An organisation's id and `string_id`, and whether it is deactivated.
pub(super) type Realm = (i64, String, bool);

/// The user with an address, in an organisation or wherever there is only one.
pub(super) fn find_user(client: &mut Client, email: &str, realm: Option<&Realm>) -> Result<(Realm, PlannedUser)> {
    let found = client
        .query(
            "SELECT r.id::int8, r.string_id::text, r.deactivated, u.id::int8, u.delivery_email::text
             FROM zerver_userprofile u JOIN zerver_realm r ON r.id = u.realm_id
             WHERE upper(u.delivery_email) = upper($1) AND ($2::int8 IS NULL OR r.id = $2::int8) ORDER BY r.id",
            &[&email, &realm.map(|realm| realm.0)],
        )
        .map_err(|failure| error("look for the user", failure))?;
    match &found[..] {
        [row] => {
            let user = PlannedUser { id: column(row, 3)?, email: column(row, 4)? };
            Ok(((column(row, 0)?, column(row, 1)?, column(row, 2)?), user))
        }
        [] => Err(Error::new(ErrorKind::NotFound, format!("there is no user with the address {email}"))
            .with_hint("the address is the one that mail is sent to (delivery_email)")),
        rows => {
            let realms: Vec<String> = rows.iter().map(|row| format!("{:?}", row.get::<_, String>(1))).collect();
            Err(Error::new(ErrorKind::Usage, format!("{email} is a user of {} organisations", rows.len()))
                .with_hint(format!("name one with -r: {}", realms.join(", "))))
        }
    }
}

/// An organisation's id and `string_id`, by either, and whether it is deactivated.
pub(super) fn find(client: &mut Client, asked: &str) -> Result<Realm> {
    let failed = |failure| error("look for the organisation", failure);
    let id = asked.parse::<i64>().ok().filter(|_| asked.bytes().all(|byte| byte.is_ascii_digit()));
    let found = match id {
        Some(id) => client.query_opt(&format!("{FIND} id = $1::int8"), &[&id]),
        None => client.query_opt(&format!("{FIND} string_id = $1"), &[&asked]),
    };
    if let Some(row) = found.map_err(failed)? {
        return Ok((column(&row, 0)?, column(&row, 1)?, column(&row, 2)?));
    }
    let others = client.query("SELECT string_id::text FROM zerver_realm ORDER BY id LIMIT 20", &[]).map_err(failed)?;
    let others: Vec<String> = others.iter().map(|row| format!("{:?}", row.get::<_, String>(0))).collect();
    Err(Error::new(ErrorKind::NotFound, format!("there is no organisation {asked:?}"))
        .with_hint(format!("the server has {}", others.join(", "))))
}
