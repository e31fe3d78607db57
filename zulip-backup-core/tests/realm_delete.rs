//! An organisation deleted: all of it, nothing of others, and at any moment all or nothing.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::panic, clippy::unwrap_used)] // a test

#[path = "support/rows.rs"]
mod rows;
#[path = "support/stage.rs"]
mod stage;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use rows::{Rows, check_deletion};
use stage::{Stage, read, stage};
use zulip_backup_core::realm::delete::{self, DeletePlan};
use zulip_backup_core::{ErrorKind, Recorder, Silent};

fn plan(stage: &Stage) -> DeletePlan {
    delete::plan(&stage.host.site().unwrap(), &stage.realm).unwrap()
}

fn files(stage: &Stage) -> BTreeMap<String, Vec<u8>> {
    read(&stage.host.uploads_dir())
}

fn all_rows(stage: &Stage) -> Rows {
    rows::rows(&mut stage.client())
}

fn journal(stage: &Stage) -> Utf8PathBuf {
    stage.host.uploads_dir().join(format!(".zulip-backup-delete-{}.json", stage.realm_id))
}

/// Whether a file is below one of the organisation's directories.
fn is_own(path: &str, realm: i64) -> bool {
    let directories = ["files/", "files/thumbnail/", "avatars/", "avatars/exports/"];
    directories.iter().any(|directory| path.starts_with(&format!("{directory}{realm}/")))
}

