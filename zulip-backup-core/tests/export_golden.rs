//! Exports beside those that Zulip's own exporter made of the same server: the same files, to the byte.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::panic, clippy::unwrap_used)] // a test

#[path = "support/world.rs"]
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;
use world::World;
use zulip_backup_core::export::{Compat, ExportOptions, Kind, plan};
use zulip_backup_core::schema::Release;
use zulip_backup_core::{ErrorKind, Recorder, Silent};

const SHARED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/zulip");

/// The golden export, the organisation, and the kind of export.
const GOLDEN: [(&str, &str, Kind); 4] = [
    ("golden-export-zulip", "zulip", Kind::Full),
    ("golden-export-lear", "lear", Kind::Full),
    ("golden-export-zulip-consent", "zulip", Kind::FullWithConsent),
    ("golden-export-zulip-public", "zulip", Kind::Public),
];

#[test]
fn a_single_users_files_are_upstreams_to_the_byte() {
    let shared = Utf8Path::new(SHARED);
    if !shared.exists() {
        return println!("skipped: no real server's exports at {shared}");
    }
    let world = World::real(shared);
    let expected = unpacked(&world, shared, "golden-export-single-hamlet");
    for (name, realm) in [("out", Some("zulip".to_owned())), ("again", None)] {
        let options = ExportOptions { realm, ..ExportOptions::of_user("Hamlet@zulip.com") };
        let report = plan(&world.site(), &options.output(world.path(name))).unwrap().execute(&Silent).unwrap();
        assert!(!report.has_findings(), "{report}");
        equal("single-hamlet", &read(&report.path), &expected);
    }
    let schemas: BTreeMap<&str, Value> =
        Release::for_version("10.1").unwrap().export.json_schemas().unwrap().into_iter().collect();
    for (name, schema) in [("user.json", "user.json"), ("messages-000001.json", "user-messages.json")] {
        check(&schemas[schema], &serde_json::from_slice(&expected[name].0).unwrap(), name);
    }
    let nobody = plan(&world.site(), &ExportOptions::of_user("nobody@zulip.com")).unwrap_err();
    assert_eq!(nobody.kind(), ErrorKind::NotFound);
}

fn unpacked(world: &World, shared: &Utf8Path, golden: &str) -> BTreeMap<String, (Vec<u8>, i64)> {
    let directory = world.path("expected");
    std::fs::create_dir(&directory).unwrap();
    let archive = shared.join(format!("{golden}.tar.gz"));
    let arguments = ["-xzf", archive.as_str(), "-C", directory.as_str(), "--strip-components=1"];
    assert!(Command::new("tar").args(arguments).status().unwrap().success());
    read(&directory)
}

fn equal(golden: &str, ours: &BTreeMap<String, (Vec<u8>, i64)>, theirs: &BTreeMap<String, (Vec<u8>, i64)>) {
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>(), "{golden}");
    for (name, (bytes, seconds)) in ours {
        let (expected, expected_seconds) = &theirs[name];
        let json = std::path::Path::new(name).extension().is_some_and(|extension| extension == "json");
        if json {
            compare(golden, name, &masked(name, bytes), &masked(name, expected));
        } else {
            assert!(bytes == expected, "{golden}: {name} has other content");
            assert_eq!(seconds, expected_seconds, "{golden}: the time of {name}");
        }
    }
}

#[test]
fn every_file_is_upstreams_to_the_byte() {
    let shared = Utf8Path::new(SHARED);
    if !shared.exists() {
        return println!("skipped: no real server's exports at {shared}");
    }
    for (golden, realm, kind) in GOLDEN {
        // Each of the golden exports was made of a fresh copy: each records itself in the database.
        let world = World::real(shared);
        let version = world.host.deployment().join("version.py");
        std::fs::write(version, "ZULIP_VERSION = \"11.0-dev+git\"\n").unwrap();
        let expected = unpacked(&world, shared, golden);
        let options = ExportOptions::of(realm).output(world.path("out")).kind(kind).compat(Compat::Strict).jobs(2);
        // The name of the server that the golden exports are of: addresses are made up in it.
        let site = world.site_called("zulipdev.com:9991");
        let report = plan(&site, &options).unwrap().execute(&Silent).unwrap();
        assert!(!report.has_findings(), "{report}");
        equal(golden, &read(&report.path), &expected);
    }
}

#[test]
fn upstreams_exports_are_as_the_schema_says() {
    let shared = Utf8Path::new(SHARED);
    if !shared.exists() {
        return println!("skipped: no real server's exports at {shared}");
    }
    let schemas: BTreeMap<&str, Value> =
        Release::for_version("10.1").unwrap().export.json_schemas().unwrap().into_iter().collect();
    for (golden, ..) in GOLDEN {
        let temp = tempfile::tempdir().unwrap();
        let directory = Utf8Path::from_path(temp.path()).unwrap();
        let archive = shared.join(format!("{golden}.tar.gz"));
        let arguments =
            ["-xzf", archive.as_str(), "-C", directory.as_str(), "--strip-components=1", "--wildcards", "*.json"];
        assert!(Command::new("tar").args(arguments).status().unwrap().success());
        for (name, (bytes, _)) in read(directory) {
            let kind = if name.starts_with("messages-") { "messages.json" } else { &name };
            let Some(schema) = schemas.get(kind) else { continue };
            let file: Value = serde_json::from_slice(&bytes).unwrap();
            check(schema, &file, &format!("{golden}/{name}"));
        }
    }
}

