//! What an archive is and what a restore of it will need, without reading more of it than that takes.

mod dump;
mod indexed;
mod migrations;
mod report;
mod secrets;
mod stream;

pub(crate) use migrations::MigrationsTable;
pub use report::{DatabaseSummary, InspectReport, Needs, Secrets};

use std::io::Read;

use crate::archive::Archive;
use crate::{Error, ErrorKind, Progress, Result};

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
        Archive::Indexed(archive) => indexed::inspect(archive),
        Archive::Stream(archive) => stream::inspect(archive, progress),
    }
}

/// Reads what there is, at most `limit` bytes.
fn take(content: &mut dyn Read, limit: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    content
        .take(limit)
        .read_to_end(&mut bytes)
        .map_err(|error| Error::new(ErrorKind::Damaged, "the archive cannot be read").with_source(error))?;
    Ok(bytes)
}
