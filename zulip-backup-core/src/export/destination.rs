//! Where an export goes: a directory or an archive. Both appear under their name only when they are complete.

mod archive;
mod directory;

use crate::Result;
use crate::archive::{Batch, Block, IndexFacts};
use crate::codec::{Compression, Digest};
use crate::export::piece::Folder;
use crate::package::ExportManifest;

pub(crate) use archive::{ArchiveDestination, MemberMaker};
pub(crate) use directory::{DirectoryDestination, give_name};

/// What takes the pieces of an export, in order.
pub(crate) trait Destination {
    /// A file begins: its path below the export, and when it was last changed, where it is not made here.
    fn begin(&mut self, path: &str, modified: Option<i64>) -> Result<()>;

    /// More of its content.
    fn content(&mut self, block: &Block) -> Result<()>;

    /// It is complete.
    fn end(&mut self) -> Result<()>;

    /// Whole small files of an archive.
    fn members(&mut self, batch: Batch) -> Result<()>;

    /// More of a folder's `records.json`, which is complete only when all of the folder's files are there.
    fn records(&mut self, folder: Folder, text: &[u8]) -> Result<()>;

    /// A folder's `records.json` is complete.
    fn end_records(&mut self, folder: Folder) -> Result<()>;

    /// A small file with all its content.
    fn whole(&mut self, path: &str, content: &[u8]) -> Result<()>;

    /// Flushes all of it to the disk and gives it its name. An archive asks for its manifest.
    fn publish(self: Box<Self>, manifest: &dyn Fn(Compression, IndexFacts) -> ExportManifest) -> Result<Published>;
}

/// What an export came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Published {
    /// Size of an archive.
    pub(crate) bytes: Option<u64>,
    /// SHA-256 of an archive.
    pub(crate) sha256: Option<Digest>,
}
