//! Writing an archive: frames in order, an index beside, a manifest at the end.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;

use serde::Serialize;

use crate::archive::index::{Frame, IndexLine};
use crate::archive::{
    Chunk, EntryKind, FORMAT_VERSION, Header, IndexFacts, Manifest, Member, Owner, Section, SectionFacts, Trailer,
    member, padding,
};
use crate::codec::{Compression, Digest, FrameEncoder, Hasher, looks_compressed, stored_frame};
use crate::{Error, ErrorKind, Result};

/// Some whole members, headers and padding included, in one frame: made by any thread, written in order.
#[derive(Debug)]
pub struct Batch {
    /// The frame.
    pub frame: Vec<u8>,
    /// How many bytes of the uncompressed stream it holds.
    pub tar_bytes: u64,
    /// The members, with `tar_offset` counted from the start of the batch.
    pub members: Vec<Member>,
}

/// A stretch of one member's content.
#[derive(Debug)]
pub struct Block {
    /// The content, for the member's digest.
    pub content: Vec<u8>,
    /// The content as a frame; `None` when it is to be stored as it is.
    pub frame: Option<Vec<u8>>,
}

impl Block {
    /// A stretch of a file: compressed, unless it is already.
    pub(crate) fn of_file(content: Vec<u8>, encoder: &mut FrameEncoder) -> Result<Self> {
        let frame = if looks_compressed(&content) { None } else { Some(encoder.frame(&content)?) };
        Ok(Self { content, frame })
    }
}

/// What an archive came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Written<M = Manifest> {
    /// The manifest that was written.
    pub manifest: M,
    /// SHA-256 of the manifest's content: it stands for the whole archive.
    pub manifest_sha256: Digest,
    /// Size of the file.
    pub archive_bytes: u64,
    /// Size of the uncompressed stream.
    pub tar_bytes: u64,
}

/// Writes frames in order and keeps the index. The file must be seekable: the header of a member whose size is known
/// only at its end is written a second time, in place.
pub struct ArchiveWriter {
    /// The directory that all members lie in.
    root: String,
    file: File,
    compression: Compression,
    level: i32,
    archive_offset: u64,
    tar_offset: u64,
    open: Option<Open>,
    /// The index on its way: in a file without a name, because a million members do not fit in the memory bound.
    index: BufWriter<File>,
    index_bytes: u64,
    index_digest: Hasher,
    members: u64,
    frames: u64,
    sections: BTreeMap<String, SectionFacts>,
}

/// A member being written.
struct Open {
    header: Header,
    archive_offset: u64,
    tar_offset: u64,
    header_bytes: u64,
    size: u64,
    digest: Hasher,
    /// Frames after the header's, kept back until the member is whole, so that a restart leaves no trace.
    frames: Vec<Frame>,
}

impl ArchiveWriter {
    /// Writes to `file` from its start members that all lie in the directory `root`. `spill` is an empty file that the
    /// index waits in.
    pub fn new(root: &str, file: File, spill: File, compression: Compression, level: i32) -> Self {
        Self {
            root: root.to_owned(),
            file,
            compression,
            level,
            archive_offset: 0,
            tar_offset: 0,
            open: None,
            index: BufWriter::new(spill),
            index_bytes: 0,
            index_digest: Hasher::new(),
            members: 0,
            frames: 0,
            sections: BTreeMap::new(),
        }
    }

    /// Bytes written to the file so far.
    pub fn archive_bytes(&self) -> u64 {
        self.archive_offset
    }

    /// Writes whole members.
    pub fn batch(&mut self, batch: Batch) -> Result<()> {
        self.closed()?;
        let start = self.tar_offset;
        let frame = self.frame(&batch.frame, batch.tar_bytes)?;
        self.line(&IndexLine::Frame(frame))?;
        for mut member in batch.members {
            member.tar_offset += start;
            self.member(member)?;
        }
        Ok(())
    }

    /// Writes one small member with all its content.
    pub fn small(&mut self, encoder: &mut FrameEncoder, header: Header, content: &[u8]) -> Result<()> {
        let mut chunk = Chunk::default();
        chunk.add(header, content)?;
        chunk.take(encoder, false)?.map_or(Ok(()), |batch| self.batch(batch))
    }

