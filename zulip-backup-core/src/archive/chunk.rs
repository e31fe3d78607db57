//! Whole members on their way into one frame.

use crate::Result;
use crate::archive::{Batch, EntryKind, Header, Member, padding};
use crate::codec::{Digest, FrameEncoder, stored_frame};

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

    /// Length of the stream so far.
    pub(crate) fn len(&self) -> usize {
        self.tar.len()
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
