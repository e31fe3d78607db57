//! Which Zulip release an export is of.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::package::Package;
use crate::schema::Release;
use crate::validate::Migrations;
use crate::{Error, ErrorKind, Finding, Result};

/// The release of an export, and what told it.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) release: &'static Release,
    pub(super) from: ReleaseFrom,
    /// What is odd about that.
    pub(super) finding: Option<Finding>,
}

/// What told the Zulip release of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReleaseFrom {
    /// Its migrations.
    Migrations,
    /// The columns that its first row has: exports of Zulip before 10 say nothing of their release, and nor do those of a
    /// single user.
    Columns,
    /// Nothing: it is judged as one of the newest that is known.
    Unknown,
}

impl Told {
    /// Of an organisation's export, with the migrations that it says.
    ///
    /// # Errors
    /// `Incompatible` for an export of a Zulip version that is not known here.
    pub(super) fn of_organisation(package: &Package, migrations: Option<&Migrations>) -> Result<Self> {
        match migrations {
            Some(migrations) => by_migrations(package, migrations),
            None => by_columns(package, "realm.json", "zerver_realm"),
        }
    }

    /// Of the export of a single user, which never says its migrations.
    ///
    /// # Errors
    /// What the disk answers.
    pub(super) fn of_user(package: &Package) -> Result<Self> {
        by_columns(package, "user.json", "zerver_userprofile")
    }
}

/// The release of an organisation's export.
///
/// # Errors
/// `Incompatible` for an export of a Zulip version that is not known here, and what the disk answers.
pub(crate) fn release_of(package: &Package) -> Result<&'static Release> {
    Ok(Told::of_organisation(package, Migrations::read(package)?.as_ref())?.release)
}

/// The release whose rows of a table have most nearly the keys that the first row has.
fn by_columns(package: &Package, file: &str, list: &str) -> Result<Told> {
    let Some((release, _)) = nearest(package, file, list, Release::all()?)? else {
        return Ok(Told { release: Release::latest()?, from: ReleaseFrom::Unknown, finding: None });
    };
    Ok(Told { release, from: ReleaseFrom::Columns, finding: None })
}

/// That of some releases, with the keys that differ. Nothing for a file that cannot be read, which the check says.
fn nearest(
    package: &Package,
    file: &str,
    list: &str,
    releases: Vec<&'static Release>,
) -> Result<Option<(&'static Release, Vec<String>)>> {
    let first = package.rows::<Map<String, Value>>(file, list).ok().and_then(|mut rows| rows.next()?.ok());
    let Some(first) = first else { return Ok(None) };
    let found: BTreeSet<&str> = first.keys().map(String::as_str).collect();
    let mut nearest: Option<(&'static Release, Vec<String>)> = None;
    for release in releases.into_iter().rev() {
        let known: BTreeSet<&str> = release.export.table(list)?.fields.iter().map(|field| field.key.as_str()).collect();
        let differences: Vec<String> = known.symmetric_difference(&found).map(|key| (*key).to_owned()).collect();
        if nearest.as_ref().is_none_or(|(_, fewest)| differences.len() < fewest.len()) {
            nearest = Some((release, differences));
        }
    }
    Ok(nearest)
}

/// The release that the migrations tell. Where they are of none that is known, or between two, it is one with just the
/// columns that the export has.
fn by_migrations(package: &Package, migrations: &Migrations) -> Result<Told> {
    let newest = migrations.newest();
    // Exports of releases that do not tell their migrations have no such file: whoever wrote one there made it up.
    let mut near = Release::near(newest)?;
    near.retain(|release| release.export.exporter.tells_migrations);
    let told = |release, finding| Ok(Told { release, from: ReleaseFrom::Migrations, finding });
    let Some(newest) = newest else { return told(Release::latest()?, None) };
    if let [release] = near[..]
        && release.export.migrations.have(newest)
    {
        return told(release, None);
    }
    let version = migrations.zulip_version.as_deref().unwrap_or("another version");
    let known: Vec<&Release> =
        Release::all()?.into_iter().filter(|release| release.export.exporter.tells_migrations).collect();
    let ranges: Vec<String> = known.iter().map(|release| range(release)).collect();
    let unknown = format!(
        "the export is of Zulip {version}, whose newest migration is {newest:04}: known are {}",
        ranges.join(", ")
    );
    let columns = if near.is_empty() { None } else { nearest(package, "realm.json", "zerver_realm", near)? };
    match columns {
        Some((release, differences)) if differences.is_empty() => {
            let message = format!("{unknown}; the columns of its organisation are just those of {}", release.name);
            told(release, Some(Finding::warning("migrations-unexpected", "migration_status.json", message)))
        }
        columns => {
            let error = Error::new(ErrorKind::Incompatible, unknown)
                .with_hint(format!("use a release of this program that knows {version}"));
            let reasons = columns.into_iter().flat_map(|(release, differences)| {
                let named = move |key: String| {
                    let message = format!("is a key that only one of the export and Zulip {} has", release.name);
                    Finding::error("key-unknown", format!("realm.json zerver_realm {key}"), message)
                };
                differences.into_iter().map(named)
            });
            Err(error.with_reasons(reasons.collect()))
        }
    }
}

/// The migrations by which a release is known.
fn range(release: &Release) -> String {
    let migrations = &release.export.migrations;
    let before = migrations.before.map(|before| format!(" to before {before:04}")).unwrap_or_default();
    format!("{} (newest {:04}{before})", release.export.zulip_versions.join(", "), migrations.after)
}
