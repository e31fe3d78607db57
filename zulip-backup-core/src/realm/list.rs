//! The organisations of a server.

use std::fmt;

use serde::Serialize;

use crate::Result;
use crate::postgres::{column, error};
use crate::realm::connect;
use crate::site::Site;
use crate::units::bytes;

/// The organisations of a server, in order of their ids. Its `Display` is a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RealmList {
    /// The organisations.
    pub realms: Vec<RealmSummary>,
}

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

/// Lists the organisations of a server.
///
/// # Errors
/// What the database answers.
pub fn list(site: &Site) -> Result<RealmList> {
    let mut client = connect(site, "zulip-backup realm list")?;
    let rows = client.query(LIST, &[]).map_err(|failure| error("list the organisations", failure))?;
    let realms = rows.iter().map(|row| {
        Ok(RealmSummary {
            id: column(row, 0)?,
            string_id: column(row, 1)?,
            name: column(row, 2)?,
            deactivated: column(row, 3)?,
            active_users: column(row, 4)?,
            messages: column(row, 5)?,
            upload_bytes: column(row, 6)?,
        })
    });
    Ok(RealmList { realms: realms.collect::<Result<_>>()? })
}

impl fmt::Display for RealmList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>4}  {:<20} {:>8} {:>10} {:>10}  name", "id", "subdomain", "users", "messages", "uploads")?;
        for realm in &self.realms {
            let RealmSummary { id, string_id, name, deactivated, active_users, messages, upload_bytes } = realm;
            let uploads = bytes(u64::try_from(*upload_bytes).unwrap_or(0));
            let string_id = if string_id.is_empty() { "(root domain)" } else { string_id };
            write!(f, "\n{id:>4}  {string_id:<20} {active_users:>8} {messages:>10} {uploads:>10}  {name}")?;
            if *deactivated {
                write!(f, " (deactivated)")?;
            }
        }
        Ok(())
    }
}
