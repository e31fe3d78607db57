//! `migration_status.json`: which migrations a server has, in the words of Django's `showmigrations`.

use std::collections::{BTreeMap, BTreeSet};

use postgres::Client;
use serde::Serialize;

use crate::postgres::applied_migrations;
use crate::{Error, ErrorKind, Result};

/// The migrations of each app in the tree of Zulip 10.
const ZULIP_10: &str = include_str!("../../schema/10/migrations.json");

/// The file.
#[derive(Debug, Serialize)]
pub(super) struct MigrationStatus {
    migrations_by_app: BTreeMap<String, Vec<String>>,
    zulip_version: String,
}

impl MigrationStatus {
    /// What `client`'s database has of them.
    pub(super) fn read(client: &mut Client, zulip_version: &str) -> Result<Self> {
        let known: BTreeMap<String, Vec<String>> = serde_json::from_str(ZULIP_10).map_err(|error| {
            Error::new(ErrorKind::Damaged, "the built-in list of migrations cannot be read").with_source(error)
        })?;
        let mut applied: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (app, name) in applied_migrations(client)? {
            applied.entry(app).or_default().insert(name);
        }
        Ok(Self { migrations_by_app: status(known, &applied), zulip_version: zulip_version.to_owned() })
    }
}

/// An app whose tables are not installed has no line that would be true of it: it is left out.
fn status(
    known: BTreeMap<String, Vec<String>>,
    applied: &BTreeMap<String, BTreeSet<String>>,
) -> BTreeMap<String, Vec<String>> {
    let optional = |app: &str| matches!(app, "corporate" | "zilencer");
    let installed = known.into_iter().filter(|(app, _)| applied.contains_key(app) || !optional(app));
    installed
        .map(|(app, lines)| {
            if lines.is_empty() {
                return (app, vec!["(no migrations)".to_owned()]);
            }
            let recorded = applied.get(&app);
            let lines = lines.into_iter().map(|line| {
                let (name, replaced) = line.split_once(' ').unwrap_or((&line, ""));
                let replaced: usize =
                    replaced.trim_start_matches('(').split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0);
                let has = recorded.is_some_and(|recorded| recorded.contains(name));
                let before =
                    recorded.map_or(0, |recorded| recorded.range(..name.to_owned()).count().max(recorded.len()));
                // Not recorded itself, but all that it replaces: an upgraded server.
                let mark = match has {
                    true => "[X]",
                    false if replaced > 0 && before >= replaced => "[-]",
                    false => "[ ]",
                };
                format!("{mark} {line}")
            });
            let lines = lines.collect();
            (app, lines)
        })
        .collect()
}
