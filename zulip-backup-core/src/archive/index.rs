//! The index: one line of JSON for each frame and each member, in the order of the archive.

use std::io::{BufRead, BufReader, Read};

use serde::{Deserialize, Serialize};

use crate::archive::Member;
use crate::{Error, ErrorKind, Result};

/// One frame: a stretch of the uncompressed stream and where it lies compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// Where the frame starts in the file.
    pub archive_offset: u64,
    /// How long the frame is in the file.
    pub archive_bytes: u64,
    /// Where its content starts in the uncompressed stream.
    pub tar_offset: u64,
    /// How long its content is.
    pub tar_bytes: u64,
}

impl Frame {
    /// Where the next frame starts in the uncompressed stream.
    pub fn tar_end(&self) -> u64 {
        self.tar_offset.saturating_add(self.tar_bytes)
    }

    /// Where the next frame starts in the file.
    pub fn archive_end(&self) -> u64 {
        self.archive_offset.saturating_add(self.archive_bytes)
    }
}

/// A line of the index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IndexLine {
    /// A frame; it comes before the members that start in it.
    Frame(Frame),
    /// A member.
    Member(Box<Member>),
}

/// The longest line a reader accepts: a name of 4096 bytes in hexadecimal, twice, and the numbers.
const MAX_LINE_BYTES: u64 = 64 << 10;
/// The largest frame a reader decompresses. Ours hold 1 MiB; the room above is for later versions.
pub const MAX_FRAME_BYTES: u64 = 64 << 20;

/// Reads the index line by line and checks that it tiles the archive: every frame starts where the one before ended,
/// in the file and in the stream, and every member starts where the one before ended.
pub struct IndexReader<R: Read> {
    source: BufReader<R>,
    line: Vec<u8>,
    number: u64,
    archive_offset: u64,
    tar_offset: u64,
    member_offset: u64,
}

impl<R: Read> IndexReader<R> {
    /// A reader of the index's content.
    pub fn new(source: R) -> Self {
        Self {
            source: BufReader::with_capacity(64 << 10, source),
            line: Vec::new(),
            number: 0,
            archive_offset: 0,
            tar_offset: 0,
            member_offset: 0,
        }
    }

    /// Where the last frame ended: in the file and in the uncompressed stream, and where the last member ended.
    pub fn position(&self) -> (u64, u64, u64) {
        (self.archive_offset, self.tar_offset, self.member_offset)
    }

    fn next_line(&mut self) -> Result<Option<IndexLine>> {
        self.line.clear();
        self.number += 1;
        let read = (&mut self.source)
            .take(MAX_LINE_BYTES)
            .read_until(b'\n', &mut self.line)
            .map_err(|error| Error::new(ErrorKind::Damaged, "the archive's index cannot be read").with_source(error))?;
        if read == 0 {
            return Ok(None);
        }
        if self.line.last() != Some(&b'\n') {
            return Err(self.damaged("is cut off or too long"));
        }
        let line: IndexLine =
            serde_json::from_slice(&self.line).map_err(|error| self.damaged("is not understood").with_source(error))?;
        match &line {
            IndexLine::Frame(frame) => {
                if frame.archive_offset != self.archive_offset || frame.tar_offset != self.tar_offset {
                    return Err(self.damaged("names a frame that does not follow the one before"));
                }
                if frame.tar_bytes > MAX_FRAME_BYTES || frame.archive_bytes > MAX_FRAME_BYTES + (1 << 20) {
                    return Err(self.damaged("names a frame larger than 64 MiB"));
                }
                self.archive_offset = frame.archive_end();
                self.tar_offset = frame.tar_end();
            }
            IndexLine::Member(member) => {
                if member.tar_offset != self.member_offset {
                    return Err(self.damaged("names a member that does not follow the one before"));
                }
                if member.header_bytes == 0 || member.header_bytes % 512 != 0 || member.header_bytes > 64 << 10 {
                    return Err(self.damaged("names a member with an impossible header"));
                }
                if !member.is_file() && member.size != 0 {
                    return Err(self.damaged("gives a size to a member that is no file"));
                }
                if member.is_file() && member.sha256.is_none() {
                    return Err(self.damaged("names a file without its SHA-256"));
                }
                self.member_offset = member.end_offset();
            }
        }
        Ok(Some(line))
    }

    fn damaged(&self, what: &str) -> Error {
        Error::new(ErrorKind::Damaged, format!("line {} of the archive's index {what}", self.number))
            .with_hint("the archive was changed or cut after it was written: use another copy")
    }
}

impl<R: Read> Iterator for IndexReader<R> {
    type Item = Result<IndexLine>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_line().transpose()
    }
}
