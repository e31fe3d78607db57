//! What an upgrade did.

use std::collections::BTreeMap;
use std::fmt;

use camino::Utf8PathBuf;
use serde::Serialize;

use crate::Finding;
use crate::units::{bytes, seconds};

/// What an upgrade did. Its JSON is stable: keys are added, never changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct UpgradeReport {
    /// The directory or archive.
    pub path: Utf8PathBuf,
    /// The Zulip version that it is of now.
    pub zulip_version: String,
    /// What became of rows, by steps.
    pub steps: Vec<UpgradedStep>,
    /// Rows of all lists.
    pub rows: u64,
    /// Uploaded files.
    pub files: u64,
    /// Size of an archive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archive_bytes: Option<u64>,
    /// SHA-256 of an archive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// What the check of the new export found: warnings.
    pub findings: Vec<Finding>,
    /// What all took, in seconds.
    pub seconds: f64,
}

/// What became of rows in a step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct UpgradedStep {
    /// From this release.
    pub from: String,
    /// To this one.
    pub to: String,
    /// Rows that were made, by list.
    pub made: BTreeMap<String, u64>,
    /// Rows that are left out, by list.
    pub left_out: BTreeMap<String, u64>,
    /// How many rows said something that is lost, by key.
    pub lost: BTreeMap<String, u64>,
}

impl UpgradeReport {
    /// Whether the check of the new export found anything to be judged by a person.
    pub fn has_findings(&self) -> bool {
        !self.findings.is_empty()
    }
}

impl fmt::Display for UpgradeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for UpgradedStep { from, to, made, left_out, lost } in &self.steps {
            writeln!(f, "step      {from} to {to}")?;
            for (what, counts) in [("made", made), ("left out", left_out)] {
                for (list, count) in counts {
                    writeln!(f, "  {what:8}  {count} rows of {list}")?;
                }
            }
            for (key, count) in lost {
                writeln!(f, "  lost      {key}, which {count} rows said")?;
            }
        }
        for finding in &self.findings {
            writeln!(f, "{:8}  {finding}", finding.severity)?;
        }
        writeln!(f, "rows      {}", self.rows)?;
        writeln!(f, "files     {}", self.files)?;
        if let Some(sha256) = &self.sha256 {
            writeln!(f, "sha256    {sha256}")?;
        }
        let size = self.archive_bytes.map_or_else(String::new, |size| format!(", {}", bytes(size)));
        write!(f, "export    {}{size}, Zulip {} in {}", self.path, self.zulip_version, seconds(self.seconds))
    }
}
