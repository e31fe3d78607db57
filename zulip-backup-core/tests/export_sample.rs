//! Exports of the sample server: whole, the same every time, recorded, and clean after a failure.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::panic, clippy::unwrap_used)] // a test

#[path = "support/stage.rs"]
mod stage;

use camino::Utf8Path;
use serde_json::Value;
use stage::{read, stage};
use zulip_backup_core::codec::Digest;
use zulip_backup_core::export::{ExportOptions, Kind, plan};
use zulip_backup_core::postgres::{Purpose, Snapshot};
use zulip_backup_core::validate::{KindFrom, ValidateOptions, validate};
use zulip_backup_core::{ErrorKind, Recorder, Severity, Silent, realm};

#[test]
fn every_kind_is_whole_and_the_same_every_time() {
    let stage = stage();
    let site = stage.host.site().unwrap();
    let mut messages = Vec::new();
    for kind in [Kind::Full, Kind::FullWithConsent, Kind::Public] {
        let export = |name: &str| {
            let options = ExportOptions { force: true, ..stage.options(name).kind(kind).no_record(true) };
            plan(&site, &options).unwrap().execute(&Silent).unwrap()
        };
        let (first, second) = (export(&format!("{kind} 1")), export(&format!("{kind} 2")));
        let (files, again) = (read(&first.path), read(&second.path));
        assert_eq!(files.keys().collect::<Vec<_>>(), again.keys().collect::<Vec<_>>());
        for (name, bytes) in &files {
            assert!(bytes == &again[name], "{kind}: {name} differs from one export to the next");
        }
        let stats: Value = serde_json::from_slice(&files["stats.json"]).unwrap();
        for (file, rows) in stats.as_object().unwrap() {
            let Some(rows) = rows.as_object() else { continue };
            let content: Value = serde_json::from_slice(&files[&format!("{file}.json")]).unwrap();
            for (list, count) in rows {
                let found = content[list].as_array().unwrap();
                assert_eq!(Some(found.len() as u64), count.as_u64(), "{kind}: {list} of {file}");
                let ids: Vec<i64> = found.iter().map(|row| row["id"].as_i64().unwrap()).collect();
                assert!(ids.is_sorted(), "{kind}: {list} of {file}");
            }
        }
        if kind == Kind::Full {
            assert_eq!(first.findings.count("missing-upload"), 1, "{first}");
            // Messages of system bots that no export names are left out, as upstream leaves them out.
            let all = stage.number("SELECT count(*) FROM zerver_message WHERE realm_id = $1::int8");
            assert_eq!(i64::try_from(first.messages).unwrap(), all);
        }
        messages.push(first.messages);
    }
    assert!(messages.is_sorted_by(|more, less| more > less), "{messages:?}");
    assert_eq!(stage.number("SELECT count(*) FROM zerver_realmexport WHERE realm_id = $1::int8 AND status = 2"), 0);
}

