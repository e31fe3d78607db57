//! Proving an archive: every byte against what the archive says of itself.

mod bytes;
mod collector;
mod content;
mod database;
mod header;
mod indexed;
mod inner_gzip;
mod proof;
mod report;
mod stream;
mod tail;

pub(crate) use bytes::prove;
pub use report::{ArchiveKind, TableCheck, VerifyReport};

use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::archive::Archive;
use crate::{Progress, Result, Task};

/// How much of an archive is read to prove it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Depth {
    /// Trailer, manifest, index, the dump's table of contents and the version files: what a cut or a mix-up breaks.
    /// Reads kilobytes. An archive without an index is read whole in any case.
    Quick,
    /// Every byte: checksums, digests, headers, and every row of every table counted.
    #[default]
    Full,
}

/// What [`verify`] is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct VerifyOptions {
    /// How much is read.
    pub depth: Depth,
    /// How many threads; 0 for one per processor.
    pub jobs: usize,
}

impl VerifyOptions {
    /// Reads as much as `depth` says.
    pub fn depth(mut self, depth: Depth) -> Self {
        self.depth = depth;
        self
    }

    /// Works with so many threads; 0 for one per processor.
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.jobs = jobs;
        self
    }
}

/// The name of the task told to [`Progress`]: bytes of the archive's file.
pub(crate) const TASK: &str = "verify";

/// Proves an archive and names all damage that can be found.
///
/// Damage is never an error here but a [`Finding`](crate::Finding) of the report, and the reading goes on behind it
/// wherever the index tells how; [`VerifyReport::into_result`] makes an error of it. Memory does not grow with the
/// archive, but for some 40 bytes for each member.
///
/// # Errors
/// `Interrupted`, and `Io` where the system refuses to read at all.
pub fn verify(archive: &Archive, options: &VerifyOptions, progress: &dyn Progress) -> Result<VerifyReport> {
    let started = Instant::now();
    let total = match (archive, options.depth) {
        (Archive::Indexed(_), Depth::Quick) => None,
        _ => Some(archive.file_bytes()),
    };
    progress.begin(Task::bytes(TASK, total));
    let mut report = match archive {
        Archive::Indexed(archive) => indexed::verify(archive, options, progress)?,
        Archive::Stream(archive) => stream::verify(archive, options, progress)?,
    };
    report.seconds = started.elapsed().as_secs_f64();
    progress.end(TASK);
    Ok(report)
}
