//! An export as one of our own archives: its index says where each file lies.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};

use camino::Utf8Path;

use crate::archive::{Frame, IndexLine, IndexedArchive, prove};
use crate::codec::FrameDecoder;
use crate::package::{ExportManifest, Go, Listing, Member, Visitor};
use crate::{Error, ErrorKind, Finding, Findings, Progress, Result};

/// The archive and its index, which is held in memory: some hundred bytes for each file and each frame.
#[derive(Debug)]
pub(super) struct Sealed {
    inner: Arc<Inner>,
    /// The files in the order they lie in, by their names below the root.
    places: Vec<(String, Place)>,
    by_name: HashMap<String, usize>,
    listing: Listing,
}

#[derive(Debug)]
struct Inner {
    archive: IndexedArchive<ExportManifest>,
    frames: Vec<Frame>,
    /// The frame that was decompressed last: small files lie many in one.
    last: Mutex<Option<(u64, Arc<Vec<u8>>)>>,
}

/// Where a file's content lies in the uncompressed stream.
#[derive(Clone, Copy, Debug)]
struct Place {
    start: u64,
    size: u64,
}

impl Sealed {
    /// Opens one of our archives; `None` for anything else.
    ///
    /// # Errors
    /// `Damaged` where the archive is one of ours, and its manifest or index is not whole.
    pub(super) fn open(path: &Utf8Path, file: &File) -> Result<Option<Self>> {
        let Some(archive) = IndexedArchive::<ExportManifest>::open(path, file)? else { return Ok(None) };
        let mut frames = Vec::new();
        let (mut places, mut findings) = (Vec::new(), Findings::default());
        for line in archive.index()? {
            let member = match line? {
                IndexLine::Frame(frame) => {
                    frames.push(frame);
                    continue;
                }
                IndexLine::Member(member) => member,
            };
            let below =
                member.name.below(archive.root().as_bytes()).map(|name| std::str::from_utf8(name).map(str::to_owned));
            match below {
                Some(Ok(name)) if member.is_file() => {
                    let place = Place { start: member.content_offset(), size: member.size };
                    places.push((name, place));
                }
                _ if member.kind == crate::archive::EntryKind::Directory => {}
                Some(Ok(_)) => {
                    let message = "is a link, which no export has: it is not read";
                    findings.push(Finding::error("special-member", member.name.to_string(), message));
                }
                Some(Err(_)) => {
                    findings.push(Finding::error(
                        "hostile-name",
                        member.name.to_string(),
                        "the member's name is not UTF-8",
                    ));
                }
                None => {
                    let message = format!("does not lie under {}, as the manifest does", archive.root());
                    findings.push(Finding::error("foreign-member", member.name.to_string(), message));
                }
            }
        }
        let members = places.iter().map(|(name, place)| Member { name: name.clone(), size: place.size }).collect();
        let mut by_name = HashMap::new();
        for (at, (name, _)) in places.iter().enumerate() {
            by_name.entry(name.clone()).or_insert(at);
        }
        let inner = Arc::new(Inner { archive, frames, last: Mutex::new(None) });
        Ok(Some(Self { inner, places, by_name, listing: Listing::new(members, findings) }))
    }

    pub(super) fn manifest(&self) -> &ExportManifest {
        self.inner.archive.manifest()
    }

    pub(super) fn listing(&self) -> &Listing {
        &self.listing
    }

    pub(super) fn visit(&self, visitor: &mut Visitor<'_>, read: &mut dyn FnMut(u64) -> Result<()>) -> Result<()> {
        for (name, place) in &self.places {
            read(0)?;
            let go = visitor(&Member { name: name.clone(), size: place.size }, &mut self.content(*place)?)?;
            read(place.size)?;
            if go == Go::Stop {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn open_member(&self, name: &str) -> Result<Box<dyn Read + Send>> {
        Ok(Box::new(self.content(self.place(name)?)?))
    }

    /// Compares every byte with what the index says.
    pub(super) fn prove(&self, jobs: usize, task: &'static str, progress: &dyn Progress) -> Result<Findings> {
        prove(&self.inner.archive, jobs, task, progress)
    }

    fn place(&self, name: &str) -> Result<Place> {
        let at = self.by_name.get(name).ok_or_else(|| {
            let path = self.inner.archive.path();
            Error::new(ErrorKind::NotFound, format!("{path} has no file {name}")).with_path(name)
        })?;
        Ok(self.places[*at].1)
    }

    fn content(&self, place: Place) -> Result<Content> {
        Ok(Content {
            inner: Arc::clone(&self.inner),
            decoder: FrameDecoder::new(self.inner.archive.compression())?,
            buffer: Vec::new(),
            at: place.start,
            end: place.start.saturating_add(place.size),
        })
    }
}

/// The content of one file, frame by frame.
struct Content {
    inner: Arc<Inner>,
    decoder: FrameDecoder,
    buffer: Vec<u8>,
    at: u64,
    end: u64,
}

impl Content {
    /// The decompressed frame with the next byte, and where in it that byte is.
    fn frame(&mut self) -> Result<(Arc<Vec<u8>>, usize)> {
        let frames = &self.inner.frames;
        let found = frames.partition_point(|frame| frame.tar_end() <= self.at);
        let frame = frames
            .get(found)
            .filter(|frame| frame.tar_offset <= self.at)
            .ok_or_else(|| Error::new(ErrorKind::Damaged, "the index has no frame for it"))?;
        let skip = usize::try_from(self.at - frame.tar_offset).unwrap_or(usize::MAX);
        let mut last = self.inner.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((offset, content)) = &*last
            && *offset == frame.tar_offset
        {
            return Ok((Arc::clone(content), skip));
        }
        // Others go on meanwhile with what they have.
        drop(last);
        let mut content = Vec::new();
        self.inner.archive.read_frame(frame, &mut self.decoder, &mut self.buffer, &mut content)?;
        let content = Arc::new(content);
        last = self.inner.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some((frame.tar_offset, Arc::clone(&content)));
        Ok((content, skip))
    }
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let rest = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        if rest == 0 || buffer.is_empty() {
            return Ok(0);
        }
        let (frame, skip) = self.frame().map_err(std::io::Error::other)?;
        let available = frame.get(skip..).unwrap_or_default();
        let length = available.len().min(rest).min(buffer.len());
        buffer[..length].copy_from_slice(&available[..length]);
        self.at += length as u64;
        Ok(length)
    }
}
