//! The small files beside the rows: migrations, statistics, who consents.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::package::{Kind, Package};
use crate::rows::Strict;
use crate::schema::{Release, migration_number};
use crate::{Error, ErrorKind, Finding, Findings, Result};

/// The longest such file that is read.
pub(super) const SMALL: u64 = 64 << 20;

/// `migration_status.json`.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Migrations {
    #[serde(default)]
    pub(crate) zulip_version: Option<String>,
    pub(crate) migrations_by_app: BTreeMap<String, Vec<String>>,
}

impl Migrations {
    /// Those of an export, where it has any that can be read.
    pub(crate) fn read(package: &Package) -> Result<Option<Self>> {
        let bytes = package.read_member("migration_status.json", SMALL)?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }
}

/// The small files, as far as they were there and could be read.
#[derive(Debug, Default)]
pub(super) struct Sidecars {
    pub(super) migrations: Option<Migrations>,
    pub(super) stats: Option<BTreeMap<String, Value>>,
    pub(super) consented: Option<Vec<i64>>,
}

impl Sidecars {
    /// What they are called.
    pub(super) const NAMES: [&str; 3] = ["migration_status.json", "stats.json", "consented_user_ids.json"];

    /// Takes one of them in.
    pub(super) fn take(&mut self, name: &str, bytes: &[u8], findings: &mut Findings) {
        match name {
            "migration_status.json" => self.migrations = parse(name, bytes, findings),
            "stats.json" => self.stats = parse(name, bytes, findings),
            // A list that cannot be read is one on which nobody is.
            "consented_user_ids.json" => self.consented = Some(parse(name, bytes, findings).unwrap_or_default()),
            _ => {}
        }
    }
}

fn parse<T: serde::de::DeserializeOwned>(name: &str, bytes: &[u8], findings: &mut Findings) -> Option<T> {
    use serde::de::DeserializeSeed;
    let mut duplicates = Vec::new();
    let parsed = serde_json::from_slice(bytes).and_then(|parsed| {
        Strict(&mut duplicates).deserialize(&mut serde_json::Deserializer::from_slice(bytes)).map(|()| parsed)
    });
    for key in duplicates {
        findings.push(Finding::error("key-duplicate", name, format!("has the key {key} twice")));
    }
    match parsed {
        Ok(parsed) => Some(parsed),
        Err(error) => {
            findings.push(Finding::error("json-invalid", name, format!("is not the JSON it has to be: {error}")));
            None
        }
    }
}

/// The release that an export with these migrations is of.
///
/// # Errors
/// `Incompatible` for an export of a Zulip version that is not known here.
pub(super) fn release_of(migrations: Option<&Migrations>) -> Result<&'static Release> {
    let applied = migrations.and_then(|migrations| migrations.migrations_by_app.get("zerver")).into_iter().flatten();
    let newest = applied.filter_map(|line| {
        let (mark, name) = line.trim_start().split_at_checked(3)?;
        if mark == "[ ]" { None } else { migration_number(name.trim_start()) }
    });
    let newest = newest.max();
    let told = Release::of_migration(newest)?;
    // Exports of releases that do not tell their migrations cannot be read yet: whoever wrote this file made it up.
    let release = if told.export.exporter.tells_migrations { told } else { Release::latest()? };
    let (schema, expected) = (&release.export, &release.export.migrations);
    let Some(newest) = newest else { return Ok(release) };
    if expected.have(newest) {
        return Ok(release);
    }
    let version = migrations.and_then(|migrations| migrations.zulip_version.as_deref()).unwrap_or("another version");
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

/// What kind of export it is.
///
/// Asked for, else told by the manifest, else by `consented_user_ids.json`, else by the newest export on record that was
/// running. Who converts has all there is.
pub(super) fn kind(
    asked: Option<Kind>,
    manifest: Option<Kind>,
    has_consents: bool,
    converted: bool,
    exports: &BTreeMap<i64, (i64, i64)>,
    findings: &mut Findings,
) -> (Kind, KindFrom) {
    let recorded = exports.iter().rev().find(|(_, (_, status))| *status == 2).and_then(|(_, (kind, _))| match kind {
        1 => Some(Kind::Public),
        2 => Some(Kind::FullWithConsent),
        3 => Some(Kind::Full),
        _ => None,
    });
    // Where a manifest says it, an export on record may well be another.
    let recorded = if manifest.is_some() { None } else { recorded };
    let (kind, from) = match (asked, manifest, has_consents, recorded) {
        (Some(kind), ..) => (kind, KindFrom::Asked),
        (None, Some(kind), ..) => (kind, KindFrom::Manifest),
        (None, None, true, _) => (Kind::FullWithConsent, KindFrom::ConsentedUserIds),
        (None, None, false, Some(kind)) => (kind, KindFrom::RealmExport),
        (None, None, false, None) if converted => (Kind::Full, KindFrom::Converted),
        (None, None, false, None) => {
            let message = "does not say of which kind the export is: judged as a full one, which may hold everything";
            findings.push(
                Finding::note("export-kind-unknown", "realm.json zerver_realmexport", message)
                    .with_hint("say it with --kind"),
            );
            (Kind::Full, KindFrom::Unknown)
        }
    };
    if kind == Kind::FullWithConsent && !has_consents {
        let message = "is not there: nobody consents, and nothing private is justified";
        findings.push(Finding::error("consent-missing", "consented_user_ids.json", message));
    } else if kind != Kind::FullWithConsent && has_consents {
        let message = format!("is there, as in an export with consent, and the export is taken for {kind}");
        findings.push(Finding::error("export-kind-differs", "consented_user_ids.json", message));
    } else if let Some(manifest) = manifest.filter(|manifest| *manifest != kind) {
        let message = format!("says that the export is {manifest}, and it is taken for {kind}");
        findings.push(Finding::error("export-kind-differs", "manifest.json", message));
    } else if let Some(recorded) = recorded.filter(|recorded| *recorded != kind) {
        let message = format!("says that the export is {recorded}, and it is taken for {kind}");
        findings.push(Finding::error("export-kind-differs", "realm.json zerver_realmexport", message));
    }
    (kind, from)
}

/// What told the kind of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KindFrom {
    /// The caller.
    Asked,
    /// The manifest of an archive that this program wrote.
    Manifest,
    /// `consented_user_ids.json` is there.
    ConsentedUserIds,
    /// The newest row of `zerver_realmexport` that is running.
    RealmExport,
    /// One of Zulip's converters made it, of another service's data.
    Converted,
    /// It is the export of a single user.
    SingleUser,
    /// Nothing: it is judged as a full one.
    Unknown,
}
