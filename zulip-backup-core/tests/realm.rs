//! Organisations listed, shown, deactivated and renamed.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::panic, clippy::unwrap_used)] // a test

#[path = "support/memcached.rs"]
mod memcached;
#[path = "support/stage.rs"]
mod stage;

use memcached::{FakeMemcached, Manner};
use stage::stage;
use zulip_backup_core::postgres::{Purpose, Reservation};
use zulip_backup_core::realm::deactivate::DeactivateOptions;
use zulip_backup_core::realm::rename::RenameOptions;
use zulip_backup_core::realm::{self, FilePresence, deactivate, reactivate, rename};
use zulip_backup_core::site::{Environment, Site, SiteOptions};
use zulip_backup_core::{ErrorKind, Recorder, Silent};

#[test]
fn organisations_are_listed_and_shown() {
    let stage = stage();
    let site = stage.host.site().unwrap();
    let list = realm::list(&site).unwrap();
    assert!(list.realms.is_sorted_by_key(|realm| realm.id) && list.realms.len() >= 3);
    let summary = list.realms.iter().find(|realm| realm.id == stage.realm_id).unwrap();
    let shown = list.to_string();
    assert!(list.realms.iter().all(|realm| shown.contains(&realm.name)) && shown.contains("(deactivated)"), "{shown}");

    let query = "UPDATE zerver_realm SET scheduled_deletion_date = '2030-01-02T03:04:05Z',
                 deactivated_redirect = 'https://new.example.com' WHERE id = $1::int8";
    stage.client().execute(query, &[&stage.realm_id]).unwrap();
    let details = realm::show(&site, &stage.realm).unwrap();
    assert_eq!(details, realm::show(&site, &stage.realm_id.to_string()).unwrap());
    assert_eq!((details.messages, details.attachment_bytes), (summary.messages, summary.upload_bytes));
    let users = details.users;
    let active = users.owners + users.administrators + users.moderators + users.members + users.guests + users.bots;
    assert_eq!(active, summary.active_users);
    let all = "SELECT count(*) FROM zerver_userprofile WHERE realm_id = $1::int8";
    assert_eq!(active + users.deactivated + users.mirror_dummies, stage.number(all));
    let channels = details.channels;
    let all = "SELECT count(*) FROM zerver_stream WHERE realm_id = $1::int8";
    assert_eq!(channels.public + channels.private + channels.archived, stage.number(all));
    assert_eq!(details.host.as_deref(), Some(format!("{}.chat.example.com", stage.realm).as_str()));
    let FilePresence::Known { present, missing, first_missing } = &details.files else { panic!("{details:?}") };
    assert_eq!(i64::try_from(present + missing).unwrap(), details.attachments);
    assert_eq!((*missing, first_missing.as_slice()), (1, &[stage.host.sample().missing_files()[0].to_owned()][..]));
    let text = details.to_string();
    for part in ["2030-01-02T03:04:05", "leads to https://new.example.com", &first_missing[0], "invite_required = "] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let secret = "SELECT uuid_owner_secret FROM zerver_realm WHERE id = $1::int8";
    let secret: String = stage.client().query_one(secret, &[&stage.realm_id]).unwrap().get(0);
    let json = serde_json::to_string(&details).unwrap();
    assert!(!secret.is_empty() && !text.contains(&secret) && !json.contains(&secret));

    let nothing = realm::show(&site, "nowhere").unwrap_err();
    assert_eq!(nothing.kind(), ErrorKind::NotFound);
    assert!(nothing.hint().unwrap().contains(&stage.realm));
}

/// The server with a memcached of its own.
fn with_memcached(stage: &stage::Stage, address: &str) -> Site {
    let options = SiteOptions::default().root(stage.host.root()).setting("MEMCACHED_LOCATION", address);
    let environment = Environment::from_pairs::<String, String>([]);
    Site::builder().options(options).environment(environment).database(stage.host.database()).build().unwrap()
}

/// The newest line of the audit log: event and data.
fn last_line(stage: &stage::Stage) -> (i16, serde_json::Value) {
    let query = "SELECT event_type, extra_data::text FROM zerver_realmauditlog WHERE realm_id = $1::int8
                 ORDER BY id DESC LIMIT 1";
    let row = stage.client().query_one(query, &[&stage.realm_id]).unwrap();
    (row.get(0), serde_json::from_str(row.get(1)).unwrap())
}

