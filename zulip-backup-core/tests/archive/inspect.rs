//! What is told about an archive, and that no secret is.

use std::process::Command;

use zulip_backup_core::Silent;
use zulip_backup_core::archive::{Archive, ArchiveKind, EntryKind, MemberTarget, inspect};
use zulip_backup_core::codec::Compression;
use zulip_backup_core::postgres::dump::toc::{Toc, TocEntry};

use crate::builder::{BOTH, Backup, header, place};

#[test]
fn the_index_and_a_front_to_back_reading_tell_the_same() {
    let (_temp, directory) = place();
    for compression in BOTH {
        let path = directory.join(compression.extension());
        Backup::new(compression).write(&path);
        let bytes = std::fs::read(&path).unwrap();
        let cut = directory.join("cut");
        std::fs::write(&cut, &bytes[..bytes.len() - 76]).unwrap();
        let ours = inspect(&Archive::open(&path).unwrap(), &Silent).unwrap();
        let cut = inspect(&Archive::open(&cut).unwrap(), &Silent).unwrap();
        assert_eq!((ours.kind, cut.kind), (ArchiveKind::Indexed, ArchiveKind::Stream));
        for report in [&ours, &cut] {
            assert!(report.findings.is_empty(), "{report}");
            assert_eq!(report.zulip_version, "10.1");
            assert_eq!(report.os_version, "debian 12");
            assert_eq!(report.postgres_version, Some(150_018));
            assert_eq!((report.needs.postgres_major, report.needs.pg_restore_major), (Some(15), Some(12)));
            assert_eq!(report.secrets.keys, ["avatar_salt", "secret_key"]);
            assert_eq!(report.secrets.member.as_deref(), Some("zulip-backup/settings/zulip-secrets.conf"));
            assert_eq!(report.sections["settings"], ours.sections["settings"]);
            assert_eq!(report.sections["uploads"], ours.sections["uploads"]);
            assert!(report.production);
            assert_eq!(report.database.as_ref().unwrap().tables, 3);
            let told = format!("{report}\n{}", serde_json::to_string(report).unwrap());
            assert!(!told.contains("abc") && !told.contains("def"), "a secret was told: {told}");
        }
        assert_eq!(ours.database.unwrap().rows, Some(30_003));
    }
}

#[test]
fn old_traps_are_named() {
    let (_temp, directory) = place();
    let mut backup = Backup::new(Compression::Gzip);
    let mut toc = Toc::new(15, "zulip", "14.9", "16.1");
    for name in ["tsearch_extras", "pgroonga"] {
        let mut entry = TocEntry::table_data(1, "", name, &[]);
        entry.desc = Some("EXTENSION".into());
        entry.file = None;
        toc.entries.push(entry);
    }
    toc.entries.push(TocEntry::table_data(5001, "zulip", "django_migrations", &["id", "app", "name"]));
    backup.part("database/toc.dat").content = toc.write_directory();
    let link = EntryKind::Symlink(MemberTarget("/data/etc-zulip/zulip-secrets.conf".into()));
    *backup.part("settings/zulip-secrets.conf") = crate::builder::Part {
        header: header(b"settings/zulip-secrets.conf", link, 0o777),
        content: Vec::new(),
        large: false,
    };
    let path = directory.join("ours.tar.gz");
    backup.write(&path);
    // As upstream would have written it: without the proof.
    let unpacked = directory.join("unpacked");
    std::fs::create_dir(&unpacked).unwrap();
    let run = |arguments: &[&str]| assert!(Command::new("tar").args(arguments).status().unwrap().success());
    run(&["-xzf", path.as_str(), "-C", unpacked.as_str()]);
    let upstream = directory.join("upstream.tar.gz");
    let parts = ["zulip-version", "os-version", "postgres-version", "settings", "database"]
        .map(|part| format!("zulip-backup/{part}"));
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    run(&[&["-czf", upstream.as_str(), "-C", unpacked.as_str()], &parts[..]].concat());
    let report = inspect(&Archive::open(&upstream).unwrap(), &Silent).unwrap();
    let mut codes: Vec<_> = report.findings.list.iter().map(|finding| finding.code.as_str()).collect();
    codes.sort_unstable();
    assert_eq!(codes, ["docker-link", "newer-dump-format", "pgroonga", "tsearch-extras"], "{report}");
    assert_eq!(report.needs.pg_restore_major, Some(16));
    assert_eq!(report.database.unwrap().migrations.len(), 3, "the table stands before or behind the table of contents");
    assert!(report.made_by.contains("manage.py"));
}
