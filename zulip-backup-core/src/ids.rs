//! Sets of ids in little memory, and new ids for old ones.

mod of;

use std::collections::BTreeMap;
use std::ops::Range;

pub(crate) use of::Of;

/// A set of ids: two bytes for each where they are far apart, a bit where they are close together.
///
/// Ids of one organisation's rows are anything from all of a range to one in a thousand, so neither a bitmap nor a list
/// of numbers fits both.
#[derive(Clone, Debug, Default)]
pub(crate) struct IdSet {
    /// By the upper bits.
    chunks: BTreeMap<i64, Chunk>,
    len: u64,
}

/// Ids that share all but their lowest 16 bits.
#[derive(Clone, Debug)]
enum Chunk {
    /// The low bits, sorted.
    Few(Vec<u16>),
    /// A bit for each.
    Many(Box<[u64; 1024]>),
}

/// From here on a bitmap is smaller.
const FEW: usize = 4096;

fn split(id: i64) -> (i64, u16) {
    (id >> 16, u16::from_le_bytes([id.to_le_bytes()[0], id.to_le_bytes()[1]]))
}

impl IdSet {
    /// How many ids it has.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Whether it has an id.
    pub(crate) fn contains(&self, id: i64) -> bool {
        let (high, low) = split(id);
        match self.chunks.get(&high) {
            Some(Chunk::Few(ids)) => ids.binary_search(&low).is_ok(),
            Some(Chunk::Many(bits)) => bits[usize::from(low >> 6)] >> (low & 63) & 1 == 1,
            None => false,
        }
    }

    /// Its ids in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = i64> {
        self.chunks.iter().flat_map(|(high, chunk)| chunk.ids().into_iter().map(move |low| high << 16 | i64::from(low)))
    }

    /// Takes ids in; those that it had already, or that come twice, are told to `duplicate`. Fastest where they are sorted.
    pub(crate) fn extend(&mut self, ids: &[i64], mut duplicate: impl FnMut(i64)) {
        let mut sorted = Vec::new();
        let ids = if ids.is_sorted() {
            ids
        } else {
            sorted.extend_from_slice(ids);
            sorted.sort_unstable();
            &sorted
        };
        for group in ids.chunk_by(|a, b| a >> 16 == b >> 16) {
            let Some(&first) = group.first() else { continue };
            let chunk = self.chunks.entry(first >> 16).or_insert_with(|| Chunk::Few(Vec::new()));
            self.len += chunk.extend(group, &mut duplicate);
        }
    }
}

impl FromIterator<i64> for IdSet {
    fn from_iter<I: IntoIterator<Item = i64>>(ids: I) -> Self {
        let ids: Vec<i64> = ids.into_iter().collect();
        let mut set = Self::default();
        set.extend(&ids, |_| {});
        set
    }
}

impl Chunk {
    /// The low bits of its ids, in order.
    fn ids(&self) -> Vec<u16> {
        match self {
            Self::Few(ids) => ids.clone(),
            Self::Many(bits) => {
                (0..=u16::MAX).filter(|low| bits[usize::from(low >> 6)] >> (low & 63) & 1 == 1).collect()
            }
        }
    }

    /// Takes sorted ids of this chunk in; how many were new.
    fn extend(&mut self, group: &[i64], duplicate: &mut impl FnMut(i64)) -> u64 {
        if let Self::Few(few) = self
            && few.len() + group.len() > FEW
        {
            let mut bits = Box::new([0; 1024]);
            for &low in few.iter() {
                bits[usize::from(low >> 6)] |= 1 << (low & 63);
            }
            *self = Self::Many(bits);
        }
        let mut new = 0;
        match self {
            Self::Many(bits) => {
                for &id in group {
                    let (_, low) = split(id);
                    let (word, bit) = (&mut bits[usize::from(low >> 6)], 1 << (low & 63));
                    if *word & bit == 0 {
                        *word |= bit;
                        new += 1;
                    } else {
                        duplicate(id);
                    }
                }
            }
            Self::Few(few) => {
                let before = few.len();
                let old_last = few.last().copied();
                for &id in group {
                    let (_, low) = split(id);
                    // What is there already is sorted; so is what was added behind it.
                    let known = few[..before].binary_search(&low).is_ok() || few[before..].last() == Some(&low);
                    if known {
                        duplicate(id);
                    } else {
                        few.push(low);
                        new += 1;
                    }
                }
                if few.get(before).is_some_and(|&first| old_last.is_some_and(|last| first < last)) {
                    few.sort_unstable();
                }
            }
        }
        new
    }
}