#[test]
fn an_organisation_is_deactivated_and_comes_back() {
    let stage = stage();
    let memcached = FakeMemcached::start(Manner::Open);
    let site = with_memcached(&stage, &memcached.address());
    let email = "INSERT INTO zerver_scheduledemail (scheduled_timestamp, data, type, realm_id) VALUES (now(), '{}', 1, $1::int8::int4)";
    stage.client().execute(email, &[&stage.realm_id]).unwrap();
    let emails = "SELECT count(*) FROM zerver_scheduledemail WHERE realm_id = $1::int8";
    let all_emails = stage.number(emails);
    let state = || {
        let query = "SELECT deactivated, deactivated_redirect, scheduled_deletion_date IS NULL FROM zerver_realm WHERE id = $1::int8";
        let row = stage.client().query_one(query, &[&stage.realm_id]).unwrap();
        (row.get::<_, bool>(0), row.get::<_, Option<String>>(1), row.get::<_, bool>(2))
    };

    let options = DeactivateOptions::of(&stage.realm, "owner_request").redirect_url("https://new.example.com");
    let plan = deactivate::plan(&site, &options).unwrap();
    assert!(!plan.already && plan.to_string().contains("owner_request"));
    assert_eq!(state(), (false, None, true), "a plan changes nothing");
    let stopped = Recorder::default();
    stopped.cancel();
    assert_eq!(plan.execute(&stopped).unwrap_err().kind(), ErrorKind::Interrupted);
    assert_eq!((state(), stage.number(emails)), ((false, None, true), all_emails));
    let report = plan.execute(&Silent).unwrap();
    assert!(!report.already && !report.has_findings() && report.next_steps.is_empty(), "{report}");
    assert_eq!(i64::try_from(report.deleted_emails).unwrap(), all_emails);
    assert_eq!((state(), stage.number(emails)), ((true, Some("https://new.example.com".to_owned()), true), 0));
    assert_eq!(memcached.flushed(), 1);
    let (event, data) = last_line(&stage);
    let owners =
        "SELECT count(*) FROM zerver_userprofile WHERE realm_id = $1::int8 AND is_active AND NOT is_bot AND role = 100";
    let bots = "SELECT count(*) FROM zerver_userprofile WHERE realm_id = $1::int8 AND is_active AND is_bot";
    assert_eq!((event, &data["deactivation_reason"]), (201, &"owner_request".into()));
    assert_eq!(
        (&data["10"]["11"]["100"], &data["10"]["12"]),
        (&stage.number(owners).into(), &stage.number(bots).into())
    );

    let lines = "SELECT count(*) FROM zerver_realmauditlog WHERE realm_id = $1::int8";
    let before = stage.number(lines);
    let options = DeactivateOptions::of(&stage.realm, "again").redirect_url("https://other.example.com");
    let report = deactivate::plan(&site, &options).unwrap().execute(&Silent).unwrap();
    assert!(report.already && report.to_string().ends_with("is deactivated already"), "{report}");
    assert_eq!((state().1.as_deref(), stage.number(lines)), (Some("https://other.example.com"), before));

    let due = "UPDATE zerver_realm SET scheduled_deletion_date = now() WHERE id = $1::int8";
    stage.client().execute(due, &[&stage.realm_id]).unwrap();
    let report = reactivate::plan(&site, &stage.realm).unwrap().execute(&Silent).unwrap();
    assert!(!report.already && !report.has_findings(), "{report}");
    assert_eq!(state(), (false, Some("https://other.example.com".to_owned()), true));
    let (event, data) = last_line(&stage);
    assert_eq!((event, &data["10"]["11"]["100"]), (202, &stage.number(owners).into()));
    assert!(data.get("deactivation_reason").is_none());
    let before = stage.number(lines);
    let report = reactivate::plan(&site, &stage.realm).unwrap().execute(&Silent).unwrap();
    assert!(report.already && report.to_string().ends_with("is active already"), "{report}");
    assert_eq!(stage.number(lines), before);

    for wrong in [DeactivateOptions::of(&stage.realm, " "), DeactivateOptions::of(&stage.realm, "x").redirect_url("x")]
    {
        assert_eq!(deactivate::plan(&site, &wrong).unwrap_err().kind(), ErrorKind::Usage);
    }
    let system = deactivate::plan(&site, &DeactivateOptions::of("zulipinternal", "x")).unwrap_err();
    assert_eq!(system.kind(), ErrorKind::Refused);
}

