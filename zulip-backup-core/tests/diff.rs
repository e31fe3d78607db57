//! What differs between two exports, and what does not.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::panic, clippy::unwrap_used)] // a test

#[path = "support/exports.rs"]
mod exports;

use camino::Utf8Path;
use exports::{GOLDEN, Stage, golden, pack, unpack};
use serde_json::{Value, json};
use zulip_backup_core::diff::{DiffOptions, DiffReport, diff};
use zulip_backup_core::export::Kind;
use zulip_backup_core::{ErrorKind, Silent};

fn compare(a: &Utf8Path, b: &Utf8Path) -> DiffReport {
    diff(a, b, &DiffOptions::default().limit(3).jobs(2), &Silent).unwrap()
}

#[test]
fn a_directory_and_its_tarball_are_the_same() {
    for (name, _) in GOLDEN {
        let Some(tarball) = golden(name) else { return };
        let stage = Stage::new();
        let directory = stage.dir.join("export");
        unpack(&tarball, &directory);
        let report = compare(&directory, &tarball);
        assert!(report.is_same(), "{report}");
    }
}

#[test]
fn differences_are_named_and_counted() {
    let stage = Stage::with_sample(2500);
    let full = stage.of(Kind::Full);
    let copy = stage.copy(&full, "copy");
    assert!(compare(&full, &full).is_same());
    assert!(compare(&full, &copy.path).is_same());
    let packed = stage.dir.join("full.tar.zst");
    pack(&full, &packed);
    assert!(compare(&packed, &copy.path).is_same());

    // Layout, order, and the file a message is in.
    copy.edit("realm.json", |file| {
        let streams = file["zerver_stream"].as_array_mut().unwrap();
        streams.reverse();
        let row = streams[0].as_object_mut().unwrap();
        let name = row.shift_remove("name").unwrap();
        row.insert("name".to_owned(), name);
    });
    let compact = serde_json::to_vec(&copy.read("analytics.json")).unwrap();
    std::fs::write(copy.file("analytics.json"), compact).unwrap();
    let (first, second) = ("messages-000001.json", "messages-000002.json");
    let moved = copy.list(first, "zerver_message").pop().unwrap();
    copy.edit(first, |file| drop(file["zerver_message"].as_array_mut().unwrap().pop()));
    copy.edit(second, |file| file["zerver_message"].as_array_mut().unwrap().insert(0, moved.clone()));
    let report = compare(&full, &copy.path);
    assert!(report.is_same(), "{report}");

    copy.row(
        second,
        "zerver_message",
        |_| true,
        |row| {
            row["subject"] = "changed".into();
            row["mood"] = "new".into();
        },
    );
    let gone: Vec<i64> =
        copy.list(second, "zerver_usermessage").iter().take(5).map(|row| row["id"].as_i64().unwrap()).collect();
    copy.edit(second, |file| drop(file["zerver_usermessage"].as_array_mut().unwrap().drain(..5)));
    copy.edit("realm.json", |file| {
        file["zerver_client"].as_array_mut().unwrap().push(json!({"id": 999_999, "name": "x"}));
    });
    let upload = copy.list_of("uploads/records.json")[0]["path"].as_str().unwrap().to_owned();
    std::fs::write(copy.file(&format!("uploads/{upload}")), b"other").unwrap();
    copy.edit("uploads/records.json", |records| records[0]["size"] = 5.into());
    std::fs::write(copy.file("notes.txt"), b"x").unwrap();
    copy.write("consented_user_ids.json", &json!([7]));
    copy.edit("migration_status.json", |file| {
        file["zulip_version"] = "12.0".into();
        file["migrations_by_app"]["zerver"].as_array_mut().unwrap().push("[X] 9999_more".into());
    });
    for (a, b) in [(&full, &copy.path), (&packed, &copy.path)] {
        let report = serde_json::to_value(compare(a, b)).unwrap();
        let list = |file: &str, list: &str| -> Value {
            let lists = report["lists"].as_array().unwrap();
            lists.iter().find(|one| one["file"] == file && one["list"] == list).unwrap().clone()
        };
        assert_eq!(report["lists"].as_array().unwrap().len(), 3, "{report}");
        let messages = list("messages", "zerver_message");
        assert_eq!(
            messages["changed"],
            json!({"count": 1, "first": [{"id": moved["id"], "keys": ["subject", "mood"]}]})
        );
        assert_eq!(messages["only_in_a"]["count"], 0);
        let user_messages = list("messages", "zerver_usermessage");
        assert_eq!(user_messages["only_in_a"], json!({"count": 5, "first": gone[..3]}));
        assert_eq!(list("realm.json", "zerver_client")["only_in_b"], json!({"count": 1, "first": [999_999]}));
        assert_eq!(report["records"][0]["changed"]["first"], json!([upload]));
        assert_eq!(report["files"][0]["directory"], ".");
        assert_eq!(report["files"][0]["only_in_b"]["first"], json!(["notes.txt"]));
        assert_eq!(report["files"][1]["changed"], json!({"count": 1, "first": [upload]}));
        assert_eq!(report["consented"]["only_in_b"]["first"], json!([7]));
        assert_eq!(report["migrations"]["zerver"]["only_in_b"]["first"], json!(["[X] 9999_more"]));
        assert_eq!(report["zulip_versions"][1], "12.0");
    }
    let shown = compare(&full, &copy.path).to_string();
    assert!(shown.contains(&format!("changed    1: {} (subject, mood)", moved["id"])), "{shown}");
    assert!(shown.contains("only in a  5: "), "{shown}");

    std::fs::write(copy.file("realm.json"), b"{\"zerver_realm\": [").unwrap();
    let error = diff(&full, &copy.path, &DiffOptions::default(), &Silent).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
}
