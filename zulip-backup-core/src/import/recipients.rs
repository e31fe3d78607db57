//! Recipients that an export lacks.

use postgres::Client;

use crate::Result;
use crate::ids::Of;
use crate::import::ids::Ids;
use crate::import::sequences;
use crate::postgres::error;
use crate::validate::Facts;

/// The colour a subscription has unless somebody chooses one.
pub(super) const COLOR: &str = "#c2c2c2";

/// Takes ids for those of users who only stand for their messages: Zulip before 10 does not export them, although messages
/// to them are exported.
///
/// # Errors
/// What the database answers.
pub(super) fn reserve(client: &mut Client, ids: &mut Ids, facts: &Facts) -> Result<()> {
    let new = sequences::take(client, "zerver_recipient", facts.bare.len() as u64)?;
    for (place, old) in (0..).zip(facts.bare.keys()) {
        if let Some(new) = new.get(place) {
            ids.name(Of::Recipient, *old, new);
        }
    }
    Ok(())
}

/// Writes them, each with the subscription of its user.
///
/// # Errors
/// What the database answers.
pub(super) fn make(client: &mut Client, facts: &Facts, ids: &Ids) -> Result<()> {
    let known = facts.bare.iter().filter_map(|(&recipient, &user)| {
        let is_active = facts.users.get(&user)?.is_active;
        Some((ids.get(Of::Recipient, recipient)?, ids.get(Of::User, user)?, is_active))
    });
    let (mut recipients, mut users, mut active) = (Vec::new(), Vec::new(), Vec::new());
    for (recipient, user, is_active) in known {
        recipients.push(recipient);
        users.push(user);
        active.push(is_active);
    }
    client
        .execute(
            "WITH new AS (SELECT * FROM unnest($1::int8[], $2::int8[], $3::bool[]) AS n (recipient, person, active)),
                  made AS (INSERT INTO zerver_recipient (id, type, type_id) SELECT recipient, 1, person FROM new)
             INSERT INTO zerver_subscription
                 (user_profile_id, recipient_id, active, is_user_active, is_muted, color, pin_to_top)
             SELECT person, recipient, true, active, false, $4, false FROM new ORDER BY recipient",
            &[&recipients, &users, &active, &COLOR],
        )
        .map_err(|failure| error("write the recipients of users without account", failure))?;
    Ok(())
}
