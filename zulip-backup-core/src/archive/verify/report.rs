//! What a verification found.

use std::fmt;

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

use crate::archive::verify::Depth;
use crate::codec::Compression;
use crate::{Error, ErrorKind, Findings, Result, Severity, units};

/// How an archive can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArchiveKind {
    /// One of ours: seekable, with digests.
    Indexed,
    /// Upstream's, a repacked one, or one of ours without its tail: read front to back.
    Stream,
}

/// One table of the dump.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableCheck {
    /// Schema.
    pub schema: String,
    /// Table.
    pub name: String,
    /// File in `zulip-backup/database/`, as the dump's table of contents names it.
    pub file: String,
    /// Rows that were counted; absent where they were not, or could not be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows_found: Option<u64>,
    /// Rows the manifest promises; absent where there is no manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows_expected: Option<u64>,
}

/// What was read of an archive and what was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VerifyReport {
    /// The archive.
    pub archive: Utf8PathBuf,
    /// How it was read.
    pub kind: ArchiveKind,
    /// How it is compressed.
    pub compression: Compression,
    /// How much was read.
    pub depth: Depth,
    /// Version of the archive format; absent for archives that are not ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<u16>,
    /// Size of the file.
    pub archive_bytes: u64,
    /// Length of the uncompressed stream, as far as it is known.
    pub tar_bytes: u64,
    /// Members, the archive's own two not counted.
    pub members: u64,
    /// Frames before the index; 0 where there is no index.
    pub frames: u64,
    /// The tables of the dump, in its order.
    pub tables: Vec<TableCheck>,
    /// All that was found.
    pub findings: Findings,
    /// How long it took.
    pub seconds: f64,
}

impl VerifyReport {
    /// Whether the archive can be trusted as far as it was read: no finding is an error.
    pub fn is_sound(&self) -> bool {
        self.findings.at_least(Severity::Error) == 0
    }

    /// The report itself where the archive is sound.
    ///
    /// # Errors
    /// `Damaged`, with the findings as its reasons.
    pub fn into_result(self) -> Result<Self> {
        let errors = self.findings.at_least(Severity::Error);
        if errors == 0 {
            return Ok(self);
        }
        let reasons: Vec<_> =
            self.findings.list.into_iter().filter(|finding| finding.severity == Severity::Error).collect();
        let first = reasons.first().map(|finding| format!("; the first: {finding}")).unwrap_or_default();
        Err(Error::new(ErrorKind::Damaged, format!("{} has {errors} faults{first}", self.archive))
            .with_path(self.archive)
            .with_hint("use another copy; `extract` still takes out every member that is whole")
            .with_reasons(reasons))
    }

    /// Rows of all tables together, as far as they were counted.
    pub fn rows(&self) -> u64 {
        self.tables.iter().filter_map(|table| table.rows_found).sum()
    }
}

impl fmt::Display for VerifyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings.list {
            writeln!(f, "{finding}")?;
            if let Some(hint) = &finding.hint {
                writeln!(f, "    {hint}")?;
            }
        }
        let verdict = match (self.is_sound(), self.depth) {
            (false, _) => "damaged",
            (true, Depth::Quick) => "sound at a quick look",
            (true, Depth::Full) => "sound",
        };
        write!(f, "{}: {verdict}: {} members", self.archive, self.members)?;
        if self.frames > 0 {
            write!(f, " in {} frames", self.frames)?;
        }
        write!(f, ", {} tables", self.tables.len())?;
        if self.depth == Depth::Full || self.kind == ArchiveKind::Stream {
            write!(f, " with {} rows", self.rows())?;
        }
        write!(f, ", {} in {}", units::bytes(self.archive_bytes), units::seconds(self.seconds))
    }
}