#[test]
fn archives_hold_the_same_files_and_are_the_same_every_time() {
    let stage = stage();
    let site = stage.host.site().unwrap();
    let export = |name: &str| plan(&site, &stage.options(name).no_record(true)).unwrap().execute(&Silent).unwrap();
    let expected = read(&export("directory").path);
    for ending in ["tar.gz", "tar.zst"] {
        let report = export(&format!("one.{ending}"));
        let bytes = std::fs::read(&report.path).unwrap();
        assert_eq!(report.archive_bytes, Some(bytes.len() as u64));
        assert_eq!(report.sha256.unwrap(), Digest::of(&bytes));
        std::fs::rename(&report.path, stage.dir.join("first")).unwrap();
        assert!(bytes == std::fs::read(export(&format!("one.{ending}")).path).unwrap(), "another {ending} each time");

        let unpacked = stage.dir.join(format!("unpacked-{ending}"));
        std::fs::create_dir(&unpacked).unwrap();
        if ending == "tar.gz" {
            let arguments = ["-xzpf", report.path.as_str(), "-C", unpacked.as_str()];
            let tar = std::process::Command::new("tar").args(arguments).output().unwrap();
            assert!(tar.status.success() && tar.stderr.is_empty(), "{tar:?}");
        } else {
            let stream = zstd::stream::read::Decoder::new(&bytes[..]).unwrap();
            tar::Archive::new(stream).unpack(&unpacked).unwrap();
        }
        let names: Vec<_> = unpacked.read_dir_utf8().unwrap().map(|entry| entry.unwrap()).collect();
        assert_eq!(names.len(), 1);
        assert_eq!(names[0].file_name(), "one");
        let mode = std::os::unix::fs::MetadataExt::mode(&names[0].path().metadata().unwrap());
        assert_eq!(mode & 0o777, 0o700);
        let mut found = read(names[0].path());
        let manifest: Value = serde_json::from_slice(&found.remove("manifest.json").unwrap()).unwrap();
        let index = found.remove("index.jsonl").unwrap();
        assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
        for (name, content) in &found {
            assert!(content == &expected[name], "{ending}: {name} is another than in the directory");
        }
        assert_eq!(manifest["content"], "export");
        assert_eq!(manifest["rows"]["realm"]["zerver_realm"], 1);
        let members = index.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"{\"member\""));
        assert_eq!(manifest["index"]["members"], members.count());
        let checked = validate(&report.path, &ValidateOptions::default(), &Silent).unwrap();
        assert!(checked.is_sound() && checked.findings.at_least(Severity::Warning) == 0, "{checked}");
        assert_eq!((checked.kind_from, checked.messages), (KindFrom::Manifest, report.messages));
        every_changed_byte_is_noticed(&stage.dir.join(format!("changed.{ending}")), bytes);
        let error = zulip_backup_core::archive::Archive::open(&report.path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.hint().unwrap().contains("validate"), "{error:?}");
    }
}

/// Wherever a bit is flipped, be it in an upload that nobody reads.
fn every_changed_byte_is_noticed(path: &Utf8Path, mut bytes: Vec<u8>) {
    let step = bytes.len() / 40;
    for place in (0..bytes.len()).step_by(step).map(|start| start + step / 3).chain([bytes.len() - 40]) {
        let place = place.min(bytes.len() - 1);
        bytes[place] ^= 0x10;
        std::fs::write(path, &bytes).unwrap();
        if let Ok(checked) = validate(path, &ValidateOptions::default(), &Silent) {
            assert!(
                checked.findings.at_least(Severity::Warning) > 0,
                "nobody noticed the bit at {place} of {path}: {checked}"
            );
        }
        bytes[place] ^= 0x10;
    }
}

#[test]
fn an_export_is_recorded_and_is_in_its_own_audit_log() {
    let stage = stage();
    let done = "SELECT count(*) FROM zerver_realmexport WHERE realm_id = $1::int8 AND status = 3 AND stats IS NOT NULL";
    let lines = "SELECT count(*) FROM zerver_realmauditlog WHERE realm_id = $1::int8 AND event_type = 206";
    let (done_before, lines_before) = (stage.number(done), stage.number(lines));
    let report = plan(&stage.host.site().unwrap(), &stage.options("out")).unwrap().execute(&Silent).unwrap();
    assert_eq!((stage.number(done), stage.number(lines)), (done_before + 1, lines_before + 1));
    let realm: Value = serde_json::from_slice(&std::fs::read(report.path.join("realm.json")).unwrap()).unwrap();
    let own = realm["zerver_realmauditlog"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(own["event_type"], 206);
    let export = realm["zerver_realmexport"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&export["status"], &export["id"]), (&2.into(), &own["extra_data"]["realm_export_id"]));
}

