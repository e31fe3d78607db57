//! A real Zulip 9 server: exports of all kinds, their check, and the way to another server and back.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::panic, clippy::unwrap_used)] // a test

#[path = "support/exports.rs"]
mod exports;
#[path = "support/world.rs"]
mod world;

use camino::{Utf8Path, Utf8PathBuf};
use exports::{Stage, codes, golden, unpack};
use world::World;
use zulip_backup_core::diff::{DiffOptions, diff};
use zulip_backup_core::export::{ExportOptions, Kind, plan};
use zulip_backup_core::import::{self, ImportOptions};
use zulip_backup_core::validate::{KindFrom, ReleaseFrom, ValidateOptions, ValidateReport, validate};
use zulip_backup_core::{Error, ErrorKind, Silent};

const SHARED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/zulip/9.0");

fn check(path: &Utf8Path, options: ValidateOptions) -> ValidateReport {
    validate(path, &options.jobs(2), &Silent).unwrap()
}

/// The tarball that Zulip 9 made itself.
fn tarball() -> Option<Utf8PathBuf> {
    golden("9.0/golden-export-zulip")
}

#[test]
fn zulips_own_export_is_sound_and_damage_is_found() {
    let Some(tarball) = tarball() else { return };
    let stage = Stage::new();
    let directory = stage.dir.join("export");
    unpack(&tarball, &directory);
    for path in [&directory, &tarball] {
        let report = check(path, ValidateOptions::default());
        assert!(codes(&report.findings).is_empty(), "{report}");
        assert_eq!((report.release, report.release_from), ("9", ReleaseFrom::Columns));
        assert_eq!((report.kind_from, report.messages), (KindFrom::Unknown, 2148));
    }
    let damaged = |change: &dyn Fn(&exports::Copy)| {
        let copy = stage.copy(&directory, "copy");
        change(&copy);
        let report = check(&copy.path, ValidateOptions::default());
        codes(&report.findings).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let write = |copy: &exports::Copy, name: &str, change: &dyn Fn(String) -> String| {
        let text = std::fs::read_to_string(copy.file(name)).unwrap();
        std::fs::write(copy.file(name), change(text)).unwrap();
    };
    assert_eq!(damaged(&|copy| std::fs::remove_file(copy.file("stats.txt")).unwrap()), ["file-missing"]);
    let counts = |copy: &exports::Copy| {
        write(copy, "stats.txt", &|text| text.replace("   71 zerver_userprofile\n", "   70 zerver_userprofile\n"));
    };
    assert_eq!(damaged(&counts), ["count-differs"]);
    let records = |copy: &exports::Copy| write(copy, "stats.txt", &|text| text.replace(" records\n", "7 records\n"));
    assert_eq!(damaged(&records), ["count-differs"]);
    assert_eq!(damaged(&|copy| write(copy, "stats.txt", &|_| "no counts\n".to_owned())), ["stats-invalid"]);
    // Nobody's recipient is a mirror dummy's, unless the dummy's own row names it.
    let stranger = |copy: &exports::Copy| {
        copy.edit("realm.json", |file| {
            file["zerver_userprofile_mirrordummy"][0]["recipient"] = file["zerver_stream"][0]["recipient"].clone();
        });
    };
    assert_eq!(damaged(&stranger), ["recipient-differs"]);
    let recipient = |copy: &exports::Copy| {
        copy.edit("messages-000001.json", |file| file["zerver_message"][0]["recipient"] = 999_999.into());
    };
    assert_eq!(damaged(&recipient), ["dangling-reference"]);
    let migrations = |copy: &exports::Copy| {
        let text = r#"{"migrations_by_app": {"zerver": ["[X] 0558_x"]}, "zulip_version": "9.0"}"#;
        std::fs::write(copy.file("migration_status.json"), text).unwrap();
    };
    let copy = stage.copy(&directory, "claims");
    migrations(&copy);
    let error = validate(&copy.path, &ValidateOptions::default(), &Silent).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incompatible, "{error}");
}

