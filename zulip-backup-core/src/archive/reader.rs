//! Opening an archive: ours by its tail, any other front to back.

use std::fs::File;
use std::io::{BufReader, Cursor, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};

use crate::archive::index::{Frame, IndexReader};
use crate::archive::stream::StreamArchive;
use crate::archive::{IndexFacts, Manifest, TRAILER_BYTES, Trailer, member};
use crate::codec::{Compression, Digest, FrameDecoder, Hasher, StreamDecoder, detect};
use crate::{Error, ErrorKind, Finding, Result, fs};

/// An archive on disk.
#[derive(Debug)]
pub enum Archive {
    /// One of ours: seekable and self-proving.
    Indexed(Box<IndexedArchive>),
    /// Anything else in upstream's layout: read front to back.
    Stream(StreamArchive),
}

impl Archive {
    /// Opens an archive. Of ours only the tail is read; of others only the first bytes.
    ///
    /// One of ours whose trailer or manifest is damaged is opened to be read front to back:
    /// [`StreamArchive::tail_damage`] says why.
    pub fn open(path: &Utf8Path) -> Result<Self> {
        let file = fs::open(path)?;
        let metadata = file.metadata().map_err(|error| Error::io("look at", path, error))?;
        if !metadata.is_file() {
            return Err(Error::new(ErrorKind::Usage, format!("{path} is not a regular file")).with_path(path));
        }
        let file_bytes = metadata.len();
        if file_bytes == 0 {
            return Err(Error::new(ErrorKind::Damaged, format!("{path} is empty"))
                .with_path(path)
                .with_hint("whatever wrote it did not finish: use another copy"));
        }
        let damage = match IndexedArchive::open(path, &file) {
            Ok(Some(archive)) => return Ok(Self::Indexed(Box::new(archive))),
            Ok(None) => None,
            Err(error) if error.kind() == ErrorKind::Damaged => {
                let finding = Finding::error("manifest-damaged", member::MANIFEST, error.chain());
                Some(finding.with_hint("the archive was changed after it was written: use another copy"))
            }
            Err(error) => return Err(error.with_path(path)),
        };
        let mut magic = [0; 4];
        let length = file.read_at(&mut magic, 0).map_err(|error| Error::io("read", path, error))?;
        let compression = detect(&magic[..length]).ok_or_else(|| {
            Error::new(ErrorKind::Damaged, format!("{path} is neither gzip nor zstd"))
                .with_path(path)
                .with_hint("a backup is a .tar.gz or .tar.zst file")
        })?;
        let archive = StreamArchive::new(path.to_owned(), file, file_bytes, compression);
        Ok(Self::Stream(match damage {
            Some(finding) => archive.with_damaged_tail(finding),
            None => archive,
        }))
    }

    /// Where it lies.
    pub fn path(&self) -> &Utf8Path {
        match self {
            Self::Indexed(archive) => archive.path(),
            Self::Stream(archive) => archive.path(),
        }
    }

    /// How it is compressed.
    pub fn compression(&self) -> Compression {
        match self {
            Self::Indexed(archive) => archive.compression(),
            Self::Stream(archive) => archive.compression(),
        }
    }

    /// Size of the file.
    pub fn file_bytes(&self) -> u64 {
        match self {
            Self::Indexed(archive) => archive.file_bytes(),
            Self::Stream(archive) => archive.file_bytes(),
        }
    }

    /// The manifest, where there is one.
    pub fn manifest(&self) -> Option<&Manifest> {
        match self {
            Self::Indexed(archive) => Some(archive.manifest()),
            Self::Stream(_) => None,
        }
    }
}

/// What a manifest says of the archive it is in.
pub trait ArchiveManifest: serde::de::DeserializeOwned {
    /// Version of the archive format.
    fn format(&self) -> u16;

    /// How the archive is compressed.
    fn compression(&self) -> Compression;

    /// Where the index is.
    fn index(&self) -> &IndexFacts;

    /// Whether archives with such a manifest may have their members in this directory.
    fn may_be_in(root: &str) -> bool;
}

/// One of our archives, its manifest read and its digest compared: a backup's, unless said otherwise.
#[derive(Debug)]
pub struct IndexedArchive<M = Manifest> {
    path: Utf8PathBuf,
    file: Arc<File>,
    file_bytes: u64,
    compression: Compression,
    trailer: Trailer,
    /// The directory all members lie in.
    root: String,
    manifest: M,
}

