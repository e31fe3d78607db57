//! Which rows each kind of export has, on a server made so that every rule has something to decide.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::panic, clippy::unwrap_used)] // a test

#[path = "support/stage.rs"]
mod stage;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use stage::{Stage, json, stage};
use zulip_backup_core::Silent;
use zulip_backup_core::export::{ExportReport, Kind};
use zulip_backup_core::validate::{ValidateOptions, validate};

/// The channels of the consent rules, by id, and their recipients.
struct Channels {
    /// Private, its history shared: the one consenting subscriber has left.
    shared: (i64, i64),
    /// Private, its history protected: the same.
    protected: (i64, i64),
    /// Private, without any consenting subscriber.
    closed: (i64, i64),
}

struct Rules {
    stage: Stage,
    channels: Channels,
    /// A group of direct messages with a bot that all organisations share.
    mixed_group: i64,
    /// The one message of the protected channel that a consenting user has.
    seen: i64,
    /// An attachment of a public and a private message, and the public one.
    attachment: (i64, i64),
    /// The client of a message in the closed channel.
    client: i64,
}

fn rules() -> Rules {
    let stage = stage();
    let mut client = stage.client();
    let realm = stage.realm_id;
    // Every mix of active, consenting and visible; nobody's settings are the organisation's.
    client
        .batch_execute(&format!(
            "WITH people AS (SELECT id, row_number() OVER (ORDER BY id) AS n FROM zerver_userprofile
                             WHERE realm_id = {realm} AND NOT is_bot AND NOT is_mirror_dummy)
             UPDATE zerver_userprofile u SET is_active = n % 2 = 0, allow_private_data_export = n / 2 % 2 = 0,
                 email_address_visibility = 1 + n / 4 % 5, web_font_size_px = 22
             FROM people WHERE people.id = u.id;
             UPDATE zerver_subscription s SET is_user_active = u.is_active FROM zerver_userprofile u
             WHERE u.id = s.user_profile_id AND u.realm_id = {realm};
             UPDATE zerver_userprofile SET allow_private_data_export = false WHERE realm_id = {realm} AND is_bot;
             UPDATE zerver_realmuserdefault SET web_font_size_px = 18 WHERE realm_id = {realm}"
        ))
        .unwrap();
    let consenting = consenting(realm);
    let rows = client
        .query(
            "SELECT s.id::int8, r.id::int8 FROM zerver_stream s JOIN zerver_recipient r ON r.type = 2 AND r.type_id = s.id
             WHERE s.realm_id = $1::int8 AND (SELECT count(*) FROM zerver_message m WHERE m.recipient_id = r.id) > 10
             ORDER BY s.id LIMIT 4",
            &[&realm],
        )
        .unwrap();
    let channel = |at: usize| -> (i64, i64) { (rows[at].get(0), rows[at].get(1)) };
    let (public, channels) = (channel(0), Channels { shared: channel(1), protected: channel(2), closed: channel(3) });
    let (shared, protected, closed) = (channels.shared, channels.protected, channels.closed);
    let private = format!("{}, {}, {}", shared.1, protected.1, closed.1);
    client
        .batch_execute(&format!(
            "UPDATE zerver_stream SET invite_only = false, is_web_public = false, history_public_to_subscribers = true WHERE id = {};
             UPDATE zerver_stream SET invite_only = true, is_web_public = false, history_public_to_subscribers = id <> {}
                 WHERE id IN ({}, {}, {});
             DELETE FROM zerver_subscription WHERE recipient_id IN ({private}) AND user_profile_id IN ({consenting});
             DELETE FROM zerver_usermessage um USING zerver_message m
                 WHERE m.id = um.message_id AND m.recipient_id IN ({private}) AND um.user_profile_id IN ({consenting});
             INSERT INTO zerver_subscription (active, color, is_muted, pin_to_top, is_user_active, recipient_id, user_profile_id)
                 SELECT false, '#123456', true, true, true, r, (SELECT min(id) FROM zerver_userprofile WHERE realm_id = {realm} AND is_active
                     AND NOT is_bot AND allow_private_data_export) FROM unnest(ARRAY[{}, {}]) r",
            public.0, protected.0, shared.0, protected.0, closed.0, shared.1, protected.1
        ))
        .unwrap();
    let mut number = |query: String| -> i64 { client.query_one(&query, &[]).unwrap().get(0) };
    let seen = number(format!("SELECT min(id)::int8 FROM zerver_message WHERE recipient_id = {}", protected.1));
    number(format!(
        "WITH row AS (INSERT INTO zerver_usermessage (flags, message_id, user_profile_id)
             SELECT 1, {seen}, min(id) FROM zerver_userprofile WHERE realm_id = {realm} AND is_active AND NOT is_bot
             AND allow_private_data_export RETURNING id) SELECT id::int8 FROM row"
    ));
    let mixed_group = number(format!(
        "SELECT r.id::int8 FROM zerver_recipient r JOIN zerver_message m ON m.recipient_id = r.id
         WHERE r.type = 3 AND m.realm_id = {realm} ORDER BY r.id LIMIT 1"
    ));
    number(format!(
        "WITH row AS (INSERT INTO zerver_subscription (active, color, is_muted, pin_to_top, is_user_active, recipient_id, user_profile_id)
             SELECT true, '#c2c2c2', false, false, true, {mixed_group}, id FROM zerver_userprofile
             WHERE email = 'welcome-bot@zulip.com' RETURNING id) SELECT id::int8 FROM row"
    ));
    let first = |recipient: i64| format!("SELECT min(id)::int8 FROM zerver_message WHERE recipient_id = {recipient}");
    let (open, hidden) = (number(first(public.1)), number(first(closed.1)));
    let attachment = number(format!(
        "SELECT min(a.id)::int8 FROM zerver_attachment a JOIN zerver_attachment_messages m ON m.attachment_id = a.id WHERE a.realm_id = {realm}"
    ));
    number(format!(
        "WITH gone AS (DELETE FROM zerver_attachment_messages WHERE attachment_id = {attachment} AND message_id NOT IN ({open}, {hidden})),
              row AS (INSERT INTO zerver_attachment_messages (attachment_id, message_id) VALUES ({attachment}, {open}), ({attachment}, {hidden})
                      ON CONFLICT DO NOTHING RETURNING id) SELECT count(*) FROM row"
    ));
    let own_client =
        number("WITH row AS (INSERT INTO zerver_client (name) VALUES ('seen in private') RETURNING id) SELECT id::int8 FROM row".to_owned());
    number(format!(
        "WITH row AS (UPDATE zerver_message SET sending_client_id = {own_client} WHERE id = {hidden} RETURNING id) SELECT id::int8 FROM row"
    ));
    Rules { stage, channels, mixed_group, seen, attachment: (attachment, open), client: own_client }
}

