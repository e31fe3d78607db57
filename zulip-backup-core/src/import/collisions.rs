//! What on the server, or within the export, an import would collide with.

use std::collections::HashMap;

use postgres::Client;

use crate::import::ImportOptions;
use crate::import::plan::RealmRow;
use crate::postgres::{column, error};
use crate::realm::{Existing, Subdomain};
use crate::site::Site;
use crate::validate::Facts;
use crate::{Finding, Findings, Result};

/// All of it.
///
/// # Errors
/// What the database answers.
pub(super) fn find(
    client: &mut Client,
    site: &Site,
    options: &ImportOptions,
    row: &RealmRow,
    facts: &Facts,
) -> Result<Findings> {
    let mut findings = Findings::default();
    let failed = |failure| error("look for organisations", failure);
    let existing = Existing::of(site, client)?.allow_reserved(options.allow_reserved_subdomain);
    if let Err(reasons) = Subdomain::check(&options.subdomain, &existing) {
        for reason in reasons {
            findings.push(reason);
        }
    }
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
    let streams = facts.streams.iter().map(|(&id, stream)| (id, stream.name.as_str()));
    same_names("zerver_stream", "name", streams, &mut findings);
    Ok(findings)
}

/// Names that differ in nothing but their case are one to the database.
fn same_names<'a>(list: &str, key: &str, names: impl Iterator<Item = (i64, &'a str)>, findings: &mut Findings) {
    let mut seen: HashMap<String, i64> = HashMap::new();
    let mut names: Vec<(i64, &str)> = names.collect();
    names.sort_unstable();
    for (id, name) in names {
        if let Some(other) = seen.insert(name.to_uppercase(), id) {
            let message = format!("{key} is {name:?}, which differs from that of {other} in its case at most");
            findings.push(Finding::error("name-taken", format!("realm.json {list} {id}"), message));
        }
    }
}
