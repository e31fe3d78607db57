//! What a backup did.

use std::collections::BTreeMap;
use std::fmt;

use camino::Utf8PathBuf;
use serde::Serialize;

use crate::archive::SectionFacts;
use crate::codec::Digest;
use crate::units::{bytes, seconds};
use crate::{Findings, Severity};

/// What a backup did. Its JSON is stable: keys are added, never changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BackupReport {
    /// The archive.
    pub path: Utf8PathBuf,
    /// Its size.
    pub archive_bytes: u64,
    /// The size of what is in it, uncompressed by the archive.
    pub content_bytes: u64,
    /// SHA-256 of the manifest: it stands for the whole archive.
    pub manifest_sha256: Digest,
    /// What each section holds.
    pub sections: BTreeMap<String, SectionFacts>,
    /// Tables of the dump.
    pub tables: u64,
    /// Rows of all tables.
    pub rows: u64,
    /// Bytes of COPY text of all tables.
    pub text_bytes: u64,
    /// What was noticed.
    pub findings: Findings,
    /// What each part took, in seconds.
    pub timings: Vec<SectionReport>,
    /// What all took, in seconds.
    pub seconds: f64,
}

/// How long a part took.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SectionReport {
    /// Its name.
    pub name: &'static str,
    /// Seconds.
    pub seconds: f64,
}

impl BackupReport {
    /// Whether something needs a person's look: exit code 1. Notes do not.
    pub fn has_findings(&self) -> bool {
        self.findings.at_least(Severity::Warning) > 0
    }
}

impl fmt::Display for BackupReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let section = |name: &str| self.sections.get(name).copied().unwrap_or_default();
        if self.tables > 0 {
            writeln!(
                f,
                "database  {} tables, {} rows, {} as text, {} in the archive",
                self.tables,
                self.rows,
                bytes(self.text_bytes),
                bytes(section("database").bytes)
            )?;
        }
        for name in ["settings", "uploads"] {
            if let Some(facts) = self.sections.get(name) {
                writeln!(f, "{name:<9} {} files, {}", facts.files, bytes(facts.bytes))?;
            }
        }
        for finding in self.findings.list.iter().filter(|finding| finding.severity >= Severity::Warning) {
            writeln!(f, "finding   {finding}")?;
        }
        for count in &self.findings.counts {
            let listed = self.findings.list.iter().filter(|finding| finding.code == count.code).count() as u64;
            if count.severity < Severity::Warning || listed < count.count {
                writeln!(f, "finding   {} × {}", count.count, count.code)?;
            }
        }
        write!(f, "archive   {} in {}", bytes(self.archive_bytes), seconds(self.seconds))
    }
}
