//! New ids for old ones.

use std::collections::HashMap;
use std::ops::Range;

use postgres::Client;

use crate::Result;
use crate::ids::{IdIndex, IdSet, Numbers, Of};
use crate::import::sequences;

/// The new ids of one table's rows, in the order of the old ones.
#[derive(Debug, Default)]
struct IdMap {
    old: IdIndex,
    /// Where the new order is another: the place of each old id.
    places: Option<Box<[u32]>>,
    new: Numbers,
}

impl IdMap {
    fn get(&self, old: i64) -> Option<i64> {
        let rank = self.old.rank(old)?;
        let place = match &self.places {
            Some(places) => u64::from(*places.get(usize::try_from(rank).ok()?)?),
            None => rank,
        };
        self.new.get(place)
    }
}

/// New ids for old ones, for all tables. Memory: two bytes for each, at most, where they are close together.
#[derive(Debug, Default)]
pub(super) struct Ids {
    maps: [IdMap; Of::COUNT],
    /// What the export names and has no row of, by its ids: bots that all organisations share, clients.
    named: [HashMap<i64, i64>; Of::COUNT],
}

impl Ids {
    /// Takes new ids for the old ones from the table's sequence.
    /// They are given in the order of the old ones, or in this one.
    pub(super) fn reserve(&mut self, client: &mut Client, of: Of, old: IdSet, order: Option<&Vec<i64>>) -> Result<()> {
        let new = sequences::take(client, of.table(), old.len())?;
        let old = IdIndex::from(old);
        let places = order.map(|order| {
            let mut places = vec![0; order.len()].into_boxed_slice();
            for (place, id) in order.iter().enumerate() {
                let rank = old.rank(*id).and_then(|rank| usize::try_from(rank).ok());
                if let (Some(rank), Ok(place)) = (rank, u32::try_from(place)) {
                    places[rank] = place;
                }
            }
            places
        });
        self.maps[of as usize] = IdMap { old, places, new };
        Ok(())
    }

    /// Names a row that the export does not have: one that is on this server already, or is made.
    pub(super) fn name(&mut self, of: Of, old: i64, new: i64) {
        self.named[of as usize].insert(old, new);
    }

    /// The new id for an old one.
    pub(super) fn get(&self, of: Of, old: i64) -> Option<i64> {
        self.maps[of as usize].get(old).or_else(|| self.named[of as usize].get(&old).copied())
    }

    /// Whether an old id is of a row that the export does not have.
    pub(super) fn is_named(&self, of: Of, old: i64) -> bool {
        self.named[of as usize].contains_key(&old)
    }

    /// The smallest and the largest new id; `None` where there is none.
    pub(super) fn range(&self, of: Of) -> Option<(i64, i64)> {
        let new = &self.maps[of as usize].new;
        Some((new.get(0)?, new.get(new.len().checked_sub(1)?)?))
    }

    /// All new ids, in stretches without gaps.
    pub(super) fn ranges(&self, of: Of) -> impl Iterator<Item = Range<i64>> {
        self.maps[of as usize].new.ranges()
    }

    /// The new id of the newest message that is not newer than an old one. Of an export that has not all messages this
    /// is what is left of "up to here". Older than all: the number before the first.
    pub(super) fn message_up_to(&self, old: i64) -> i64 {
        let map = &self.maps[Of::Message as usize];
        match map.old.up_to(old).checked_sub(1) {
            Some(rank) => {
                let place = map.places.as_ref().and_then(|places| places.get(usize::try_from(rank).ok()?));
                map.new.get(place.map_or(rank, |place| u64::from(*place))).unwrap_or(0)
            }
            None => map.new.get(0).map_or(0, |first| first - 1),
        }
    }
}
