//! Files into the archive.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use crate::archive::{Batch, Block, EntryKind, Header, Packer};
use crate::backup::piece::{Done, Piece};
use crate::codec::{Compression, FrameEncoder};
use crate::pipeline::Worker;
use crate::{Error, ErrorKind, Finding, Result, fs};

/// How often a file that changes while it is read is read again.
const ATTEMPTS: u32 = 3;

/// Work for one thread.
#[derive(Debug)]
pub(super) enum FileJob {
    /// Directories, links and files that together fill about one frame.
    Small(Vec<Item>),
    /// A file of at least a frame's size.
    Large(Item),
}

/// One thing to put into the archive.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) path: PathBuf,
    pub(super) header: Header,
    /// Task whose progress it counts for.
    pub(super) task: &'static str,
    /// Whether the backup fails when the file cannot be read. A file that vanishes is left out in any case.
    pub(super) required: bool,
}

/// One thread that reads files.
pub(super) struct FileWorker {
    encoder: FrameEncoder,
    content: Vec<u8>,
}

impl FileWorker {
    pub(super) fn new(compression: Compression, level: i32) -> Result<Self> {
        Ok(Self { encoder: FrameEncoder::new(compression, level)?, content: Vec::new() })
    }

    fn small(&mut self, items: Vec<Item>, emit: &mut dyn FnMut(Piece) -> Result<()>) -> Result<()> {
        let mut packer = Packer::default();
        // All items of a job are of one task.
        let task = items.first().map_or("", |item| item.task);
        let batch = |emit: &mut dyn FnMut(Piece) -> Result<()>, batch: Batch| {
            let amount = batch.members.iter().map(|member| member.size).sum();
            emit(Piece::Batch(batch, Done { task, amount }))
        };
        for item in items {
            self.content.clear();
            if item.header.kind == EntryKind::File && self.read_whole(&item, emit)?.is_none() {
                continue;
            }
            packer.add(item.header, &self.content, &mut self.encoder, &mut |made| batch(emit, made))?;
        }
        packer.flush(&mut self.encoder, &mut |made| batch(emit, made))
    }

    /// Reads a small file whole into `self.content`; `None` when it has vanished or cannot be read.
    fn read_whole(&mut self, item: &Item, emit: &mut dyn FnMut(Piece) -> Result<()>) -> Result<Option<()>> {
        for attempt in 1..=ATTEMPTS {
            let Some((mut file, before)) = open(item, emit)? else { return Ok(None) };
            self.content.clear();
            // A file that grows is cut here and read again.
            let limit = before.size + 1;
            if let Err(error) = (&mut file).take(limit).read_to_end(&mut self.content) {
                unreadable(item, error, emit)?;
                return Ok(None);
            }
            if self.content.len() as u64 == before.size && State::of(&file).is_ok_and(|after| after == before) {
                return Ok(Some(()));
            }
            if attempt == ATTEMPTS {
                emit(Piece::Found(changed(item)))?;
            }
        }
        Ok(Some(()))
    }

    fn large(&mut self, item: &Item, emit: &mut dyn FnMut(Piece) -> Result<()>) -> Result<()> {
        for attempt in 1..=ATTEMPTS {
            let Some((file, before)) = open(item, emit)? else { return Ok(()) };
            emit(Piece::Begin(item.header.clone()))?;
            let mut rest = before.size;
            while rest > 0 {
                let limit = rest.min(self.encoder.compression().frame_bytes() as u64);
                let mut content = Vec::with_capacity(usize::try_from(limit).unwrap_or(0));
                if let Err(error) = (&file).take(limit).read_to_end(&mut content) {
                    emit(Piece::Abandon)?;
                    return unreadable(item, error, emit);
                }
                if content.is_empty() {
                    break;
                }
                let done = Done { task: item.task, amount: content.len() as u64 };
                rest -= done.amount;
                let block = Block::of_file(content, &mut self.encoder)?;
                emit(Piece::Content { block, rows: 0, text_bytes: 0, done })?;
            }
            let same = rest == 0 && State::of(&file).is_ok_and(|after| after == before);
            if !same && attempt < ATTEMPTS {
                emit(Piece::Abandon)?;
                continue;
            }
            emit(Piece::End)?;
            if !same {
                emit(Piece::Found(changed(item)))?;
            }
            return Ok(());
        }
        Ok(())
    }
}

impl Worker<FileJob, Piece> for FileWorker {
    fn work(&mut self, job: FileJob, emit: &mut dyn FnMut(Piece) -> Result<()>) -> Result<()> {
        match job {
            FileJob::Small(items) => self.small(items, emit),
            FileJob::Large(item) => self.large(&item, emit),
        }
    }
}

/// What tells whether a file was changed while it was read.
#[derive(Debug, PartialEq, Eq)]
struct State {
    size: u64,
    mtime: (i64, i64),
    inode: u64,
}

impl State {
    fn of(file: &File) -> std::io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self { size: metadata.len(), mtime: (metadata.mtime(), metadata.mtime_nsec()), inode: metadata.ino() })
    }
}

fn open(item: &Item, emit: &mut dyn FnMut(Piece) -> Result<()>) -> Result<Option<(File, State)>> {
    let opened = fs::open_for_backup(&item.path).and_then(|file| {
        let state = State::of(&file)?;
        if file.metadata()?.is_file() {
            Ok((file, state))
        } else {
            Err(std::io::Error::other("it is no file any more"))
        }
    });
    match opened {
        Ok(opened) => Ok(Some(opened)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            emit(Piece::Found(Finding::warning(
                "vanished",
                item.header.name.to_string(),
                "was deleted while the backup was made and is not in the archive",
            )))?;
            Ok(None)
        }
        Err(error) => {
            unreadable(item, error, emit)?;
            Ok(None)
        }
    }
}

fn unreadable(item: &Item, error: std::io::Error, emit: &mut dyn FnMut(Piece) -> Result<()>) -> Result<()> {
    if item.required {
        let path = item.path.display();
        return Err(Error::new(ErrorKind::Io, format!("cannot read {path}"))
            .with_source(error)
            .with_hint("a backup without this file would not restore the server: run as the user who may read it"));
    }
    emit(Piece::Found(
        Finding::error(
            "unreadable",
            item.header.name.to_string(),
            format!("cannot be read and is not in the archive: {error}"),
        )
        .with_hint("check owner, mode and disk, or run as the user who may read it"),
    ))
}

fn changed(item: &Item) -> Finding {
    Finding::warning(
        "changed-while-read",
        item.header.name.to_string(),
        format!("changed each of the {ATTEMPTS} times it was read; the archive has what was read last"),
    )
}
