//! What one thread of an export does.

use crate::Progress;
use crate::Result;
use crate::export::files::{FileCopier, FileItem};
use crate::export::lists::{self, Place};
use crate::export::messages::{Messages, Stretch};
use crate::export::piece::{Cutter, Folder, Piece};
use crate::export::scope::Scope;
use crate::export::select::{RealmFacts, Selection};
use crate::pipeline;
use crate::postgres::RowReader;
use crate::schema::RowList;

/// Work for one thread.
#[derive(Debug)]
pub(super) enum Job {
    /// A list of the file `file`.
    List { file: &'static str, list: &'static RowList, place: Place },
    /// Message files: the number of the first, and which of the ids are theirs.
    Messages { first: usize, ids: std::ops::Range<usize> },
    /// Uploaded files.
    Files { folder: Folder, items: Vec<FileItem> },
}

/// What all threads know.
pub(super) struct Shared<'a> {
    pub(super) scope: &'a Scope<'a>,
    pub(super) facts: &'a RealmFacts,
    pub(super) messages: &'a Messages<'a>,
    pub(super) copier: &'a FileCopier<'a>,
    pub(super) progress: &'a dyn Progress,
}

/// One thread: its connection in the snapshot, and its compressor.
pub(super) struct Worker<'a> {
    pub(super) shared: &'a Shared<'a>,
    pub(super) reader: RowReader,
    pub(super) cutter: Cutter,
}

impl pipeline::Worker<Job, Piece> for Worker<'_> {
    fn work(&mut self, job: Job, emit: &mut dyn FnMut(Piece) -> Result<()>) -> Result<()> {
        let Self { shared, reader, cutter } = self;
        let Shared { scope, facts, messages, copier, progress } = shared;
        match job {
            Job::List { file, list, place } => {
                let selection = Selection::new(scope, list, facts)?;
                lists::write(reader, cutter, (file, &list.key, place), &selection, *progress, emit)
            }
            Job::Messages { first, ids: range } => {
                messages.write(reader, cutter, &Stretch { first, ids: &scope.found.ids[range] }, *progress, emit)
            }
            Job::Files { folder, items } => copier.copy(folder, &items, cutter, emit),
        }
    }
}
