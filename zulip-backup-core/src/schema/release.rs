//! The Zulip releases that are known, each a folder of data.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use semver::VersionReq;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::schema::{Catalog, Conversion, Defaults, ExportSchema, Migrations, Upgrade};
use crate::{Error, ErrorKind, Result};

/// A Zulip release as data: its tables, what its exports hold, and what it makes new things with. All of it stands in the
/// folder `schema/<name>/` of this crate.
#[derive(Debug)]
pub struct Release {
    /// The folder's name, which is the release's major version.
    pub name: &'static str,
    /// Its tables.
    pub catalog: Catalog,
    /// What its exports hold.
    pub export: ExportSchema,
    /// How exports of its converters differ.
    pub(crate) conversion: Conversion,
    /// What it makes new things with.
    pub(crate) defaults: Defaults,
    /// What becomes of exports of the release before.
    pub(crate) upgrade: Upgrade,
    /// The migrations of each app in its tree, as `showmigrations` names them.
    pub migrations: BTreeMap<String, Vec<String>>,
    /// The files themselves.
    pub(crate) files: &'static Folder,
}

/// The files of a folder.
#[derive(Debug)]
pub(crate) struct Folder {
    name: &'static str,
    catalog: &'static str,
    pub(crate) export: &'static str,
    pub(crate) conversion: &'static str,
    pub(crate) defaults: &'static str,
    migrations: &'static str,
    pub(crate) upgrade: &'static str,
}

macro_rules! folder {
    ($name:literal) => {
        Folder {
            name: $name,
            catalog: include_str!(concat!("../../schema/", $name, "/catalog.json")),
            export: include_str!(concat!("../../schema/", $name, "/export.json")),
            conversion: include_str!(concat!("../../schema/", $name, "/conversion.json")),
            defaults: include_str!(concat!("../../schema/", $name, "/defaults.json")),
            migrations: include_str!(concat!("../../schema/", $name, "/migrations.json")),
            upgrade: include_str!(concat!("../../schema/", $name, "/upgrade.json")),
        }
    };
}

/// All of them, the oldest first.
static FOLDERS: [Folder; 5] = [folder!("8"), folder!("9"), folder!("10"), folder!("11"), folder!("12")];

/// Each is read when it is asked for: most servers are of the newest, and reading takes milliseconds.
static RELEASES: [LazyLock<Result<Release, String>>; 5] = [
    LazyLock::new(|| Release::read(&FOLDERS[0])),
    LazyLock::new(|| Release::read(&FOLDERS[1])),
    LazyLock::new(|| Release::read(&FOLDERS[2])),
    LazyLock::new(|| Release::read(&FOLDERS[3])),
    LazyLock::new(|| Release::read(&FOLDERS[4])),
];

/// What tells a release and says what it runs on, without its tables.
#[derive(Deserialize)]
pub(super) struct Outline {
    #[serde(skip)]
    pub(super) name: &'static str,
    pub(super) zulip_versions: Vec<String>,
    pub(super) migrations: Migrations,
    pub(super) postgres_majors: BTreeMap<u32, VersionReq>,
}

impl Outline {
    /// Of all releases that are known, the oldest first.
    ///
    /// # Errors
    /// As [`Release::all`].
    pub(super) fn all() -> Result<Vec<Self>> {
        let read = |folder: &'static Folder| {
            let outline = parse(folder, "export", folder.export).map_err(|reason| wrong(&reason))?;
            Ok(Self { name: folder.name, ..outline })
        };
        FOLDERS.iter().map(read).collect()
    }
}

/// The folders are part of the program, and tested.
fn wrong(reason: &str) -> Error {
    Error::new(ErrorKind::Damaged, format!("the built-in files are wrong: {reason}"))
}

