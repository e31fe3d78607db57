//! What an archive is and what a restore of it will need, without reading more of it than that takes.

mod dump;
mod indexed;
mod report;
mod secrets;
mod stream;

pub use report::{DatabaseSummary, InspectReport, Needs, Secrets};

use crate::archive::Archive;
use crate::{Progress, Result};

/// The name of the task told to [`Progress`]: bytes of the archive's file. Only for archives without an index.
pub(crate) const TASK: &str = "inspect";

/// Tells what an archive is, what is in it and what a restore needs.
///
/// Of an archive with an index a few kilobytes are read, however large it is. Any other is read to its end, which
/// `progress` is told; nothing of it is proven.
///
/// # Errors
/// `Io`, `Interrupted`. Damage is a finding, and the report then tells what came before it.
pub fn inspect(archive: &Archive, progress: &dyn Progress) -> Result<InspectReport> {
    match archive {
        Archive::Indexed(archive) => Ok(indexed::inspect(archive)),
        Archive::Stream(archive) => stream::inspect(archive, progress),
    }
}
