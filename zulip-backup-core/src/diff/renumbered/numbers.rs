//! Numbers in the place of ids: the same in both exports for what is the same.

use std::collections::HashMap;

use crate::diff::renumbered::align::Run;
use crate::ids::{IdIndex, IdSet, Of};
use crate::rewrite::NewIds;

/// The ids of one table's rows in one export. Memory: two bytes for each, at most, where they are close together.
#[derive(Debug, Default)]
struct Sequence {
    ids: IdIndex,
    /// From which rank on which numbers are given, in order.
    starts: Vec<(u64, u64)>,
}

impl Sequence {
    fn at(&self, rank: u64) -> Option<u64> {
        let at = self.starts.partition_point(|&(start, _)| start <= rank).checked_sub(1)?;
        let (start, number) = self.starts.get(at)?;
        Some(number + (rank - start))
    }
}

/// The numbers of one export's ids.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    sequences: [Sequence; Of::COUNT],
    /// Numbers of what is known by a name: clients, and the bots of the system with their recipients.
    named: [HashMap<i64, u64>; Of::COUNT],
}

/// Where a named row's numbers begin: above all others.
const NAMED: u64 = 1 << 48;

/// Numbers stay below this, so that a text with an id that nobody knows does not look like one with a number.
const LIMIT: u64 = 1 << 49;

impl Numbers {
    /// A row's number; `None` for one that the export has not.
    pub(super) fn of(&self, of: Of, id: i64) -> Option<u64> {
        let sequence = &self.sequences[of as usize];
        let ranked = sequence.ids.rank(id).and_then(|rank| sequence.at(rank));
        ranked.or_else(|| self.named[of as usize].get(&id).copied())
    }

    /// The number of the newest message that is not newer than this one; `None` before all.
    pub(super) fn up_to(&self, message: i64) -> Option<u64> {
        let sequence = &self.sequences[Of::Message as usize];
        sequence.at(sequence.ids.up_to(message).checked_sub(1)?)
    }

    /// Whether a row is known by its name and shared by all organisations.
    pub(super) fn is_named(&self, of: Of, id: i64) -> bool {
        self.named[of as usize].contains_key(&id)
    }

    /// Gives a row a number that follows from the hash of its name.
    pub(super) fn name(&mut self, of: Of, id: i64, hash: u64) {
        self.named[of as usize].insert(id, NAMED + hash % (LIMIT - NAMED));
    }

    /// Has the rows of a table in the order of their ids. They have no numbers yet.
    pub(super) fn take(&mut self, of: Of, ids: impl Iterator<Item = i64>) {
        self.sequences[of as usize].ids = IdIndex::from(ids.collect::<IdSet>());
    }
}

/// Gives the rows of a table numbers, as they belong together.
pub(super) fn number(a: &mut Numbers, b: &mut Numbers, of: Of, runs: &[Run]) {
    let (a, b) = (&mut a.sequences[of as usize].starts, &mut b.sequences[of as usize].starts);
    let mut next = 0;
    for run in runs {
        let (len_a, len_b) = (run.a.len() as u64, run.b.len() as u64);
        a.push((run.a.start as u64, next));
        if run.is_paired() {
            b.push((run.b.start as u64, next));
            next += len_a;
        } else {
            b.push((run.b.start as u64, next + len_a));
            next += len_a + len_b;
        }
    }
}

/// Numbers as texts name things: far above every id.
#[derive(Debug)]
pub(super) struct Names<'n> {
    pub(super) numbers: &'n Numbers,
    /// The organisation's id.
    pub(super) realm: i64,
    /// What stands for an attachment in texts, by its `path_id`.
    pub(super) paths: &'n HashMap<String, String>,
}

/// What is added to a number in a text.
const IN_TEXTS: i64 = 1 << 52;

impl NewIds for Names<'_> {
    fn realm(&self) -> (i64, i64) {
        (self.realm, IN_TEXTS)
    }

    fn get(&self, of: Of, old: i64) -> Option<i64> {
        let number = self.numbers.of(of, old)?;
        Some(IN_TEXTS + i64::try_from(number).ok()?)
    }

    fn upload(&self, old_path_id: &str) -> Option<&str> {
        self.paths.get(old_path_id).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::renumbered::align::align;

    #[test]
    fn what_belongs_together_has_one_number() {
        let (mut a, mut b) = (Numbers::default(), Numbers::default());
        a.take(Of::Message, [3, 5, 8, 9].into_iter());
        b.take(Of::Message, [100, 300, 301].into_iter());
        number(&mut a, &mut b, Of::Message, &align(&[1, 2, 3, 4], &[1, 3, 4]));
        let of = |numbers: &Numbers, id| numbers.of(Of::Message, id).unwrap();
        assert_eq!([of(&a, 3), of(&a, 8), of(&a, 9)], [of(&b, 100), of(&b, 300), of(&b, 301)]);
        assert!([100, 300, 301].iter().all(|&id| of(&b, id) != of(&a, 5)));
        assert_eq!(a.of(Of::Message, 4), None);
        assert_eq!(a.of(Of::User, 3), None);
        assert_eq!((a.up_to(2), a.up_to(7), b.up_to(i64::MAX)), (None, Some(of(&a, 5)), Some(of(&a, 9))));
        a.name(Of::User, 7, 12345);
        b.name(Of::User, 70, 12345);
        assert_eq!(a.of(Of::User, 7), b.of(Of::User, 70));
        assert!(a.is_named(Of::User, 7) && !a.is_named(Of::User, 70));
    }
}
