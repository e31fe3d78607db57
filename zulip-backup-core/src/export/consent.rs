//! Who consents by a reaction to a message, as users of Zulip before 10 do.

use postgres::Client;
use serde::Serialize;

use crate::export::Kind;
use crate::export::scope::CONSENTS;
use crate::postgres::{column, error};
use crate::schema::Release;
use crate::{Error, ErrorKind, Finding, Result};

/// The message that users were asked by, and how many consented.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Consent {
    /// The message's id.
    pub message_id: i64,
    /// What it says.
    pub content: String,
    /// How many users consented.
    pub users: u64,
    /// How many there are who could have: active people with more rights than guests.
    pub of: u64,
}

impl Consent {
    /// Looks at the message that an export names, where the release asks that way.
    ///
    /// # Errors
    /// `Incompatible` where the release asks another way, `Refused` with all reasons for a message that proves nothing, and
    /// what the database answers.
    pub(super) fn find(
        client: &mut Client,
        release: &Release,
        realm: i64,
        (kind, message): (Kind, Option<i64>),
    ) -> Result<Option<Self>> {
        let by_setting = release.export.exporter.hides_users;
        match message {
            None if kind == Kind::FullWithConsent && !by_setting => {
                let message = format!("users of Zulip {} consent by reactions, and no message is named", release.name);
                Err(Error::new(ErrorKind::Incompatible, message)
                    .with_hint("name the message that they were asked by: --consent-message-id"))
            }
            Some(_) if by_setting => {
                let message =
                    format!("users of Zulip {} consent by a setting, not by reactions to a message", release.name);
                Err(Error::new(ErrorKind::Incompatible, message).with_hint("use --full-with-consent"))
            }
            None => Ok(None),
            Some(message) => Self::of(client, realm, message).map(Some),
        }
    }

    fn of(client: &mut Client, realm: i64, message_id: i64) -> Result<Self> {
        let statement = format!(
            "SELECT m.content, m.last_edit_time IS NOT NULL, m.realm_id::int8 = $2::int8,
                    (SELECT count(*) FROM zerver_reaction r JOIN zerver_userprofile u ON u.id = r.user_profile_id
                     WHERE r.message_id = m.id AND {CONSENTS} AND u.realm_id = $2::int8),
                    (SELECT count(*) FROM zerver_reaction r JOIN zerver_userprofile u ON u.id = r.user_profile_id
                     WHERE r.message_id = m.id AND {CONSENTS} AND u.realm_id <> $2::int8),
                    (SELECT count(*) FROM zerver_userprofile
                     WHERE realm_id = $2::int8 AND is_active AND NOT is_bot AND role < 600)
             FROM zerver_message m WHERE m.id = $1::int8"
        );
        let row = client.query_opt(&statement, &[&message_id, &realm]);
        let row = row.map_err(|failure| error("look for the message that asks for consent", failure))?;
        let refused = |reasons: Vec<Finding>| {
            Error::new(ErrorKind::Refused, format!("message {message_id} proves no consent")).with_reasons(reasons)
        };
        let object = format!("message {message_id}");
        let Some(row) = row else {
            return Err(refused(vec![Finding::error("consent-unproved", object, "is not there")]));
        };
        let (edited, own): (bool, bool) = (column(&row, 1)?, column(&row, 2)?);
        let (users, strangers, of): (i64, i64, i64) = (column(&row, 3)?, column(&row, 4)?, column(&row, 5)?);
        let mut reasons = Vec::new();
        let mut wrong = |is: bool, what: &str| {
            if is {
                reasons.push(Finding::error("consent-unproved", &object, what));
            }
        };
        wrong(!own, "is of another organisation");
        wrong(edited, "was edited: what it said when users reacted nobody knows");
        wrong(strangers > 0, "has the reaction of a user of another organisation");
        if !reasons.is_empty() {
            return Err(refused(reasons));
        }
        let number = |count: i64| u64::try_from(count).unwrap_or(0);
        Ok(Self { message_id, content: column(&row, 0)?, users: number(users), of: number(of) })
    }
}
