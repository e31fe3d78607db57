//! What the threads of an export hand on, in the order of the files.

use crate::archive::{Batch, Block};
use crate::codec::FrameEncoder;
use crate::{Finding, Result};

/// A piece of the export.
#[derive(Debug)]
pub(crate) enum Piece {
    /// A file begins: its path below the export, and when it was last changed, where it is not made here.
    Begin { path: String, modified: Option<i64> },
    /// More of its content.
    Content(Block),
    /// It is complete.
    End,
    /// Whole small files of an archive.
    Members(Batch),
    /// How many rows a list of a file has. The file's name is without its ending.
    Rows { file: String, list: String, rows: u64 },
    /// An uploaded file is in the export: its row of `records.json`.
    Record { folder: Folder, row: Vec<u8>, bytes: u64 },
    /// All files of a folder are there.
    Records(Folder),
    /// The file of the attachment with this id is not there.
    Missing(i64),
    /// Something was noticed.
    Found(Finding),
}

impl Piece {
    /// A file of rows begins.
    pub(crate) fn begin(name: &str) -> Self {
        Self::Begin { path: format!("{name}.json"), modified: None }
    }
}

/// Where pieces go.
pub(crate) type Emit<'a> = &'a mut dyn FnMut(Piece) -> Result<()>;

/// The folders of uploaded files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Folder {
    Uploads,
    Avatars,
    Emoji,
    RealmIcons,
}

impl Folder {
    pub(crate) const ALL: [Self; 4] = [Self::Uploads, Self::Avatars, Self::Emoji, Self::RealmIcons];

    /// Its name in the export.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Uploads => "uploads",
            Self::Avatars => "avatars",
            Self::Emoji => "emoji",
            Self::RealmIcons => "realm_icons",
        }
    }
}

/// Cuts a file's text into blocks; for an archive each is compressed here, by the thread that made it.
pub(crate) struct Cutter {
    encoder: Option<FrameEncoder>,
    block_bytes: usize,
}

/// Blocks for a directory: large enough that handing them on costs nothing.
const PLAIN_BYTES: usize = 256 << 10;

impl Cutter {
    /// For an archive, with its compressor; for a directory without.
    pub(crate) fn new(encoder: Option<FrameEncoder>) -> Self {
        let block_bytes = encoder.as_ref().map_or(PLAIN_BYTES, |encoder| encoder.compression().frame_bytes());
        Self { encoder, block_bytes }
    }

    /// How long blocks are.
    pub(crate) fn block_bytes(&self) -> usize {
        self.block_bytes
    }

    /// The compressor of an archive.
    pub(crate) fn encoder(&mut self) -> Option<&mut FrameEncoder> {
        self.encoder.as_mut()
    }

    /// Cuts a block off `text` once it is long enough.
    pub(crate) fn cut(&mut self, text: &mut Vec<u8>, emit: Emit<'_>) -> Result<()> {
        if text.len() < self.block_bytes { Ok(()) } else { self.rest(text, emit) }
    }

    /// Hands on all of `text`, and nothing is left.
    pub(crate) fn rest(&mut self, text: &mut Vec<u8>, emit: Emit<'_>) -> Result<()> {
        // One value may be longer than any block.
        if text.len() > 2 * self.block_bytes {
            text.chunks(self.block_bytes).try_for_each(|part| self.block(part.to_vec(), &mut *emit))?;
            text.clear();
            return Ok(());
        }
        if text.is_empty() {
            return Ok(());
        }
        // A row more than a block, so that the buffer seldom grows.
        let next = Vec::with_capacity(self.block_bytes + (16 << 10));
        self.block(std::mem::replace(text, next), emit)
    }

    fn block(&mut self, content: Vec<u8>, emit: Emit<'_>) -> Result<()> {
        let frame = self.encoder.as_mut().map(|encoder| encoder.frame(&content)).transpose()?;
        emit(Piece::Content(Block { content, frame }))
    }
}