    /// Begins a file whose content follows in blocks.
    pub fn begin(&mut self, header: Header) -> Result<()> {
        self.closed()?;
        let bytes = header.encode(0)?;
        let (archive_offset, tar_offset, header_bytes) = (self.archive_offset, self.tar_offset, bytes.len() as u64);
        let frame = self.frame(&stored_frame(self.compression, &bytes), header_bytes)?;
        self.open = Some(Open {
            header,
            archive_offset,
            tar_offset,
            header_bytes,
            size: 0,
            digest: Hasher::new(),
            frames: vec![frame],
        });
        Ok(())
    }

    /// Goes on with the content of the member that was begun.
    pub fn content(&mut self, block: &Block) -> Result<()> {
        if block.content.is_empty() {
            return Ok(());
        }
        let length = block.content.len() as u64;
        let frame = match &block.frame {
            Some(frame) => self.frame(frame, length)?,
            None => self.frame(&stored_frame(self.compression, &block.content), length)?,
        };
        let open = self.open.as_mut().ok_or_else(not_open)?;
        open.digest.update(&block.content);
        open.size += length;
        open.frames.push(frame);
        Ok(())
    }

    /// Takes back what was written of the open member, which then is not open any more.
    pub fn abandon(&mut self) -> Result<()> {
        let open = self.open.take().ok_or_else(not_open)?;
        self.archive_offset = open.archive_offset;
        self.tar_offset = open.tar_offset;
        self.file.set_len(open.archive_offset).map_err(write_failed)?;
        self.file.seek(SeekFrom::Start(open.archive_offset)).map_err(write_failed)?;
        Ok(())
    }

    /// Ends the open member: pads it and puts its size into its header. Returns how long the content was.
    pub fn end(&mut self) -> Result<u64> {
        let size = self.open.as_ref().ok_or_else(not_open)?.size;
        let padding = zeros(size);
        if padding > 0 {
            let frame = self.frame(&stored_frame(self.compression, &vec![0; padding]), padding as u64)?;
            self.open.as_mut().ok_or_else(not_open)?.frames.push(frame);
        }
        let open = self.open.take().ok_or_else(not_open)?;
        let header = stored_frame(self.compression, &open.header.encode(size)?);
        self.file.write_all_at(&header, open.archive_offset).map_err(write_failed)?;
        let mut frames = open.frames.into_iter();
        if let Some(first) = frames.next() {
            self.line(&IndexLine::Frame(first))?;
        }
        self.member(open.header.into_member(size, Some(open.digest.finish()), open.tar_offset, open.header_bytes))?;
        for frame in frames {
            self.line(&IndexLine::Frame(frame))?;
        }
        Ok(size)
    }

    /// Writes index, manifest and trailer, and flushes all of it to the disk. `complete` makes the manifest out of
    /// the facts that only the writer knows.
    pub fn finish<M: Serialize>(
        mut self,
        owner: &Owner,
        mtime: u64,
        complete: impl FnOnce(BTreeMap<String, SectionFacts>, IndexFacts) -> M,
    ) -> Result<(Written<M>, File)> {
        self.closed()?;
        let mut encoder = FrameEncoder::new(self.compression, self.level)?;
        let facts = self.write_index(&mut encoder, owner, mtime)?;
        let manifest = complete(std::mem::take(&mut self.sections), facts);
        let mut content = serde_json::to_vec_pretty(&manifest)
            .map_err(|error| Error::new(ErrorKind::Io, "cannot write the manifest").with_source(error))?;
        content.push(b'\n');
        let manifest_sha256 = Digest::of(&content);
        let header = Header::generated(&member::manifest(&self.root), 0o600, mtime, owner)?;
        let mut bytes = header.encode(content.len() as u64)?;
        bytes.extend_from_slice(&content);
        bytes.resize(bytes.len() + zeros(content.len() as u64), 0);
        // Two zero blocks end a tar stream.
        bytes.resize(bytes.len() + 1024, 0);
        let manifest_offset = self.archive_offset;
        self.frame(&encoder.frame(&bytes)?, bytes.len() as u64)?;
        let trailer = Trailer {
            format: FORMAT_VERSION,
            manifest_offset,
            manifest_bytes: self.archive_offset - manifest_offset,
            manifest_sha256,
        };
        let trailer = trailer.encode(self.compression);
        self.file.write_all(&trailer).map_err(write_failed)?;
        self.file.sync_all().map_err(write_failed)?;
        let written = Written {
            manifest,
            manifest_sha256,
            archive_bytes: self.archive_offset + trailer.len() as u64,
            tar_bytes: self.tar_offset,
        };
        Ok((written, self.file))
    }

