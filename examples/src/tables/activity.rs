//! Who was there when, and the statistics.

use std::collections::BTreeMap;
use std::io;

use crate::copy::{Rows, Value, at};
use crate::rng::{Domain, Rng};
use crate::time::{DAY, HOUR, NOW};
use crate::world::{Summary, World};

const PROPERTIES: [&str; 9] = [
    "1day_actives::day",
    "7day_actives::day",
    "active_users_audit:is_bot:day",
    "messages_in_stream:is_bot:day",
    "messages_read::hour",
    "messages_sent:client:day",
    "messages_sent:is_bot:hour",
    "messages_sent:message_type:day",
    "realm_active_humans::day",
];

const KINDS: [&str; 3] = ["public_stream", "private_message", "huddle_message"];

pub(super) fn write(world: &World, rows: &mut Rows<'_>) -> io::Result<bool> {
    let mut rng = Rng::new(world.options.seed, Domain::Table, 4);
    let people = || world.users.iter().filter(|user| user.reads());
    match rows.table().name.as_str() {
        "zerver_userpresence" => {
            for (index, user) in people().enumerate() {
                let last = NOW - rng.below(40 * DAY as u64) as i64;
                rows.row(&[
                    ("user_profile_id", user.id.into()),
                    ("realm_id", world.realms[user.realm].id.into()),
                    ("last_update_id", (index as i64 + 1).into()),
                    ("last_connected_time", at(last)),
                    ("last_active_time", if index % 9 == 0 { Value::Null } else { at(last - HOUR / 10) }),
                ])?;
            }
        }
        "zerver_useractivity" => {
            for user in people() {
                for (client, query) in [(2, "send_message_backend"), (2, "update_message_flags"), (9, "get_events")] {
                    rows.row(&[
                        ("user_profile_id", user.id.into()),
                        ("client_id", client.into()),
                        ("query", query.into()),
                        ("count", (1 + rng.below(5000) as i64).into()),
                        ("last_visit", at(NOW - rng.below(30 * DAY as u64) as i64)),
                    ])?;
                }
            }
        }
        "zerver_useractivityinterval" => {
            for user in people() {
                for day in 1..=10 {
                    let start = NOW - day * DAY + rng.below(8 * HOUR as u64) as i64;
                    rows.row(&[("user_profile_id", user.id.into()), ("start", at(start)), ("end", at(start + HOUR))])?;
                }
            }
        }
        "analytics_fillstate" => {
            for property in PROPERTIES {
                rows.row(&[("property", property.into()), ("end_time", at(NOW / DAY * DAY)), ("state", 1.into())])?;
            }
        }
        "analytics_realmcount" => {
            for (realm, property, subgroup, end, value) in realm_counts(world) {
                let mut values = count(&property, Some(subgroup), end, value);
                values.push(("realm_id", world.realms[realm].id.into()));
                rows.row(&values)?;
            }
            for realm in &world.realms[World::MAIN..] {
                for day in 0..30 {
                    let mut values = count("1day_actives::day", None, day_end(day), realm.writers.len() as u64);
                    values.push(("realm_id", realm.id.into()));
                    rows.row(&values)?;
                }
            }
        }
        "analytics_installationcount" => {
            let mut totals: BTreeMap<(String, String, i64), u64> = BTreeMap::new();
            for (_, property, subgroup, end, value) in realm_counts(world) {
                *totals.entry((property, subgroup, end)).or_default() += value;
            }
            for ((property, subgroup, end), value) in totals {
                rows.row(&count(&property, Some(subgroup), end, value))?;
            }
        }
        "analytics_usercount" => {
            for user in people() {
                let written = world.summary.users[user.id as usize - 1].1;
                for day in 0..5 {
                    let value = 1 + (written / 1000).saturating_sub(day as u64);
                    let mut values = count("messages_read::hour", None, day_end(day), value * 3);
                    values.extend([("user_id", user.id.into()), ("realm_id", world.realms[user.realm].id.into())]);
                    rows.row(&values)?;
                }
            }
        }
        "analytics_streamcount" => {
            for stream in &world.streams {
                let written = world.summary.streams[stream.id as usize - 1].1;
                for bot in ["false", "true"] {
                    let property = "messages_in_stream:is_bot:day";
                    let mut values = count(property, Some(bot.to_owned()), day_end(0), 1 + written / 1000);
                    values
                        .extend([("stream_id", stream.id.into()), ("realm_id", world.realms[stream.realm].id.into())]);
                    rows.row(&values)?;
                }
            }
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn day_end(days_ago: i64) -> i64 {
    NOW / DAY * DAY - days_ago * DAY
}

/// Organisation, property, subgroup, end and value of everything that is counted by organisation.
fn realm_counts(world: &World) -> Vec<(usize, String, String, i64, u64)> {
    let mut by_kind: BTreeMap<(usize, u8, i64), u64> = BTreeMap::new();
    let mut by_bot: BTreeMap<(usize, bool, i64), u64> = BTreeMap::new();
    for ((day, realm, kind, bot), value) in &world.summary.days {
        *by_kind.entry((*realm, *kind, *day)).or_default() += value;
        *by_bot.entry((*realm, *bot, *day)).or_default() += value;
    }
    let mut all = Vec::new();
    for ((realm, kind, day), value) in by_kind {
        let property = "messages_sent:message_type:day".to_owned();
        all.push((realm, property, KINDS[usize::from(kind)].to_owned(), Summary::day_end(day), value));
    }
    for ((realm, bot, day), value) in by_bot {
        all.push((realm, "messages_sent:is_bot:hour".to_owned(), bot.to_string(), Summary::day_end(day), value));
    }
    for ((day, realm, client), value) in &world.summary.clients {
        let property = "messages_sent:client:day".to_owned();
        all.push((*realm, property, client.to_string(), Summary::day_end(*day), *value));
    }
    all
}

fn count(property: &str, subgroup: Option<String>, end: i64, value: u64) -> Vec<(&'static str, Value)> {
    vec![
        ("property", property.into()),
        ("subgroup", subgroup.into()),
        ("end_time", at(end)),
        ("value", (value as i64).into()),
    ]
}
