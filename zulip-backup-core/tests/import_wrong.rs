//! The last look before the commit: whatever happens to rows on their way is noticed, and undoes all of it.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test

#[path = "support/same.rs"]
mod same;
#[path = "support/stage.rs"]
mod stage;

use stage::stage_of;
use zulip_backup_core::import::{ImportOptions, Way, plan};
use zulip_backup_core::{ErrorKind, Silent};

/// Somebody of another organisation, or of none.
const OTHER: &str = "(SELECT min(id) FROM zulip.zerver_userprofile)";

/// A table, when its trigger does what with each row, and what is said of that.
const CASES: [(&str, &str, &str, &str); 16] = [
    ("reaction", "INSERT", "IF NEW.id % 7 = 0 THEN RETURN NULL; END IF", " were sent, "),
    ("attachment_messages", "INSERT", "IF NEW.id % 3 = 0 THEN RETURN NULL; END IF", "left out, the export has"),
    ("subscription", "INSERT", "NEW.is_user_active := NOT NEW.is_user_active", "whether its user is active"),
    (
        "subscription",
        "INSERT",
        "IF NEW.id % 100 = 0 THEN NEW.recipient_id := (SELECT id FROM zulip.zerver_recipient WHERE type = 1
             ORDER BY id LIMIT 1 OFFSET (NEW.id / 100) % 30); END IF",
        "in the export",
    ),
    ("huddle", "INSERT", "NEW.huddle_hash := md5(NEW.huddle_hash)", "which its members do not have"),
    ("huddle", "INSERT", "NEW.recipient_id := NULL", "a group whose recipient is another's"),
    ("userprofile", "INSERT", "NEW.recipient_id := NULL", "a recipient that is nobody's"),
    ("userprofile", "INSERT", "IF NEW.is_bot THEN NEW.bot_owner_id := OTHER; END IF", "an owner of another"),
    ("namedusergroup", "INSERT", "NEW.creator_id := OTHER", "whose creator is of another"),
    ("stream", "INSERT", "NEW.recipient_id := NULL", "a channel whose recipient is another's"),
    ("stream", "UPDATE", "NEW.first_message_id := NULL", "whose first message is another"),
    ("presencesequence", "INSERT", "NEW.last_update_id := 0", "is behind what users have"),
    ("attachment", "INSERT", "NEW.path_id := '999/' || NEW.path_id", "under another organisation's files"),
    ("recipient", "INSERT", "IF NEW.type = 3 THEN NEW.type_id := -NEW.id; END IF", "a recipient that is nobody's"),
    ("reaction", "INSERT", "PERFORM setval('zulip.zerver_subscription_id_seq', 1)", "its sequence is at 1"),
    ("search", "INSERT", "IF NEW.message_id % 2 = 0 THEN RETURN NULL; END IF", "queued for the search index"),
];

#[test]
fn whatever_happens_to_rows_is_noticed_and_undoes_the_import() {
    let stage = stage_of(1000);
    let export = stage.foreign_export();
    let site = stage.host.site().unwrap();
    let import = |way: Way| {
        let mut plan = plan(&site, &export, &ImportOptions::to("copy").jobs(2), &Silent).unwrap();
        plan.way = way;
        plan.execute(&Silent)
    };
    let mut admin = stage.client();
    let before = same::checksums(&mut admin);
    let files: Vec<String> = stage::read(&stage.host.uploads_dir()).into_keys().collect();
    let ways = [Way::FirstImport, Way::SharedServer { bulk_checks: true }, Way::SharedServer { bulk_checks: false }];
    let mut missed = Vec::new();
    for (at, (table, event, body, told)) in CASES.into_iter().enumerate() {
        let way = ways[at % ways.len()];
        let table = if table == "search" { "fts_update_log".to_owned() } else { format!("zerver_{table}") };
        let body = body.replace("OTHER", OTHER);
        admin
            .batch_execute(&format!(
                "CREATE FUNCTION tamper() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body}; RETURN NEW; END $$;
                 CREATE TRIGGER tamper BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION tamper();
                 ALTER TABLE {table} ENABLE ALWAYS TRIGGER tamper"
            ))
            .unwrap();
        let error = import(way).unwrap_err();
        let reasons: Vec<String> = error.reasons().iter().map(ToString::to_string).collect();
        let said = format!("{}: {}", error.chain(), reasons.join("; "));
        let kind = matches!(error.kind(), ErrorKind::Damaged | ErrorKind::Postgres);
        if !kind || !said.contains(told) {
            missed.push(format!("{table} {body}, {way}: {said}"));
        }
        admin.batch_execute(&format!("DROP TRIGGER tamper ON {table}; DROP FUNCTION tamper()")).unwrap();
        let largest = "SELECT setval('zerver_subscription_id_seq', (SELECT max(id) FROM zerver_subscription))";
        admin.query(largest, &[]).unwrap();
        drop(plan(&site, &export, &ImportOptions::to("copy"), &Silent).unwrap());
        assert_eq!(same::checksums(&mut admin), before, "{table} {body}");
        assert_eq!(stage::read(&stage.host.uploads_dir()).into_keys().collect::<Vec<_>>(), files, "{table} {body}");
    }
    assert!(missed.is_empty(), "{missed:#?}");
    import(Way::FirstImport).unwrap();
}
