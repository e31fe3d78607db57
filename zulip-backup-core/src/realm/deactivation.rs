//! What a deactivation and its opposite are in the database.

use postgres::{Client, GenericClient, Transaction};

use crate::postgres::{column, error};
use crate::realm::sessions::end_sessions;
use crate::schema::Release;
use crate::{Error, ErrorKind, Result};

/// `zerver_realmauditlog.event_type` of a deactivation.
const REALM_DEACTIVATED: i16 = 201;

/// `zerver_realmauditlog.event_type` of its opposite: of the events with counts of users (they have an index of their own
/// on Zulip's push service) the one beside it.
const REALM_REACTIVATED: i16 = 202;

/// The reason that upstream's export gives.
pub(crate) const SELF_HOSTING_MIGRATION: &str = "self_hosting_migration";

/// An organisation that was deactivated, so far that it can be undone.
pub(crate) struct Deactivation {
    realm: i64,
    audit_row: i64,
}

impl Deactivation {
    /// Deactivates it, with upstream's line in the audit log. What cannot be undone waits for [`complete`](Self::complete).
    pub(crate) fn begin(client: &mut Client, realm: i64, reason: &str) -> Result<Self> {
        let failed = |failure| error("deactivate the organisation", failure);
        let mut transaction = client.transaction().map_err(failed)?;
        let begun = Self::within(&mut transaction, realm, reason)?.ok_or_else(already)?;
        transaction.commit().map_err(failed)?;
        Ok(begun)
    }

    /// The same in a transaction; `None` for an organisation that is deactivated.
    pub(super) fn within(transaction: &mut Transaction<'_>, realm: i64, reason: &str) -> Result<Option<Self>> {
        let changed = transaction
            .execute("UPDATE zerver_realm SET deactivated = true WHERE id = $1::int8 AND NOT deactivated", &[&realm])
            .map_err(|failure| error("deactivate the organisation", failure))?;
        if changed == 0 {
            return Ok(None);
        }
        let audit_row = log(transaction, realm, REALM_DEACTIVATED, Some(reason))?;
        Ok(Some(Self { realm, audit_row }))
    }

    /// Makes it active again, as if nothing had been.
    pub(crate) fn undo(&self, client: &mut Client) -> Result<()> {
        let failed = |failure| error("activate the organisation again", failure);
        let mut transaction = client.transaction().map_err(failed)?;
        transaction
            .execute("UPDATE zerver_realm SET deactivated = false WHERE id = $1::int8", &[&self.realm])
            .map_err(failed)?;
        transaction
            .execute("DELETE FROM zerver_realmauditlog WHERE id = $1::int8", &[&self.audit_row])
            .map_err(failed)?;
        transaction.commit().map_err(failed)
    }

    /// Does what cannot be undone: e-mails on their way are not sent, and nobody stays logged in. How many sessions were
    /// ended comes back.
    pub(crate) fn complete(&self, client: &mut Client) -> Result<u64> {
        let failed = |failure| error("end the sessions of the organisation's users", failure);
        let mut transaction = client.transaction().map_err(failed)?;
        let ended = self.complete_within(&mut transaction)?;
        transaction.commit().map_err(failed)?;
        Ok(ended.sessions)
    }

    pub(super) fn complete_within(&self, transaction: &mut Transaction<'_>) -> Result<Ended> {
        let failed = |failure| error("delete the organisation's e-mails on their way", failure);
        let users = "DELETE FROM zerver_scheduledemail_users u USING zerver_scheduledemail e
                     WHERE u.scheduledemail_id = e.id AND e.realm_id = $1::int8";
        transaction.execute(users, &[&self.realm]).map_err(failed)?;
        let emails = "DELETE FROM zerver_scheduledemail WHERE realm_id = $1::int8";
        let emails = transaction.execute(emails, &[&self.realm]).map_err(failed)?;
        Ok(Ended { sessions: end_sessions(transaction, self.realm)?, emails })
    }
}

/// What a deactivation ended.
pub(super) struct Ended {
    pub(super) sessions: u64,
    pub(super) emails: u64,
}

/// Makes an organisation active again, as upstream does; `false` for one that is active.
pub(super) fn reactivate(transaction: &mut Transaction<'_>, realm: i64) -> Result<bool> {
    // Since Zulip 10.
    let scheduled = Release::of_database(transaction)?.catalog.has_column("zerver_realm", "scheduled_deletion_date");
    let scheduled = if scheduled { ", scheduled_deletion_date = NULL" } else { "" };
    let statement =
        format!("UPDATE zerver_realm SET deactivated = false{scheduled} WHERE id = $1::int8 AND deactivated");
    let changed =
        transaction.execute(&statement, &[&realm]).map_err(|failure| error("activate the organisation", failure))?;
    if changed == 0 {
        return Ok(false);
    }
    log(transaction, realm, REALM_REACTIVATED, None)?;
    Ok(true)
}

/// Upstream's line in the audit log: how many people with each role there were, and bots. Its id comes back.
fn log(transaction: &mut Transaction<'_>, realm: i64, event: i16, reason: Option<&str>) -> Result<i64> {
    let counts = user_counts(transaction, realm)?;
    let says_why = Release::of_database(transaction)?.export.exporter.says_why_deactivated;
    let reason = reason.filter(|_| says_why);
    let row = transaction
        .query_one(
            "INSERT INTO zerver_realmauditlog (realm_id, event_type, event_time, backfilled, extra_data)
             SELECT $1::int8, $2, now(), false, $3::text::jsonb
                 || CASE WHEN $4::text IS NULL THEN '{}'::jsonb ELSE jsonb_build_object('deactivation_reason', $4::text) END
             RETURNING id::int8",
            &[&realm, &event, &counts, &reason],
        )
        .map_err(|failure| error("write to the audit log", failure))?;
    column(&row, 0)
}

/// Active people by their roles, and active bots, as the audit log has them: a JSON object.
///
/// # Errors
/// What the database answers.
pub(crate) fn user_counts(client: &mut impl GenericClient, realm: i64) -> Result<String> {
    let row = client
        .query_one(
            "SELECT jsonb_build_object('10', jsonb_build_object(
                 '11', jsonb_build_object('100', count(*) FILTER (WHERE NOT is_bot AND role = 100),
                                          '200', count(*) FILTER (WHERE NOT is_bot AND role = 200),
                                          '300', count(*) FILTER (WHERE NOT is_bot AND role = 300),
                                          '400', count(*) FILTER (WHERE NOT is_bot AND role = 400),
                                          '600', count(*) FILTER (WHERE NOT is_bot AND role = 600)),
                 '12', count(*) FILTER (WHERE is_bot)))::text
             FROM zerver_userprofile WHERE realm_id = $1::int8 AND is_active",
            &[&realm],
        )
        .map_err(|failure| error("count the organisation's users", failure))?;
    column(&row, 0)
}

/// Why an organisation cannot be deactivated once more.
pub(crate) fn already() -> Error {
    Error::new(ErrorKind::Refused, "the organisation is deactivated already").with_hint("leave --deactivate out")
}