/// Ids of the users who consent, as an SQL query of its own.
fn consenting(realm: i64) -> String {
    format!(
        "SELECT u.id FROM zerver_userprofile u WHERE u.realm_id = {realm} AND (
             u.is_mirror_dummy OR u.allow_private_data_export
             OR u.is_bot AND EXISTS (SELECT FROM zerver_userprofile o WHERE o.id = u.bot_owner_id AND o.realm_id = {realm}
                                     AND NOT o.is_bot AND o.allow_private_data_export))"
    )
}

/// An export in memory.
struct Export {
    kind: Kind,
    realm: Value,
    attachments: Value,
    messages: Vec<Value>,
    user_messages: Vec<Value>,
}

impl Rules {
    fn export(&self, kind: Kind) -> Export {
        let report = self.stage.export(&self.stage.options(&kind.to_string()).kind(kind).force(true));
        let checked = validate(&report.path, &ValidateOptions::default().kind(kind), &Silent).unwrap();
        assert!(checked.is_sound(), "{kind}: {checked}");
        Export::read(kind, &report)
    }
}

impl Export {
    fn read(kind: Kind, report: &ExportReport) -> Self {
        let (mut messages, mut user_messages) = (Vec::new(), Vec::new());
        for name in stage::read(&report.path).into_keys().filter(|name| name.starts_with("messages-")) {
            let file = json(report, &name);
            messages.extend(file["zerver_message"].as_array().unwrap().iter().cloned());
            user_messages.extend(file["zerver_usermessage"].as_array().unwrap().iter().cloned());
        }
        let (realm, attachments) = (json(report, "realm.json"), json(report, "attachment.json"));
        Self { kind, realm, attachments, messages, user_messages }
    }