/// What a sample has not: rows that only pseudo-keys lead to, and messages of the system's bots.
fn add_odd_rows(stage: &Stage) {
    stage
        .client()
        .batch_execute(&format!(
            "CREATE TEMP TABLE one AS SELECT
                 (SELECT min(id) FROM zerver_userprofile WHERE realm_id = {0} AND NOT is_bot) AS own,
                 (SELECT recipient_id FROM zerver_userprofile WHERE id = (SELECT min(id) FROM zerver_userprofile
                  WHERE realm_id = {0} AND NOT is_bot)) AS own_recipient,
                 (SELECT id FROM zerver_userprofile WHERE email = 'welcome-bot@zulip.com') AS bot,
                 (SELECT recipient_id FROM zerver_userprofile WHERE email = 'welcome-bot@zulip.com') AS bot_recipient,
                 (SELECT id FROM zerver_realm WHERE string_id = 'zulipinternal') AS system,
                 (SELECT min(id) FROM zerver_client) AS client;
             -- A message of a bot to a user, said to be of the bots' organisation; and one of a user to the bot.
             INSERT INTO zerver_message (id, sender_id, recipient_id, realm_id, sending_client_id, subject, content, date_sent,
                 has_attachment, has_image, has_link, is_channel_message)
             SELECT 900001, bot, own_recipient, system, client, '', 'welcome', now(), false, false, false, false FROM one
             UNION ALL SELECT 900002, own, bot_recipient, {0}, client, '', 'thanks', now(), false, false, false, false FROM one;
             INSERT INTO zerver_usermessage (user_profile_id, message_id, flags) SELECT own, 900001, 0 FROM one
             UNION ALL SELECT bot, 900002, 0 FROM one UNION ALL SELECT bot, 900001, 0 FROM one;
             -- A group with one of the system's bots.
             INSERT INTO zerver_recipient (id, type, type_id) VALUES (900003, 3, 900003);
             INSERT INTO zerver_huddle (id, huddle_hash, recipient_id, group_size) VALUES (900003, 'odd', 900003, 2);
             INSERT INTO zerver_subscription (user_profile_id, recipient_id, active, is_user_active, is_muted, color, pin_to_top)
             SELECT own, 900003, true, true, false, '', false FROM one UNION ALL SELECT bot, 900003, true, true, false, '', false FROM one;
             -- A link of an invitation that says nothing of the organisation, and one of another organisation's.
             INSERT INTO zerver_preregistrationuser (id, email, full_name_validated, notify_referrer_on_join, invited_at, realm_creation,
                 password_required, status, invited_as, include_realm_default_subscriptions, referred_by_id)
             SELECT 900004, 'x@example.com', false, true, now(), false, true, 0, 400, true, own FROM one;
             INSERT INTO zerver_preregistrationuser (id, email, full_name_validated, notify_referrer_on_join, invited_at, realm_creation,
                 password_required, status, invited_as, include_realm_default_subscriptions)
             VALUES (900005, 'y@example.com', false, true, now(), true, true, 0, 400, true);
             INSERT INTO confirmation_confirmation (object_id, date_sent, confirmation_key, content_type_id, type)
             SELECT n, now(), 'odd' || n, (SELECT id FROM django_content_type WHERE app_label = 'zerver' AND model = 'preregistrationuser'), 1
             FROM (VALUES (900004), (900005)) v (n);
             -- An entry of the archive that is of no organisation.
             INSERT INTO zerver_archivetransaction (id, \"timestamp\", restored, type, protect_from_deletion)
             VALUES (900006, now(), false, 1, false);
             INSERT INTO zerver_archivedmessage (id, sender_id, recipient_id, realm_id, sending_client_id, subject, content, date_sent,
                 has_attachment, has_image, has_link, is_channel_message, archive_transaction_id, type)
             SELECT 900006, own, bot_recipient, {0}, client, '', 'gone', now(), false, false, false, false, 900006, 1 FROM one;
             INSERT INTO fts_update_log (message_id) VALUES (900001), (1999999999)",
            stage.realm_id
        ))
        .unwrap();
}

#[test]
fn all_of_it_goes_and_nothing_of_others() {
    let stage = stage();
    add_odd_rows(&stage);
    let (before, files_before) = (all_rows(&stage), files(&stage));
    let system = i64::from(
        stage
            .client()
            .query_one("SELECT id FROM zerver_realm WHERE string_id = 'zulipinternal'", &[])
            .unwrap()
            .get::<_, i32>(0),
    );
    let plan = plan(&stage);
    assert_eq!(all_rows(&stage), before, "a plan changes nothing");
    assert!(plan.to_string().contains("zerver_usermessage"), "{plan}");
    let progress = Recorder::default();
    let report = plan.execute(&progress).unwrap();
    let after = all_rows(&stage);
    let gone = check_deletion(&before, &after, stage.realm_id, system);
    assert_eq!(usize::try_from(report.rows + report.ended_sessions).unwrap(), gone, "{report}");
    // What the plan does not count: the message that was said to be the bots', what the bot had of it, its two entries for the
    // search index (the trigger's and ours), and the archive's entry of no organisation.
    assert_eq!(plan.rows + 5, report.rows, "{:?} {:?}", plan.tables, report.tables);
    for (table, row) in
        [("zerver_message", 900_001), ("zerver_huddle", 900_003), ("zerver_archivetransaction", 900_006)]
    {
        assert!(!after[table].iter().any(|text| text.contains(&format!("\"id\": {row},"))), "{table}");
    }
    let links = |key: &str| after["confirmation_confirmation"].iter().any(|row| row.contains(key));
    assert!(!links("odd900004") && links("odd900005"));
    assert!(after["fts_update_log"].iter().any(|row| row.contains("1999999999")));
    let files_after = files(&stage);
    let kept: BTreeMap<_, _> = files_before.iter().filter(|(path, _)| !is_own(path, stage.realm_id)).collect();
    assert_eq!(files_after.iter().collect::<BTreeMap<_, _>>(), kept);
    assert_eq!(usize::try_from(report.files.files).unwrap(), files_before.len() - kept.len());
    assert_eq!((report.files, stage.realm_id), (plan.files, plan.realm_id));
    // Every other one can be deleted, too, until only the system's bots are left.
    let site = stage.host.site().unwrap();
    for realm in ["", "oldco"] {
        delete::plan(&site, realm).unwrap().execute(&Silent).unwrap();
    }
    let left: Vec<String> =
        stage.client().query("SELECT string_id FROM zerver_realm", &[]).unwrap().iter().map(|row| row.get(0)).collect();
    assert_eq!(left, ["zulipinternal"]);
    assert_eq!(delete::plan(&site, "zulipinternal").unwrap_err().kind(), ErrorKind::Refused);
    assert_eq!(delete::plan(&site, &stage.realm).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn rows_of_others_that_refer_to_it_are_named_and_nothing_is_deleted() {
    let stage = stage();
    let cases = [
        (
            "INSERT INTO zerver_muteduser (user_profile_id, muted_user_id, date_muted) SELECT other, own, now() FROM two",
            "zerver_muteduser.muted_user_id",
        ),
        (
            "INSERT INTO zerver_subscription (user_profile_id, recipient_id, active, is_user_active, is_muted, color, pin_to_top)
             SELECT other, (SELECT min(recipient_id) FROM zerver_huddle h WHERE EXISTS (SELECT FROM zerver_subscription s
                WHERE s.recipient_id = h.recipient_id AND s.user_profile_id IN (SELECT id FROM zerver_userprofile WHERE realm_id = REALM))),
                true, true, false, '', false FROM two",
            "zerver_subscription.recipient_id",
        ),
        (
            "UPDATE zerver_message SET recipient_id = (SELECT own_recipient FROM two)
             WHERE id = (SELECT min(id) FROM zerver_message WHERE realm_id = (SELECT other_realm FROM two))",
            "zerver_message.recipient_id",
        ),
        (
            "INSERT INTO zerver_realmauditlog (realm_id, acting_user_id, event_type, event_time, backfilled, extra_data)
             SELECT other_realm, own, 207, now(), false, '{}' FROM two",
            "zerver_realmauditlog.acting_user_id",
        ),
        (
            "UPDATE zerver_attachment SET path_id = 'REALM/ab/token/name' WHERE id = (SELECT min(id) FROM zerver_attachment
             WHERE realm_id = (SELECT other_realm FROM two))",
            "zerver_attachment",
        ),
        (
            "INSERT INTO zilencer_remotezulipserver (id, uuid, api_key, hostname, contact_email, plan_type, deactivated, last_updated, org_type)
             VALUES (1, gen_random_uuid(), 'x', 'x', 'x', 1, false, now(), 0);
             INSERT INTO zilencer_remotezulipserverauditlog (server_id, acting_support_user_id, event_type, event_time, backfilled, extra_data)
             SELECT 1, own, 1, now(), false, '{}' FROM two",
            "zilencer_remotezulipserverauditlog.acting_support_user_id",
        ),
        (
            "CREATE TABLE zulip.zerver_mood (id int PRIMARY KEY, user_id int REFERENCES zerver_userprofile DEFERRABLE INITIALLY DEFERRED);
             INSERT INTO zerver_mood SELECT 1, own FROM two",
            "zerver_mood",
        ),
    ];
    let mut expected = Vec::new();
    for (statement, object) in cases {
        let two = "CREATE TEMP TABLE two AS SELECT
                 (SELECT min(id) FROM zerver_userprofile WHERE realm_id = REALM) AS own,
                 (SELECT min(recipient_id) FROM zerver_userprofile WHERE realm_id = REALM) AS own_recipient,
                 (SELECT min(u.id) FROM zerver_userprofile u JOIN zerver_realm r ON r.id = u.realm_id WHERE r.string_id = '') AS other,
                 (SELECT id FROM zerver_realm WHERE string_id = '') AS other_realm";
        let text = format!("{two}; {statement}").replace("REALM", &stage.realm_id.to_string());
        let done = stage.client().batch_execute(&text);
        done.unwrap_or_else(|error| panic!("{object}: {error:?}"));
        expected.push(object);
        let (before, files_before) = (all_rows(&stage), files(&stage));
        let refused = delete::plan(&stage.host.site().unwrap(), &stage.realm).unwrap_err();
        let mut objects: Vec<&str> = refused.reasons().iter().map(|finding| finding.object.as_str()).collect();
        objects.retain(|object| {
            *object != "zerver_usermessage.user_profile_id" && *object != "zerver_usermessage.message_id"
        });
        let mut all = expected.clone();
        objects.sort_unstable();
        all.sort_unstable();
        assert_eq!((refused.kind(), objects), (ErrorKind::Refused, all));
        assert!(all_rows(&stage) == before && files(&stage) == files_before);
    }
}

#[test]
fn killed_before_the_end_all_is_there() {
    let stage = stage();
    let (before, files_before) = (all_rows(&stage), files(&stage));
    let cancelled = Recorder::default();
    cancelled.cancel();
    assert_eq!(plan(&stage).execute(&cancelled).unwrap_err().kind(), ErrorKind::Interrupted);
    // Somebody holds one of the last rows to go; there the server's process is ended.
    for table in ["zerver_userprofile", "zerver_message"] {
        let mut holder = stage.client();
        let mut held = holder.transaction().unwrap();
        let query = format!("SELECT id FROM {table} WHERE realm_id = $1::int8 ORDER BY id DESC LIMIT 1 FOR UPDATE");
        held.query_one(&query, &[&stage.realm_id]).unwrap();
        let plan = plan(&stage);
        let error = std::thread::scope(|scope| {
            let deletion = scope.spawn(|| plan.execute(&Silent).unwrap_err());
            let deadline = Instant::now() + Duration::from_mins(1);
            let mut client = stage.client();
            let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                       WHERE wait_event_type = 'Lock' AND application_name LIKE 'zulip-backup realm delete%'";
            while client.query(end, &[]).unwrap().is_empty() {
                assert!(Instant::now() < deadline && !deletion.is_finished(), "it did not wait");
                std::thread::sleep(Duration::from_millis(20));
            }
            deletion.join().unwrap()
        });
        held.rollback().unwrap();
        assert_eq!(error.kind(), ErrorKind::Postgres, "{error}");
        assert!(all_rows(&stage) == before && files(&stage) == files_before, "{table}");
    }
    plan(&stage).execute(&Silent).unwrap();
}

#[test]
fn what_is_left_of_a_deletion_is_removed_by_the_next_command() {
    let stage = stage();
    let site = stage.host.site().unwrap();
    let uploads = stage.host.uploads_dir();
    // A journal of an organisation that is there means nothing.
    let own = uploads.join("files").join(stage.realm_id.to_string());
    let aside = uploads.join("aside");
    std::fs::rename(&own, &aside).unwrap();
    std::os::unix::fs::symlink(&aside, &own).unwrap();
    let report = plan(&stage).execute(&Silent).unwrap();
    let codes: Vec<&str> = report.findings.list.iter().map(|finding| finding.code.as_str()).collect();
    assert!(codes.contains(&"file-not-removed") && journal(&stage).exists(), "{codes:?}");
    assert!(
        !files(&stage).keys().filter(|path| path.starts_with("aside/")).collect::<Vec<_>>().is_empty(),
        "a link's target stays"
    );
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(journal(&stage)).unwrap());
    assert_eq!(mode & 0o777, 0o600);

    // As if it had been killed after the commit.
    std::fs::remove_file(&own).unwrap();
    std::fs::rename(&aside, &own).unwrap();
    let text = std::fs::read_to_string(journal(&stage)).unwrap();
    // Another database has no such organisation either: nothing of this one's may go for that.
    std::fs::write(journal(&stage), text.replace("\"database\": \"", "\"database\": \"another ")).unwrap();
    let findings = delete::finish(&site, &stage.realm).unwrap().unwrap().findings;
    assert_eq!(findings.list[0].code, "deletion-unfinished");
    assert!(own.exists() && journal(&stage).exists());
    std::fs::write(journal(&stage), "{").unwrap();
    assert!(delete::finish(&site, &stage.realm).unwrap().is_none() && own.exists());
    std::fs::write(journal(&stage), &text).unwrap();
    assert_eq!(delete::finish(&site, "oldco").unwrap(), None);
    assert!(!own.exists() && !journal(&stage).exists());

    // A journal of an organisation that is there, because the rows were not deleted after all.
    let oldco = delete::plan(&site, "oldco").unwrap();
    let path = uploads.join(format!(".zulip-backup-delete-{}.json", oldco.realm_id));
    std::fs::write(&path, text.replace(&format!(": {}", stage.realm_id), &format!(": {}", oldco.realm_id))).unwrap();
    let before = files(&stage);
    assert_eq!(delete::finish(&site, "oldco").unwrap(), None);
    let mut expected = before;
    expected.remove(path.file_name().unwrap());
    assert!(files(&stage) == expected);
    // And by a change of another one.
    std::fs::create_dir_all(&own).unwrap();
    std::fs::write(own.join("left"), "x").unwrap();
    std::fs::write(journal(&stage), &text).unwrap();
    let report = zulip_backup_core::realm::reactivate::plan(&site, "oldco").unwrap().execute(&Silent).unwrap();
    assert!(report.findings.list.iter().any(|finding| finding.code == "deletion-finished"), "{report}");
    assert!(!own.exists() && !journal(&stage).exists());
}
