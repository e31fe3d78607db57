//! Exports of older releases made exports of newer ones, and imported there.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::panic, clippy::unwrap_used)] // a test

#[path = "support/exports.rs"]
mod exports;
#[path = "support/world.rs"]
mod world;

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};
use exports::{Stage, codes, golden, pack, unpack};
use serde_json::Value;
use world::World;
use zulip_backup_core::export::{self, ExportOptions, Kind};
use zulip_backup_core::import::{self, ImportOptions};
use zulip_backup_core::postgres::Cluster;
use zulip_backup_core::schema::Release;
use zulip_backup_core::upgrade::{UpgradeOptions, UpgradeReport, plan};
use zulip_backup_core::validate::{ValidateOptions, ValidateReport, validate};
use zulip_backup_core::{Error, ErrorKind, Silent};
use zulip_backup_examples::{SampleHost, SampleOptions};

/// Panics with all reasons.
fn done<T>(result: Result<T, Error>, what: &str) -> T {
    result.unwrap_or_else(|error| panic!("{what}: {}\n{:#?}", error.chain(), error.reasons()))
}

fn upgrade(path: &Utf8Path, to: &str, output: &Utf8Path) -> UpgradeReport {
    let planned = done(plan(path, &UpgradeOptions::to(to, output).jobs(2), &Silent), to);
    let report = done(planned.execute(&Silent), to);
    assert!(!report.has_findings(), "{to} {report}");
    report
}

fn check(path: &Utf8Path) -> ValidateReport {
    let report = validate(path, &ValidateOptions::default().kind(Kind::Full).jobs(2), &Silent).unwrap();
    assert!(codes(&report.findings).is_empty(), "{report}");
    report
}

/// Imports an export into a new server, and exports it from there.
fn there_and_back(world: &World, path: &Utf8Path) -> ValidateReport {
    let site = world.site();
    let planned = done(import::plan(&site, path, &ImportOptions::to("moved").jobs(2), &Silent), "import");
    done(planned.execute(&Silent), "import");
    let again = world.path("again");
    let options = ExportOptions::of("moved").output(&again).no_record(true).jobs(2);
    done(done(export::plan(&site, &options), "export").execute(&Silent), "export");
    check(&again)
}

#[test]
fn a_real_export_of_zulip_9_goes_into_a_real_zulip_10() {
    let Some(tarball) = golden("9.0/golden-export-zulip") else { return };
    let stage = Stage::new();
    let before = validate(&tarball, &ValidateOptions::default(), &Silent).unwrap();
    for output in ["new", "new.tar.gz", "new.tar.zst"] {
        let output = stage.dir.join(output);
        let report = upgrade(&tarball, "10.1", &output);
        let after = check(&output);
        assert_eq!((after.release, after.zulip_version.as_deref()), ("10", Some("10.1")));
        assert_eq!((after.messages, after.users), (before.messages, before.users));
        assert_eq!((after.user_messages, after.realm), (before.user_messages, before.realm.clone()));
        let [step] = &report.steps[..] else { panic!("{report}") };
        // The one mirror dummy has its recipient again.
        assert_eq!(step.made.get("zerver_recipient"), Some(&1), "{report}");
        assert!(step.left_out.contains_key("zerver_client"), "{report}");
        assert!(step.lost.contains_key("zerver_userprofile.tutorial_status"), "{report}");
        assert_eq!(report.archive_bytes.is_some(), output.extension().is_some());
    }

    // What is made of rows.
    let directory = stage.dir.join("old");
    unpack(&tarball, &directory);
    let read = |directory: &Utf8Path, name: &str| -> Value {
        serde_json::from_slice(&std::fs::read(directory.join(name)).unwrap()).unwrap()
    };
    let (old, new) = (read(&directory, "realm.json"), read(&stage.dir.join("new"), "realm.json"));
    let rows = |file: &Value, list: &str| file[list].as_array().unwrap().clone();
    let group = |name: &str| {
        let named = rows(&new, "zerver_namedusergroup");
        named.iter().find(|group| group["name"] == name).unwrap()["id"].clone()
    };
    let realm = &new["zerver_realm"][0];
    assert_eq!(realm["can_delete_any_message_group"], group("role:administrators"));
    assert_eq!(old["zerver_realm"][0]["wildcard_mention_policy"], 5);
    assert_eq!(realm["can_mention_many_users_group"], group("role:administrators"));
    assert_eq!(realm["can_resolve_topics_group"], realm["can_move_messages_between_topics_group"]);
    assert_eq!(realm["message_edit_history_visibility_policy"], 1);
    // Archived channels have their own names back.
    let archived = |file: &Value| -> Vec<String> {
        let channels = rows(file, "zerver_stream");
        let archived = channels.iter().filter(|channel| channel["deactivated"] == true);
        archived.map(|channel| channel["name"].as_str().unwrap().to_owned()).collect()
    };
    assert!(!archived(&old).is_empty() && archived(&old).iter().all(|name| name.contains("!DEACTIVATED:")));
    assert!(archived(&new).iter().all(|name| !name.contains("!DEACTIVATED:")), "{:?}", archived(&new));
    for huddle in rows(&new, "zerver_huddle") {
        let subscribed = rows(&new, "zerver_subscription");
        let members = subscribed.iter().filter(|row| row["recipient"] == huddle["recipient"]).count();
        assert_eq!(huddle["group_size"], members);
    }
    let message = &read(&stage.dir.join("new"), "messages-000001.json")["zerver_message"][0];
    assert!(message["is_channel_message"].is_boolean());

    // And the newer server takes it.
    let world = World::fresh(exports::SHARED.into());
    let there = there_and_back(&world, &stage.dir.join("new.tar.gz"));
    assert_eq!((there.messages, there.user_messages), (before.messages, before.user_messages));
}

