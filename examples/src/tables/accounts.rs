//! Users, their settings, and the recipients that stand for them.

use std::io;

use sha2::{Digest, Sha256};

use crate::copy::{Rows, Value, at};
use crate::hex::hex;
use crate::rng::{Domain, Rng};
use crate::time::{DAY, NOW};
use crate::world::{User, UserKind, World};

/// Settings of a person or of new people that are not simply off: what Zulip's defaults are.
const SETTINGS: [(&str, i64); 15] = [
    ("color_scheme", 1),
    ("web_font_size_px", 16),
    ("web_line_height_percent", 140),
    ("demote_inactive_streams", 1),
    ("web_mark_read_on_scroll_policy", 1),
    ("web_channel_default_view", 1),
    ("user_list_style", 2),
    ("web_stream_unreads_count_display_policy", 2),
    ("email_notifications_batching_period_seconds", 120),
    ("desktop_icon_count_display", 1),
    ("realm_name_in_email_notifications_policy", 1),
    ("automatically_follow_topics_policy", 3),
    ("automatically_unmute_topics_in_muted_streams_policy", 2),
    ("email_address_visibility", 3),
    ("enter_sends", 1),
];

/// Settings that are off by default; every other boolean setting is on.
const OFF: [&str; 9] = [
    "enter_sends",
    "left_side_userlist",
    "fluid_layout_width",
    "high_contrast_mode",
    "translate_emoticons",
    "enable_stream_desktop_notifications",
    "enable_stream_email_notifications",
    "enable_stream_push_notifications",
    "hide_ai_features",
];

pub(super) fn write(world: &World, rows: &mut Rows<'_>) -> io::Result<bool> {
    match rows.table().name.as_str() {
        "zerver_userprofile" => {
            for user in &world.users {
                write_user(world, user, rows)?;
            }
        }
        "zerver_realmuserdefault" => {
            for realm in &world.realms {
                let mut values = settings(rows);
                values.push(("realm_id", realm.id.into()));
                rows.row(&values)?;
            }
        }
        "zerver_recipient" => {
            let mut all: Vec<(i64, i64, i64)> = Vec::new();
            if world.release.export.personal_recipients {
                all.extend(world.users.iter().map(|user| (user.recipient, 1, user.id)));
            }
            all.extend(world.streams.iter().map(|stream| (stream.recipient, 2, stream.id)));
            all.extend(world.huddles.iter().map(|huddle| (huddle.recipient, 3, huddle.id)));
            all.sort_unstable();
            for (id, kind, type_id) in all {
                rows.row(&[("id", id.into()), ("type", kind.into()), ("type_id", type_id.into())])?;
            }
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// The settings, for whichever of the two tables has them.
fn settings<'a>(rows: &Rows<'a>) -> Vec<(&'a str, Value)> {
    let mut values: Vec<(&str, Value)> = Vec::new();
    // The settings are the columns that both tables have.
    for column in &rows.table().columns {
        let name = column.name.as_str();
        let setting = name.starts_with("enable_")
            || name.starts_with("send_")
            || name.ends_with("_notify")
            || matches!(
                name,
                "web_escape_navigates_to_home_view"
                    | "display_emoji_reaction_users"
                    | "twenty_four_hour_time"
                    | "starred_message_counts"
                    | "web_suggest_update_timezone"
                    | "web_navigate_to_sent_message"
                    | "pm_content_in_desktop_notifications"
                    | "message_content_in_email_notifications"
                    | "presence_enabled"
                    | "automatically_follow_topics_where_mentioned"
                    | "receives_typing_notifications"
            );
        if setting && column.sql_type == "boolean" {
            values.push((name, (!OFF.contains(&name)).into()));
        } else if let Some((_, value)) = SETTINGS.iter().find(|(setting, _)| *setting == name) {
            let value = if column.sql_type == "boolean" { Value::Bool(*value != 0) } else { Value::Int(*value) };
            values.push((name, value));
        }
    }
    values.extend([
        ("default_language", "en".into()),
        ("web_home_view", "inbox".into()),
        ("web_animate_image_previews", "on_hover".into()),
        ("emojiset", "google".into()),
        ("notification_sound", "zulip".into()),
    ]);
    values
}

fn write_user(world: &World, user: &User, rows: &mut Rows<'_>) -> io::Result<()> {
    let mut rng = Rng::new(world.options.seed, Domain::Table, 2000 + user.id as u64);
    let (last_message, written) = world.summary.users[user.id as usize - 1];
    let human = user.kind == UserKind::Human;
    let mut values = settings(rows);
    let bot_owner = user.is_bot().then(|| match user.realm {
        0 => user.id,
        realm => world.users[world.realms[realm].users.start + (user.id % 4) as usize].id,
    });
    values.extend([
        ("id", user.id.into()),
        ("password", password(&mut rng, human).into()),
        ("last_login", (human && written > 0).then(|| at(NOW - user.id % 30 * DAY)).into()),
        ("realm_id", world.realms[user.realm].id.into()),
        ("recipient_id", user.recipient.into()),
        ("third_party_api_state", r#"{"zoom": {"access_token": "x"}}"#.into()),
        ("email", user.email.as_str().into()),
        ("delivery_email", user.delivery_email.as_str().into()),
        ("full_name", user.name.as_str().into()),
        ("date_joined", at(user.joined)),
        ("tos_version", if human { Value::from("1.0") } else { Value::Null }),
        ("is_active", user.active.into()),
        ("is_bot", user.is_bot().into()),
        ("bot_type", if let UserKind::Bot(kind) = user.kind { Value::Int(kind) } else { Value::Null }),
        ("bot_owner_id", bot_owner.into()),
        ("role", user.role.into()),
        ("long_term_idle", user.idle.into()),
        ("last_active_message_id", if user.idle { last_message.or(Some(1)) } else { last_message }.into()),
        ("is_mirror_dummy", (user.kind == UserKind::MirrorDummy).into()),
        ("api_key", rng.alphanumeric(32).into()),
        ("uuid", rng.uuid().into()),
        ("timezone", ["", "Europe/Berlin", "America/New_York", "Asia/Tokyo"][rng.index(4)].into()),
        ("avatar_source", if user.avatar.is_some() { "U" } else { "G" }.into()),
        ("avatar_version", user.avatar.unwrap_or(1).into()),
        ("tutorial_status", "F".into()),
        ("onboarding_steps", "[]".into()),
        ("allow_private_data_export", (human && user.id % 3 != 0).into()),
    ]);
    rows.row(&values)
}

/// A password as Django stores it, or as it stores that there is none.
fn password(rng: &mut Rng, human: bool) -> String {
    if human {
        let salt = rng.alphanumeric(22);
        let digest = hex(&Sha256::digest(&salt));
        format!("argon2$argon2i$v=19$m=8,t=1,p=1${salt}${}", &digest[..43])
    } else {
        format!("!{}", rng.alphanumeric(40))
    }
}
