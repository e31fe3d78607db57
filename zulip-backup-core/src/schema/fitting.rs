//! Which Zulip takes a database or an export, and which PostgreSQL that runs on.

use std::collections::BTreeMap;
use std::fmt;

use semver::{Version, VersionReq};
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::schema::release::Outline;
use crate::schema::{Release, migration_number};

/// Which Zulip has the tables of a database or an export, and which PostgreSQL it runs on. It is told by migrations: the
/// text of a development version stays the same while tables change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fitting {
    /// The newest migration of Zulip's app zerver, by its number; absent where columns told the release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest_migration: Option<u32>,
    /// The Zulip versions with just these tables, for people; empty where none is known to have them.
    pub zulip_versions: Vec<String>,
    /// The newest release that is known to be older, where none has just these tables; its major version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// The oldest release that is known to be newer, in that case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The PostgreSQL majors that those versions run on, each with those of them that do. Where there are none, those of the
    /// nearest release.
    pub postgres_majors: BTreeMap<u32, VersionReq>,
}

impl Fitting {
    /// Of the applied migrations of a database, `app: [names]`. Nothing where none of them is Zulip's.
    ///
    /// # Errors
    /// As [`Release::all`].
    pub fn of_migrations(migrations: &BTreeMap<String, Vec<String>>) -> Result<Option<Self>> {
        let names = migrations.get("zerver").into_iter().flatten();
        names.filter_map(|name| migration_number(name)).max().map(Self::of_migration).transpose()
    }

    /// Of the newest migration of Zulip's app zerver.
    ///
    /// # Errors
    /// As [`Release::all`].
    pub fn of_migration(newest: u32) -> Result<Self> {
        let mut releases = Outline::all()?;
        if let Some(at) = releases.iter().position(|release| release.migrations.have(newest)) {
            let Outline { zulip_versions, postgres_majors, .. } = releases.swap_remove(at);
            let newest_migration = Some(newest);
            return Ok(Self { newest_migration, zulip_versions, after: None, before: None, postgres_majors });
        }
        let older = |release: &&Outline| release.migrations.after <= newest;
        let (after, before) = (releases.iter().rfind(older), releases.iter().find(|release| !older(release)));
        Ok(Self {
            newest_migration: Some(newest),
            zulip_versions: Vec::new(),
            after: after.map(|release| release.name.to_owned()),
            before: before.map(|release| release.name.to_owned()),
            postgres_majors: after.or(before).map(|release| release.postgres_majors.clone()).unwrap_or_default(),
        })
    }

    /// Of a release.
    pub fn of_release(release: &Release) -> Self {
        Self {
            newest_migration: None,
            zulip_versions: release.export.zulip_versions.clone(),
            after: None,
            before: None,
            postgres_majors: release.export.postgres_majors.clone(),
        }
    }

    /// Whether Zulip of a version, as `version.py` writes it, runs on a major of PostgreSQL. `None` where it is not known.
    pub fn runs_on(&self, zulip_version: &str, postgres_major: u32) -> Option<bool> {
        if self.zulip_versions.is_empty() {
            return None;
        }
        let Some(versions) = self.postgres_majors.get(&postgres_major) else { return Some(false) };
        Some(versions.matches(&number(zulip_version)?))
    }

    /// The PostgreSQL majors, as people write them: `13 to 16, 17 (Zulip >=10.2)`.
    pub fn postgres(&self) -> String {
        let (always, others): (Vec<_>, Vec<_>) =
            self.postgres_majors.iter().partition(|(_, versions)| **versions == VersionReq::STAR);
        let mut parts = Vec::new();
        match always[..] {
            [(oldest, _), .., (newest, _)] => parts.push(format!("{oldest} to {newest}")),
            [(only, _)] => parts.push(only.to_string()),
            [] => {}
        }
        parts.extend(others.iter().map(|(major, versions)| format!("{major} (Zulip {versions})")));
        parts.join(", ")
    }
}

impl fmt::Display for Fitting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.zulip_versions.is_empty() {
            match (&self.after, &self.before) {
                (Some(after), Some(before)) => write!(f, "between Zulip {after} and {before}")?,
                (Some(after), None) => write!(f, "newer than Zulip {after}, the newest that is known")?,
                (None, before) => {
                    write!(f, "older than Zulip {}, the oldest that is known", before.as_deref().unwrap_or_default())?;
                }
            }
            if let Some(newest) = self.newest_migration {
                write!(f, ", by its migration {newest:04}")?;
            }
            return Ok(());
        }
        write!(f, "Zulip {}; PostgreSQL {}", self.zulip_versions.join(", "), self.postgres())
    }
}

/// The numbers that a version begins with: 10.1.0 of `10.1-12-gabcdef`.
fn number(version: &str) -> Option<Version> {
    let end = version.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(version.len());
    let mut numbers = version[..end].split('.').map(str::parse);
    let major = numbers.next()?.ok()?;
    let mut next = || numbers.next().map_or(Some(0), Result::ok);
    Some(Version::new(major, next()?, next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(newest: u32) -> String {
        Fitting::of_migration(newest).unwrap().to_string()
    }

    #[test]
    fn migrations_tell_what_fits() {
        assert_eq!(said(558), "Zulip 9.x; PostgreSQL 12 to 16");
        assert!(said(696).starts_with("Zulip 10.x, "), "{}", said(696));
        assert!(said(697).ends_with("; PostgreSQL 13 to 16, 17 (Zulip >=10.2)"), "{}", said(697));
        assert_eq!(said(600), "between Zulip 9 and 10, by its migration 0600");
        assert_eq!(said(42), "older than Zulip 8, the oldest that is known, by its migration 0042");
        assert_eq!(said(9000), "newer than Zulip 12, the newest that is known, by its migration 9000");
        // It is said, as far as it is known, what a server in between runs on.
        assert!(Fitting::of_migration(600).unwrap().postgres_majors.contains_key(&16));
        let other = BTreeMap::from([("auth".to_owned(), vec!["0012_alter_user".to_owned()])]);
        assert_eq!(Fitting::of_migrations(&other).unwrap(), None);
    }

    #[test]
    fn every_release_says_what_it_runs_on() {
        for release in Release::all().unwrap() {
            let majors = &release.export.postgres_majors;
            assert!(majors.len() > 2, "{}", release.name);
            // One is there from the first version on, or nobody could have installed that.
            assert!(majors.values().any(|versions| *versions == VersionReq::STAR), "{}", release.name);
        }
        let fits = Fitting::of_migration(697).unwrap();
        let runs = |version, major| fits.runs_on(version, major);
        assert_eq!(
            (runs("10.1", 16), runs("10.1-12-gabcdef", 17), runs("10.2", 17)),
            (Some(true), Some(false), Some(true))
        );
        assert_eq!((runs("11.0-dev+git", 17), runs("10", 12), runs("main", 16)), (Some(true), Some(false), None));
        assert_eq!(Fitting::of_migration(600).unwrap().runs_on("9.0", 16), None);
    }
}
