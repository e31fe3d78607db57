//! Whether an export is of the server's own Zulip version, told by the migrations of both.

use std::collections::{BTreeMap, BTreeSet};

use camino::Utf8Path;
use postgres::Client;

use crate::schema::{MigrationStatus, Release};
use crate::validate::Migrations;
use crate::{Finding, Findings, Result};

/// Apps whose tables are in an export. What another app has done to its own tables is nothing to an import.
const EXPORTED: [&str; 2] = ["zerver", "analytics"];

/// Apps that only servers of the hosted service have.
const HOSTED: [&str; 2] = ["zilencer", "corporate"];

/// Compares the migrations of the export at `path` with those of the server, which is of `release`.
///
/// # Errors
/// What the database answers.
pub(super) fn compare(
    client: &mut Client,
    release: &'static Release,
    path: &Utf8Path,
    export: &Migrations,
    zulip_version: &str,
) -> Result<Findings> {
    let server = MigrationStatus::read(client, release, zulip_version)?;
    let said = format!(
        "export and import have to be of one release, and the export says it is of Zulip {}, this server is of {zulip_version}: ",
        export.zulip_version.as_deref().unwrap_or("a version that it does not name"),
    );
    let way = match export.newest() {
        Some(newest) => way(path, Release::of_migration(Some(newest))?, release, zulip_version)?,
        None => None,
    };
    let way = way.unwrap_or_else(|| {
        "import into a server of the export's, or bring both to the same one and export again".to_owned()
    });
    Ok(differences(&export.migrations_by_app, &server.migrations_by_app, &format!("{said}{way}")))
}

/// Compares the release of the export at `path`, which tells no migrations, with the server's.
///
/// # Errors
/// As [`Release::all`].
pub(super) fn release_differs(
    path: &Utf8Path,
    export: &Release,
    server: &'static Release,
    zulip_version: &str,
) -> Result<Option<Finding>> {
    if export.name == server.name {
        return Ok(None);
    }
    let message = format!("is of Zulip {}, by the columns of its rows; this server is of {zulip_version}", export.name);
    let way = way(path, export, server, zulip_version)?.unwrap_or_else(|| {
        format!("import into a server of Zulip {}, or bring both to the same one and export again", export.name)
    });
    let hint = format!("export and import have to be of one release: {way}");
    Ok(Some(Finding::error("release-differs", "the export", message).with_hint(hint)))
}

/// What makes the export one of the server's release, where there is a way.
fn way(path: &Utf8Path, export: &Release, server: &'static Release, zulip_version: &str) -> Result<Option<String>> {
    // Of a checkout between two releases the text may say another one than the tables.
    let says_itself = Release::for_version(zulip_version).is_ok_and(|said| said.name == server.name);
    let leads = export.name != server.name && server.steps_from(export)?.is_some();
    let command = || format!("`zulip-backup upgrade-export {path} --to {zulip_version}` makes it one of this server's");
    Ok((says_itself && leads).then(command))
}

/// How many migrations of an app are named that one side has alone: as many as a release has, and more.
const MOST_NAMES: usize = 100;

type Status = BTreeMap<String, Vec<String>>;