impl Release {
    /// All that are known, the oldest first.
    ///
    /// # Errors
    /// `Damaged` where a folder's files contradict each other, which the tests exclude.
    pub fn all() -> Result<Vec<&'static Self>> {
        RELEASES.iter().map(Self::read_before).collect()
    }

    /// The newest that is known.
    ///
    /// # Errors
    /// As [`all`](Self::all).
    pub fn latest() -> Result<&'static Self> {
        let [.., newest] = &RELEASES;
        Self::read_before(newest)
    }

    /// The release of a version as `version.py` writes it: `10.1`, `11.0-dev+git`, `10.1-12-gabcdef`.
    ///
    /// # Errors
    /// `Incompatible` for a version whose tables are not known here.
    pub fn for_version(version: &str) -> Result<&'static Self> {
        // The text of a development version begins like that of the release it becomes: the longer one it is.
        let fitting = Self::all()?.into_iter().filter_map(|release| Some((release.export.fits(version)?, release)));
        if let Some((_, release)) = fitting.max_by_key(|(length, _)| *length) {
            return Ok(release);
        }
        let names: Vec<&str> = Self::all()?.iter().map(|release| release.name).collect();
        let message = format!("the tables of Zulip {version:?} are not known, only those of {}", names.join(", "));
        Err(Error::new(ErrorKind::Incompatible, message)
            .with_hint("use a release of this program that knows that Zulip version"))
    }

    /// The release whose tables a database or an export has whose newest migration of Zulip's app zerver this is; the one
    /// that comes next to it where none has exactly those. Without any, the newest.
    ///
    /// # Errors
    /// As [`all`](Self::all).
    pub fn of_migration(newest: Option<u32>) -> Result<&'static Self> {
        let Some(newest) = newest else { return Self::latest() };
        match Self::newest_with(|export| export.migrations.after <= newest)? {
            Some(release) => Ok(release),
            None => Self::read_before(&RELEASES[0]),
        }
    }

    /// The releases that a database or an export may be of whose newest migration of Zulip's app zerver this is: one where
    /// the migrations are those of a release, else those on both sides.
    ///
    /// # Errors
    /// As [`all`](Self::all).
    pub(crate) fn near(newest: Option<u32>) -> Result<Vec<&'static Self>> {
        let below = Self::of_migration(newest)?;
        let Some(newest) = newest else { return Ok(vec![below]) };
        let migrations = &below.export.migrations;
        if migrations.have(newest) || newest < migrations.after {
            return Ok(vec![below]);
        }
        let above = Self::all()?.into_iter().find(|release| release.export.migrations.after > newest);
        Ok([below].into_iter().chain(above).collect())
    }

    /// The releases through which an export of an older one becomes one of this, this one last. `None` where no such steps
    /// are known.
    ///
    /// # Errors
    /// As [`all`](Self::all).
    pub(crate) fn steps_from(&'static self, older: &Self) -> Result<Option<Vec<&'static Self>>> {
        let (mut steps, mut at) = (Vec::new(), self);
        while at.name != older.name {
            steps.push(at);
            let before = at.upgrade.from.as_deref();
            match Self::all()?.into_iter().find(|release| Some(release.name) == before) {
                Some(release) => at = release,
                None => return Ok(None),
            }
        }
        steps.reverse();
        Ok(Some(steps))
    }

    /// The newest release with such exports. Only what is newer is parsed for it: most servers are of the newest.
    fn newest_with(is: impl Fn(&ExportSchema) -> bool) -> Result<Option<&'static Self>> {
        let newest_first = RELEASES.iter().rev().map(Self::read_before);
        let mut found = newest_first.filter(|release| release.as_ref().map_or(true, |release| is(&release.export)));
        found.next().transpose()
    }

    fn read_before(release: &'static LazyLock<Result<Self, String>>) -> Result<&'static Self> {
        release.as_ref().map_err(|reason| wrong(reason))
    }

    fn read(folder: &'static Folder) -> Result<Self, String> {
        let catalog: Catalog = parse(folder, "catalog", folder.catalog)?;
        let export = ExportSchema::parse(folder.export, &catalog)
            .map_err(|reason| format!("schema/{}/export.json: {reason}", folder.name))?;
        Ok(Self {
            name: folder.name,
            conversion: parse(folder, "conversion", folder.conversion)?,
            defaults: parse(folder, "defaults", folder.defaults)?,
            migrations: parse(folder, "migrations", folder.migrations)?,
            upgrade: parse(folder, "upgrade", folder.upgrade)?,
            files: folder,
            catalog,
            export,
        })
    }
}

fn parse<T: DeserializeOwned>(folder: &Folder, file: &str, text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| format!("schema/{}/{file}.json: {error}", folder.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::skeleton::UNDECIDED;

    #[test]
    fn versions_choose_a_release_or_say_why_not() {
        for version in ["10", "10.1", "10.1-12-gabcdef", "11.0-dev", "11.0-dev+git"] {
            assert_eq!(Release::for_version(version).unwrap().name, "10", "{version}");
        }
        for (version, name) in [("8.5", "8"), ("9.0", "9"), ("11.0", "11"), ("11.4", "11"), ("12.1", "12")] {
            assert_eq!(Release::for_version(version).unwrap().name, name, "{version}");
        }
        for version in ["", "1", "100.0", "7.5", "13.0"] {
            let error = Release::for_version(version).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Incompatible, "{version}");
        }
    }

    #[test]
    fn steps_lead_to_newer_releases_only() {
        let [eight, ten, twelve] = ["8.0", "10.0", "12.0"].map(|version| Release::for_version(version).unwrap());
        let names = |steps: Vec<&Release>| steps.iter().map(|step| step.name).collect::<Vec<_>>();
        assert_eq!(twelve.steps_from(eight).unwrap().map(names), Some(vec!["9", "10", "11", "12"]));
        assert_eq!(ten.steps_from(ten).unwrap().map(names), Some(vec![]));
        assert!(ten.steps_from(twelve).unwrap().is_none());
    }

    #[test]
    fn everything_is_decided() {
        for release in Release::all().unwrap() {
            let undecided = release.export.left_out.iter().filter(|(_, why)| why.is_empty() || *why == UNDECIDED);
            assert_eq!(undecided.count(), 0, "{}", release.name);
            assert!(!release.files.upgrade.contains(UNDECIDED), "{}", release.name);
            assert!(
                !release.export.zulip_versions.is_empty() && !release.export.versions.is_empty(),
                "{}",
                release.name
            );
        }
    }

    #[test]
    fn migrations_tell_the_release() {
        let releases = Release::all().unwrap();
        let ranges: Vec<_> = releases.iter().map(|release| release.export.migrations.clone()).collect();
        for (release, range) in releases.iter().zip(&ranges) {
            assert!(range.before.is_none_or(|before| range.after < before), "{}", release.name);
            assert_eq!(Release::of_migration(Some(range.after)).unwrap().name, release.name);
        }
        assert!(ranges.is_sorted_by(|older, newer| older.before.is_some_and(|before| before <= newer.after)));
        assert_eq!(Release::of_migration(Some(1)).unwrap().name, releases[0].name);
        assert_eq!(Release::of_migration(None).unwrap().name, Release::latest().unwrap().name);
    }
}
