//! Whole members on their way into frames.

use crate::Result;
use crate::archive::{Batch, EntryKind, Header, Member, padding};
use crate::codec::{Digest, FrameEncoder, looks_compressed, stored_frame};

/// Gathers members, headers and padding included, until they fill a frame.
#[derive(Default)]
pub(crate) struct Chunk {
    tar: Vec<u8>,
    members: Vec<Member>,
}

impl Chunk {
    /// Adds a member with all its content.
    pub(crate) fn add(&mut self, header: Header, content: &[u8]) -> Result<()> {
        let size = content.len() as u64;
        let start = self.tar.len() as u64;
        let blocks = header.encode(size)?;
        self.tar.extend_from_slice(&blocks);
        self.tar.extend_from_slice(content);
        let zeros = usize::try_from(padding(size)).unwrap_or(0);
        self.tar.resize(self.tar.len() + zeros, 0);
        let digest = (header.kind == EntryKind::File).then(|| Digest::of(content));
        self.members.push(header.into_member(size, digest, start, blocks.len() as u64));
        Ok(())
    }

    /// What was gathered, and nothing is left; `None` where nothing was. Stored as it is where it is `packed` already.
    pub(crate) fn take(&mut self, encoder: &mut FrameEncoder, packed: bool) -> Result<Option<Batch>> {
        let Self { tar, members } = std::mem::take(self);
        if tar.is_empty() {
            return Ok(None);
        }
        let frame = if packed { stored_frame(encoder.compression(), &tar) } else { encoder.frame(&tar)? };
        Ok(Some(Batch { frame, tar_bytes: tar.len() as u64, members }))
    }
}

/// Small members on their way: directories and what can be compressed, and what cannot, apart.
#[derive(Default)]
pub(crate) struct Packer {
    compressible: Chunk,
    packed: Chunk,
}

impl Packer {
    /// Adds a member with all its content; what no longer fits into a frame beside it is handed to `emit` before.
    pub(crate) fn add(
        &mut self,
        header: Header,
        content: &[u8],
        encoder: &mut FrameEncoder,
        emit: &mut dyn FnMut(Batch) -> Result<()>,
    ) -> Result<()> {
        let file = header.kind == EntryKind::File;
        let packed = file && looks_compressed(content);
        let chunk = if packed { &self.packed } else { &self.compressible };
        if file && chunk.tar.len() + content.len() > encoder.compression().frame_bytes() {
            self.flush(encoder, emit)?;
        }
        if packed { &mut self.packed } else { &mut self.compressible }.add(header, content)
    }

    /// Hands all that was gathered to `emit`.
    pub(crate) fn flush(
        &mut self,
        encoder: &mut FrameEncoder,
        emit: &mut dyn FnMut(Batch) -> Result<()>,
    ) -> Result<()> {
        let batches = [self.compressible.take(encoder, false)?, self.packed.take(encoder, true)?];
        batches.into_iter().flatten().try_for_each(emit)
    }
}
