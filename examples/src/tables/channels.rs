//! Channels, subscriptions, groups of direct messages, topics people follow.

use std::io;

use sha1::{Digest, Sha1};

use crate::copy::{Rows, Value, at};
use crate::hex::hex;
use crate::rng::{Domain, Rng};
use crate::text;
use crate::time::{BEGIN, DAY, NOW};
use crate::world::{Realm, Role, Stream, StreamKind, User, World};

const COLORS: [&str; 6] = ["#76ce90", "#fae589", "#a6c7e5", "#e79ab5", "#bfd56f", "#f4ae55"];

pub(super) fn write(world: &World, rows: &mut Rows<'_>) -> io::Result<bool> {
    let mut rng = Rng::new(world.options.seed, Domain::Table, 2);
    match rows.table().name.as_str() {
        "zerver_stream" => {
            for stream in &world.streams {
                write_stream(world, stream, &mut rng, rows)?;
            }
        }
        "zerver_subscription" => write_subscriptions(world, &mut rng, rows)?,
        "zerver_channelfolder" => {
            for realm in people_realms(world) {
                rows.row(&[
                    ("id", realm.id.into()),
                    ("realm_id", realm.id.into()),
                    ("name", "Projects ✨".into()),
                    ("description", "All *projects*".into()),
                    ("rendered_description", "<p>All <em>projects</em></p>".into()),
                    ("date_created", at(BEGIN + 50 * DAY)),
                    ("creator_id", world.users[realm.users.start].id.into()),
                ])?;
            }
        }
        "zerver_huddle" => {
            for huddle in &world.huddles {
                let ids = huddle.members.iter().map(|user| world.users[*user as usize].id).collect();
                rows.row(&[
                    ("huddle_hash", huddle_hash(ids).into()),
                    ("recipient_id", huddle.recipient.into()),
                    ("group_size", (huddle.members.len() as i64).into()),
                ])?;
            }
        }
        "zerver_defaultstream" => {
            for (index, realm) in people_realms(world).enumerate() {
                for stream in &world.streams[realm.streams.clone()][..2] {
                    let id = index as i64 * 2 + 1 + i64::from(stream.id != world.streams[realm.streams.start].id);
                    rows.row(&[("id", id.into()), ("realm_id", realm.id.into()), ("stream_id", stream.id.into())])?;
                }
            }
        }
        "zerver_defaultstreamgroup" => {
            for realm in people_realms(world) {
                rows.row(&[
                    ("realm_id", realm.id.into()),
                    ("name", "newcomers".into()),
                    ("description", "For newcomers".into()),
                ])?;
            }
        }
        "zerver_defaultstreamgroup_streams" => {
            for (index, realm) in people_realms(world).enumerate() {
                let stream = &world.streams[realm.streams.start + 4];
                rows.row(&[("defaultstreamgroup_id", (index as i64 + 1).into()), ("stream_id", stream.id.into())])?;
            }
        }
        "zerver_channelemailaddress" => {
            for stream in world.streams.iter().step_by(3) {
                let creator = world.users[stream.members[0] as usize].id;
                rows.row(&[
                    ("realm_id", world.realms[stream.realm].id.into()),
                    ("channel_id", stream.id.into()),
                    ("creator_id", creator.into()),
                    ("sender_id", creator.into()),
                    ("email_token", rng.hex(32).into()),
                    ("date_created", at(BEGIN + 40 * DAY)),
                ])?;
            }
        }
        "zerver_usertopic" => {
            for stream in &world.streams {
                for (index, user) in stream.members.iter().enumerate() {
                    let topic = &stream.topics[index % stream.topics.len()];
                    rows.row(&[
                        ("stream_id", stream.id.into()),
                        ("recipient_id", stream.recipient.into()),
                        ("user_profile_id", world.users[*user as usize].id.into()),
                        ("topic_name", topic.name.as_str().into()),
                        ("last_updated", at(NOW - index as i64 * DAY)),
                        ("visibility_policy", (1 + index as i64 % 3).into()),
                    ])?;
                }
            }
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn people_realms(world: &World) -> impl Iterator<Item = &Realm> {
    world.realms[World::MAIN..].iter()
}

/// SHA-1 over the members' ids in numerical order, joined by commas.
fn huddle_hash(mut ids: Vec<i64>) -> String {
    ids.sort_unstable();
    let text = ids.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
    hex(&Sha1::digest(text))
}

fn write_stream(world: &World, stream: &Stream, rng: &mut Rng, rows: &mut Rows<'_>) -> io::Result<()> {
    let realm = &world.realms[stream.realm];
    let nobody = realm.group(Role::Nobody);
    let description = text::sentence(rng, 8);
    let sender = if stream.name == "announce" { Role::Administrators } else { Role::Everyone };
    let private = matches!(stream.kind, StreamKind::Private | StreamKind::PrivateSharedHistory);
    let mut values: Vec<(&str, Value)> = vec![
        ("id", stream.id.into()),
        ("name", stream.name.as_str().into()),
        ("realm_id", realm.id.into()),
        ("date_created", at(BEGIN)),
        ("creator_id", stream.creator.map(|user| world.users[user as usize].id).into()),
        ("deactivated", (stream.kind == StreamKind::Archived).into()),
        ("rendered_description", format!("<p>{description}</p>").into()),
        ("description", description.into()),
        ("recipient_id", stream.recipient.into()),
        ("invite_only", private.into()),
        ("history_public_to_subscribers", (stream.kind != StreamKind::Private).into()),
        ("stream_post_policy", if sender == Role::Everyone { 1 } else { 2 }.into()),
        ("email_token", Rng::new(world.options.seed, Domain::Table, 5000 + stream.id as u64).hex(32).into()),
        ("is_web_public", (stream.kind == StreamKind::WebPublic).into()),
        ("is_recently_active", true.into()),
        ("message_retention_days", (stream.id % 17 == 0).then_some(365).into()),
        ("first_message_id", world.summary.streams[stream.id as usize - 1].0.into()),
        ("can_add_subscribers_group_id", nobody.into()),
        ("can_administer_channel_group_id", world.stream_admin_group(stream).unwrap_or(nobody).into()),
        ("can_remove_subscribers_group_id", realm.group(Role::Administrators).into()),
        ("can_send_message_group_id", realm.group(sender).into()),
        ("can_subscribe_group_id", nobody.into()),
        ("can_create_topic_group_id", realm.group(Role::Everyone).into()),
        ("folder_id", folder_of(world, stream).into()),
        ("topics_policy", 1.into()),
        ("subscriber_count", (stream.members.len() as i64).into()),
    ];
    // What is not said here is nobody's to do.
    let settings = rows.table().foreign_keys.iter().filter(|key| key.references == "zerver_usergroup");
    values.splice(0..0, settings.map(|key| (key.column.as_str(), nobody.into())));
    rows.row(&values)
}

/// Some channels are in the folder of their organisation.
fn folder_of(world: &World, stream: &Stream) -> Option<i64> {
    (stream.id % 3 == 0).then(|| world.realms[stream.realm].id)
}

fn write_subscriptions(world: &World, rng: &mut Rng, rows: &mut Rows<'_>) -> io::Result<()> {
    let mut subscribe = |user: &User, recipient: i64, channel: bool, active: bool| {
        let odd = channel && rng.one_in(20);
        rows.row(&[
            ("user_profile_id", user.id.into()),
            ("recipient_id", recipient.into()),
            ("active", active.into()),
            ("is_user_active", user.active.into()),
            ("is_muted", (channel && rng.one_in(15)).into()),
            ("color", if channel { *rng.pick(&COLORS) } else { "#c2c2c2" }.into()),
            ("pin_to_top", (channel && rng.one_in(12)).into()),
            ("push_notifications", if odd { Value::Bool(true) } else { Value::Null }),
            ("wildcard_mentions_notify", if odd { Value::Bool(false) } else { Value::Null }),
        ])
    };
    if world.release.export.personal_recipients {
        for user in &world.users {
            subscribe(user, user.recipient, false, true)?;
        }
    }
    for stream in &world.streams {
        for index in &stream.members {
            subscribe(&world.users[*index as usize], stream.recipient, true, true)?;
        }
        for (number, index) in stream.idle_members.iter().enumerate() {
            // Some have left: the row stays.
            subscribe(&world.users[*index as usize], stream.recipient, true, number % 5 != 4)?;
        }
    }
    for huddle in &world.huddles {
        for index in &huddle.members {
            subscribe(&world.users[*index as usize], huddle.recipient, false, true)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_group_is_named_as_upstream_names_it() {
        // A group of a real server.
        let hash = super::huddle_hash(vec![50, 25, 41]);
        assert_eq!(hash, "9a41ea11e91424ae9f89048bb32f2f430ad54244");
    }
}