    fn rows(&self, list: &str) -> &[Value] {
        self.realm[list].as_array().unwrap()
    }

    fn ids(&self, list: &str) -> BTreeSet<i64> {
        ids(self.rows(list), "id")
    }

    /// Ids of the messages to a recipient.
    fn messages_to(&self, recipient: i64) -> BTreeSet<i64> {
        self.messages
            .iter()
            .filter(|row| row["recipient"] == recipient)
            .map(|row| row["id"].as_i64().unwrap())
            .collect()
    }
}

fn ids(rows: &[Value], key: &str) -> BTreeSet<i64> {
    rows.iter().map(|row| row[key].as_i64().unwrap()).collect()
}

#[test]
fn each_kind_has_what_it_may_have_and_no_more() {
    let rules = rules();
    let [full, consent, public] = [Kind::Full, Kind::FullWithConsent, Kind::Public].map(|kind| rules.export(kind));
    for export in [&full, &consent, &public] {
        accounts(&rules.stage, export);
        subscriptions(&rules.stage, export);
        let bots = export.rows("zerver_userprofile_crossrealm");
        assert_eq!(bots.len(), 3);
        assert!(
            bots.iter()
                .all(|bot| bot["recipient_id"].is_i64() && bot["email"].as_str().unwrap().ends_with("@zulip.com"))
        );
        // A group with somebody from elsewhere is not there, and nothing refers to it.
        assert!(!export.ids("zerver_recipient").contains(&rules.mixed_group), "{}", export.kind);
        assert!(!ids(export.rows("zerver_subscription"), "recipient").contains(&rules.mixed_group));
        assert_eq!(export.messages_to(rules.mixed_group), BTreeSet::new());
        // Private channels are there in every kind.
        for (id, recipient) in [rules.channels.shared, rules.channels.protected, rules.channels.closed] {
            assert!(export.ids("zerver_stream").contains(&id) && export.ids("zerver_recipient").contains(&recipient));
        }
    }
    let Channels { shared, protected, closed } = &rules.channels;
    let all = |recipient: i64| full.messages_to(recipient);
    assert!(all(shared.1).len() > 10 && all(protected.1).len() > 10 && all(closed.1).len() > 10);
    assert_eq!(consent.messages_to(shared.1), all(shared.1));
    assert_eq!(consent.messages_to(protected.1), BTreeSet::from([rules.seen]));
    assert_eq!(consent.messages_to(closed.1), BTreeSet::new());
    for recipient in [shared.1, protected.1, closed.1] {
        assert_eq!(public.messages_to(recipient), BTreeSet::new());
    }
    for (export, messages, client) in [(&full, 2, true), (&consent, 1, false), (&public, 1, false)] {
        let row = export.attachments["zerver_attachment"].as_array().unwrap();
        let row = row.iter().find(|row| row["id"] == rules.attachment.0).unwrap();
        let listed: Vec<i64> = row["messages"].as_array().unwrap().iter().map(|id| id.as_i64().unwrap()).collect();
        assert_eq!(listed.len(), messages, "{}", export.kind);
        assert!(listed.contains(&rules.attachment.1));
        assert_eq!(export.ids("zerver_client").contains(&rules.client), client, "{}", export.kind);
    }
}

