//! What a check found.

use std::fmt;

use camino::Utf8PathBuf;
use serde::Serialize;

use crate::package::Kind;
use crate::units::{bytes, seconds};
use crate::validate::{KindFrom, ReleaseFrom};
use crate::{Findings, Severity};

/// What a check found. Its JSON is stable: keys are added, never changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ValidateReport {
    /// The export.
    pub path: Utf8PathBuf,
    /// As what it was judged.
    pub kind: Kind,
    /// What told that.
    pub kind_from: KindFrom,
    /// The Zulip release as one of which it was judged, by its major version.
    pub release: &'static str,
    /// What told that.
    pub release_from: ReleaseFrom,
    /// The Zulip version it is of, as it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zulip_version: Option<String>,
    /// The organisation's `string_id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub realm: Option<String>,
    /// Users with an account.
    pub users: u64,
    /// Messages.
    pub messages: u64,
    /// What users have of them.
    pub user_messages: u64,
    /// Rows of all lists.
    pub rows: u64,
    /// Files of the export.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// All that was noticed.
    pub findings: Findings,
    /// What it took, in seconds.
    pub seconds: f64,
}

impl ValidateReport {
    /// Whether there is no error. Warnings are for a person to judge.
    pub fn is_sound(&self) -> bool {
        self.findings.at_least(Severity::Error) == 0
    }
}

impl fmt::Display for ValidateReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings.list {
            writeln!(f, "{:8}  {finding}", finding.severity)?;
        }
        for count in self.findings.counts.iter().filter(|count| count.count > Findings::LIMIT) {
            writeln!(f, "          … {} of {} in all", count.count, count.code)?;
        }
        match self.kind_from {
            KindFrom::SingleUser => writeln!(f, "export    {} (a single user)", self.path)?,
            KindFrom::Converted => writeln!(f, "export    {} (of another service, by a converter)", self.path)?,
            KindFrom::Unknown => writeln!(f, "export    {} ({}, which nothing says)", self.path, self.kind)?,
            _ => writeln!(f, "export    {} ({})", self.path, self.kind)?,
        }
        let realm = self.realm.as_deref().unwrap_or("?");
        match (&self.zulip_version, self.release_from) {
            (Some(version), _) => writeln!(f, "realm     {realm:?}, Zulip {version}")?,
            (None, ReleaseFrom::Columns) => {
                writeln!(f, "realm     {realm:?}, Zulip {}, told by the columns of its rows", self.release)?;
            }
            (None, _) => writeln!(f, "realm     {realm:?}, Zulip ?")?,
        }
        writeln!(f, "rows      {}: {} messages, {} users", self.rows, self.messages, self.users)?;
        writeln!(f, "files     {}, {}", self.files, bytes(self.bytes))?;
        let (errors, all) = (self.findings.at_least(Severity::Error), self.findings.at_least(Severity::Warning));
        let outcome = match (errors, all) {
            (0, 0) => "sound".to_owned(),
            (0, warnings) => format!("sound, with {warnings} warnings"),
            (errors, _) => format!("not sound: {errors} errors, {} warnings", all - errors),
        };
        write!(f, "outcome   {outcome}, checked in {}", seconds(self.seconds))
    }
}
