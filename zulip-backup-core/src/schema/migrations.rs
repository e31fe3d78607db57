//! `migration_status.json`: which migrations a server has, in the words of Django's `showmigrations`.

use std::collections::{BTreeMap, BTreeSet};

use postgres::Client;
use serde::Serialize;

use crate::Result;
use crate::postgres::applied_migrations;
use crate::schema::Release;

/// The file.
#[derive(Debug, Serialize)]
pub(crate) struct MigrationStatus {
    pub(crate) migrations_by_app: BTreeMap<String, Vec<String>>,
    zulip_version: String,
}

impl MigrationStatus {
    /// What a server has that was just installed.
    pub(crate) fn complete(release: &Release, zulip_version: &str) -> Self {
        let applied = |(app, lines): (&String, &Vec<String>)| {
            let names = lines.iter().map(|line| name(line).to_owned()).collect();
            (!is_hosted(app)).then(|| (app.clone(), names))
        };
        let applied = release.migrations.iter().filter_map(applied).collect();
        Self { migrations_by_app: status(&release.migrations, &applied), zulip_version: zulip_version.to_owned() }
    }

    /// What `client`'s database has of a release's.
    pub(crate) fn read(client: &mut Client, release: &Release, zulip_version: &str) -> Result<Self> {
        let mut applied: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (app, name) in applied_migrations(client)? {
            applied.entry(app).or_default().insert(name);
        }
        Ok(Self { migrations_by_app: status(&release.migrations, &applied), zulip_version: zulip_version.to_owned() })
    }
}

/// The lines of each app. An app whose tables are not installed has no line that would be true of it: it is left out. So
/// are migrations behind the newest that is recorded: an older release of the same tables does not have their files.
fn status(
    known: &BTreeMap<String, Vec<String>>,
    applied: &BTreeMap<String, BTreeSet<String>>,
) -> BTreeMap<String, Vec<String>> {
    let installed = known.iter().filter(|(app, _)| applied.contains_key(*app) || !is_hosted(app));
    installed
        .map(|(app, lines)| {
            if lines.is_empty() {
                return (app.clone(), vec!["(no migrations)".to_owned()]);
            }
            let none = BTreeSet::new();
            (app.clone(), marked(lines, applied.get(app).unwrap_or(&none)))
        })
        .collect()
}

/// Whether an app is one that only servers of the hosted service have.
fn is_hosted(app: &str) -> bool {
    matches!(app, "corporate" | "zilencer")
}

/// An app's lines, each with its mark.
fn marked(lines: &[String], recorded: &BTreeSet<String>) -> Vec<String> {
    let listed: BTreeSet<&str> = lines.iter().map(|line| name(line)).collect();
    // What a squashed migration replaces has no line of its own.
    let unlisted = recorded.iter().filter(|name| !listed.contains(name.as_str())).count();
    let newest = lines.iter().rposition(|line| recorded.contains(name(line)));
    let lines = &lines[..newest.map_or(lines.len(), |at| at + 1)];
    let mark = |line: &String| match replaced(line) {
        _ if recorded.contains(name(line)) => format!("[X] {line}"),
        // A server that was upgraded, and where `migrate` did not run since.
        Some(replaced) if unlisted >= replaced => format!("[-] {line}"),
        _ => format!("[ ] {line}"),
    };
    lines.iter().map(mark).collect()
}

fn name(line: &str) -> &str {
    line.split(' ').next().unwrap_or(line)
}

/// How many migrations a squashed one replaces.
fn replaced(line: &str) -> Option<usize> {
    line.split_once(" (")?.1.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_those_of_a_fresh_an_upgraded_and_an_older_server() {
        let lines = ["0001_squashed_0003 (3 squashed migrations)", "0004_x", "0005_y"].map(str::to_owned);
        let marks = |recorded: &[&str]| -> Vec<String> {
            let recorded = recorded.iter().map(|name| (*name).to_owned()).collect();
            marked(&lines, &recorded).iter().map(|line| line[..8].to_owned()).collect()
        };
        assert_eq!(marks(&["0001_squashed_0003", "0004_x", "0005_y"]), ["[X] 0001", "[X] 0004", "[X] 0005"]);
        let upgraded = ["0001_a", "0002_b", "0003_c", "0001_squashed_0003", "0004_x", "0005_y"];
        assert_eq!(marks(&upgraded), ["[X] 0001", "[X] 0004", "[X] 0005"]);
        assert_eq!(marks(&["0001_a", "0002_b", "0003_c", "0004_x", "0005_y"]), ["[-] 0001", "[X] 0004", "[X] 0005"]);
        assert_eq!(marks(&["0001_a", "0002_b", "0005_y"]), ["[ ] 0001", "[ ] 0004", "[X] 0005"]);
        assert_eq!(marks(&["0001_squashed_0003", "0004_x"]), ["[X] 0001", "[X] 0004"]);
        assert_eq!(marks(&[]), ["[ ] 0001", "[ ] 0004", "[ ] 0005"]);
    }

    #[test]
    fn apps_that_are_not_installed_have_no_lines() {
        let known = BTreeMap::from([
            ("zilencer".to_owned(), vec!["0001_initial".to_owned()]),
            ("phonenumber".to_owned(), Vec::new()),
        ]);
        assert_eq!(
            status(&known, &BTreeMap::new()),
            BTreeMap::from([("phonenumber".to_owned(), vec!["(no migrations)".to_owned()])])
        );
    }
}