#[test]
fn caches_that_do_not_answer_are_a_finding_with_the_command() {
    let stage = stage();
    let memcached = FakeMemcached::start(Manner::Sasl("zulip@localhost", "another"));
    let site = with_memcached(&stage, &memcached.address());
    let report = reactivate::plan(&site, "oldco").unwrap().execute(&Silent).unwrap();
    let finding = report.findings.list.iter().find(|finding| finding.code == "caches-not-flushed").unwrap();
    assert!(finding.message.contains("does not accept the password"), "{finding}");
    let command = stage.host.root().join("home/zulip/deployments/current/scripts/setup/flush-memcached");
    assert_eq!((report.has_findings(), report.next_steps.as_slice()), (true, &[command.to_string()][..]));
    let site = with_memcached(&stage, "nonsense here");
    let report = reactivate::plan(&site, "oldco").unwrap().execute(&Silent).unwrap();
    assert!(report.to_string().contains("MEMCACHED_LOCATION"), "{report}");
}

#[test]
fn an_organisation_gets_another_subdomain_and_name() {
    let stage = stage();
    let memcached = FakeMemcached::start(Manner::Open);
    let site = with_memcached(&stage, &memcached.address());
    let of = |realm: &str| RenameOptions::of(realm);
    let refused = rename::plan(&site, &of(&stage.realm).subdomain("-OLDCO")).unwrap_err();
    let codes: Vec<&str> = refused.reasons().iter().map(|finding| finding.code.as_str()).collect();
    assert_eq!((refused.kind(), codes), (ErrorKind::Refused, vec!["subdomain-characters", "subdomain-hyphen"]));
    for (subdomain, code) in [("oldco", "subdomain-taken"), ("", "subdomain-taken"), ("www", "subdomain-reserved")] {
        let refused = rename::plan(&site, &of(&stage.realm).subdomain(subdomain)).unwrap_err();
        assert_eq!(refused.reasons()[0].code, code, "{subdomain}");
    }
    rename::plan(&site, &of(&stage.realm).subdomain("www").allow_reserved_subdomain(true)).unwrap();
    let same = of(&stage.realm).subdomain(&stage.realm);
    assert_eq!(rename::plan(&site, &same).unwrap_err().kind(), ErrorKind::Usage);

    let leads = format!("https://{}.chat.example.com/", stage.realm);
    let update = "UPDATE zerver_realm SET deactivated_redirect = $1 WHERE string_id = 'oldco'";
    stage.client().execute(update, &[&leads]).unwrap();
    let plan = rename::plan(&site, &of(&stage.realm).subdomain("makers").name("The Mäkers")).unwrap();
    assert!(plan.to_string().contains("makers.chat.example.com"), "{plan}");
    let old_name = plan.name.clone();
    let report = plan.execute(&Silent).unwrap();
    assert_eq!((report.realm.as_str(), report.name.as_str(), report.redirects), ("makers", "The Mäkers", 1));
    assert!(report.to_string().contains("no longer leads anywhere") && report.next_steps[0].contains("makers.chat"));
    assert_eq!(memcached.flushed(), 1);
    let redirect = "SELECT deactivated_redirect FROM zerver_realm WHERE string_id = 'oldco'";
    let redirect: String = stage.client().query_one(redirect, &[]).unwrap().get(0);
    assert_eq!(redirect, "https://makers.chat.example.com/");
    let details = realm::show(&site, "makers").unwrap();
    assert_eq!((details.id, details.name.as_str()), (stage.realm_id, "The Mäkers"));
    let line = serde_json::json!({"1": old_name, "2": "The Mäkers", "property": "name"});
    assert_eq!(last_line(&stage), (207, line));
    // What was planned for the organisation of before is not done to another.
    let late = plan.execute(&Silent).unwrap_err();
    assert!(late.kind() == ErrorKind::Refused && late.to_string().contains("is now \"makers\""), "{late}");
}

#[test]
fn two_at_once_are_kept_apart() {
    let stage = stage();
    let site = stage.host.site().unwrap();
    let options = stage.options("out");
    let held =
        Reservation::make(&stage.host.database(), "zulip-backup export of realm", Purpose::Export(stage.realm_id));
    let plan = deactivate::plan(&site, &DeactivateOptions::of(&stage.realm, "x")).unwrap();
    let locked = plan.execute(&Silent).unwrap_err();
    assert!(
        locked.kind() == ErrorKind::Locked && locked.to_string().contains("zulip-backup export of realm"),
        "{locked}"
    );
    drop(held);
    let held = Reservation::make(&stage.host.database(), "test", Purpose::Change(stage.realm_id)).unwrap();
    let export = zulip_backup_core::export::plan(&site, &options).unwrap().execute(&Silent).unwrap_err();
    assert_eq!(export.kind(), ErrorKind::Locked);
    drop(held);
}