    fn write_index(&mut self, encoder: &mut FrameEncoder, owner: &Owner, mtime: u64) -> Result<IndexFacts> {
        let facts = IndexFacts {
            archive_offset: self.archive_offset,
            tar_offset: self.tar_offset,
            bytes: self.index_bytes,
            sha256: std::mem::take(&mut self.index_digest).finish(),
            members: self.members,
            frames: self.frames,
        };
        self.index.flush().map_err(write_failed)?;
        let mut spill = self.index.get_ref().try_clone().map_err(write_failed)?;
        spill.seek(SeekFrom::Start(0)).map_err(write_failed)?;
        let header = Header::generated(&member::index(&self.root), 0o600, mtime, owner)?.encode(facts.bytes)?;
        self.frame(&stored_frame(self.compression, &header), header.len() as u64)?;
        let mut rest = facts.bytes;
        let mut content = Vec::new();
        while rest > 0 {
            content.clear();
            (&mut spill)
                .take(rest.min(self.compression.frame_bytes() as u64))
                .read_to_end(&mut content)
                .map_err(write_failed)?;
            if content.is_empty() {
                return Err(Error::new(ErrorKind::Io, "the index on its way to the archive was cut off"));
            }
            rest -= content.len() as u64;
            self.frame(&encoder.frame(&content)?, content.len() as u64)?;
        }
        let padding = zeros(facts.bytes);
        if padding > 0 {
            self.frame(&stored_frame(self.compression, &vec![0; padding]), padding as u64)?;
        }
        Ok(facts)
    }

    fn frame(&mut self, frame: &[u8], tar_bytes: u64) -> Result<Frame> {
        self.file.write_all(frame).map_err(write_failed)?;
        let placed = Frame {
            archive_offset: self.archive_offset,
            archive_bytes: frame.len() as u64,
            tar_offset: self.tar_offset,
            tar_bytes,
        };
        self.archive_offset += placed.archive_bytes;
        self.tar_offset += tar_bytes;
        Ok(placed)
    }

    fn member(&mut self, member: Member) -> Result<()> {
        if let Some(section) = Section::of(&member.name) {
            let facts = self.sections.entry(section.name().to_owned()).or_default();
            match member.kind {
                EntryKind::Directory => facts.directories += 1,
                _ => facts.files += 1,
            }
            facts.bytes += member.size;
        }
        self.line(&IndexLine::Member(Box::new(member)))
    }

    fn line(&mut self, line: &IndexLine) -> Result<()> {
        match line {
            IndexLine::Frame(_) => self.frames += 1,
            IndexLine::Member(_) => self.members += 1,
        }
        let mut json = serde_json::to_vec(line)
            .map_err(|error| Error::new(ErrorKind::Io, "cannot write the index").with_source(error))?;
        json.push(b'\n');
        self.index_digest.update(&json);
        self.index_bytes += json.len() as u64;
        self.index.write_all(&json).map_err(write_failed)
    }

    fn closed(&self) -> Result<()> {
        match &self.open {
            None => Ok(()),
            Some(open) => {
                Err(Error::new(ErrorKind::Usage, format!("the member {} is not ended yet", open.header.name)))
            }
        }
    }
}

fn zeros(size: u64) -> usize {
    usize::try_from(padding(size)).unwrap_or(0)
}

fn not_open() -> Error {
    Error::new(ErrorKind::Usage, "no member was begun")
}

fn write_failed(error: std::io::Error) -> Error {
    let hint = match error.kind() {
        std::io::ErrorKind::StorageFull => "free some space, or name another place with --output",
        _ => "look at the disk and its mount",
    };
    Error::new(ErrorKind::Io, "cannot write the archive").with_source(error).with_hint(hint)
}
