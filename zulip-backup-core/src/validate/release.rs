//! Which Zulip release an export is of.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::package::Package;
use crate::schema::{Release, migration_number};
use crate::validate::Migrations;
use crate::{Error, ErrorKind, Result};

/// The release of an export, and what told it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    pub(super) release: &'static Release,
    pub(super) from: ReleaseFrom,
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
            Some(migrations) => Ok(Self { release: by_migrations(migrations)?, from: ReleaseFrom::Migrations }),
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
    // Where the file cannot be read, the check says so.
    let first = package.rows::<Map<String, Value>>(file, list).ok().and_then(|mut rows| rows.next()?.ok());
    let Some(first) = first else {
        return Ok(Told { release: Release::latest()?, from: ReleaseFrom::Unknown });
    };
    let found: HashSet<&str> = first.keys().map(String::as_str).collect();
    let mut nearest: Option<(usize, &'static Release)> = None;
    for release in Release::all()?.into_iter().rev() {
        let known: HashSet<&str> = release.export.table(list)?.fields.iter().map(|field| field.key.as_str()).collect();
        let differences = known.symmetric_difference(&found).count();
        if nearest.is_none_or(|(fewest, _)| differences < fewest) {
            nearest = Some((differences, release));
        }
    }
    let release = nearest.map_or_else(Release::latest, |(_, release)| Ok(release))?;
    Ok(Told { release, from: ReleaseFrom::Columns })
}

fn by_migrations(migrations: &Migrations) -> Result<&'static Release> {
    let applied = migrations.migrations_by_app.get("zerver").into_iter().flatten();
    let newest = applied.filter_map(|line| {
        let (mark, name) = line.trim_start().split_at_checked(3)?;
        if mark == "[ ]" { None } else { migration_number(name.trim_start()) }
    });
    let newest = newest.max();
    let told = Release::of_migration(newest)?;
    // Exports of releases that do not tell their migrations have no such file: whoever wrote this one made it up.
    let release = if told.export.exporter.tells_migrations { told } else { Release::latest()? };
    let (schema, expected) = (&release.export, &release.export.migrations);
    let Some(newest) = newest else { return Ok(release) };
    if expected.have(newest) {
        return Ok(release);
    }
    let version = migrations.zulip_version.as_deref().unwrap_or("another version");
    let message = format!(
        "the export is of Zulip {version}, whose newest migration is {newest:04}: expected {}, whose newest is from {:04}{}",
        schema.zulip_versions.join(", "),
        expected.after,
        expected.before.as_ref().map(|before| format!(" to before {before:04}")).unwrap_or_default(),
    );
    Err(Error::new(ErrorKind::Incompatible, message).with_hint(format!(
        "exports of Zulip {} can be read; use a release of this program that knows {version}",
        schema.zulip_versions.join(", ")
    )))
}
