//! What a rehearsal proved.

use std::fmt;

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

use crate::codec::Digest;
use crate::units;
use crate::{Findings, Severity};

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckOutcome {
    /// It holds.
    Passed,
    /// It does not hold; the findings say why.
    Failed,
    /// It could not be done, and the detail says why; no proof either way.
    Skipped,
}

/// One thing that was checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// Stable kebab-case name: `archive`, `database`, `rows`, `foreign-keys`, `sequences`, `migrations`, `settings`,
    /// `uploads`, `attachments`.
    pub name: String,
    /// How it ended.
    pub outcome: CheckOutcome,
    /// What was compared with what, in numbers.
    pub detail: String,
    /// How long it took.
    pub seconds: f64,
}

/// A dated statement about one archive. Its JSON is stable: keys are added, never changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Certificate {
    /// Version of this format.
    pub format: u16,
    /// The archive.
    pub archive: Utf8PathBuf,
    /// Its size.
    pub archive_bytes: u64,
    /// SHA-256 of its manifest, which stands for the whole archive; absent for archives of other tools.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest_sha256: Option<Digest>,
    /// When the backup was made, where that is known; RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archive_created_at: Option<jiff::Timestamp>,
    /// When the rehearsal ended; RFC 3339.
    pub drilled_at: jiff::Timestamp,
    /// The machine it ran on.
    pub hostname: String,
    /// Version of this program.
    pub tool_version: String,
    /// Version of the throw-away server; absent where the archive has no database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postgres_version: Option<String>,
    /// Whether nothing failed.
    pub passed: bool,
    /// What was checked, in order.
    pub checks: Vec<Check>,
    /// What the database was restored without, because this machine does not have it.
    pub left_out: Vec<String>,
    /// What was found.
    pub findings: Findings,
    /// How long a restore of this archive takes here, all in all.
    pub seconds: f64,
}

impl Certificate {
    /// Version of the format this code writes.
    pub const FORMAT: u16 = 1;

    /// Whether something needs a person's look although nothing failed.
    pub fn has_findings(&self) -> bool {
        self.findings.at_least(Severity::Warning) > 0
    }
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for check in &self.checks {
            let outcome = match check.outcome {
                CheckOutcome::Passed => "passed",
                CheckOutcome::Failed => "FAILED",
                CheckOutcome::Skipped => "skipped",
            };
            let Check { name, detail, .. } = check;
            writeln!(f, "{outcome:<8} {name:<13} {detail} ({})", units::seconds(check.seconds))?;
        }
        for what in &self.left_out {
            writeln!(f, "left out {what}")?;
        }
        for finding in self.findings.list.iter().filter(|finding| finding.severity >= Severity::Warning) {
            writeln!(f, "finding  {finding}")?;
        }
        let result = if self.passed { "can be restored" } else { "CANNOT be restored as it is" };
        write!(f, "{} {result}: rehearsed in {}", self.archive, units::seconds(self.seconds))
    }
}