/// A set of ids that says of each how many smaller ones there are.
#[derive(Debug, Default)]
pub(crate) struct IdIndex {
    chunks: Vec<Indexed>,
    len: u64,
}

/// A chunk, and how many ids come before it.
#[derive(Debug)]
struct Indexed {
    high: i64,
    before: u64,
    chunk: Chunk,
    /// Of a bitmap how many ids come before each word in it.
    words: Vec<u16>,
}

impl From<IdSet> for IdIndex {
    fn from(set: IdSet) -> Self {
        let mut chunks = Vec::with_capacity(set.chunks.len());
        let mut before = 0;
        for (high, chunk) in set.chunks {
            let mut words = Vec::new();
            let count = match &chunk {
                Chunk::Few(ids) => ids.len() as u64,
                Chunk::Many(bits) => {
                    let mut count: u32 = 0;
                    for word in bits.iter() {
                        // Of 65,536 ids at most 65,535 come before a word: the last word has one at least.
                        words.push(u16::try_from(count).unwrap_or(u16::MAX));
                        count += word.count_ones();
                    }
                    u64::from(count)
                }
            };
            chunks.push(Indexed { high, before, chunk, words });
            before += count;
        }
        Self { chunks, len: set.len }
    }
}

impl IdIndex {
    /// How many smaller ids it has than this one, which it has as well.
    pub(crate) fn rank(&self, id: i64) -> Option<u64> {
        let (high, low) = split(id);
        let at = self.chunks.binary_search_by_key(&high, |indexed| indexed.high).ok()?;
        let Indexed { before, chunk, words, .. } = self.chunks.get(at)?;
        let within = match chunk {
            Chunk::Few(ids) => ids.binary_search(&low).ok()? as u64,
            Chunk::Many(bits) => {
                let (word, bit) = (usize::from(low >> 6), low & 63);
                if bits[word] >> bit & 1 == 0 {
                    return None;
                }
                u64::from(words[word]) + u64::from((bits[word] & ((1 << bit) - 1)).count_ones())
            }
        };
        Some(before + within)
    }

    /// How many ids it has that are not larger than this one.
    pub(crate) fn up_to(&self, id: i64) -> u64 {
        let (high, low) = split(id);
        let at = self.chunks.partition_point(|indexed| indexed.high < high);
        let Some(Indexed { before, chunk, words, .. }) = self.chunks.get(at) else { return self.len };
        if self.chunks[at].high > high {
            return *before;
        }
        before
            + match chunk {
                Chunk::Few(ids) => ids.partition_point(|&other| other <= low) as u64,
                Chunk::Many(bits) => {
                    let (word, bit) = (usize::from(low >> 6), low & 63);
                    u64::from(words[word]) + u64::from((bits[word] & (u64::MAX >> (63 - bit))).count_ones())
                }
            }
    }
}

/// Numbers that follow each other with few gaps, by their places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Numbers {
    /// The place of the first number of each stretch, and that number.
    stretches: Vec<(u64, i64)>,
    len: u64,
}

impl Numbers {
    /// How many there are.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Adds numbers behind the others.
    pub(crate) fn push(&mut self, range: Range<i64>) {
        let Ok(count @ 1..) = u64::try_from(range.end - range.start) else { return };
        let follows = self.stretches.last().is_some_and(|&(place, first)| {
            i64::try_from(self.len - place).is_ok_and(|count| first + count == range.start)
        });
        if !follows {
            self.stretches.push((self.len, range.start));
        }
        self.len += count;
    }