/// `fitting` says what would fit.
fn differences(export: &Status, server: &Status, fitting: &str) -> Findings {
    let mut findings = Findings::default();
    let apps: BTreeSet<&String> = export.keys().chain(server.keys()).collect();
    for app in apps {
        let none = Vec::new();
        let (of_export, of_server) = (export.get(app).unwrap_or(&none), server.get(app).unwrap_or(&none));
        match (of_export.is_empty(), of_server.is_empty()) {
            (true, true) => continue,
            (true, false) | (false, true) if HOSTED.contains(&app.as_str()) => continue,
            (true, false) => {
                findings.push(Finding::warning(
                    "app-missing",
                    app,
                    "is an app of this server, and not of the export's",
                ));
                continue;
            }
            (false, true) => {
                findings.push(Finding::warning(
                    "app-missing",
                    app,
                    "is an app of the export's server, and not of this one",
                ));
                continue;
            }
            (false, false) => {}
        }
        let (of_export, of_server) = (applied(of_export), applied(of_server));
        let only = |a: &BTreeSet<&str>, b: &BTreeSet<&str>| {
            let mut names: Vec<&str> = a.difference(b).copied().collect();
            let more = names.len().saturating_sub(MOST_NAMES);
            names.truncate(MOST_NAMES);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            (!names.is_empty()).then(|| format!("{}{more}", names.join(", ")))
        };
        let (missing, ahead) = (only(&of_export, &of_server), only(&of_server, &of_export));
        let message = match (missing, ahead) {
            (None, None) => continue,
            (Some(missing), None) => format!("this server lacks migrations that the export's had: {missing}"),
            (None, Some(ahead)) => format!("this server has migrations that the export's lacked: {ahead}"),
            (Some(missing), Some(ahead)) => {
                format!("this server lacks migrations that the export's had: {missing}; and has others: {ahead}")
            }
        };
        findings.push(if EXPORTED.contains(&app.as_str()) {
            Finding::error("migrations-differ", app, message).with_hint(fitting)
        } else {
            Finding::warning("migrations-differ", app, format!("{message}; no table of this app is in an export"))
        });
    }
    findings
}

/// The names of migrations whose effects a database has. How they came about, one by one or squashed, is no difference.
fn applied(lines: &[String]) -> BTreeSet<&str> {
    lines
        .iter()
        .filter_map(|line| line.trim_start().split_at_checked(3))
        .filter(|(mark, _)| *mark != "[ ]")
        .map(|(_, name)| name.trim_start().split(' ').next().unwrap_or_default())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Severity;

    fn status(apps: &[(&str, &[&str])]) -> Status {
        apps.iter()
            .map(|(app, lines)| ((*app).to_owned(), lines.iter().map(|line| (*line).to_owned()).collect()))
            .collect()
    }

    #[test]
    fn a_way_is_named_where_one_leads_here() {
        let of = |version: &str| Release::for_version(version).unwrap();
        let leads = |export, server, version| way("a.tar.gz".into(), of(export), of(server), version).unwrap();
        let named = leads("9.0", "11.2", "11.2").unwrap();
        assert!(named.contains("`zulip-backup upgrade-export a.tar.gz --to 11.2`"), "{named}");
        assert_eq!((leads("11.2", "10.1", "10.1"), leads("10.1", "10.4", "10.4")), (None, None));
        // A checkout with the tables of 11 whose text says that it is one of 12.
        assert_eq!(leads("10.1", "11.0", "12.0-dev"), None);
    }

    #[test]
    fn what_differs_is_told_by_app() {
        let export = status(&[
            ("zerver", &["[X] 0001_squashed_0569 (545 squashed migrations)", "[X] 0697_x", "[ ] 0698_y"]),
            ("otp_totp", &["[X] 0001_initial"]),
            ("zilencer", &["[X] 0001_initial"]),
            ("confirmation", &["[X] 0001_initial"]),
        ]);
        let same = status(&[
            ("zerver", &["[X] 0697_x", "[-] 0001_squashed_0569 (545 squashed migrations)"]),
            ("otp_totp", &["[X] 0001_initial", "[X] 0002_more"]),
            ("confirmation", &["[X] 0001_initial"]),
        ]);
        let findings = differences(&export, &same, "fits");
        assert_eq!(findings.at_least(Severity::Error), 0, "{:?}", findings.list);
        assert_eq!(findings.list.len(), 1);
        let ahead = status(&[("zerver", &["[X] 0001_squashed_0569", "[X] 0698_y"])]);
        let findings = differences(&export, &ahead, "fits");
        let error = findings.list.iter().find(|finding| finding.severity == Severity::Error).unwrap();
        assert!(error.message.contains("0697_x") && error.message.contains("has others: 0698_y"), "{error}");
        assert_eq!(error.hint.as_deref(), Some("fits"));
        assert_eq!(findings.count("app-missing"), 2);
    }
}
