//! What people keep for themselves: drafts, snippets, alert words, mutes, statuses, profile fields, bots' data.

use std::io;

use crate::copy::{Rows, Value, at};
use crate::rng::{Domain, Rng};
use crate::text;
use crate::text::EMOJI;
use crate::time::{DAY, HOUR, NOW};
use crate::world::{User, UserKind, World};

/// Custom profile fields of the main organisation: name, type, data. Type 6 holds user ids.
pub(super) const PROFILE_FIELDS: [(&str, i64, &str); 8] = [
    ("Phone number", 1, ""),
    ("Biography", 2, ""),
    ("Favorite food", 3, r#"{"0":{"text":"Sushi 🍣","order":"1"},"1":{"text":"Bread","order":"2"}}"#),
    ("Birthday", 4, ""),
    ("Home page", 5, ""),
    ("Mentor", 6, ""),
    ("GitHub", 7, r#"{"subtype":"github"}"#),
    ("Pronouns", 8, ""),
];

const STEPS: [&str; 4] =
    ["intro_inbox_view_modal", "intro_recent_view_modal", "navigation_tour_video", "visibility_policy_banner"];

pub(super) fn write(world: &World, rows: &mut Rows<'_>) -> io::Result<bool> {
    let main = &world.realms[World::MAIN];
    let mut rng = Rng::new(world.options.seed, Domain::Table, 1);
    let people = || world.users.iter().filter(|user| user.reads());
    match rows.table().name.as_str() {
        "zerver_draft" => {
            for user in people().step_by(3) {
                let stream = &world.streams[world.realms[user.realm].streams.start];
                let unaddressed = user.id % 4 == 0;
                rows.row(&[
                    ("user_profile_id", user.id.into()),
                    ("recipient_id", (!unaddressed).then_some(stream.recipient).into()),
                    ("topic", if unaddressed { "" } else { "plans" }.into()),
                    ("content", text::sentence(&mut rng, 12).into()),
                    ("last_edit_time", at(NOW - user.id % 100 * HOUR)),
                ])?;
            }
        }
        "zerver_navigationview" => {
            for user in people().step_by(5) {
                rows.row(&[
                    ("user_id", user.id.into()),
                    ("fragment", "narrow/is/starred".into()),
                    ("is_pinned", true.into()),
                ])?;
            }
        }
        "zerver_externalauthid" => {
            for user in people().step_by(6) {
                rows.row(&[
                    ("user_id", user.id.into()),
                    ("realm_id", world.realms[user.realm].id.into()),
                    ("date_created", at(user.joined)),
                    ("external_auth_method_name", "SCIM".into()),
                    ("external_auth_id", format!("person-{}", user.id).into()),
                ])?;
            }
        }
        "zerver_savedsnippet" => {
            for user in people().step_by(4) {
                let mut values = owned(world, user);
                values.extend([
                    ("title", "Long answer ✨".into()),
                    ("content", format!("Hello **there** :wave:\n\n{}", text::sentence(&mut rng, 30)).into()),
                    ("date_created", at(NOW - 9 * DAY)),
                ]);
                rows.row(&values)?;
            }
        }
        "zerver_alertword" => {
            for user in people() {
                for word in ["deploy", "日本語"].into_iter().take((user.id % 3) as usize) {
                    let mut values = owned(world, user);
                    values.push(("word", word.into()));
                    rows.row(&values)?;
                }
            }
        }
        "zerver_muteduser" => {
            for pair in main.writers.chunks_exact(2).step_by(5) {
                rows.row(&[
                    ("user_profile_id", world.users[pair[0] as usize].id.into()),
                    ("muted_user_id", world.users[pair[1] as usize].id.into()),
                    ("date_muted", at(NOW - 50 * DAY)),
                ])?;
            }
        }
        "zerver_userstatus" => {
            for user in people().step_by(4) {
                let (name, code) = *rng.pick(&EMOJI);
                rows.row(&[
                    ("user_profile_id", user.id.into()),
                    ("timestamp", at(NOW - DAY)),
                    ("client_id", 2.into()),
                    ("status_text", "out of office, bäck soon".into()),
                    ("emoji_name", name.into()),
                    ("emoji_code", code.into()),
                    ("reaction_type", "unicode_emoji".into()),
                ])?;
            }
        }
        "zerver_onboardingstep" => {
            let mut id = 0;
            for user in people() {
                for step in STEPS.into_iter().take(1 + (user.id % 4) as usize) {
                    id += 1;
                    rows.row(&[
                        ("id", id.into()),
                        ("user_id", user.id.into()),
                        ("onboarding_step", step.into()),
                        ("timestamp", at(user.joined + HOUR)),
                    ])?;
                }
            }
        }
        "zerver_customprofilefieldvalue" => {
            for user in people().filter(|user| user.realm == World::MAIN) {
                for (field, (_, kind, _)) in PROFILE_FIELDS.iter().enumerate() {
                    if (user.id + *kind) % 2 == 0 {
                        continue;
                    }
                    let rendered = (*kind == 2).then_some("<p>Writes <strong>code</strong></p>");
                    rows.row(&[
                        ("user_profile_id", user.id.into()),
                        ("field_id", (field as i64 + 1).into()),
                        ("value", profile_value(*kind, world, &mut rng).into()),
                        ("rendered_value", rendered.into()),
                    ])?;
                }
            }
        }
        "zerver_pushdevicetoken" => {
            for user in people().step_by(2) {
                let apple = user.id % 3 == 0;
                rows.row(&[
                    ("user_id", user.id.into()),
                    ("kind", if apple { 1 } else { 2 }.into()),
                    ("token", rng.hex(64).into()),
                    ("ios_app_id", apple.then_some("org.zulip.Zulip").into()),
                    ("last_updated", at(NOW - 3 * DAY)),
                ])?;
            }
        }
        "zerver_service" => {
            for user in bots(world, &[3, 4]) {
                rows.row(&[
                    ("name", user.name.as_str().into()),
                    ("user_profile_id", user.id.into()),
                    ("base_url", "https://bots.example.com/hook?x=1".into()),
                    ("token", rng.alphanumeric(32).into()),
                    ("interface", 1.into()),
                ])?;
            }
        }
        "zerver_botconfigdata" | "zerver_botstoragedata" => {
            for user in bots(world, &[4]) {
                for (key, value) in [("key", "12345678"), ("ünï", "välue ✨\nline 2\twith\\backslash")] {
                    let id = user.id * 2 + i64::from(key != "key");
                    rows.row(&[
                        ("id", id.into()),
                        ("bot_profile_id", user.id.into()),
                        ("key", key.into()),
                        ("value", value.into()),
                    ])?;
                }
            }
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn bots<'a>(world: &'a World, kinds: &'a [i64]) -> impl Iterator<Item = &'a User> {
    world.users[5..].iter().filter(move |user| matches!(user.kind, UserKind::Bot(kind) if kinds.contains(&kind)))
}

fn owned(world: &World, user: &User) -> Vec<(&'static str, Value)> {
    vec![("user_profile_id", user.id.into()), ("realm_id", world.realms[user.realm].id.into())]
}

fn profile_value(kind: i64, world: &World, rng: &mut Rng) -> String {
    match kind {
        1 => format!("+49 30 {}", 100_000 + rng.below(900_000)),
        2 => "Writes **code**".into(),
        3 => rng.below(2).to_string(),
        4 => format!("19{}-0{}-1{}", 50 + rng.below(49), 1 + rng.below(9), rng.below(9)),
        5 => format!("https://example.com/~{}", text::rare_word(rng).text),
        6 => {
            let writers = &world.realms[World::MAIN].writers;
            format!("[{},{}]", world.users[*rng.pick(writers) as usize].id, world.users[writers[0] as usize].id)
        }
        7 => format!("user{}", rng.below(10_000)),
        _ => "they/them".into(),
    }
}
