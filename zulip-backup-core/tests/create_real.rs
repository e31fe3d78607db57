//! `create` on the database and the uploads of a real Zulip server, beside the backup that Zulip's own tool made of them.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::unwrap_used)] // a test

#[path = "support/world.rs"]
mod world;

use std::collections::BTreeMap;
use std::io::Read;
use std::process::Command;

use camino::Utf8Path;
use world::World;
use zulip_backup_core::archive::{Archive, VerifyOptions, extract_to, verify};
use zulip_backup_core::postgres::dump::Toc;
use zulip_backup_core::{Severity, Silent};

const SHARED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/zulip");

#[test]
fn a_real_servers_rows_and_files_are_those_in_upstreams_backup() {
    let shared = Utf8Path::new(SHARED);
    if !shared.exists() {
        return println!("skipped: no real server's data at {shared}");
    }
    let world = World::real(shared);
    let upstream = Archive::open(&shared.join("golden-backup.tar.gz")).unwrap();
    let expected = tables(&upstream);
    assert_eq!(expected["zulip.zerver_message"].len(), 3200);
    for name in ["a.tar.gz", "b.tar.zst"] {
        let path = world.backup(name);
        let archive = Archive::open(&path).unwrap();
        let verified = verify(&archive, &VerifyOptions::default(), &Silent).unwrap();
        assert!(verified.is_sound(), "{verified}");
        let manifest = archive.manifest().unwrap();
        // Attachments, avatars and emoji are where they belong; avatars that were replaced stay on a server for ever.
        assert_eq!(manifest.findings.at_least(Severity::Warning), 0, "{:?}", manifest.findings);
        assert!(manifest.findings.list.iter().all(|found| found.object.starts_with("avatars/")));
        let found = tables(&archive);
        assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
        for (table, rows) in &found {
            assert_eq!(rows, &expected[table], "{table}");
        }
        let counted = manifest.database.as_ref().unwrap().tables.iter().map(|table| table.rows).sum::<u64>();
        assert_eq!(counted, found.values().map(|rows| rows.len() as u64).sum::<u64>());
        let unpacked = world.path(&format!("{name}.files"));
        let options = zulip_backup_core::archive::ExtractOptions::default().member("uploads");
        zulip_backup_core::archive::extract(&archive, &options, &unpacked, &Silent).unwrap().into_result().unwrap();
        let (ours, theirs) = (unpacked.join("zulip-backup/uploads"), world.host.path("/home/zulip/uploads"));
        let same = Command::new("diff").args(["-r", ours.as_str(), theirs.as_str()]).output().unwrap();
        assert!(same.status.success(), "{}", String::from_utf8_lossy(&same.stdout));
    }
}

/// The rows of every table of a dump as COPY text, in order of the text: where rows lie in a table is nobody's business.
fn tables(archive: &Archive) -> BTreeMap<String, Vec<String>> {
    let member = |name: &str| {
        let mut content = Vec::new();
        extract_to(archive, &format!("database/{name}"), &mut content).unwrap();
        content
    };
    let toc = Toc::read(&member("toc.dat")[..]).unwrap();
    let with_data = toc.entries.iter().filter(|entry| entry.has_data);
    with_data
        .map(|entry| {
            let file = entry.file.as_deref().unwrap();
            let text = match archive.manifest().map(|manifest| manifest.compression) {
                Some(zulip_backup_core::codec::Compression::Zstd) => String::from_utf8(member(file)).unwrap(),
                _ => {
                    let mut text = String::new();
                    flate2::read::MultiGzDecoder::new(&member(&format!("{file}.gz"))[..])
                        .read_to_string(&mut text)
                        .unwrap();
                    text
                }
            };
            let rows = text.strip_suffix("\\.\n\n\n").unwrap();
            let mut rows: Vec<String> = rows.lines().map(str::to_owned).collect();
            rows.sort();
            (format!("{}.{}", entry.namespace.as_deref().unwrap(), entry.tag.as_deref().unwrap()), rows)
        })
        .collect()
}
