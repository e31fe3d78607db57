//! What Zulip's format has no place for: counted, so that nobody learns of it from the imported organisation.

use postgres::Client;

use crate::export::scope::Scope;
use crate::postgres::{column, error};
use crate::{Finding, Result};

/// A table, how many of its rows belong to an organisation, as SQL with its id as `$1`, and what they are.
const LEFT_OUT: [(&str, &str, &str); 5] = [
    (
        "zerver_submessage",
        "SELECT count(*) FROM zerver_submessage s JOIN zerver_message m ON m.id = s.message_id WHERE m.realm_id = $1::int8",
        "votes in polls and entries of to-do lists",
    ),
    (
        "zerver_draft",
        "SELECT count(*) FROM zerver_draft d JOIN zerver_userprofile u ON u.id = d.user_profile_id WHERE u.realm_id = $1::int8",
        "drafts",
    ),
    (
        "zerver_defaultstreamgroup",
        "SELECT count(*) FROM zerver_defaultstreamgroup WHERE realm_id = $1::int8",
        "groups of default channels",
    ),
    (
        "zerver_attachment",
        "SELECT count(*) FROM zerver_attachment t WHERE t.realm_id = $1::int8
         AND NOT EXISTS (SELECT FROM zerver_attachment_messages p WHERE p.attachment_id = t.id)
         AND NOT EXISTS (SELECT FROM zerver_attachment_scheduled_messages p WHERE p.attachment_id = t.id)",
        "uploads that no message refers to",
    ),
    (
        "zerver_message",
        "SELECT count(*) FROM zerver_message WHERE realm_id = $1::int8",
        "messages of the system's other bots, and to groups with members of other organisations",
    ),
];

/// What of the organisation is not in an export that is meant to be whole.
pub(super) fn losses(client: &mut Client, scope: &Scope<'_>) -> Result<Vec<Finding>> {
    let failed = |failure| error("count what an export leaves out", failure);
    let mut findings = Vec::new();
    for (table, query, what) in LEFT_OUT {
        // Votes have their place in exports of newer releases; of the others, only some rows have none.
        if table == "zerver_submessage" && scope.schema.tables.contains_key(table) {
            continue;
        }
        let there = client.query_one("SELECT to_regclass($1::text) IS NOT NULL", &[&table]).map_err(failed)?;
        if !column::<bool>(&there, 0)? {
            continue;
        }
        let row = client.query_one(query, &[&scope.realm]).map_err(failed)?;
        let rows = column::<i64>(&row, 0)?;
        let exported = if table == "zerver_message" { i64::try_from(scope.found.ids.len()).unwrap_or(0) } else { 0 };
        if rows > exported {
            let message = format!("{} not exported: Zulip's format has no place for {what}", rows - exported);
            findings.push(Finding::note("left-out", table, message));
        }
    }
    Ok(findings)
}
