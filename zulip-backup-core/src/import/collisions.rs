//! What on the server, or within the export, an import would collide with.

use std::collections::HashMap;

use postgres::Client;

use crate::import::ImportOptions;
use crate::import::plan::RealmRow;
use crate::package::Compat;
use crate::postgres::{column, error};
use crate::realm::{Existing, Subdomain};
use crate::site::Site;
use crate::validate::Facts;
use crate::{Finding, Findings, Result};

/// All of it, as far as the export is known.
///
/// # Errors
/// What the database answers.
pub(super) fn find(
    client: &mut Client,
    site: &Site,
    options: &ImportOptions,
    row: Option<&RealmRow>,
    facts: Option<&Facts>,
) -> Result<Findings> {
    let mut findings = Findings::default();
    let failed = |failure| error("look for organisations", failure);
    let existing = Existing::of(site, client)?.allow_reserved(options.allow_reserved_subdomain);
    if let Err(reasons) = Subdomain::check(&options.subdomain, &existing) {
        for reason in reasons {
            findings.push(reason);
        }
    }
    let none = RealmRow::default();
    let row = row.unwrap_or(&none);
    for there in client.query("SELECT string_id::text, uuid::text FROM zerver_realm", &[]).map_err(failed)? {
        let (string_id, uuid): (String, Option<String>) = (column(&there, 0)?, column(&there, 1)?);
        if uuid.is_some() && uuid == row.uuid {
            let message = format!(
                "this organisation is on the server already, as {string_id:?}: both would have the uuid {}",
                uuid.unwrap_or_default()
            );
            findings.push(
                Finding::error("realm-exists", format!("{:?}", row.string_id), message)
                    .with_hint("delete that one first (realm delete), or import into another server"),
            );
        }
    }
    let Some(facts) = facts else { return Ok(findings) };
    // Otherwise they are made anew.
    if options.compat == Compat::Strict {
        users(client, &facts.uuids, &mut findings)?;
    }
    same_members(facts, &mut findings);
    Ok(findings)
}

/// Users whose UUIDs a converter's export says are those of users of the server, if it was imported before.
fn users(client: &mut Client, uuids: &[String], findings: &mut Findings) -> Result<()> {
    let found = client
        .query(
            "SELECT u.uuid::text, r.string_id::text FROM zerver_userprofile u JOIN zerver_realm r ON r.id = u.realm_id
             WHERE u.uuid = ANY ($1::text[]::uuid[]) ORDER BY u.id LIMIT 3",
            &[&uuids],
        )
        .map_err(|failure| error("look for users of the export", failure))?;
    for row in found {
        let (uuid, string_id): (String, String) = (column(&row, 0)?, column(&row, 1)?);
        let message = format!("has a user with the uuid {uuid}, as {string_id:?} on the server has");
        findings.push(
            Finding::error("user-exists", "realm.json zerver_userprofile", message)
                .with_hint("without --compat strict users get new ones"),
        );
    }
    Ok(())
}

/// Groups of direct messages are told apart by their members alone.
fn same_members(facts: &Facts, findings: &mut Findings) {
    let mut seen: HashMap<Vec<i64>, i64> = HashMap::new();
    for (group, members) in facts.group_members() {
        let who = format!("{members:?}");
        if let Some(other) = seen.insert(members, group) {
            let message = format!("has the members {who}, as group {other} has: nothing tells them apart");
            findings.push(Finding::error("value-duplicate", format!("realm.json zerver_huddle {group}"), message));
        }
    }
}