/// Who has an account, who is a dummy, whose address and settings are shown: each against the rule in words.
fn accounts(stage: &Stage, export: &Export) {
    let rows = stage
        .client()
        .query(
            "SELECT id::int8, is_active, allow_private_data_export, email_address_visibility::int8, delivery_email::text
             FROM zerver_userprofile WHERE realm_id = $1::int8 AND NOT is_bot AND NOT is_mirror_dummy",
            &[&stage.realm_id],
        )
        .unwrap();
    let mut mixes = BTreeSet::new();
    for row in &rows {
        let (id, active, consents, visibility): (i64, bool, bool, i64) =
            (row.get(0), row.get(1), row.get(2), row.get(3));
        mixes.insert((active, consents, visibility));
        let (dummy, own) = match export.kind {
            Kind::Full => (false, true),
            Kind::FullWithConsent => (active && !consents, consents),
            Kind::Public => (visibility == 4, false),
        };
        let list = if dummy { "zerver_userprofile_mirrordummy" } else { "zerver_userprofile" };
        let place = format!("{} {id}: active {active}, consents {consents}, visibility {visibility}", export.kind);
        let found =
            export.rows(list).iter().find(|row| row["id"] == id).unwrap_or_else(|| panic!("{place}: not in {list}"));
        assert_eq!(found["is_mirror_dummy"], dummy, "{place}");
        assert_eq!(found["is_active"], active && !dummy, "{place}");
        let address = found["delivery_email"].as_str().unwrap();
        let made_up = address.starts_with("exported-user-") && address.contains('@');
        assert_eq!(made_up, !own && visibility == 4, "{place}: {address}");
        assert!(made_up || address == row.get::<_, String>(4), "{place}: {address}");
        assert_eq!(found["web_font_size_px"], if own { 22 } else { 18 }, "{place}");
        assert_eq!(found["email_address_visibility"], visibility, "{place}");
        assert!(found.get("password").is_none() && found.get("api_key").is_none() && found.get("uuid").is_none());
    }
    assert_eq!(mixes.len(), 20, "not every mix of the three is there: {mixes:?}");
}

/// What users have of messages and channels, by who consents.
fn subscriptions(stage: &Stage, export: &Export) {
    let consenting: BTreeSet<i64> = match export.kind {
        Kind::Full => export.ids("zerver_userprofile"),
        Kind::Public => BTreeSet::new(),
        Kind::FullWithConsent => {
            let rows = stage.client().query(&format!("SELECT id::int8 FROM ({}) c", consenting(stage.realm_id)), &[]);
            rows.unwrap().iter().map(|row| row.get(0)).collect()
        }
    };
    let normal = export.ids("zerver_userprofile");
    let with_messages = ids(&export.user_messages, "user_profile");
    match export.kind {
        Kind::Full | Kind::Public => assert!(with_messages.is_subset(&normal)),
        Kind::FullWithConsent => {
            assert!(with_messages.iter().all(|user| normal.contains(user) && consenting.contains(user)));
        }
    }
    assert!(!with_messages.is_empty());
    let mut scrubbed = 0;
    for row in export.rows("zerver_subscription") {
        if export.kind == Kind::Full || consenting.contains(&row["user_profile"].as_i64().unwrap()) {
            continue;
        }
        scrubbed += 1;
        assert_eq!((&row["is_muted"], &row["pin_to_top"]), (&Value::Bool(false), &Value::Bool(false)), "{row}");
        for key in [
            "desktop_notifications",
            "audible_notifications",
            "push_notifications",
            "email_notifications",
            "wildcard_mentions_notify",
        ] {
            assert!(row[key].is_null(), "{key} of {row}");
        }
        assert_ne!(row["color"], "#123456");
    }
    assert_eq!(scrubbed > 0, export.kind != Kind::Full);
}

#[test]
fn the_order_of_a_tables_columns_does_not_matter() {
    let stage = stage();
    let before = stage.export(&stage.options("before"));
    // As on a server that was upgraded: columns that were there from the start now stand at the end.
    stage
        .client()
        .batch_execute(
            "ALTER TABLE zerver_realmfilter ADD COLUMN moved text;
             UPDATE zerver_realmfilter SET moved = pattern;
             ALTER TABLE zerver_realmfilter DROP COLUMN pattern;
             ALTER TABLE zerver_realmfilter RENAME COLUMN moved TO pattern;
             ALTER TABLE zerver_reaction ADD COLUMN moved varchar(30);
             UPDATE zerver_reaction SET moved = reaction_type;
             ALTER TABLE zerver_reaction DROP COLUMN reaction_type;
             ALTER TABLE zerver_reaction RENAME COLUMN moved TO reaction_type",
        )
        .unwrap();
    let after = stage.export(&stage.options("after"));
    let files: [BTreeMap<String, Vec<u8>>; 2] = [&before, &after].map(|report| stage::read(&report.path));
    assert!(files[0]["realm.json"] == files[1]["realm.json"]);
    assert!(!json(&after, "realm.json")["zerver_reaction"].as_array().unwrap().is_empty());
}
