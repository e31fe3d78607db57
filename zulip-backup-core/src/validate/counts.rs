//! Numbers and names of files: against the statistics, and against what an export consists of.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use crate::package::{Listing, message_file_number};
use crate::rows::Counts;
use crate::validate::records::{DIRECTORIES, Records};
use crate::{Finding, Findings};

/// Files that every export of an organisation has.
pub(super) const REQUIRED: [&str; 9] = [
    "realm.json",
    "attachment.json",
    "analytics.json",
    "migration_status.json",
    "stats.json",
    "uploads/records.json",
    "avatars/records.json",
    "emoji/records.json",
    "realm_icons/records.json",
];

/// Files that every export has that a converter made.
pub(super) const CONVERTED: [&str; 5] =
    ["realm.json", "attachment.json", "migration_status.json", "uploads/records.json", "avatars/records.json"];

/// What is missing of what is `required`, left over, or not known.
pub(super) fn names(listing: &Listing, required: &[&str]) -> Findings {
    let mut findings = listing.findings.clone();
    for &name in required {
        if listing.member(name).is_none() {
            let finding = Finding::error("file-missing", name, "is not in the export");
            findings.push(match name {
                "migration_status.json" => finding.with_hint(
                    "exports of Zulip before 10 have none: they cannot be checked, and much else is reported",
                ),
                _ => finding,
            });
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
    stats: &BTreeMap<String, Value>,
    counted: &BTreeMap<String, Counts>,
    records: &HashMap<&'static str, Records>,
    listing: &Listing,
) -> Findings {
    let mut findings = Findings::default();
    let mut differs = |what: &str, said: Option<&Value>, found: u64| {
        let message = match said.map(|said| (said, said.as_u64())) {
            Some((_, Some(said))) if said == found => return,
            Some((said, _)) => format!("{what}: the statistics say {said}, there are {found}"),
            None => format!("{what}: the statistics say nothing, there are {found}"),
        };
        findings.push(Finding::error("count-differs", "stats.json", message));
    };
    for (file, lists) in counted {
        let said = stats.get(file);
        for (list, &found) in lists {
            differs(&format!("{list} of {file}.json"), said.and_then(|said| said.get(list)), found);
        }
        for (list, said) in said.and_then(Value::as_object).into_iter().flatten() {
            if !lists.contains_key(list) {
                differs(&format!("{list} of {file}.json"), Some(said), 0);
            }
        }
    }
    for (directory, records) in records {
        let key = format!("{directory}_records");
        differs(&format!("records of {directory}"), stats.get(&key), records.count);
    }
    for key in stats.keys() {
        let directory = key.strip_suffix("_records").is_some_and(|directory| DIRECTORIES.contains(&directory));
        if !directory && listing.member(&format!("{key}.json")).is_none() {
            let message = format!("has counts of {key}.json, which is not in the export");
            findings.push(Finding::error("count-differs", "stats.json", message));
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
