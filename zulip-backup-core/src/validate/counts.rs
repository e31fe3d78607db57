//! Numbers and names of files: against the statistics, and against what an export consists of.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use crate::package::{Listing, message_file_number};
use crate::rows::Counts;
use crate::schema::Exporter;
use crate::validate::records::{DIRECTORIES, Records};
use crate::{Finding, Findings};

/// The files that an export has to have.
pub(super) fn required(exporter: Exporter, converted: bool) -> Vec<&'static str> {
    let mut required = vec!["realm.json", "attachment.json", "uploads/records.json", "avatars/records.json"];
    if exporter.tells_migrations {
        required.push("migration_status.json");
    }
    if !converted {
        let of_servers =
            ["analytics.json", exporter.statistics_file(), "emoji/records.json", "realm_icons/records.json"];
        required.extend(of_servers);
    }
    required
}

/// What is missing of what is `required`, left over, or not known.
pub(super) fn names(listing: &Listing, required: &[&str]) -> Findings {
    let mut findings = listing.findings.clone();
    for &name in required {
        if listing.member(name).is_none() {
            findings.push(Finding::error("file-missing", name, "is not in the export"));
        }
    }
    let files = listing.message_files();
    let mut expected = 1;
    for file in &files {
        if file.number > expected {
            let last = file.number - 1;
            let which = if last == expected { String::new() } else { format!(" to messages-{last:06}.json") };
            let message =
                format!("is not in the export{which}, and {} is: Zulip's importer stops here", file.member.name);
            findings.push(
                Finding::error("message-file-missing", format!("messages-{expected:06}.json"), message)
                    .with_hint("the messages are lost: export again"),
            );
        }
        expected = file.number + 1;
    }
    for member in &listing.members {
        let name = member.name.as_str();
        let directory = name.split_once('/').map(|(directory, _)| directory);
        if directory.is_some_and(|directory| DIRECTORIES.contains(&directory))
            || required.contains(&name)
            || name == "consented_user_ids.json"
            || message_file_number(name).is_some()
        {
            continue;
        }
        if name.starts_with("messages-") && (name.ends_with(".partial") || name.ends_with(".locked")) {
            let message = "is a file that the exporter did not finish: its messages lack what users have of them";
            findings.push(Finding::error("message-file-unfinished", name, message).with_hint("export again"));
        } else {
            let message = "is no file of an export, and no import reads it";
            findings.push(Finding::warning("file-unknown", name, message));
        }
    }
    findings
}

/// Compares the statistics with what was counted. A file that could not be read to its end is not in `counted`.
pub(super) fn statistics(
    exporter: Exporter,
    stats: &BTreeMap<String, Value>,
    counted: &BTreeMap<String, Counts>,
    records: &HashMap<&'static str, Records>,
    listing: &Listing,
) -> Findings {
    let mut findings = Findings::default();
    let file = exporter.statistics_file();
    let mut differs = |what: &str, said: Option<&Value>, found: u64| {
        let message = match said.map(|said| (said, said.as_u64())) {
            Some((_, Some(said))) if said == found => return,
            Some((said, _)) => format!("{what}: the statistics say {said}, there are {found}"),
            None => format!("{what}: the statistics say nothing, there are {found}"),
        };
        findings.push(Finding::error("count-differs", file, message));
    };
    for (stem, lists) in counted {
        let said = stats.get(stem);
        for (list, &found) in lists {
            differs(&format!("{list} of {stem}.json"), said.and_then(|said| said.get(list)), found);
        }
        for (list, said) in said.and_then(Value::as_object).into_iter().flatten() {
            if !lists.contains_key(list) {
                differs(&format!("{list} of {stem}.json"), Some(said), 0);
            }
        }
    }
    // Before there was JSON, only these were counted.
    let is_counted = |directory: &str| exporter.counts_in_json || matches!(directory, "avatars" | "uploads");
    for (directory, records) in records.iter().filter(|(directory, _)| is_counted(directory)) {
        let key = format!("{directory}_records");
        differs(&format!("records of {directory}"), stats.get(&key), records.count);
    }
    for key in stats.keys() {
        let directory = key.strip_suffix("_records").is_some_and(|directory| DIRECTORIES.contains(&directory));
        if !directory && listing.member(&format!("{key}.json")).is_none() {
            let message = format!("has counts of {key}.json, which is not in the export");
            findings.push(Finding::error("count-differs", file, message));
        }
    }
    findings
}

/// Messages go on from file to file.
pub(super) fn order(ranges: &BTreeMap<u64, (i64, i64)>) -> Findings {
    let mut findings = Findings::default();
    let mut last: Option<(u64, i64)> = None;
    for (&number, &(low, high)) in ranges {
        if let Some((before, message)) = last.filter(|(_, message)| *message > low) {
            let text = format!("begins with message {low}, and messages-{before:06}.json ends with message {message}");
            findings.push(Finding::warning("messages-unsorted", format!("messages-{number:06}.json"), text));
        }
        last = Some((number, high));
    }
    findings
}
