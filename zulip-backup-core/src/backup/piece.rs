//! What the threads of a backup hand to the writer.

use crate::archive::{ArchiveWriter, Batch, Block, Header, Link};
use crate::{Finding, Findings, Progress, Result};

/// A piece of the archive, or something noticed while it was made.
#[derive(Debug)]
pub(super) enum Piece {
    /// Whole members in one frame.
    Batch(Batch, Done),
    /// A member whose content follows.
    Begin(Header),
    /// More of its content; for a table, how many rows and bytes of text that is.
    Content { block: Block, rows: u64, text_bytes: u64, done: Done },
    /// What was written of the open member is taken back.
    Abandon,
    /// The open member is complete.
    End,
    /// Something was noticed.
    Found(Finding),
    /// A link was followed.
    Link(Link),
}

/// How much of a task a piece is. It comes with the piece and not by itself: a thread is held up by the number of pieces
/// that wait for their turn.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Done {
    pub(super) task: &'static str,
    pub(super) amount: u64,
}

/// Writes pieces and keeps count.
pub(super) struct Taker<'a> {
    pub(super) writer: ArchiveWriter,
    pub(super) findings: Findings,
    pub(super) links: Vec<Link>,
    progress: &'a dyn Progress,
    rows: u64,
    text_bytes: u64,
    /// Rows and bytes of text of each member that was written in blocks, in order.
    pub(super) counted: Vec<(u64, u64)>,
}

/// How many followed links a manifest lists; the number of all stands in a finding.
const MAX_LINKS: usize = 1000;

impl<'a> Taker<'a> {
    pub(super) fn new(writer: ArchiveWriter, progress: &'a dyn Progress) -> Self {
        Self {
            writer,
            findings: Findings::default(),
            links: Vec::new(),
            progress,
            rows: 0,
            text_bytes: 0,
            counted: Vec::new(),
        }
    }

    pub(super) fn take(&mut self, piece: Piece) -> Result<()> {
        match piece {
            Piece::Batch(batch, done) => {
                self.writer.batch(batch)?;
                self.advance(done);
                Ok(())
            }
            Piece::Begin(header) => {
                (self.rows, self.text_bytes) = (0, 0);
                self.writer.begin(header)
            }
            Piece::Content { block, rows, text_bytes, done } => {
                self.rows += rows;
                self.text_bytes += text_bytes;
                self.writer.content(&block)?;
                self.advance(done);
                Ok(())
            }
            Piece::Abandon => self.writer.abandon(),
            Piece::End => {
                self.writer.end()?;
                self.counted.push((self.rows, self.text_bytes));
                Ok(())
            }
            Piece::Found(finding) => {
                self.found(finding);
                Ok(())
            }
            Piece::Link(link) => {
                if link.outside {
                    self.found(
                        Finding::note(
                            "link-followed-outside",
                            link.member.to_string(),
                            format!("is a link to {}, outside the tree: its content is in the archive", link.target),
                        )
                        .with_hint("a restore puts a copy there, not a link"),
                    );
                }
                if self.links.len() < MAX_LINKS {
                    self.links.push(link);
                }
                Ok(())
            }
        }
    }

    fn advance(&self, done: Done) {
        if done.amount > 0 {
            self.progress.advance(done.task, done.amount);
        }
    }

    pub(super) fn found(&mut self, finding: Finding) {
        self.progress.finding(&finding);
        self.findings.push(finding);
    }
}
