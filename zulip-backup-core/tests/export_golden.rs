//! Exports beside those that Zulip's own exporter made of the same server: the same files, to the byte.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::panic, clippy::unwrap_used)] // a test

#[path = "support/world.rs"]
mod world;

use std::collections::BTreeMap;
use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};
use world::World;
use zulip_backup_core::Silent;
use zulip_backup_core::export::{Compat, ExportOptions, Kind, plan};

const SHARED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/zulip");

/// The golden export, the organisation, and the kind of export.
const GOLDEN: [(&str, &str, Kind); 4] = [
    ("golden-export-zulip", "zulip", Kind::Full),
    ("golden-export-lear", "lear", Kind::Full),
    ("golden-export-zulip-consent", "zulip", Kind::FullWithConsent),
    ("golden-export-zulip-public", "zulip", Kind::Public),
];

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
        std::fs::write(
            version,
            "ZULIP_VERSION = \"11.0-dev+git\"
",
        )
        .unwrap();
        let expected = world.path("expected");
        std::fs::create_dir(&expected).unwrap();
        let archive = shared.join(format!("{golden}.tar.gz"));
        let arguments = ["-xzf", archive.as_str(), "-C", expected.as_str(), "--strip-components=1"];
        assert!(Command::new("tar").args(arguments).status().unwrap().success());
        let options = ExportOptions::of(realm).output(world.path("out")).kind(kind).compat(Compat::Strict).jobs(2);
        let report = plan(&world.site(), &options).unwrap().execute(&Silent).unwrap();
        assert!(!report.has_findings(), "{report}");
        let (ours, theirs) = (read(&report.path), read(&expected));
        assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>(), "{golden}");
        for (name, (bytes, seconds)) in &ours {
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
        let made_up = line.contains("exported-user-")
            || name == "realm.json" && ["\"color\"", "\"date_requested\"", "\"date_started\""].contains(&key.trim())
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