impl<M: ArchiveManifest> IndexedArchive<M> {
    /// Opens a file by its tail; `None` where it does not end as our archives do.
    ///
    /// # Errors
    /// `Damaged` where it ends so, and the manifest is not what it has to be.
    pub(crate) fn open(path: &Utf8Path, file: &File) -> Result<Option<Self>> {
        let failed = |error| Error::io("read", path, error);
        let file_bytes = file.metadata().map_err(failed)?.len();
        let mut tail = [0; TRAILER_BYTES];
        let Some(start) = file_bytes.checked_sub(TRAILER_BYTES as u64) else { return Ok(None) };
        file.read_exact_at(&mut tail, start).map_err(failed)?;
        let Some((compression, trailer)) = Trailer::decode(&tail, file_bytes)? else { return Ok(None) };
        let file = file.try_clone().map_err(|error| Error::io("open", path, error))?;
        Self::new(path, file, file_bytes, compression, trailer).map(Some)
    }

    fn new(path: &Utf8Path, file: File, file_bytes: u64, compression: Compression, trailer: Trailer) -> Result<Self> {
        let damaged = |what: String| {
            Error::new(ErrorKind::Damaged, format!("the manifest of {path} {what}"))
                .with_hint("the file was changed or cut after it was written: use another copy")
        };
        if trailer.manifest_bytes > Manifest::MAX_BYTES {
            return Err(damaged(format!("is {} bytes compressed, more than any manifest", trailer.manifest_bytes)));
        }
        let mut frame = vec![0; usize::try_from(trailer.manifest_bytes).unwrap_or(usize::MAX)];
        file.read_exact_at(&mut frame, trailer.manifest_offset).map_err(|error| Error::io("read", path, error))?;
        let mut content = Vec::new();
        let stream = StreamDecoder::new(compression, Cursor::new(&frame))?;
        let mut stream = stream.take(Manifest::MAX_BYTES);
        stream
            .read_to_end(&mut content)
            .map_err(|error| damaged("cannot be decompressed".to_owned()).with_source(error))?;
        let (name, content) = first_member(&content)
            .ok_or_else(|| damaged("is not where the trailer says: no member there".to_owned()))?;
        let root = name.strip_suffix("/manifest.json").filter(|root| M::may_be_in(root));
        let Some(root) = root.map(str::to_owned) else {
            let other = serde_json::from_slice::<Content>(content).is_ok_and(|manifest| manifest.content.is_some());
            return Err(if other {
                Error::new(ErrorKind::Usage, format!("{path} is an export of an organisation, not a backup"))
                    .with_hint("`zulip-backup validate` checks exports, GNU tar unpacks them")
            } else {
                damaged(format!("is not where the trailer says: the member there is {name}"))
            });
        };
        let digest = Digest::of(content);
        if digest != trailer.manifest_sha256 {
            return Err(damaged(format!("has SHA-256 {digest}, the trailer says {}", trailer.manifest_sha256)));
        }
        let manifest: M = serde_json::from_slice(content)
            .map_err(|error| damaged("is not understood".to_owned()).with_source(error))?;
        if manifest.compression() != compression || manifest.format() != trailer.format {
            return Err(damaged("contradicts the trailer".to_owned()));
        }
        if manifest.index().archive_offset > trailer.manifest_offset {
            return Err(damaged("says that the index lies behind it".to_owned()));
        }
        Ok(Self { path: path.to_owned(), file: Arc::new(file), file_bytes, compression, trailer, root, manifest })
    }

    /// Where it lies.
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// How it is compressed.
    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// Size of the file.
    pub fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// The manifest.
    pub fn manifest(&self) -> &M {
        &self.manifest
    }

    /// The directory all members lie in.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// The trailer.
    pub fn trailer(&self) -> &Trailer {
        &self.trailer
    }

    /// Reads the index line by line. Its digest is compared at its end: a reader that stops early has not proven it.
    pub fn index(&self) -> Result<IndexReader<IndexContent>> {
        let facts = *self.manifest.index();
        let start = facts.archive_offset;
        let compressed = FileRange { file: Arc::clone(&self.file), at: start, end: self.trailer.manifest_offset };
        let mut stream = StreamDecoder::new(self.compression, BufReader::with_capacity(256 << 10, compressed))?;
        let mut header = [0; 512];
        stream.read_exact(&mut header).map_err(|error| self.index_damaged("cannot be read").with_source(error))?;
        let header = tar::Header::from_byte_slice(&header).clone();
        let named = header.path_bytes().as_ref() == member::index(&self.root).as_bytes();
        if !named || header.entry_size().ok() != Some(facts.bytes) {
            return Err(self.index_damaged("is not where the manifest says"));
        }
        Ok(IndexReader::new(IndexContent {
            stream,
            rest: facts.bytes,
            digest: Some(Hasher::new()),
            expected: facts.sha256,
        }))
    }

