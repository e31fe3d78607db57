//! What an export did.

use std::collections::BTreeMap;
use std::fmt;

use camino::Utf8PathBuf;
use serde::Serialize;
use serde::ser::SerializeMap;

use crate::units::{bytes, seconds};
use crate::{Findings, Severity};

/// What an export did. Its JSON is stable: keys are added, never changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExportReport {
    /// The directory.
    pub path: Utf8PathBuf,
    /// The organisation's `string_id`.
    pub realm: String,
    /// Messages.
    pub messages: u64,
    /// Users with an account.
    pub users: u64,
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub files_bytes: u64,
    /// What was noticed.
    pub findings: Findings,
    /// What all took, in seconds.
    pub seconds: f64,
}

impl ExportReport {
    /// Whether something needs a person's look: exit code 1. Notes do not.
    pub fn has_findings(&self) -> bool {
        self.findings.at_least(Severity::Warning) > 0
    }
}

impl fmt::Display for ExportReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "messages  {}", self.messages)?;
        writeln!(f, "users     {}", self.users)?;
        writeln!(f, "files     {}, {}", self.files, bytes(self.files_bytes))?;
        for finding in self.findings.list.iter().filter(|finding| finding.severity >= Severity::Warning) {
            writeln!(f, "finding   {finding}")?;
        }
        write!(f, "export    {} in {}", self.path, seconds(self.seconds))
    }
}

/// `stats.json`: how many rows each list of each file has, and how many records each directory.
#[derive(Clone, Debug, Default)]
pub(super) struct Stats {
    pub(super) rows: BTreeMap<String, BTreeMap<String, u64>>,
    pub(super) avatars: u64,
    pub(super) uploads: u64,
    pub(super) emoji: u64,
    pub(super) realm_icons: u64,
}

impl Serialize for Stats {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (file, rows) in &self.rows {
            map.serialize_entry(file, rows)?;
        }
        map.serialize_entry("avatars_records", &self.avatars)?;
        map.serialize_entry("uploads_records", &self.uploads)?;
        map.serialize_entry("emoji_records", &self.emoji)?;
        map.serialize_entry("realm_icons_records", &self.realm_icons)?;
        map.end()
    }
}
