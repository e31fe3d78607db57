//! What rows of `realm.json` say of each other without a foreign key.

use std::collections::{BTreeMap, BTreeSet};

use crate::schema::ExportSchema;
use crate::validate::facts::{Facts, Standing};
use crate::validate::rules::{GROUP, PERSONAL, STREAM};
use crate::{Finding, Findings};

/// What contradicts itself.
pub(super) fn check(facts: &Facts, schema: &ExportSchema) -> Findings {
    let mut findings = Findings::default();
    recipients(facts, schema, &mut findings);
    standings(facts, &mut findings);
    groups(facts, &mut findings);
    match facts.ids("zerver_realm").map_or(0, crate::ids::IdSet::len) {
        1 => {}
        count => {
            let message = format!("has {count} rows: an export is of one organisation");
            findings.push(Finding::error("realm-not-one", "realm.json zerver_realm", message));
        }
    }
    findings
}

/// Recipients lead to what is there, and what has a recipient has its own.
fn recipients(facts: &Facts, schema: &ExportSchema, findings: &mut Findings) {
    for (&id, &(kind, of)) in &facts.recipients {
        let (found, table) = match kind {
            PERSONAL if schema.personal_recipients => (facts.users.contains_key(&of), "zerver_userprofile"),
            STREAM => (facts.streams.contains_key(&of), "zerver_stream"),
            GROUP => (facts.groups.contains_key(&of), "zerver_huddle"),
            other => {
                let expected = if schema.personal_recipients { "1, 2 or 3" } else { "2 or 3" };
                let message = format!("type is {other}, expected {expected}");
                let object = format!("realm.json zerver_recipient {id}");
                findings.push(Finding::error("value-type", object, message));
                continue;
            }
        };
        if !found {
            let message = format!("type_id refers to {table} {of}, which is not in the export");
            let object = format!("realm.json zerver_recipient {id}");
            findings.push(Finding::error("dangling-reference", object, message));
        }
    }
    let users = facts.users.iter().filter(|(_, user)| user.standing != Standing::Bot);
    let of_users = users.map(|(&id, user)| ("zerver_userprofile", PERSONAL, id, user.recipient));
    let of_streams = facts.streams.iter().map(|(&id, stream)| ("zerver_stream", STREAM, id, stream.recipient));
    let of_groups = facts.groups.iter().map(|(&id, &recipient)| ("zerver_huddle", GROUP, id, Some(recipient)));
    for (list, kind, id, recipient) in of_users.chain(of_streams).chain(of_groups) {
        let Some(recipient) = recipient else { continue };
        if let Some(&found) = facts.recipients.get(&recipient)
            && found != (kind, id)
        {
            let message = format!("recipient {recipient} is of type {} and of {}, not of this row", found.0, found.1);
            findings.push(Finding::error("recipient-differs", format!("realm.json {list} {id}"), message));
        }
    }
}

/// No group is a part of itself, through whatever others.
fn groups(facts: &Facts, findings: &mut Findings) {
    let mut parts: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for &(group, subgroup) in &facts.subgroups {
        parts.entry(group).or_default().push(subgroup);
    }
    // Groups without parts go until only those are left that lead in a circle, or to one.
    loop {
        let before = parts.len();
        let left: BTreeSet<i64> = parts.keys().copied().collect();
        parts.retain(|_, of| {
            of.retain(|subgroup| left.contains(subgroup));
            !of.is_empty()
        });
        if parts.len() == before {
            break;
        }
    }
    let Some(mut group) = parts.keys().next().copied() else { return };
    let mut way = Vec::new();
    while !way.contains(&group) {
        way.push(group);
        group = parts[&group][0];
    }
    let circle: Vec<String> = way.into_iter().skip_while(|passed| *passed != group).map(|id| id.to_string()).collect();
    let message = format!("groups contain each other in a circle: {} and {group} again", circle.join(", "));
    findings.push(Finding::error("group-cycle", "realm.json zerver_groupgroupmembership", message));
}

/// Each user is in the list that his row says.
fn standings(facts: &Facts, findings: &mut Findings) {
    for (&id, user) in &facts.users {
        let (list, dummy) = match user.standing {
            Standing::Normal => ("zerver_userprofile", false),
            Standing::Dummy => ("zerver_userprofile_mirrordummy", true),
            Standing::Bot => continue,
        };
        if user.is_mirror_dummy != dummy && !facts.converted {
            let message = format!("is_mirror_dummy is {}, which no row of this list has", user.is_mirror_dummy);
            findings.push(Finding::error("user-list-differs", format!("realm.json {list} {id}"), message));
        }
    }
}