#[test]
fn a_failed_export_leaves_nothing_but_a_line_that_says_so() {
    let stage = stage();
    let site = stage.host.site().unwrap();
    let failed = "SELECT count(*) FROM zerver_realmexport WHERE realm_id = $1::int8 AND status = 4";
    let lines = "SELECT count(*) FROM zerver_realmauditlog WHERE realm_id = $1::int8 AND event_type = 206";
    let (failed_before, lines_before) = (stage.number(failed), stage.number(lines));
    let progress = Recorder::default();
    progress.cancel();
    let error = plan(&site, &stage.options("out")).unwrap().execute(&progress).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    assert_eq!((stage.number(failed), stage.number(lines)), (failed_before + 1, lines_before));

    let held = Snapshot::take(&stage.host.database(), "test", Purpose::Export(stage.realm_id)).unwrap();
    let error = plan(&site, &stage.options("out")).unwrap().execute(&Silent).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked, "{error}");
    drop(held);
    let left: Vec<String> =
        stage.dir.read_dir_utf8().unwrap().map(|entry| entry.unwrap().file_name().to_owned()).collect();
    assert_eq!(left, ["host"]);

    let unknown = plan(&site, &ExportOptions::of("nobody").output(stage.dir.join("x"))).unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::NotFound);
    assert!(unknown.hint().unwrap().contains(&stage.realm), "{unknown:?}");
    let mut client = stage.host.database().connect("test").unwrap();
    client.batch_execute("ALTER TABLE zulip.zerver_stream ADD COLUMN mood text").unwrap();
    let changed = plan(&site, &stage.options("out")).unwrap_err();
    assert_eq!((changed.kind(), changed.reasons()[0].code.as_str()), (ErrorKind::Incompatible, "column-unknown"));
}

#[test]
fn an_export_is_handed_out_by_the_server() {
    let stage = stage();
    let site = stage.host.site().unwrap();
    let exports = stage.host.uploads_dir().join(format!("avatars/exports/{}", stage.realm_id));
    // What one left behind that was killed, and the export of another day.
    let (killed, other) = (exports.join("killed"), exports.join("other"));
    for directory in [&killed, &other] {
        std::fs::create_dir_all(directory).unwrap();
    }
    std::fs::write(killed.join(".a.tar.gz.12345678.partial"), "half").unwrap();
    std::fs::write(other.join("a.tar.gz"), "whole").unwrap();

    let options = stage.options("elsewhere/acme.tar.gz").upload(true);
    let plan = plan(&site, &options).unwrap();
    assert!(plan.to_string().contains(plan.url.as_ref().unwrap()), "{plan}");
    let report = plan.execute(&Silent).unwrap();
    let token = report.path.parent().unwrap().file_name().unwrap();
    assert_eq!((token.len(), report.path.file_name()), (24, Some("acme.tar.gz")));
    assert_eq!(report.path, exports.join(token).join("acme.tar.gz"));
    assert!(!killed.exists() && other.join("a.tar.gz").exists());
    let export_path = format!("/user_avatars/exports/{}/{token}/acme.tar.gz", stage.realm_id);
    let host = realm::show(&site, &stage.realm).unwrap().host.unwrap();
    assert_eq!(report.url.as_ref().unwrap(), &format!("https://{host}{export_path}"));
    let query = "SELECT export_path FROM zerver_realmexport WHERE realm_id = $1::int8 ORDER BY id DESC LIMIT 1";
    let row = stage.client().query_one(query, &[&stage.realm_id]).unwrap();
    assert_eq!(row.get::<_, String>(0), export_path);
    let mode = std::os::unix::fs::MetadataExt::mode(&report.path.metadata().unwrap());
    assert_eq!(mode & 0o777, 0o600);
    assert!(validate(&report.path, &ValidateOptions::default(), &Silent).unwrap().is_sound());

    // One that fails leaves no directory.
    let before: Vec<_> = exports.read_dir_utf8().unwrap().map(|entry| entry.unwrap().into_path()).collect();
    let progress = Recorder::default();
    progress.cancel();
    zulip_backup_core::export::plan(&site, &options).unwrap().execute(&progress).unwrap_err();
    let after: Vec<_> = exports.read_dir_utf8().unwrap().map(|entry| entry.unwrap().into_path()).collect();
    assert_eq!(after, before);

    let refused = |options: &ExportOptions| zulip_backup_core::export::plan(&site, options).unwrap_err();
    assert_eq!(refused(&stage.options("directory").upload(true)).kind(), ErrorKind::Usage);
    let user: String = stage
        .client()
        .query_one(
            "SELECT delivery_email::text FROM zerver_userprofile WHERE realm_id = $1::int8 LIMIT 1",
            &[&stage.realm_id],
        )
        .unwrap()
        .get(0);
    assert_eq!(refused(&ExportOptions::of_user(user).upload(true)).kind(), ErrorKind::Usage);
    std::fs::rename(stage.host.uploads_dir(), stage.dir.join("moved")).unwrap();
    let missing = zulip_backup_core::export::plan(&stage.host.site().unwrap(), &options).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound, "{missing}");
}
