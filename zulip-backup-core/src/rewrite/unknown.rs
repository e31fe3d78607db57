//! What texts name and nobody knows.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// What it is that a text names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UnknownKind {
    /// A user's id.
    User,
    /// A channel's id.
    Stream,
    /// A user group's id.
    UserGroup,
    /// A message's id.
    Message,
    /// The path of an upload.
    Upload,
    /// Something that is no id where there should be one, or nothing at all.
    Value,
}

const KINDS: [UnknownKind; 6] = [
    UnknownKind::User,
    UnknownKind::Stream,
    UnknownKind::UserGroup,
    UnknownKind::Message,
    UnknownKind::Upload,
    UnknownKind::Value,
];

/// How often texts named something of one kind that is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unknown {
    pub(crate) kind: UnknownKind,
    pub(crate) count: u64,
    /// One of the ids. Of uploads and values there is none: these are people's texts.
    pub(crate) example: Option<i64>,
}

#[derive(Default)]
struct Tally {
    count: AtomicU64,
    example: OnceLock<i64>,
}

/// Counts for all threads.
#[derive(Default)]
pub(super) struct Tallies([Tally; KINDS.len()]);

impl Tallies {
    pub(super) fn count(&self, kind: UnknownKind, id: Option<i64>) {
        let tally = &self.0[kind as usize];
        tally.count.fetch_add(1, Ordering::Relaxed);
        if let Some(id) = id {
            tally.example.get_or_init(|| id);
        }
    }

    /// The kinds that came up.
    pub(super) fn list(&self) -> Vec<Unknown> {
        let all = KINDS.iter().zip(&self.0).map(|(&kind, tally)| Unknown {
            kind,
            count: tally.count.load(Ordering::Relaxed),
            example: tally.example.get().copied(),
        });
        all.filter(|unknown| unknown.count > 0).collect()
    }
}
