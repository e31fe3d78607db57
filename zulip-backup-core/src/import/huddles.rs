//! Groups of direct messages: `zerver_huddle`.

use std::collections::HashMap;

use postgres::Client;
use sha1::{Digest as _, Sha1};

use crate::Result;
use crate::ids::Of;
use crate::import::ids::Ids;
use crate::postgres::{column, error};
use crate::validate::Facts;

/// What tells each group from all others, by the groups' old ids: its members, by their new ids.
pub(super) fn hashes(facts: &Facts, ids: &Ids) -> HashMap<i64, String> {
    let new = |members: Vec<i64>| {
        let mut new: Vec<i64> = members.into_iter().filter_map(|old| ids.get(Of::User, old)).collect();
        new.sort_unstable();
        hash(&new)
    };
    facts.group_members().into_iter().map(|(group, members)| (group, new(members))).collect()
}

/// `zerver_huddle.huddle_hash` of members in order: SHA-1 of their ids with commas between.
fn hash(members: &[i64]) -> String {
    let text: Vec<String> = members.iter().map(ToString::to_string).collect();
    Sha1::digest(text.join(",")).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Groups that were written and whose hash is not of their members.
///
/// # Errors
/// What the database answers.
pub(super) fn wrong(client: &mut Client, ids: &Ids, facts: &Facts) -> Result<Vec<(i64, String)>> {
    let new: Vec<i64> = facts.groups.keys().filter_map(|old| ids.get(Of::Huddle, *old)).collect();
    let rows = client
        .query(
            "SELECT h.id::int8, h.huddle_hash::text, array_agg(DISTINCT s.user_profile_id::int8 ORDER BY s.user_profile_id::int8)
             FROM zerver_huddle h LEFT JOIN zerver_subscription s ON s.recipient_id = h.recipient_id
             WHERE h.id = ANY ($1::int8[]) GROUP BY h.id",
            &[&new],
        )
        .map_err(|failure| error("check the groups of direct messages", failure))?;
    let mut found = Vec::new();
    for row in &rows {
        let members: Vec<Option<i64>> = column(row, 2)?;
        let written: String = column(row, 1)?;
        if hash(&members.into_iter().flatten().collect::<Vec<_>>()) != written {
            found.push((column(row, 0)?, written));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_groups_hash_is_of_numbers_in_order() {
        // printf 9,10,100 | sha1sum
        assert_eq!(hash(&[9, 10, 100]), "49b9a1aae10e83169777d5fd541ca1bafca90ad6");
    }
}
