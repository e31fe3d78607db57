//! Exports of servers where upstream's exporter fails or loses something, and of servers that are not as expected.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::panic, clippy::unwrap_used)] // a test

#[path = "support/stage.rs"]
mod stage;

use serde_json::Value;
use stage::{json, stage};
use zulip_backup_core::export::{Compat, ExportOptions, Kind, plan};
use zulip_backup_core::{ErrorKind, Recorder, Silent};

#[test]
fn a_database_that_is_not_as_expected_is_refused_by_name_or_exported_as_far_as_it_goes() {
    let stage = stage();
    stage
        .client()
        .batch_execute(
            "ALTER TABLE zerver_stream ADD COLUMN mood text;
             ALTER TABLE zerver_realmplayground DROP COLUMN url_template;
             ALTER TABLE zerver_defaultstream RENAME TO zerver_otherstream;
             ALTER TABLE zerver_realmdomain ALTER allow_subdomains TYPE text;
             ALTER TABLE zerver_usertopic ALTER visibility_policy TYPE numeric;
             ALTER TABLE zerver_message ADD COLUMN search_pgroonga text",
        )
        .unwrap();
    let site = stage.host.site().unwrap();
    let refused = plan(&site, &stage.options("out")).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Incompatible);
    let mut reasons: Vec<String> =
        refused.reasons().iter().map(|finding| format!("{} {}", finding.code, finding.object)).collect();
    reasons.sort_unstable();
    let expected = [
        "column-missing zerver_realmplayground.url_template",
        "column-type-differs zerver_realmdomain.allow_subdomains",
        "column-type-differs zerver_usertopic.visibility_policy",
        "column-unknown zerver_stream.mood",
        "table-missing zerver_defaultstream",
        "table-unknown zerver_otherstream",
    ];
    assert_eq!(reasons, expected);
    assert!(refused.hint().unwrap().contains("--allow-unknown"));
    let report = stage.export(&stage.options("out").allow_unknown(true));
    assert!(report.has_findings());
    let of_database = |code: &str| !matches!(code, "missing-upload" | "left-out");
    assert_eq!(report.findings.list.iter().filter(|finding| of_database(&finding.code)).count(), expected.len());
    let realm = json(&report, "realm.json");
    assert_eq!(realm["zerver_defaultstream"], Value::Array(Vec::new()));
    let rows = |list: &str| realm[list].as_array().unwrap().clone();
    assert!(!rows("zerver_realmplayground").is_empty() && !rows("zerver_realmdomain").is_empty());
    assert!(rows("zerver_realmplayground").iter().all(|row| row["url_template"].is_null()));
    assert!(rows("zerver_realmdomain").iter().all(|row| row["allow_subdomains"].is_string()));
    assert!(rows("zerver_usertopic").iter().all(|row| row["visibility_policy"].is_string()));
}