#[test]
fn users_consent_by_reactions() {
    let shared = Utf8Path::new(SHARED);
    if tarball().is_none() {
        return;
    }
    let world = World::real(shared);
    let site = world.site();
    let mut client = world.connect();
    client.batch_execute("SET search_path = zulip, public").unwrap();
    // A message of a public channel asks; two users react, one of them with another name for the same emoji.
    let asked: i32 = client
        .query_one(
            "SELECT min(m.id) FROM zerver_message m JOIN zerver_stream s ON s.recipient_id = m.recipient_id
             WHERE s.realm_id = 2 AND NOT s.invite_only AND m.last_edit_time IS NULL",
            &[],
        )
        .unwrap()
        .get(0);
    client
        .execute(
            "INSERT INTO zerver_reaction (user_profile_id, message_id, emoji_name, emoji_code, reaction_type)
             SELECT id, $1, 'outbox' || id, '1f4e4', 'unicode_emoji' FROM zerver_userprofile
             WHERE realm_id = 2 AND delivery_email IN ('hamlet@zulip.com', 'cordelia@zulip.com')",
            &[&asked],
        )
        .unwrap();
    let options = || ExportOptions::of("zulip").jobs(2);
    let refused =
        |options: ExportOptions| -> Error { plan(&site, &options.output(world.path("refused"))).unwrap_err() };
    assert_eq!(refused(options().kind(Kind::FullWithConsent)).kind(), ErrorKind::Incompatible);
    assert_eq!(refused(options().consent_message(i64::from(asked)).kind(Kind::Public)).kind(), ErrorKind::Usage);
    assert!(refused(options().consent_message(1 << 40)).reasons()[0].message.contains("is not there"));

    let consenting = options().consent_message(i64::from(asked));
    for output in ["consent", "consent.tar.gz"] {
        let planned = plan(&site, &consenting.clone().output(world.path(output))).unwrap();
        assert_eq!(planned.consent.as_ref().map(|consent| consent.users), Some(2), "{planned}");
        let report = planned.execute(&Silent).unwrap();
        let judged = match output {
            "consent" => ValidateOptions::default().consent_message(i64::from(asked)),
            _ => ValidateOptions::default(),
        };
        let checked = check(&report.path, judged);
        assert!(codes(&checked.findings).is_empty(), "{checked}");
        assert_eq!(checked.kind, Kind::FullWithConsent);
        // Nobody else has anything private in it.
        let strict = check(&report.path, ValidateOptions::default().consent_message(i64::from(asked) + 1));
        assert!(codes(&strict.findings).contains("message-unjustified"), "{strict}");
    }
    // By Zulip's own rule, said once more.
    let expected: i64 = client
        .query_one(
            "WITH asked AS (SELECT user_profile_id AS id FROM zerver_reaction WHERE message_id = $1 AND emoji_code = '1f4e4'),
                  seen AS (SELECT recipient_id AS id FROM zerver_subscription WHERE user_profile_id IN (TABLE asked))
             SELECT count(*) FROM zerver_message m JOIN zerver_recipient r ON r.id = m.recipient_id
             LEFT JOIN zerver_stream s ON r.type = 2 AND s.id = r.type_id
             WHERE m.realm_id = 2 AND (
                 NOT s.invite_only
                 OR r.id IN (TABLE seen) AND coalesce(s.history_public_to_subscribers, true)
                 OR r.id IN (TABLE seen) AND EXISTS (
                     SELECT FROM zerver_usermessage u WHERE u.message_id = m.id AND u.user_profile_id IN (TABLE asked))
                 OR r.type = 1 AND m.sender_id IN (TABLE asked))",
            &[&asked],
        )
        .unwrap()
        .get(0);
    let all: i64 = client.query_one("SELECT count(*) FROM zerver_message WHERE realm_id = 2", &[]).unwrap().get(0);
    let exported = check(&world.path("consent"), ValidateOptions::default()).messages;
    assert_eq!(exported, u64::try_from(expected).unwrap());
    assert!(expected < all);

    let public =
        plan(&site, &options().kind(Kind::Public).output(world.path("public"))).unwrap().execute(&Silent).unwrap();
    let checked = check(&public.path, ValidateOptions::default().kind(Kind::Public));
    assert!(codes(&checked.findings).is_empty(), "{checked}");

    // What proves nothing.
    client.execute("UPDATE zerver_message SET last_edit_time = now() WHERE id = $1", &[&asked]).unwrap();
    client
        .execute(
            "INSERT INTO zerver_reaction (user_profile_id, message_id, emoji_name, emoji_code, reaction_type)
             SELECT min(id), $1, 'outbox', '1f4e4', 'unicode_emoji' FROM zerver_userprofile WHERE realm_id <> 2",
            &[&asked],
        )
        .unwrap();
    let error = refused(consenting);
    assert_eq!((error.kind(), error.reasons().len()), (ErrorKind::Refused, 2), "{error}");
}

#[test]
fn an_organisation_comes_back_as_it_was() {
    let (Some(tarball), shared) = (tarball(), Utf8Path::new(SHARED)) else { return };
    let world = World::fresh_of(shared, "9.0");
    let site = world.site();
    let planned = import::plan(&site, &tarball, &ImportOptions::to("moved").jobs(2), &Silent);
    let planned = planned.unwrap_or_else(|error| panic!("{}\n{:#?}", error.chain(), error.reasons()));
    assert_eq!(planned.export_release, "9");
    planned.execute(&Silent).unwrap();
    let again = world.path("again");
    let options = ExportOptions::of("moved").output(&again).no_record(true).jobs(2);
    plan(&site, &options).unwrap().execute(&Silent).unwrap();
    let checked = check(&again, ValidateOptions::default());
    assert!(codes(&checked.findings).is_empty(), "{checked}");
    let same = diff(&tarball, &again, &DiffOptions::default().renumbered(true).jobs(2), &Silent).unwrap();
    assert!(same.is_same(), "{same}");
    let other = diff(&tarball, &again, &DiffOptions::default().jobs(2), &Silent).unwrap();
    assert!(!other.is_same());
}

#[test]
fn a_server_of_another_release_takes_no_export_of_this_one() {
    let (Some(tarball), shared) = (tarball(), Utf8Path::new(SHARED)) else { return };
    let newer = World::fresh(shared.parent().unwrap());
    let error = import::plan(&newer.site(), &tarball, &ImportOptions::to("moved"), &Silent).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incompatible);
    let differs = error.reasons().iter().find(|reason| reason.code == "release-differs");
    let hint = differs.unwrap_or_else(|| panic!("{:#?}", error.reasons())).hint.as_ref().unwrap();
    assert!(hint.contains(&format!("upgrade-export {tarball} --to ")), "{hint}");
}
