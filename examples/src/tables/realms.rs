//! Organisations and what belongs to each of them.

use std::io;

use crate::copy::{Rows, Value, at};
use crate::files;
use crate::rng::{Domain, Rng};
use crate::time::{BEGIN, DAY, NOW};
use crate::world::{Realm, Role, World};

/// Clients, by id.
pub(super) const CLIENTS: [&str; 12] = [
    "Internal",
    "website",
    "ZulipMobile",
    "ZulipElectron",
    "desktop app Linux 0.3.7",
    "ZulipAndroid",
    "ZulipiOS",
    "zephyr_mirror",
    "ZulipFlutter",
    "API: Python",
    "ZulipGitHubWebhook",
    "ZulipPython",
];

pub(super) fn write(world: &World, rows: &mut Rows<'_>) -> io::Result<bool> {
    match rows.table().name.as_str() {
        "zerver_realm" => {
            for (index, realm) in world.realms.iter().enumerate() {
                write_realm(world, index, realm, rows)?;
            }
        }
        "zerver_client" => {
            for name in CLIENTS {
                rows.row(&[("name", name.into())])?;
            }
        }
        "zerver_realmauthenticationmethod" => {
            let mut id = 0;
            for realm in &world.realms {
                for name in ["Email", "GitHub", "Google", "SAML", "LDAP"] {
                    id += 1;
                    rows.row(&[("id", id.into()), ("name", name.into()), ("realm_id", realm.id.into())])?;
                }
            }
        }
        "zerver_realmdomain" => each(world, rows, |realm| {
            vec![("realm_id", realm.id.into()), ("domain", "example.org".into()), ("allow_subdomains", true.into())]
        })?,
        "zerver_presencesequence" => {
            for realm in &world.realms {
                // All updates are numbered in one row.
                let last = world.users.len() as i64;
                rows.row(&[("realm_id", realm.id.into()), ("last_update_id", last.into())])?;
            }
        }
        "zerver_realmfilter" => each(world, rows, |realm| {
            vec![
                ("realm_id", realm.id.into()),
                ("pattern", r"#(?P<id>[0-9]{2,8})".into()),
                ("url_template", "https://bugs.example.com/{id}".into()),
            ]
        })?,
        "zerver_realmplayground" => each(world, rows, |realm| {
            vec![
                ("realm_id", realm.id.into()),
                ("name", "Rust – try it ✨".into()),
                ("pygments_language", "Rust".into()),
                ("url_template", "https://play.example.com/?code={code}".into()),
            ]
        })?,
        "zerver_customprofilefield" => {
            for (order, (name, kind, data)) in super::personal::PROFILE_FIELDS.iter().enumerate() {
                rows.row(&[
                    ("realm_id", world.realms[World::MAIN].id.into()),
                    ("name", (*name).into()),
                    ("hint", "What others see".into()),
                    ("order", (order as i64 + 1).into()),
                    ("field_type", (*kind).into()),
                    ("field_data", (*data).into()),
                    ("editable_by_user", true.into()),
                ])?;
            }
        }
        "zerver_realmemoji" => {
            for emoji in files::emoji(world) {
                let author = world.users[world.realms[emoji.realm].users.start].id;
                rows.row(&[
                    ("realm_id", world.realms[emoji.realm].id.into()),
                    ("author_id", author.into()),
                    ("name", emoji.name.into()),
                    ("file_name", emoji.file_name.into()),
                    ("is_animated", emoji.animated.into()),
                    ("deactivated", emoji.deactivated.into()),
                ])?;
            }
        }
        "zerver_realmexport" => {
            let export = files::export(world);
            let realm = &world.realms[export.realm];
            let actor = world.users[realm.users.start].id;
            rows.row(&[
                ("realm_id", realm.id.into()),
                ("type", 1.into()),
                ("status", 3.into()),
                ("date_requested", at(NOW - 31 * DAY)),
                ("date_started", at(NOW - 31 * DAY)),
                ("date_succeeded", at(NOW - 31 * DAY)),
                ("acting_user_id", actor.into()),
                ("export_path", format!("/user_avatars/{}", export.path).into()),
                ("sha256sum_hex", files::export_digest(world, &export)?.into()),
                ("tarball_size_bytes", (export.size as i64).into()),
                ("stats", r#"{"realm": {"zerver_realm": 1}}"#.into()),
            ])?;
            rows.row(&[
                ("realm_id", realm.id.into()),
                ("type", 2.into()),
                ("status", 4.into()),
                ("date_requested", at(NOW - 30 * DAY)),
                ("date_failed", at(NOW - 30 * DAY)),
                ("acting_user_id", actor.into()),
            ])?;
        }
        "zerver_realmreactivationstatus" => rows.row(&[("realm_id", 4.into()), ("status", 0.into())])?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// One row for each organisation of people.
fn each(world: &World, rows: &mut Rows<'_>, row: impl Fn(&Realm) -> Vec<(&'static str, Value)>) -> io::Result<()> {
    world.realms[World::MAIN..].iter().try_for_each(|realm| rows.row(&row(realm)))
}

fn write_realm(world: &World, index: usize, realm: &Realm, rows: &mut Rows<'_>) -> io::Result<()> {
    let mut rng = Rng::new(world.options.seed, Domain::Table, 1000 + index as u64);
    let images = if index == 0 { ("G", "D", 1) } else { ("U", "U", 2) };
    let stream = |offset: usize| (!realm.streams.is_empty()).then(|| world.streams[realm.streams.start + offset].id);
    let mut values: Vec<(&str, Value)> = vec![
        ("id", realm.id.into()),
        ("name", realm.name.into()),
        ("string_id", realm.string_id.into()),
        ("description", "Where we **talk**.\n\n* ünïcödé ✨\n* <b>no HTML</b> \\ here".into()),
        ("uuid", rng.uuid().into()),
        ("uuid_owner_secret", format!("zuliprealm_{}", rng.alphanumeric(32)).into()),
        ("date_created", at(BEGIN)),
        ("deactivated", realm.deactivated.into()),
        ("emails_restricted_to_domains", false.into()),
        ("invite_required", true.into()),
        ("inline_image_preview", true.into()),
        ("digest_emails_enabled", true.into()),
        ("digest_weekday", 1.into()),
        ("send_welcome_emails", true.into()),
        ("message_content_allowed_in_email_notifications", true.into()),
        ("allow_message_editing", true.into()),
        ("message_content_edit_limit_seconds", 600.into()),
        ("message_content_delete_limit_seconds", 600.into()),
        ("move_messages_within_stream_limit_seconds", 604_800.into()),
        ("message_edit_history_visibility_policy", 1.into()),
        ("default_language", "en".into()),
        ("message_retention_days", (-1).into()),
        ("org_type", if index == 0 { 0 } else { 10 }.into()),
        ("plan_type", 1.into()),
        ("video_chat_provider", 1.into()),
        ("giphy_rating", 2.into()),
        ("enable_read_receipts", true.into()),
        ("enable_guest_user_indicator", true.into()),
        ("icon_source", images.0.into()),
        ("icon_version", images.2.into()),
        ("logo_source", images.1.into()),
        ("logo_version", images.2.into()),
        ("night_logo_source", images.1.into()),
        ("night_logo_version", images.2.into()),
        ("moderation_request_channel_id", stream(2).into()),
        ("new_stream_announcements_stream_id", stream(1).into()),
        ("signup_announcements_stream_id", stream(0).into()),
        ("zulip_update_announcements_stream_id", stream(0).into()),
        ("zulip_update_announcements_level", 15.into()),
        ("notifications_stream_id", stream(1).into()),
        ("signup_notifications_stream_id", stream(0).into()),
        ("allow_edit_history", true.into()),
        ("create_web_public_stream_policy", 7.into()),
        ("wildcard_mention_policy", 5.into()),
        ("edit_topic_policy", 5.into()),
        ("delete_own_message_policy", 5.into()),
        ("topics_policy", 2.into()),
        ("gif_rating_policy", 1.into()),
        ("media_preview_size", 100.into()),
        ("default_avatar_source", "G".into()),
    ];
    // What groups say since Zulip 10: everybody of the organisation.
    let policies = rows.table().columns.iter().filter(|column| column.name.ends_with("_policy"));
    values.splice(0..0, policies.map(|column| (column.name.as_str(), 1.into())));
    for key in rows.table().foreign_keys.iter().filter(|key| key.references == "zerver_usergroup") {
        values.push((key.column.as_str(), realm.group(permission(&key.column)).into()));
    }
    rows.row(&values)
}

/// Who may do what, as a new organisation has it.
fn permission(column: &str) -> Role {
    match column {
        "can_manage_all_groups_id" | "can_create_web_public_channel_group_id" => Role::Owners,
        "can_manage_billing_group_id"
        | "can_delete_any_message_group_id"
        | "can_mention_many_users_group_id"
        | "create_multiuse_invite_group_id" => Role::Administrators,
        "can_resolve_topics_group_id"
        | "can_access_all_users_group_id"
        | "can_summarize_topics_group_id"
        | "can_delete_own_message_group_id"
        | "direct_message_initiator_group_id"
        | "direct_message_permission_group_id"
        | "can_move_messages_between_topics_group_id" => Role::Everyone,
        _ => Role::Members,
    }
}
