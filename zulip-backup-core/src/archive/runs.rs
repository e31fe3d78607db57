//! The index cut into pieces of work that stand alone.
//!
//! A run is the frames and the members between two places where a frame and a member end together: nothing else is
//! needed to read its members. A frame of small files is one run, and so are all the frames of one large table.

mod walk;
mod work;

pub(crate) use walk::{Part, Visit, Walker};
pub(crate) use work::each_run;

use crate::archive::{ArchiveManifest, Frame, IndexLine, IndexedArchive, Member};
use crate::{Error, ErrorKind, Result};

/// Members, and the frames they lie in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Run {
    /// The place of the run in the archive, from 0.
    pub number: u64,
    /// The place of its first frame among all frames, from 0.
    pub first_frame: u64,
    /// The frames, in order.
    pub frames: Vec<Frame>,
    /// The members, in order.
    pub members: Vec<Member>,
}

/// What a run may come to: an index made to exhaust memory ends here. A frame of 1 MiB holds at most 2048 members, and
/// four million frames are a table of 4 TiB.
const MAX_RUN_MEMBERS: usize = 1 << 17;
const MAX_RUN_FRAMES: usize = 1 << 22;

/// Reads the index run by run.
pub(crate) struct RunReader<I> {
    lines: I,
    run: Run,
    frames: u64,
    members: u64,
    archive_end: u64,
    frame_end: u64,
    member_end: u64,
    done: bool,
}

impl<I: Iterator<Item = Result<IndexLine>>> RunReader<I> {
    pub(crate) fn new(lines: I) -> Self {
        Self {
            lines,
            run: Run::default(),
            frames: 0,
            members: 0,
            archive_end: 0,
            frame_end: 0,
            member_end: 0,
            done: false,
        }
    }

    fn next_run(&mut self) -> Result<Option<Run>> {
        while let Some(line) = self.lines.next() {
            match line? {
                IndexLine::Frame(frame) => {
                    if frame.tar_bytes == 0 {
                        return Err(damaged("names a frame that holds nothing"));
                    }
                    let complete = (self.frame_end == self.member_end && !self.run.frames.is_empty())
                        .then(|| std::mem::take(&mut self.run));
                    if self.run.frames.is_empty() {
                        self.run.first_frame = self.frames;
                        self.run.number = complete.as_ref().map_or(self.run.number, |run| run.number + 1);
                    }
                    self.frames += 1;
                    self.frame_end = frame.tar_end();
                    self.archive_end = frame.archive_end();
                    self.run.frames.push(frame);
                    if self.run.frames.len() > MAX_RUN_FRAMES {
                        return Err(damaged("names a member of more than four million frames"));
                    }
                    if complete.is_some() {
                        return Ok(complete);
                    }
                }
                IndexLine::Member(member) => {
                    if member.tar_offset >= self.frame_end {
                        return Err(damaged("names a member before the frame it starts in"));
                    }
                    self.members += 1;
                    self.member_end = member.end_offset();
                    self.run.members.push(*member);
                    if self.run.members.len() > MAX_RUN_MEMBERS {
                        return Err(damaged("names members that never end where a frame ends"));
                    }
                }
            }
        }
        self.done = true;
        if self.frame_end != self.member_end {
            return Err(damaged(&format!(
                "lists frames up to byte {} of the stream and members up to byte {}",
                self.frame_end, self.member_end
            )));
        }
        Ok((!self.run.frames.is_empty()).then(|| std::mem::take(&mut self.run)))
    }

    /// Compares what was read, once all of it was, with what the manifest says of the index.
    pub(crate) fn check<M: ArchiveManifest>(&self, archive: &IndexedArchive<M>) -> Result<()> {
        let facts = *archive.manifest().index();
        for (what, found, expected) in [
            ("members", self.members, facts.members),
            ("frames", self.frames, facts.frames),
            ("bytes of frames", self.archive_end, facts.archive_offset),
            ("bytes of the stream", self.frame_end, facts.tar_offset),
        ] {
            if found != expected {
                return Err(damaged(&format!("lists {found} {what}, the manifest says {expected}")));
            }
        }
        Ok(())
    }
}

impl<I: Iterator<Item = Result<IndexLine>>> Iterator for RunReader<I> {
    type Item = Result<Run>;

    fn next(&mut self) -> Option<Result<Run>> {
        if self.done {
            return None;
        }
        let next = self.next_run();
        self.done |= next.is_err();
        next.transpose()
    }
}

fn damaged(what: &str) -> Error {
    Error::new(ErrorKind::Damaged, format!("the archive's index {what}"))
        .with_hint("the archive was changed or cut after it was written: use another copy")
}