/// An export of a sample server of a release.
fn sample(release: &Release, dir: &Utf8Path) -> Utf8PathBuf {
    let root = dir.join(format!("host-{}", release.name));
    std::fs::create_dir(&root).unwrap();
    let zulip_version = format!("{}.0", release.export.versions[0]);
    let options = SampleOptions { zulip_version, messages: 400, ..SampleOptions::default() };
    let host = SampleHost::start(&root, &options, Cluster::builder()).unwrap();
    let mut client = host.database().connect("test").unwrap();
    if release.catalog.has_column("zerver_userprofile", "is_billing_admin") {
        let managers = "UPDATE zulip.zerver_userprofile SET is_billing_admin = true WHERE realm_id = 2 AND role = 200";
        assert!(client.execute(managers, &[]).unwrap() > 0);
    }
    let output = dir.join(format!("export-{}", release.name));
    let options = ExportOptions::of("acme").output(&output).jobs(2);
    done(done(export::plan(&host.site().unwrap(), &options), "export").execute(&Silent), "export");
    output
}

#[test]
fn every_release_goes_into_every_newer_one() {
    let stage = Stage::new();
    let releases = Release::all().unwrap();
    let newest = releases.last().unwrap();
    for (at, release) in releases.iter().enumerate() {
        let export = sample(release, &stage.dir);
        let before = check(&export);
        for newer in &releases[at + 1..] {
            let version = format!("{}.0", newer.export.versions[0]);
            let output = stage.dir.join(format!("from-{}-to-{}", release.name, newer.name));
            let report = upgrade(&export, &version, &output);
            assert_eq!(report.steps.len(), releases.iter().position(|known| known.name == newer.name).unwrap() - at);
            let after = check(&output);
            assert_eq!(after.release, newer.name);
            assert_eq!((after.messages, after.user_messages), (before.messages, before.user_messages));
            if at == 0 && newer.name == newest.name || std::ptr::eq(*newer, releases[at + 1]) {
                let there = there_and_back(&World::made_of(newer, &version), &output);
                assert_eq!((there.messages, there.user_messages), (before.messages, before.user_messages));
            }
        }
    }
}