#[test]
fn an_attachment_without_its_file_is_left_out_everywhere_and_told() {
    let stage = stage();
    let report = stage.export(&stage.options("out"));
    let finding = report.findings.list.iter().find(|finding| finding.code == "missing-upload").unwrap();
    let path = finding.object.clone();
    let (owner, message): (i32, i32) = {
        let row = stage
            .client()
            .query_one(
                "SELECT t.owner_id, min(m.message_id) FROM zerver_attachment t
                 JOIN zerver_attachment_messages m ON m.attachment_id = t.id WHERE path_id = $1 GROUP BY 1",
                &[&path],
            )
            .unwrap();
        (row.get(0), row.get(1))
    };
    assert!(finding.message.contains(&format!("message {message} ")), "{finding}");
    assert!(finding.message.contains(&format!("user {owner}")), "{finding}");
    let attachments = json(&report, "attachment.json");
    let attachments = attachments["zerver_attachment"].as_array().unwrap();
    let records = json(&report, "uploads/records.json");
    let paths = |rows: &[Value], key: &str| -> std::collections::BTreeSet<String> {
        rows.iter().map(|row| row[key].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(paths(attachments, "path_id"), paths(records.as_array().unwrap(), "path"));
    assert!(!paths(attachments, "path_id").contains(&path));
    assert_eq!(json(&report, "stats.json")["uploads_records"], attachments.len());

    let site = stage.host.site().unwrap();
    let strict = stage.options("strict").no_record(true).compat(Compat::Strict);
    let error = plan(&site, &strict).unwrap().execute(&Silent).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.reasons().iter().any(|finding| finding.object == path), "{error:?}");
    assert!(!stage.dir.join("strict").exists());
}

#[test]
fn rows_of_crowded_channels_are_as_ordered_as_any() {
    let stage = stage();
    let users = 150;
    stage
        .client()
        .batch_execute(&format!(
            "CREATE TEMP TABLE crowd AS SELECT u.*, n FROM generate_series(1, {users}) n, LATERAL (
                 SELECT * FROM zerver_userprofile WHERE realm_id = {0} AND is_active AND NOT is_bot ORDER BY id LIMIT 1) u;
             UPDATE crowd SET id = 1000000 + n, email = 'c' || n || '@crowd', delivery_email = 'c' || n || '@crowd',
                 api_key = md5('crowd' || n), uuid = md5('crowd' || n)::uuid, recipient_id = NULL;
             ALTER TABLE crowd DROP COLUMN n;
             INSERT INTO zerver_userprofile OVERRIDING SYSTEM VALUE SELECT * FROM crowd;
             INSERT INTO zerver_usermessage (user_profile_id, message_id, flags)
                 SELECT 1000000 + n, m.id, 1
                 FROM (SELECT id FROM zerver_message WHERE realm_id = {0} ORDER BY id LIMIT 1000) m, generate_series(1, {users}) n",
            stage.realm_id
        ))
        .unwrap();
    let report = stage.export(&stage.options("out"));
    let stats = json(&report, "stats.json");
    let mut client = stage.client();
    for (name, crowded) in [("messages-000001", true), ("messages-000002", false)] {
        let file = json(&report, &format!("{name}.json"));
        let messages: Vec<i64> =
            file["zerver_message"].as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect();
        let found: Vec<(i64, i64, i64, i64)> = file["zerver_usermessage"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| {
                let number = |key: &str| row[key].as_i64().unwrap();
                (number("id"), number("user_profile"), number("message"), number("flags_mask"))
            })
            .collect();
        let expected = client
            .query(
                "SELECT um.id::int8, user_profile_id::int8, message_id::int8, flags::int8 FROM zerver_usermessage um
                 JOIN zerver_userprofile u ON u.id = um.user_profile_id
                 WHERE message_id = ANY ($1) AND u.realm_id = $2::int8 AND NOT u.is_mirror_dummy ORDER BY um.id",
                &[&messages.iter().map(|id| i32::try_from(*id).unwrap()).collect::<Vec<_>>(), &stage.realm_id],
            )
            .unwrap();
        let expected: Vec<_> = expected.iter().map(|row| (row.get(0), row.get(1), row.get(2), row.get(3))).collect();
        assert!(found == expected, "{name}: {} rows, expected {}", found.len(), expected.len());
        assert_eq!(found.len() > 150_000, crowded);
        assert_eq!(stats[name]["zerver_usermessage"], found.len());
    }
}

