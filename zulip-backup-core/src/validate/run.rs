//! The check from beginning to end.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Instant;

use camino::Utf8Path;

use crate::ids::IdSet;
use crate::package::{Kind, Layout, Package};
use crate::rows::Counts;
use crate::schema::Release;
use crate::validate::facts::Facts;
use crate::validate::messages::{Judge, Seen, broken};
use crate::validate::read::{self, Base, TASK};
use crate::validate::records::Records;
use crate::validate::release::Told;
use crate::validate::rules::Rules;
use crate::validate::sidecars::Consents;
use crate::validate::{
    KindFrom, ReleaseFrom, ValidateOptions, ValidateReport, bots, consistency, counts, privacy, records, sidecars,
    single,
};
use crate::{Error, ErrorKind, Finding, Findings, Progress, Result, Severity, Task, process};

/// Checks the export at `path`: a directory, or a tarball of one.
///
/// What is wrong with it is never an error here but a [`Finding`](crate::Finding) of the report. Memory: the rows' ids,
/// some bytes for each message, and what is known of users, channels and subscriptions.
///
/// # Errors
/// `Incompatible` for an export of a Zulip version that is not known, `Damaged` for what is
/// no export, `Interrupted`, and what the disk answers.
pub fn validate(path: &Utf8Path, options: &ValidateOptions, progress: &dyn Progress) -> Result<ValidateReport> {
    Ok(examine(&Package::open(path)?, options, progress)?.0)
}

/// What was learned of an organisation's export, for who imports it.
#[derive(Debug)]
pub(crate) struct Examined {
    pub(crate) release: &'static Release,
    pub(crate) facts: Facts,
    pub(crate) records: HashMap<&'static str, Records>,
    /// Ids of the messages.
    pub(crate) messages: IdSet,
    /// Rows of the files with messages, by their lists.
    pub(crate) message_counts: Counts,
}

/// As [`validate`]; with what was learned, unless it is no organisation's or much of it cannot be read.
pub(crate) fn examine(
    package: &Package,
    options: &ValidateOptions,
    progress: &dyn Progress,
) -> Result<(ValidateReport, Option<Examined>)> {
    let started = Instant::now();
    let path = package.path();
    progress.begin(Task::bytes(TASK, None));
    let mut report = ValidateReport {
        path: path.to_owned(),
        kind: options.kind.unwrap_or_default(),
        kind_from: if options.kind.is_some() { KindFrom::Asked } else { KindFrom::Unknown },
        release: Release::latest()?.name,
        release_from: ReleaseFrom::Unknown,
        zulip_version: None,
        realm: None,
        users: 0,
        messages: 0,
        user_messages: 0,
        rows: 0,
        files: 0,
        bytes: 0,
        findings: Findings::default(),
        seconds: 0.0,
    };
    let examined = match all(package, options, progress, &mut report) {
        // A tarball that is cut off: what was found before counts, what comes behind cannot be read.
        Err(error) if error.kind() == ErrorKind::Damaged && !error.reasons().is_empty() => {
            error.reasons().iter().for_each(|reason| report.findings.push(reason.clone()));
            None
        }
        other => other?,
    };
    report.findings.list.sort_by(|a, b| (b.severity, &a.object).cmp(&(a.severity, &b.object)));
    for finding in report.findings.list.iter().filter(|finding| finding.severity >= Severity::Warning) {
        progress.finding(finding);
    }
    report.seconds = started.elapsed().as_secs_f64();
    progress.end(TASK);
    Ok((report, examined))
}

