//! Messages, and what is kept about each: the large tables. Their rows are written by hand, column by column.

use std::io;

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

/// The columns of `zerver_message` in the order in which [`write_messages`] writes them.
const MESSAGE: [&str; 18] = [
    "id",
    "type",
    "subject",
    "content",
    "rendered_content",
    "rendered_content_version",
    "date_sent",
    "last_edit_time",
    "edit_history",
    "has_attachment",
    "has_image",
    "has_link",
    "search_tsvector",
    "sender_id",
    "sending_client_id",
    "realm_id",
    "recipient_id",
    "is_channel_message",
];

/// Ends the program when a table is not as the code that writes its rows by hand believes.
fn assert_columns(rows: &Rows<'_>, columns: &[&str]) {
    let actual: Vec<&str> = rows.table().columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(actual, columns, "the columns of {}", rows.table().name);
}

fn write_messages(world: &World, rows: &mut Rows<'_>) -> io::Result<()> {
    assert_columns(rows, &MESSAGE);
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
        let out = rows.buffer();
        integer(out, head.id);
        out.extend_from_slice(b"\t1\t");
        escaped(out, subject.as_bytes());
        out.push(b'\t');
        escaped(out, &body.content);
        out.push(b'\t');
        escaped(out, &body.html);
        out.extend_from_slice(b"\t1\t");
        time::write(out, head.sent);
        out.push(b'\t');
        match history(world, &head) {
            Some((edited, json)) => {
                time::write(out, edited);
                out.push(b'\t');
                escaped(out, json.as_bytes());
            }
            None => out.extend_from_slice(b"\\N\t\\N"),
        }
        for flag in [attachment.is_some(), image, body.has_link] {
            out.extend_from_slice(if flag { b"\tt" } else { b"\tf" });
        }
        out.push(b'\t');
        escaped(out, &body.lexemes);
        let ids = [world.users[head.sender as usize].id, head.client, world.realms[head.realm].id, head.recipient];
        for id in ids {
            out.push(b'\t');
            integer(out, id);
        }
        let channel = matches!(head.target, Target::Stream { .. });
        out.extend_from_slice(if channel { b"\tt" } else { b"\tf" });
        rows.end_row()?;
    }
    Ok(())
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
    assert_columns(rows, &["id", "flags", "message_id", "user_profile_id"]);
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
            let out = rows.buffer();
            integer(out, id);
            for value in [flags, head.id, world.users[*user as usize].id] {
                out.push(b'\t');
                integer(out, value);
            }
            rows.end_row()?;
        }
    }
    Ok(())
}

fn write_reactions(world: &World, rows: &mut Rows<'_>) -> io::Result<()> {
    assert_columns(rows, &["id", "emoji_name", "reaction_type", "emoji_code", "message_id", "user_profile_id"]);
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
            let out = rows.buffer();
            integer(out, id);
            for value in [name, kind, code.as_str()] {
                out.push(b'\t');
                out.extend_from_slice(value.as_bytes());
            }
            for value in [head.id, world.users[*user as usize].id] {
                out.push(b'\t');
                integer(out, value);
            }
            rows.end_row()?;
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