    /// Decompresses one frame of the index into `content`; `buffer` is scratch space for its bytes on disk.
    pub fn read_frame(
        &self,
        frame: &Frame,
        decoder: &mut FrameDecoder,
        buffer: &mut Vec<u8>,
        content: &mut Vec<u8>,
    ) -> Result<()> {
        if frame.archive_end() > self.manifest.index().archive_offset {
            return Err(self.index_damaged("names a frame behind the members"));
        }
        let length = usize::try_from(frame.archive_bytes).map_err(|_| self.index_damaged("names a frame too large"))?;
        let expected = usize::try_from(frame.tar_bytes).map_err(|_| self.index_damaged("names a frame too large"))?;
        buffer.clear();
        buffer.resize(length, 0);
        self.file.read_exact_at(buffer, frame.archive_offset).map_err(|error| Error::io("read", &self.path, error))?;
        decoder.decode(buffer, expected, content).map_err(|error| {
            Error::new(
                ErrorKind::Damaged,
                format!("{} is damaged at byte {}: {error}", self.path, frame.archive_offset),
            )
            .with_path(&self.path)
            .with_hint("use another copy of the archive; `extract` still reads the members that are whole")
        })
    }

    /// The decompressed stream between two places in the file where frames start.
    pub(super) fn stream(&self, start: u64, end: u64) -> Result<StreamDecoder<BufReader<FileRange>>> {
        StreamDecoder::new(self.compression, BufReader::with_capacity(256 << 10, self.bytes(start, end)))
    }

    /// The bytes of the file between two places.
    pub(super) fn bytes(&self, start: u64, end: u64) -> FileRange {
        FileRange { file: Arc::clone(&self.file), at: start, end }
    }

    /// The same file read front to back, for when the index is of no use.
    pub(super) fn as_stream(&self) -> Result<StreamArchive> {
        let file = self.file.try_clone().map_err(|error| Error::io("open", &self.path, error))?;
        Ok(StreamArchive::new(self.path.clone(), file, self.file_bytes, self.compression))
    }

    fn index_damaged(&self, what: &str) -> Error {
        Error::new(ErrorKind::Damaged, format!("the index of {} {what}", self.path))
            .with_path(&self.path)
            .with_hint("the file was changed or cut after it was written: use another copy")
    }
}

/// Manifests of archives that are no backups say what is in them.
#[derive(serde::Deserialize)]
struct Content {
    content: Option<String>,
}

/// The name and content of the member at the start of `stream`, if it is a file.
fn first_member(stream: &[u8]) -> Option<(String, &[u8])> {
    let block = stream.get(..512)?;
    let header = tar::Header::from_byte_slice(block);
    if !header.entry_type().is_file() {
        return None;
    }
    let name = String::from_utf8(header.path_bytes().into_owned()).ok()?;
    let size = usize::try_from(header.entry_size().ok()?).ok()?;
    Some((name, stream.get(512..512_usize.checked_add(size)?)?))
}

/// A stretch of a file, read by position: several readers of one file do not disturb each other.
#[derive(Debug)]
pub struct FileRange {
    file: Arc<File>,
    at: u64,
    end: u64,
}

impl Read for FileRange {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let rest = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let length = buffer.len().min(rest);
        let read = self.file.read_at(&mut buffer[..length], self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// The index's content; its last byte is given only when its digest is right.
pub struct IndexContent {
    stream: StreamDecoder<BufReader<FileRange>>,
    rest: u64,
    digest: Option<Hasher>,
    expected: Digest,
}

impl Read for IndexContent {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let limit = usize::try_from(self.rest).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.stream.read(&mut buffer[..limit])?;
        if read == 0 && limit > 0 {
            return Err(std::io::Error::new(
                std::io::ErrorKind::UnexpectedEof,
                "the index is shorter than it should be",
            ));
        }
        self.rest -= read as u64;
        if let Some(digest) = &mut self.digest {
            digest.update(&buffer[..read]);
        }
        if self.rest == 0
            && let Some(digest) = self.digest.take()
        {
            let digest = digest.finish();
            if digest != self.expected {
                return Err(std::io::Error::new(
                    std::io::ErrorKind::InvalidData,
                    format!("the index has SHA-256 {digest}, the manifest says {}", self.expected),
                ));
            }
        }
        Ok(read)
    }
}