    /// Stretches without gaps.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = Range<i64>> {
        let ends = self.stretches.iter().skip(1).map(|(place, _)| *place).chain([self.len]);
        self.stretches
            .iter()
            .zip(ends)
            .map(|(&(place, first), end)| first..first.saturating_add(i64::try_from(end - place).unwrap_or(i64::MAX)))
    }

    /// The number at a place.
    pub(crate) fn get(&self, place: u64) -> Option<i64> {
        if place >= self.len {
            return None;
        }
        let at = self.stretches.partition_point(|&(first, _)| first <= place).checked_sub(1)?;
        let (start, number) = self.stretches.get(at)?;
        Some(number + i64::try_from(place - start).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand_xoshiro::Xoshiro256PlusPlus;
    use rand_xoshiro::rand_core::{Rng, SeedableRng};

    use super::*;

    #[test]
    fn it_is_a_set() {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
        for range in [300, 70_000, 1 << 20, i64::MAX] {
            let (mut set, mut model) = (IdSet::default(), BTreeSet::new());
            for _ in 0..20 {
                let mut batch: Vec<i64> = (0..random.next_u64() % 900)
                    .map(|_| i64::try_from(random.next_u64() >> 1).unwrap() % range - range / 3)
                    .collect();
                if random.next_u64() % 2 == 0 {
                    batch.sort_unstable();
                }
                let mut duplicates = Vec::new();
                set.extend(&batch, |id| duplicates.push(id));
                let mut expected: Vec<i64> = batch.iter().copied().filter(|&id| !model.insert(id)).collect();
                duplicates.sort_unstable();
                expected.sort_unstable();
                assert_eq!(duplicates, expected);
                assert_eq!(set.len(), model.len() as u64);
            }
            assert!(model.iter().all(|&id| set.contains(id)));
            assert!((0..1000).all(|id| set.contains(id) == model.contains(&id)));
            assert!(!set.contains(i64::MIN));
        }
    }

    #[test]
    fn an_index_counts_what_is_smaller() {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(2);
        for (count, range) in [(0, 1), (1, 9), (3000, 1 << 20), (60_000, 70_000), (65_536 * 3, 65_536 * 3)] {
            let ids: BTreeSet<i64> = if count == range {
                (0..range).collect()
            } else {
                (0..count).map(|_| i64::try_from(random.next_u64() >> 1).unwrap() % range - range / 3).collect()
            };
            let index = IdIndex::from(ids.iter().copied().collect::<IdSet>());
            assert!(ids.iter().copied().collect::<IdSet>().iter().eq(ids.iter().copied()));
            for (rank, &id) in ids.iter().enumerate() {
                assert_eq!((index.rank(id), index.up_to(id)), (Some(rank as u64), rank as u64 + 1));
                if !ids.contains(&(id + 1)) {
                    assert_eq!((index.rank(id + 1), index.up_to(id + 1)), (None, rank as u64 + 1));
                }
            }
            assert_eq!((index.up_to(i64::MIN), index.up_to(i64::MAX)), (0, ids.len() as u64));
        }
    }

    #[test]
    fn numbers_are_kept_by_their_stretches() {
        let mut numbers = Numbers::default();
        for range in [5..8, 8..9, 20..20, 20..22, 100..101] {
            numbers.push(range);
        }
        assert_eq!(numbers.stretches, [(0, 5), (4, 20), (6, 100)]);
        let all: Vec<i64> = (0..numbers.len()).map(|place| numbers.get(place).unwrap()).collect();
        assert_eq!(all, [5, 6, 7, 8, 20, 21, 100]);
        assert_eq!(numbers.ranges().flatten().collect::<Vec<_>>(), all);
        assert_eq!(numbers.get(7), None);
    }
}
