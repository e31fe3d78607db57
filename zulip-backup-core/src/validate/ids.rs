//! Sets of ids in little memory.

use std::collections::BTreeMap;

/// A set of ids: two bytes for each where they are far apart, a bit where they are close together.
///
/// Ids of one organisation's rows are anything from all of a range to one in a thousand, so neither a bitmap nor a list
/// of numbers fits both.
#[derive(Clone, Debug, Default)]
pub(super) struct IdSet {
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
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Whether it has an id.
    pub(super) fn contains(&self, id: i64) -> bool {
        let (high, low) = split(id);
        match self.chunks.get(&high) {
            Some(Chunk::Few(ids)) => ids.binary_search(&low).is_ok(),
            Some(Chunk::Many(bits)) => bits[usize::from(low >> 6)] >> (low & 63) & 1 == 1,
            None => false,
        }
    }

    /// Takes ids in; those that it had already, or that come twice, are told to `duplicate`. Fastest where they are sorted.
    pub(super) fn extend(&mut self, ids: &[i64], mut duplicate: impl FnMut(i64)) {
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
}
