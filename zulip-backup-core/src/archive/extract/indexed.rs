//! Taking members out by the index.

use std::io::Write;

use crate::archive::extract::select::Selection;
use crate::archive::extract::sink::Sink;
use crate::archive::extract::write_failed;
use crate::archive::runs::{Part, Run, RunReader, Visit, Walker, each_run};
use crate::archive::{Frame, IndexedArchive, Member};
use crate::codec::Hasher;
use crate::fs::UnpackFile;
use crate::{Error, ErrorKind, Finding, Progress, Result, Silent};

/// What is going to be taken out.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Expected {
    /// Bytes of the files.
    pub content_bytes: u64,
    /// Bytes of the archive's file in which they lie.
    pub archive_bytes: u64,
}

/// Reads the index once, before anything is written: are all names there, and how much is it?
pub(super) fn survey(archive: &IndexedArchive, selection: &Selection) -> Result<Expected> {
    let mut expected = Expected::default();
    let mut search = selection.search();
    let mut runs = RunReader::new(archive.index()?);
    for run in runs.by_ref() {
        let run = run?;
        let mut touched = false;
        for member in &run.members {
            search.see(member);
            if selection.has(member) {
                touched = true;
                expected.content_bytes = expected.content_bytes.saturating_add(member.size);
            }
        }
        if touched {
            expected.archive_bytes += run.frames.iter().map(|frame| frame.archive_bytes).sum::<u64>();
        }
    }
    runs.check(archive)?;
    search.missing().map_or(Ok(expected), Err)
}

/// Takes everything selected out.
pub(super) fn run(archive: &IndexedArchive, selection: &Selection, sink: &Sink<'_>, jobs: usize) -> Result<()> {
    let index_damage = each_run(
        archive,
        jobs,
        |run| {
            sink.progress.checkpoint()?;
            Ok(run.members.iter().any(|member| selection.has(member)))
        },
        |walker, run| {
            let mut taking = Taking { selection, sink, file: None, digest: Hasher::new() };
            walker.walk(run, &mut taking, sink.task, sink.progress)
        },
    )?;
    index_damage.map_or(Ok(()), Err)
}

/// One run being taken out.
struct Taking<'a> {
    selection: &'a Selection,
    sink: &'a Sink<'a>,
    file: Option<UnpackFile<'a>>,
    digest: Hasher,
}

impl Visit for Taking<'_> {
    fn wants(&mut self, member: &Member) -> bool {
        self.selection.has(member)
    }

    fn piece(&mut self, member: &Member, part: Part, bytes: &[u8]) -> Result<()> {
        match part {
            Part::Header if member.is_file() && self.file.is_none() => self.file = self.sink.begin(member)?,
            Part::Content => {
                self.digest.update(bytes);
                if let Some(file) = &mut self.file {
                    self.sink.write(member, file, bytes)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn damaged(&mut self, frame: &Frame, error: &Error) -> Result<()> {
        let object = format!("frame at byte {}", frame.archive_offset);
        self.sink.push(Finding::error("frame-damaged", object, error.chain()));
        Ok(())
    }

    fn end(&mut self, member: &Member, whole: bool) -> Result<()> {
        let file = self.file.take();
        let digest = std::mem::take(&mut self.digest).finish();
        if !whole {
            self.sink.push(Finding::error("member-spoiled", member.name.to_string(), "lies in a damaged frame"));
        } else if !member.is_file() {
            // Our archives have no hard links: nothing may be linked to.
            self.sink.make(member, |_| false)?;
        } else if let Some(expected) = member.sha256.filter(|&expected| expected != digest) {
            let message = format!("has SHA-256 {digest}, the index says {expected}");
            self.sink.push(Finding::error("digest-differs", member.name.to_string(), message));
        } else if let Some(file) = file {
            self.sink.commit(member, file)?;
        }
        Ok(())
    }
}

/// Where the one file selected lies.
pub(super) fn find(archive: &IndexedArchive, selection: &Selection) -> Result<(Run, Member)> {
    let mut search = selection.search();
    for run in RunReader::new(archive.index()?) {
        let run = run?;
        run.members.iter().for_each(|member| search.see(member));
        let Some(member) = run.members.iter().find(|member| selection.is(member)).cloned() else { continue };
        return if member.is_file() { Ok((run, member)) } else { Err(no_file(&member)) };
    }
    Err(search.missing().unwrap_or_else(|| {
        Error::new(ErrorKind::Usage, "a directory has no content of its own").with_hint("extract it into a directory")
    }))
}

/// Writes the content of one file of a run, its digest compared at its end.
pub(in crate::archive) fn read_member(
    archive: &IndexedArchive,
    run: &Run,
    member: &Member,
    output: &mut dyn Write,
) -> Result<()> {
    let mut writing = Writing { member, output, digest: Hasher::new(), done: false };
    Walker::new(archive)?.walk(run, &mut writing, super::TASK, &Silent as &dyn Progress)
}

pub(super) fn no_file(member: &Member) -> Error {
    Error::new(ErrorKind::Usage, format!("{} is no file and has no content", member.name))
        .with_hint("extract it into a directory")
}

struct Writing<'a> {
    member: &'a Member,
    output: &'a mut dyn Write,
    digest: Hasher,
    done: bool,
}

impl Visit for Writing<'_> {
    fn wants(&mut self, member: &Member) -> bool {
        !self.done && member == self.member
    }

    fn piece(&mut self, _member: &Member, part: Part, bytes: &[u8]) -> Result<()> {
        if part == Part::Content {
            self.digest.update(bytes);
            self.output.write_all(bytes).map_err(write_failed)?;
        }
        Ok(())
    }

    fn damaged(&mut self, _frame: &Frame, error: &Error) -> Result<()> {
        Err(Error::new(ErrorKind::Damaged, format!("{} cannot be read: {}", self.member.name, error.chain()))
            .with_hint("use another copy of the archive"))
    }

    fn end(&mut self, member: &Member, _whole: bool) -> Result<()> {
        self.done = true;
        let digest = std::mem::take(&mut self.digest).finish();
        match member.sha256 {
            Some(expected) if expected != digest => Err(Error::new(
                ErrorKind::Damaged,
                format!("{} has SHA-256 {digest}, the index says {expected}", member.name),
            )
            .with_hint("use another copy of the archive")),
            _ => Ok(()),
        }
    }
}
