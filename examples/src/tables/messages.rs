//! Messages, and what is kept about each: the large tables. Their rows are written by hand, column by column.

use std::io;

use zulip_backup_core::schema::Column;

use crate::copy::{Rows, at, escaped, integer};
use crate::rng::{Domain, Rng};
use crate::text::{Body, EMOJI, Parts};
use crate::time::{self, HOUR, SECOND};
use crate::world::{Edit, Head, Target, User, World};

/// One in how many messages gets reactions.
const REACTIONS_EVERY: u64 = 8;

/// One in how many messages quotes an earlier one.
const QUOTES_EVERY: u64 = 9;

pub(super) fn write(world: &World, rows: &mut Rows<'_>) -> io::Result<bool> {
    match rows.table().name.as_str() {
        "zerver_message" => write_messages(world, rows)?,
        "zerver_usermessage" => write_usermessages(world, rows)?,
        "zerver_reaction" => write_reactions(world, rows)?,
        "zerver_submessage" => write_submessages(world, rows)?,
        "zerver_onboardingusermessage" => {
            for number in 0..20.min(world.options.messages) {
                let head = world.head(number);
                rows.row(&[
                    ("realm_id", world.realms[head.realm].id.into()),
                    ("message_id", head.id.into()),
                    ("flags", 2.into()),
                ])?;
            }
        }
        "zerver_missedmessageemailaddress" => recent(world, 7, |head, user, rng| {
            rows.row(&[
                ("message_id", head.id.into()),
                ("user_profile_id", user.into()),
                ("email_token", format!("mm{}", rng.hex(32)).into()),
                ("timestamp", at(head.sent)),
            ])
        })?,
        "zerver_scheduledmessagenotificationemail" => recent(world, 3, |head, user, _| {
            rows.row(&[
                ("message_id", head.id.into()),
                ("user_profile_id", user.into()),
                ("trigger", "private_message".into()),
                ("scheduled_timestamp", at(head.sent + HOUR)),
            ])
        })?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// The last `count` messages with one reader each.
fn recent(world: &World, count: u64, mut write: impl FnMut(&Head, i64, &mut Rng) -> io::Result<()>) -> io::Result<()> {
    let mut audience = Vec::new();
    let mut rng = Rng::new(world.options.seed, Domain::Table, 3);
    for number in world.options.messages.saturating_sub(count)..world.options.messages {
        let head = world.head(number);
        world.audience(&head, &mut audience);
        write(&head, world.users[audience[0] as usize].id, &mut rng)?;
    }
    Ok(())
}

/// Where in `names` each column of the table is. One that is not there ends the program: nothing is known of it.
fn places(rows: &Rows<'_>, names: &[&str]) -> Vec<usize> {
    let table = rows.table();
    let place = |column: &Column| names.iter().position(|name| *name == column.name);
    let places: Option<Vec<usize>> = table.columns.iter().map(place).collect();
    places.unwrap_or_else(|| panic!("{} has other columns than {names:?}", table.name))
}

fn write_messages(world: &World, rows: &mut Rows<'_>) -> io::Result<()> {
    let mut body = Body::default();
    for number in 0..world.options.messages {
        let head = world.head(number);
        let (subject, lexemes) = world.subject(&head);
        let attachment = world.files.of_message(number);
        let mention = head.mention.map(|user| &world.users[user as usize]);
        let image = attachment.is_some_and(|file| file.kind.is_image());
        body.begin(subject, lexemes);
        let mut rng = Rng::new(world.options.seed, Domain::Body, number);
        if head.notice && attachment.is_none() {
            // Somebody works on forty issues at a time, and on none for long.
            let issue = number / 60 + rng.below(40);
            body.notice(&mut rng, world.options.seed, issue);
        } else {
            let parts = Parts {
                mention,
                attachment: attachment.map(|file| (file.name.as_str(), file.path_id.as_str(), image)),
                poll: head.poll,
                quote: quote(world, number, &head),
            };
            body.write(&mut rng, parts);
        }
        let edited = history(world, &head);
        let table = rows.table();
        let out = rows.buffer();
        for (place, column) in table.columns.iter().enumerate() {
            if place > 0 {
                out.push(b'\t');
            }
            match column.name.as_str() {
                "id" => integer(out, head.id),
                "type" | "rendered_content_version" => out.push(b'1'),
                "subject" => escaped(out, subject.as_bytes()),
                "content" => escaped(out, &body.content),
                "rendered_content" => escaped(out, &body.html),
                "date_sent" => time::write(out, head.sent),
                "last_edit_time" => match &edited {
                    Some((edited, _)) => time::write(out, *edited),
                    None => out.extend_from_slice(b"\\N"),
                },
                "edit_history" => match &edited {
                    Some((_, json)) => escaped(out, json.as_bytes()),
                    None => out.extend_from_slice(b"\\N"),
                },
                "has_attachment" => boolean(out, attachment.is_some()),
                "has_image" => boolean(out, image),
                "has_link" => boolean(out, body.has_link),
                "search_tsvector" => escaped(out, &body.lexemes),
                "sender_id" => integer(out, world.users[head.sender as usize].id),
                "sending_client_id" => integer(out, head.client),
                "realm_id" => integer(out, world.realms[head.realm].id),
                "recipient_id" => integer(out, head.recipient),
                "is_channel_message" => boolean(out, matches!(head.target, Target::Stream { .. })),
                other => panic!("zerver_message has a column {other}, which nothing is known of"),
            }
        }
        rows.end_row()?;
    }
    Ok(())
}

fn boolean(out: &mut Vec<u8>, value: bool) {
    out.push(if value { b't' } else { b'f' });
}

/// The message that this one quotes: one of the few before it in the same place.
fn quote<'a>(world: &'a World, number: u64, head: &Head) -> Option<(&'a User, i64, Rng)> {
    if number % QUOTES_EVERY != 3 {
        return None;
    }
    let earlier = (number.saturating_sub(200)..number).rev();
    let mut earlier = earlier.map(|number| (number, world.head(number)));
    let people = |other: &Head| !other.notice && !other.poll && other.sender != World::NOTIFICATION_BOT;
    let (number, quoted) = earlier.find(|(_, other)| other.target == head.target && people(other))?;
    let words = Rng::new(world.options.seed, Domain::Body, number);
    Some((&world.users[quoted.sender as usize], quoted.id, words))
}

/// When the message was last edited, and the JSON of its history.
fn history(world: &World, head: &Head) -> Option<(i64, String)> {
    let edited = head.sent + HOUR;
    let mut entry = serde_json::json!({
        "user_id": world.users[head.sender as usize].id,
        "timestamp": edited / SECOND,
    });
    match (head.edit, head.target) {
        (Edit::Content, _) => {
            entry["prev_content"] = "Frist ünï version \\ with\ttab".into();
            entry["prev_rendered_content"] = "<p>Frist ünï version \\ with\ttab</p>".into();
            entry["prev_rendered_content_version"] = 1.into();
        }
        (Edit::Topic, Target::Stream { stream, topic }) => {
            entry["prev_topic"] = "another topic".into();
            entry["topic"] = world.streams[stream as usize].topics[topic as usize].name.as_str().into();
        }
        (Edit::Moved, Target::Stream { stream, .. }) => {
            entry["prev_stream"] = world.streams[world.realms[head.realm].streams.start].id.into();
            entry["stream"] = world.streams[stream as usize].id.into();
        }
        _ => return None,
    }
    Some((edited, serde_json::Value::Array(vec![entry]).to_string()))
}

/// The bits of `zerver_usermessage.flags` that are used here.
mod flag {
    pub(super) const READ: i64 = 1;
    pub(super) const STARRED: i64 = 2;
    pub(super) const COLLAPSED: i64 = 4;
    pub(super) const MENTIONED: i64 = 8;
    pub(super) const HAS_ALERT_WORD: i64 = 512;
    pub(super) const HISTORICAL: i64 = 1024;
    pub(super) const IS_PRIVATE: i64 = 2048;
    pub(super) const PUSHED: i64 = 4096;
}

fn write_usermessages(world: &World, rows: &mut Rows<'_>) -> io::Result<()> {
    let places = places(rows, &["id", "flags", "message_id", "user_profile_id"]);
    let mut audience = Vec::new();
    let mut id = super::archive::KEPT as i64;
    let unread_from = world.options.messages - world.options.messages / 20;
    for number in 0..world.options.messages {
        let head = world.head(number);
        world.audience(&head, &mut audience);
        // As Zulip inserts them.
        audience.sort_unstable();
        let mut rng = Rng::new(world.options.seed, Domain::Audience, number);
        let base = if matches!(head.target, Target::Stream { .. }) { 0 } else { flag::IS_PRIVATE };
        for user in &audience {
            let bits = rng.u64();
            let mut flags = base;
            if number < unread_from || *user == head.sender || bits.is_multiple_of(4) {
                flags |= flag::READ;
            } else if (bits >> 40).is_multiple_of(16) {
                flags |= flag::PUSHED;
            }
            if head.mention == Some(*user) {
                flags |= flag::MENTIONED;
            }
            flags |= match bits >> 48 & 0x3FF {
                0..5 => flag::STARRED,
                5..8 => flag::HAS_ALERT_WORD,
                8 => flag::COLLAPSED,
                9..12 => flag::HISTORICAL,
                _ => 0,
            };
            id += 1;
            let values = [id, flags, head.id, world.users[*user as usize].id];
            let out = rows.buffer();
            for (column, place) in places.iter().enumerate() {
                if column > 0 {
                    out.push(b'\t');
                }
                integer(out, values[*place]);
            }
            rows.end_row()?;
        }
    }
    Ok(())
}

fn write_reactions(world: &World, rows: &mut Rows<'_>) -> io::Result<()> {
    let custom = crate::files::emoji(world);
    let mut audience = Vec::new();
    // The first is in the archive.
    let mut id = 1;
    for number in (0..world.options.messages).step_by(REACTIONS_EVERY as usize) {
        let head = world.head(number);
        world.audience(&head, &mut audience);
        let mut rng = Rng::new(world.options.seed, Domain::Reaction, number);
        let wanted = 1 + rng.index(3);
        let first = rng.index(EMOJI.len());
        for (index, user) in audience.iter().take(wanted).enumerate() {
            // People join in with the same emoji, or the next one: never one person twice.
            let (name, code) = EMOJI[(first + index / 2) % EMOJI.len()];
            let own = custom.iter().find(|emoji| emoji.realm == head.realm && rng.one_in(200) && !emoji.deactivated);
            let (name, code, kind) = match own {
                Some(emoji) => (emoji.name, emoji.id.to_string(), "realm_emoji"),
                None if number % 1000 == 0 => ("zulip", "zulip".to_owned(), "zulip_extra_emoji"),
                None => (name, code.to_owned(), "unicode_emoji"),
            };
            id += 1;
            rows.row(&[
                ("id", id.into()),
                ("emoji_name", name.into()),
                ("reaction_type", kind.into()),
                ("emoji_code", code.into()),
                ("message_id", head.id.into()),
                ("user_profile_id", world.users[*user as usize].id.into()),
            ])?;
        }
    }
    Ok(())
}

fn write_submessages(world: &World, rows: &mut Rows<'_>) -> io::Result<()> {
    // The first is in the archive.
    let mut id = 1;
    for head in (0..world.options.messages).map(|number| world.head(number)).filter(|head| head.poll) {
        let sender = world.users[head.sender as usize].id;
        for content in [
            r#"{"widget_type": "poll", "extra_data": {"question": "Lunch?", "options": ["Pizza", "Sushi 🍣"]}}"#,
            r#"{"type":"vote","key":"canned,1","vote":1}"#,
        ] {
            id += 1;
            rows.row(&[
                ("id", id.into()),
                ("message_id", head.id.into()),
                ("sender_id", sender.into()),
                ("msg_type", "widget".into()),
                ("content", content.into()),
            ])?;
        }
    }
    Ok(())
}