#[test]
fn a_deactivated_organisation_is_exported_as_active_and_activated_again_when_the_export_fails() {
    let stage = stage();
    let site = stage.host.site().unwrap();
    let mut client = stage.client();
    let user: i32 = client
        .query_one(
            "SELECT min(id) FROM zerver_userprofile WHERE realm_id = $1::int8 AND NOT is_bot",
            &[&stage.realm_id],
        )
        .unwrap()
        .get(0);
    let stranger: i32 = client
        .query_one("SELECT min(id) FROM zerver_userprofile WHERE realm_id <> $1::int8", &[&stage.realm_id])
        .unwrap()
        .get(0);
    for (key, user) in [("theirs", user), ("others", stranger)] {
        let data = format!("{}:1tN8Vp:signature", base64(&format!(r#"{{"_auth_user_id":"{user}"}}"#)));
        client.execute("INSERT INTO django_session VALUES ($1, $2, now() + interval '1 day')", &[&key, &data]).unwrap();
    }
    client
        .execute(
            "INSERT INTO zerver_scheduledemail (scheduled_timestamp, data, type, realm_id) VALUES (now(), '{}', 1, $1::int8::int4)",
            &[&stage.realm_id],
        )
        .unwrap();
    let state = "SELECT deactivated::int4::int8 FROM zerver_realm WHERE id = $1::int8";
    let lines = "SELECT count(*) FROM zerver_realmauditlog WHERE realm_id = $1::int8 AND event_type = 201";
    let emails = "SELECT count(*) FROM zerver_scheduledemail WHERE realm_id = $1::int8";
    let sessions = |stage: &stage::Stage| -> Vec<String> {
        let query = "SELECT session_key FROM django_session WHERE session_key IN ('theirs', 'others') ORDER BY 1";
        stage.client().query(query, &[]).unwrap().iter().map(|row| row.get(0)).collect()
    };
    let before = (stage.number(state), stage.number(lines), stage.number(emails), sessions(&stage));
    let progress = Recorder::default();
    progress.cancel();
    let options = stage.options("out").deactivate(true);
    let error = plan(&site, &options).unwrap().execute(&progress).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    assert_eq!((stage.number(state), stage.number(lines), stage.number(emails), sessions(&stage)), before);

    let report = plan(&site, &options).unwrap().execute(&Silent).unwrap();
    assert_eq!((stage.number(state), stage.number(lines), stage.number(emails)), (1, before.1 + 1, 0));
    assert_eq!((sessions(&stage), report.ended_sessions), (vec!["others".to_owned()], Some(1)));
    // The sample has no memcached.
    assert!(report.findings.list.iter().any(|finding| finding.code == "caches-not-flushed"), "{report}");
    assert!(report.next_steps[0].ends_with("flush-memcached"));
    let realm = json(&report, "realm.json");
    assert_eq!(realm["zerver_realm"][0]["deactivated"], false);
    let line = realm["zerver_realmauditlog"].as_array().unwrap().iter().rfind(|row| row["event_type"] == 201).unwrap();
    assert_eq!(line["extra_data"]["deactivation_reason"], "self_hosting_migration");
    let owners =
        "SELECT count(*) FROM zerver_userprofile WHERE realm_id = $1::int8 AND is_active AND NOT is_bot AND role = 100";
    assert_eq!(line["extra_data"]["10"]["11"]["100"], stage.number(owners));
    let again = plan(&site, &stage.options("again").deactivate(true)).unwrap_err();
    assert_eq!(again.kind(), ErrorKind::Refused);
}

#[test]
fn what_a_killed_export_left_in_the_database_is_marked_as_failed_by_the_next() {
    let stage = stage();
    stage
        .client()
        .batch_execute(&format!(
            "INSERT INTO zerver_realmexport (id, realm_id, type, status, date_requested, date_started)
                 OVERRIDING SYSTEM VALUE VALUES (900001, {0}, 3, 2, now(), now()), (900002, {0}, 3, 2, now(), now());
             INSERT INTO zerver_realmauditlog (realm_id, event_type, event_time, backfilled, extra_data)
                 VALUES ({0}, 206, now(), false, jsonb_build_object('realm_export_id', 900001))",
            stage.realm_id
        ))
        .unwrap();
    plan(&stage.host.site().unwrap(), &stage.options("out")).unwrap().execute(&Silent).unwrap();
    let status = |id: i64| {
        stage.number(&format!("SELECT status::int8 FROM zerver_realmexport WHERE id = {id} AND realm_id = $1::int8"))
    };
    // The second has no line in the audit log: it is upstream's, and may well be running.
    assert_eq!((status(900_001), status(900_002)), (4, 2));
    let line = "SELECT count(*) FROM zerver_realmauditlog WHERE realm_id = $1::int8
                AND extra_data = jsonb_build_object('realm_export_id', 900001)";
    assert_eq!(stage.number(line), 0);
}

#[test]
fn direct_messages_to_a_mirror_dummy_and_late_dates_of_the_organisation_do_not_stop_an_export() {
    let stage = stage();
    let mut client = stage.client();
    // A direct message whose receiver only stands for his messages: upstream counts it twice, and stops.
    let row = client
        .query_one(
            "SELECT m.id::int8, u.id::int8 FROM zerver_message m JOIN zerver_recipient r ON r.id = m.recipient_id AND r.type = 1
             JOIN zerver_userprofile u ON u.id = r.type_id AND u.id <> m.sender_id AND u.realm_id = m.realm_id
             WHERE m.realm_id = $1::int8 ORDER BY m.id LIMIT 1",
            &[&stage.realm_id],
        )
        .unwrap();
    let (message, user): (i64, i64) = (row.get(0), row.get(1));
    client
        .batch_execute(&format!(
            "UPDATE zerver_userprofile SET is_mirror_dummy = true, is_active = false WHERE id = {user};
             UPDATE zerver_realm SET scheduled_deletion_date = '2027-01-01 00:00:00+00',
                 demo_organization_scheduled_deletion_date = '2027-01-01 00:00:00.5+00',
                 push_notifications_enabled_end_timestamp = '2027-06-01 12:00:00+02' WHERE id = {}",
            stage.realm_id
        ))
        .unwrap();
    let report = stage.export(&stage.options("out"));
    let mut times = 0;
    for number in 1.. {
        let path = report.path.join(format!("messages-{number:06}.json"));
        if !path.exists() {
            break;
        }
        let file = json(&report, path.file_name().unwrap());
        let ids = file["zerver_message"].as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap());
        times += ids.filter(|id| *id == message).count();
        let theirs = file["zerver_usermessage"].as_array().unwrap().iter().filter(|row| row["user_profile"] == user);
        assert_eq!(theirs.count(), 0);
    }
    assert_eq!(times, 1);
    let realm = json(&report, "realm.json");
    let row = &realm["zerver_realm"][0];
    assert_eq!(row["scheduled_deletion_date"], "2027-01-01T00:00:00+00:00");
    assert_eq!(row["demo_organization_scheduled_deletion_date"], "2027-01-01T00:00:00.500000+00:00");
    assert_eq!(row["push_notifications_enabled_end_timestamp"], "2027-06-01T10:00:00+00:00");
    assert!(realm["zerver_userprofile_mirrordummy"].as_array().unwrap().iter().any(|row| row["id"] == user));
}

#[test]
fn what_the_format_has_no_place_for_is_counted() {
    let stage = stage();
    let counted = |name: &str| -> Vec<(String, u64)> {
        let report = stage.export(&stage.options(name));
        let left = report.findings.list.iter().filter(|finding| finding.code == "left-out");
        left.map(|finding| (finding.object.clone(), finding.message.split(' ').next().unwrap().parse().unwrap()))
            .collect()
    };
    let before = counted("before");
    let rows =
        |table: &str, of: &[(String, u64)]| of.iter().find(|(name, _)| name == table).map_or(0, |(_, rows)| *rows);
    let id = stage.realm_id;
    stage
        .client()
        .batch_execute(&format!(
            "INSERT INTO zerver_submessage (msg_type, content, message_id, sender_id)
                 SELECT 'widget', '{{}}', id, sender_id FROM zerver_message WHERE realm_id = {id} ORDER BY id LIMIT 3;
             INSERT INTO zerver_attachment (file_name, path_id, is_realm_public, create_time, size, owner_id, realm_id)
                 SELECT 'x', '{id}/nobody/asked/x', true, now(), 1, min(id), {id} FROM zerver_userprofile WHERE realm_id = {id};
             INSERT INTO zerver_defaultstreamgroup (name, description, realm_id) VALUES ('new', 'here', {id});
             UPDATE zerver_message SET sender_id = (SELECT min(id) FROM zerver_userprofile
                     WHERE realm_id <> {id} AND email NOT IN ('notification-bot@zulip.com', 'welcome-bot@zulip.com', 'emailgateway@zulip.com'))
                 WHERE id = (SELECT min(id) FROM zerver_message WHERE realm_id = {id})"
        ))
        .unwrap();
    let after = counted("after");
    for (table, more) in
        [("zerver_submessage", 3), ("zerver_attachment", 1), ("zerver_defaultstreamgroup", 1), ("zerver_message", 1)]
    {
        assert_eq!(rows(table, &after), rows(table, &before) + more, "{table}");
    }
    let public = stage.export(&stage.options("public").kind(Kind::Public).force(true));
    assert_eq!(public.findings.count("left-out"), 0, "what is left out on purpose is no loss");
}

#[test]
fn an_organisation_without_messages_has_no_message_file() {
    let stage = stage();
    stage
        .client()
        .batch_execute(
            "CREATE TEMP TABLE empty AS SELECT * FROM zerver_realm ORDER BY id LIMIT 1;
             UPDATE empty SET id = 777, string_id = 'empty', name = 'Empty', uuid = gen_random_uuid();
             INSERT INTO zerver_realm OVERRIDING SYSTEM VALUE SELECT * FROM empty",
        )
        .unwrap();
    let options = ExportOptions { realm: Some("empty".into()), ..stage.options("out") };
    let report = stage.export(&options);
    assert_eq!((report.messages, report.users, report.files), (0, 0, 0));
    let mut names: Vec<String> = stage::read(&report.path).into_keys().collect();
    names.retain(|name| name.starts_with("messages"));
    assert_eq!(names, Vec::<String>::new());
    // Nobody could use it: no owner.
    for kind in [Kind::Public, Kind::FullWithConsent] {
        let refused =
            plan(&stage.host.site().unwrap(), &ExportOptions { kind, ..options.clone() }.output(stage.dir.join("x")));
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Refused);
    }
}

fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::new();
    for group in text.as_bytes().chunks(3) {
        let bits = group.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        (0..=group.len()).for_each(|digit| out.push(char::from(DIGITS[(bits >> (18 - 6 * digit) & 63) as usize])));
    }
    out
}