/// As much of JSON Schema as ours has.
fn check(schema: &Value, value: &Value, place: &str) {
    let of_type = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("{other}"),
    };
    match &schema["type"] {
        Value::String(name) => assert!(of_type(name), "{place} is {value}, no {name}"),
        Value::Array(names) => assert!(names.iter().any(|name| of_type(name.as_str().unwrap())), "{place} is {value}"),
        _ => {}
    }
    if let (Some(items), Some(list)) = (schema.get("items"), value.as_array()) {
        list.iter().enumerate().for_each(|(at, item)| check(items, item, &format!("{place}[{at}]")));
    }
    if let (Some(properties), Some(object)) = (schema["properties"].as_object(), value.as_object()) {
        assert_eq!(properties.keys().collect::<BTreeSet<_>>(), object.keys().collect::<BTreeSet<_>>(), "{place}");
        object.iter().for_each(|(key, value)| check(&properties[key], value, &format!("{place}.{key}")));
    }
}

/// What differs from one export of the same data to the next: the export's own row, and what upstream makes up.
fn masked(name: &str, bytes: &[u8]) -> String {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    if name == "consented_user_ids.json" {
        let mut ids: Vec<i64> = serde_json::from_str(&text).unwrap();
        ids.sort_unstable();
        return format!("{ids:?}");
    }
    let mask = |line: &str| {
        let (key, _) = line.split_once(": ").unwrap_or((line, ""));
        if let Some((address, domain)) = line.split_once('@').filter(|(address, _)| address.contains("exported-user-"))
        {
            let (key, _) = address.split_once(": ").unwrap();
            return format!("{key}: …@{domain}");
        }
        let made_up = name == "realm.json" && ["\"color\"", "\"date_requested\"", "\"date_started\""].contains(&key.trim())
            // Fractions of a second are not in the archive that the uploads came in.
            || name.ends_with("records.json") && key.trim() == "\"last_modified\"";
        if made_up { format!("{key}: …") } else { line.to_owned() }
    };
    text.split('\n').map(mask).collect::<Vec<_>>().join("\n")
}

fn compare(golden: &str, name: &str, ours: &str, theirs: &str) {
    let mut context = Vec::new();
    for (at, (our, their)) in ours.split('\n').zip(theirs.split('\n')).enumerate() {
        if our.ends_with('[') || our.trim_start().starts_with("\"id\"") {
            context.push(our.trim());
        }
        let near = &context[context.len().saturating_sub(2)..];
        assert_eq!(our, their, "{golden}: {name} line {}, in {near:?}", at + 1);
    }
    assert_eq!(ours.len(), theirs.len(), "{golden}: {name} goes on");
}

/// Every file below a directory, by its name there: content, and seconds of its time.
fn read(root: &Utf8Path) -> BTreeMap<String, (Vec<u8>, i64)> {
    let mut files = BTreeMap::new();
    let mut directories: Vec<Utf8PathBuf> = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in directory.read_dir_utf8().unwrap() {
            let path = entry.unwrap().into_path();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            let time = std::os::unix::fs::MetadataExt::mtime(&path.metadata().unwrap());
            let name = path.strip_prefix(root).unwrap().to_string();
            files.insert(name, (std::fs::read(&path).unwrap(), time));
        }
    }
    files
}

/// Lines of `stats.txt` name the directory that the export was written to, wherever that was.
fn without_directory(text: &[u8]) -> String {
    let text = String::from_utf8(text.to_vec()).unwrap();
    let line = |line: &str| match line.strip_suffix("/records.json") {
        Some(path) => format!("…/{}/records.json\n", path.rsplit('/').next().unwrap()),
        None => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

#[test]
fn an_export_of_zulip_9_is_upstreams_to_the_byte() {
    let shared = Utf8Path::new(SHARED).join("9.0");
    if !shared.exists() {
        return println!("skipped: no real server's exports at {shared}");
    }
    let world = World::real(&shared);
    let expected = unpacked(&world, &shared, "golden-export-zulip");
    let options = ExportOptions::of("zulip").output(world.path("out")).compat(Compat::Strict).jobs(2);
    let report = plan(&world.site(), &options).unwrap().execute(&Silent).unwrap();
    assert!(!report.has_findings(), "{report}");
    let (mut ours, mut theirs) = (read(&report.path), expected);
    let [counts, expected_counts] =
        [&mut ours, &mut theirs].map(|files| without_directory(&files.remove("stats.txt").unwrap().0));
    assert_eq!(counts, expected_counts);
    // When each of them was made, the audit log says.
    for files in [&mut ours, &mut theirs] {
        let (text, _) = files.get_mut("realm.json").unwrap();
        let line = String::from_utf8(text.clone()).unwrap();
        let (before, own) = line.rsplit_once("\"event_type\": 206").unwrap();
        let (before, time) = before.rsplit_once("\"event_time\": ").unwrap();
        let (_, rest) = time.split_once(',').unwrap();
        *text = format!("{before}\"event_time\": …,{rest}\"event_type\": 206{own}").into_bytes();
    }
    equal("9.0", &ours, &theirs);

    // One line in the audit log for the export above; of one that ends early nothing stays.
    let lines = || -> i64 {
        let count = "SELECT count(*) FROM zulip.zerver_realmauditlog WHERE event_type = 206 AND extra_data = '{}'";
        world.connect().query_one(count, &[]).unwrap().get(0)
    };
    let written = lines();
    assert!(written > 0);
    let stopped = Recorder::default();
    stopped.cancel();
    let again = ExportOptions::of("zulip").output(world.path("again.tar.gz"));
    plan(&world.site(), &again).unwrap().execute(&stopped).unwrap_err();
    assert_eq!(lines(), written);
    let public = plan(&world.site(), &again.kind(Kind::Public)).unwrap().execute(&Silent).unwrap();
    assert!(public.messages > 0 && public.messages < report.messages && lines() == written + 1, "{public}");
}