fn all(
    package: &Package,
    options: &ValidateOptions,
    progress: &dyn Progress,
    report: &mut ValidateReport,
) -> Result<Option<Examined>> {
    let jobs = process::threads(options.jobs).get();
    report.findings.extend(package.prove(jobs, TASK, progress)?);
    package.look_over(&mut |bytes| {
        progress.advance(TASK, bytes);
        progress.checkpoint()
    })?;
    known(package)?;
    if package.layout()? == Some(Layout::SingleUser) {
        single::check(package, progress, report)?;
        return Ok(None);
    }
    let Base { told: Told { release, from, finding }, sidecars, mut facts, records, findings } =
        read::base(package, progress)?;
    (report.release, report.release_from) = (release.name, from);
    if let Some(finding) = finding {
        report.findings.push(finding);
    }
    let converted = facts.converted;
    facts.complete();
    let listing = package.listing()?;
    // An export with groups is a server's own, whatever files it has lost.
    let has_groups = facts.counts.get("realm").is_some_and(|lists| lists.contains_key("zerver_usergroup"));
    let required = counts::required(release.export.exporter, converted && !has_groups);
    report.findings.extend(counts::names(listing, &required));
    report.findings.extend(findings);
    report.findings.extend(std::mem::take(&mut facts.findings));
    report.files = listing.members.len() as u64;
    report.bytes = listing.members.iter().map(|member| member.size).sum();
    report.realm = facts.realm.as_ref().map(|(_, string_id)| string_id.clone());
    report.zulip_version = sidecars.migrations.as_ref().and_then(|migrations| migrations.zulip_version.clone());
    if !facts.counts.contains_key("realm") {
        // Everything refers to it: no more than that could be said of anything.
        let message = "cannot be read to its end: nothing else was compared with it";
        report.findings.push(Finding::note("not-compared", "realm.json", message));
        return Ok(None);
    }
    let manifest = package.manifest();
    let exporter = release.export.exporter;
    let message = options.consent_message.or(manifest.and_then(|manifest| manifest.consent_message_id));
    let by_rows = facts.consenting();
    let (consents, consented) = if exporter.lists_consenting {
        (Consents::File(sidecars.consented.is_some()), sidecars.consented.as_deref())
    } else if exporter.hides_users {
        (Consents::Rows, Some(by_rows.as_slice()))
    } else {
        let users = message.and_then(|message| facts.reacted.get(&message)).map(Vec::as_slice);
        (Consents::Message(message.is_some()), users)
    };
    let consented = consented.unwrap_or_default();
    let asked = options.consent_message.map(|_| Kind::FullWithConsent).or(options.kind);
    let manifest = manifest.map(|manifest| manifest.kind);
    let (kind, from) = sidecars::kind(asked, manifest, consents, converted, &facts.exports, &mut report.findings);
    (report.kind, report.kind_from) = (kind, from);

    let rules = Rules::new(&facts, kind, consented);
    let shapes = read::shapes(release, &release.export.files.messages, converted)?;
    let judge = Judge { shapes: &shapes, facts: &facts, rules: &rules, seen: Mutex::new(Seen::default()) };
    read::messages(package, &judge, jobs, progress)?;
    let seen = judge.seen.into_inner().map_err(|_| broken())?;

    let mut counted = facts.counts.clone();
    let seen_counts = seen.counts;
    counted.extend(seen_counts.clone());
    report.users = counted.get("realm").and_then(|lists| lists.get("zerver_userprofile")).copied().unwrap_or(0);
    report.rows = counted.values().flat_map(std::collections::BTreeMap::values).sum();
    (report.messages, report.user_messages) = (seen.messages.len(), seen.user_messages.len());
    report.findings.extend(seen.findings);
    report.findings.extend(counts::order(&seen.ranges));
    if let Some(stats) = &sidecars.stats {
        if let Some(source) = &facts.source {
            counted.entry("realm".to_owned()).or_default().insert("import_source".to_owned(), source.len() as u64);
        }
        report.findings.extend(counts::statistics(release.export.exporter, stats, &counted, &records, listing));
    }
    if exporter.names_source && facts.source.is_none() {
        let message = "is not there: Zulip's importer asks for it";
        report.findings.push(Finding::error("key-missing", "realm.json import_source", message));
    }
    report.findings.extend(consistency::check(&facts, &release.export));
    report.findings.extend(bots::check(&facts, release, &file_of));
    let exists = |table: &str, id: i64| match table {
        "zerver_message" => seen.messages.contains(id),
        "zerver_recipient" => rules.recipients.contains(id),
        table => facts.ids(table).is_some_and(|ids| ids.contains(id)),
    };
    report.findings.extend(facts.links.check(&file_of, &exists));
    report.findings.extend(records::check(&records, &facts, listing));
    if !converted {
        // Who converts has all there is, and nobody to hide it from.
        report.findings.extend(privacy::check(&facts, &rules, &release.export, consented));
        if !release.export.exporter.exports_all_clients {
            report.findings.extend(privacy::clients(&facts, kind, &seen.clients));
        }
    }
    let mut message_counts = Counts::new();
    for (list, count) in seen_counts.into_values().flatten() {
        *message_counts.entry(list).or_default() += count;
    }
    Ok(Some(Examined { release, facts, records, messages: seen.messages, message_counts }))
}

/// The file a list is in, for people.
fn file_of(list: &str) -> String {
    match list {
        "zerver_attachment" => "attachment.json".to_owned(),
        list if list.starts_with("analytics_") => "analytics.json".to_owned(),
        _ => "realm.json".to_owned(),
    }
}

/// Refuses what cannot be checked.
pub(super) fn known(package: &Package) -> Result<()> {
    let path = package.path();
    match package.layout()? {
        Some(Layout::Organisation | Layout::SingleUser) => Ok(()),
        None if package.listing()?.members.iter().any(|member| member.name.starts_with("messages-")) => Ok(()),
        None => Err(Error::new(ErrorKind::Damaged, format!("{path} is no export: it has no realm.json"))
            .with_path(path)
            .with_hint(
                "an export is a directory with realm.json, or a tarball of one; a backup's files lie in zulip-backup/",
            )),
    }
}
