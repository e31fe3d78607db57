//! The small files beside the rows: migrations, statistics, who consents.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::package::{Kind, Package};
use crate::rows::Strict;
use crate::schema::migration_number;
use crate::{Finding, Findings, Result};

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

    /// The number of the newest that is applied of Zulip's app zerver.
    pub(crate) fn newest(&self) -> Option<u32> {
        let lines = self.migrations_by_app.get("zerver").into_iter().flatten();
        let applied = lines.filter_map(|line| {
            let (mark, name) = line.trim_start().split_at_checked(3)?;
            if mark == "[ ]" { None } else { migration_number(name.trim_start()) }
        });
        applied.max()
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
    pub(super) const NAMES: [&str; 4] = ["migration_status.json", "stats.json", "stats.txt", "consented_user_ids.json"];

    /// Takes one of them in.
    pub(super) fn take(&mut self, name: &str, bytes: &[u8], findings: &mut Findings) {
        match name {
            "migration_status.json" => self.migrations = parse(name, bytes, findings),
            "stats.json" => self.stats = parse(name, bytes, findings),
            "stats.txt" => self.stats = counted(bytes, findings),
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

/// The counts of `stats.txt`, as `stats.json` has them. The file names the directory it was written in, which says nothing
/// any more.
fn counted(bytes: &[u8], findings: &mut Findings) -> Option<BTreeMap<String, Value>> {
    let mut stats: BTreeMap<String, Value> = BTreeMap::new();
    let mut part: Option<String> = None;
    let mut wrong = |line: &str| {
        let message = format!("is not the list of counts it has to be: {line:?}");
        findings.push(Finding::error("stats-invalid", "stats.txt", message));
        None
    };
    let text = String::from_utf8_lossy(bytes);
    for line in text.lines() {
        let Some(name) = &part else {
            let (path, file) = line.rsplit_once('/').unwrap_or(("", line));
            part = match (file, file.strip_suffix(".json"), path.rsplit('/').next()) {
                ("records.json", _, Some(directory)) if !path.is_empty() => Some(format!("{directory}_records")),
                (_, Some(stem), _) if path.is_empty() => {
                    stats.insert(stem.to_owned(), Value::Object(serde_json::Map::new()));
                    Some(stem.to_owned())
                }
                _ => return wrong(line),
            };
            continue;
        };
        if line.is_empty() {
            part = None;
            continue;
        }
        let Some((Ok(count), what)) =
            line.trim_start().split_once(' ').map(|(count, what)| (count.parse::<u64>(), what))
        else {
            return wrong(line);
        };
        match stats.get_mut(name) {
            Some(Value::Object(lists)) => drop(lists.insert(what.to_owned(), count.into())),
            Some(_) => return wrong(line),
            None => drop(stats.insert(name.clone(), count.into())),
        }
    }
    Some(stats)
}

/// Where it stands who consents, and whether it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Consents {
    /// In `consented_user_ids.json`.
    File(bool),
    /// In reactions to a message.
    Message(bool),
    /// In the users' own rows.
    Rows,
}

/// What kind of export it is.
///
/// Asked for, else told by the manifest, else by `consented_user_ids.json`, else by the newest export on record that was
/// running. Who converts has all there is.
pub(super) fn kind(
    asked: Option<Kind>,
    manifest: Option<Kind>,
    consents: Consents,
    converted: bool,
    exports: &BTreeMap<i64, (i64, i64)>,
    findings: &mut Findings,
) -> (Kind, KindFrom) {
    let has_consents = consents == Consents::File(true);
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
    if kind == Kind::FullWithConsent && consents == Consents::File(false) {
        let message = "is not there: nobody consents, and nothing private is justified";
        findings.push(Finding::error("consent-missing", "consented_user_ids.json", message));
    } else if kind == Kind::FullWithConsent && consents == Consents::Message(false) {
        let message = "by which message users consented nothing says: nothing private is justified";
        let hint = "name it with --consent-message-id";
        findings.push(Finding::error("consent-missing", "realm.json zerver_reaction", message).with_hint(hint));
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