#[test]
fn conversations_of_two_are_groups_from_zulip_12_on() {
    let stage = Stage::new();
    let export = sample(Release::for_version("11.4").unwrap(), &stage.dir);
    let output = stage.dir.join("twelve");
    let report = upgrade(&export, "12.0", &output);
    assert!(report.steps[0].left_out["zerver_recipient"] > 0, "{report}");
    let read = |directory: &Utf8Path, name: &str| -> Value {
        serde_json::from_slice(&std::fs::read(directory.join(name)).unwrap()).unwrap()
    };
    let (old, new) = (read(&export, "realm.json"), read(&output, "realm.json"));
    let list = |file: &Value, name: &str| file[name].as_array().unwrap().clone();
    assert!(list(&new, "zerver_recipient").iter().all(|row| row["type"] != 1));
    let personal: std::collections::BTreeMap<i64, i64> = list(&old, "zerver_recipient")
        .iter()
        .chain(&list(&old, "zerver_userprofile_crossrealm"))
        .filter(|row| row["type"] == 1)
        .map(|row| (row["id"].as_i64().unwrap(), row["type_id"].as_i64().unwrap()))
        .collect();
    let members = |recipient: &Value| -> BTreeSet<i64> {
        let subscribed = list(&new, "zerver_subscription");
        let of = subscribed.iter().filter(|row| row["recipient"] == *recipient);
        of.map(|row| row["user_profile"].as_i64().unwrap()).collect()
    };
    let (before, after) = (read(&export, "messages-000001.json"), read(&output, "messages-000001.json"));
    let mut direct = 0;
    for (before, after) in list(&before, "zerver_message").iter().zip(&list(&after, "zerver_message")) {
        assert_eq!(before["id"], after["id"]);
        match personal.get(&before["recipient"].as_i64().unwrap()) {
            Some(&user) => {
                direct += 1;
                let expected: BTreeSet<i64> = [user, before["sender"].as_i64().unwrap()].into();
                assert_eq!(members(&after["recipient"]), expected);
            }
            None => assert_eq!(before["recipient"], after["recipient"]),
        }
    }
    assert!(direct > 10);
}

#[test]
fn what_is_not_known_is_refused() {
    let stage = Stage::new();
    let export = sample(Release::for_version("9.0").unwrap(), &stage.dir);
    let refused = |path: &Utf8Path, to: &str, output: &Utf8Path| -> Error {
        match plan(path, &UpgradeOptions::to(to, output), &Silent) {
            Ok(planned) => planned.execute(&Silent).unwrap_err(),
            Err(error) => error,
        }
    };
    let output = stage.dir.join("out");
    assert_eq!(refused(&export, "8.1", &output).kind(), ErrorKind::Incompatible);
    assert_eq!(refused(&export, "9.0", &output).kind(), ErrorKind::Refused);
    assert_eq!(refused(&export, "99.0", &output).kind(), ErrorKind::Incompatible);
    std::fs::write(&output, "there").unwrap();
    assert_eq!(refused(&export, "10.1", &output).kind(), ErrorKind::Refused);
    std::fs::remove_file(&output).unwrap();
    // A value that no migration knows.
    let copy = stage.copy(&export, "odd");
    copy.edit("realm.json", |file| file["zerver_realm"][0]["bot_creation_policy"] = 9.into());
    let error = refused(&copy.path, "10.1", &output);
    assert!(
        error.kind() == ErrorKind::Incompatible && error.to_string().contains("bot_creation_policy is 9"),
        "{error}"
    );
    let damaged = stage.copy(&export, "damaged");
    std::fs::remove_file(damaged.file("messages-000001.json")).unwrap();
    let error = refused(&damaged.path, "10.1", &output);
    assert!(error.kind() == ErrorKind::Damaged && !error.reasons().is_empty(), "{error}");
    // Nothing is left of what failed, whatever it was to be.
    for output in ["odd.tar.gz", "odd-directory"] {
        refused(&copy.path, "10.1", &stage.dir.join(output));
    }
    let names: BTreeSet<String> =
        stage.dir.read_dir_utf8().unwrap().map(|entry| entry.unwrap().file_name().to_owned()).collect();
    assert_eq!(names, ["damaged", "export-9", "host-9", "odd"].map(str::to_owned).into());

    // A tarball of anybody's, whose files come in any order.
    let tarball = stage.dir.join("foreign.tar.gz");
    pack(&export, &tarball);
    upgrade(&tarball, "10.1", &stage.dir.join("of-tarball"));
    upgrade(&export, "10.1", &stage.dir.join("of-directory"));
    let same = zulip_backup_core::diff::diff(
        &stage.dir.join("of-tarball"),
        &stage.dir.join("of-directory"),
        &zulip_backup_core::diff::DiffOptions::default(),
        &Silent,
    );
    assert!(same.unwrap().is_same());
}
