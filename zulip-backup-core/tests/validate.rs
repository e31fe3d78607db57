//! Checking exports: what is sound passes, and every damage is found under its own name.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::panic, clippy::unwrap_used)] // a test

#[path = "support/exports.rs"]
mod exports;

use camino::Utf8Path;
use exports::{GOLDEN, KINDS, Stage, codes, golden, pack, unpack};
use zulip_backup_core::export::Kind;
use zulip_backup_core::package::Package;
use zulip_backup_core::validate::{KindFrom, ReleaseFrom, ValidateOptions, ValidateReport, summarize, validate};
use zulip_backup_core::{ErrorKind, Silent};

fn check(path: &Utf8Path) -> ValidateReport {
    validate(path, &ValidateOptions::default().jobs(2), &Silent).unwrap()
}

#[test]
fn zulips_own_exports_are_sound() {
    for (name, kind) in GOLDEN {
        let Some(tarball) = golden(name) else { return };
        let stage = Stage::new();
        let directory = stage.dir.join("export");
        unpack(&tarball, &directory);
        let (of_directory, of_tarball) = (check(&directory), check(&tarball));
        for report in [&of_directory, &of_tarball] {
            assert!(codes(&report.findings).is_empty(), "{name}: {report}");
            assert_eq!((report.kind, report.findings.count("export-kind-unknown")), (kind, 0), "{name}");
        }
        let counted = |report: &ValidateReport| (report.rows, report.messages, report.user_messages, report.files);
        assert_eq!(counted(&of_directory), counted(&of_tarball));
        let recorded = if kind == Kind::FullWithConsent { KindFrom::ConsentedUserIds } else { KindFrom::RealmExport };
        assert_eq!(of_directory.kind_from, recorded);
    }
}

#[test]
fn an_export_says_which_zulip_takes_it() {
    let known = [
        ("golden-export-zulip", ReleaseFrom::Migrations, Some(697), "10.x"),
        ("9.0/golden-export-zulip", ReleaseFrom::Columns, None, "9.x"),
        ("golden-export-single-hamlet", ReleaseFrom::Columns, None, "10.x"),
    ];
    for (name, from, newest, versions) in known {
        let Some(tarball) = golden(name) else { return };
        assert!(Package::is_at(&tarball).unwrap());
        let summary = summarize(&tarball, &Silent).unwrap();
        let fits = summary.fits.as_ref().unwrap();
        assert_eq!((summary.release_from, fits.newest_migration), (from, newest), "{summary}");
        assert_eq!(fits.zulip_versions[0], versions, "{summary}");
        assert!(summary.findings.is_empty(), "{summary}");
        // What it says is what the check counts, where it says anything.
        let checked = check(&tarball);
        assert_eq!((summary.files, summary.bytes), (checked.files, checked.bytes));
        assert!(summary.messages.is_none_or(|messages| messages == checked.messages), "{summary}");
        assert_eq!(summary.to_string().contains("nothing imports it"), name.contains("hamlet"), "{summary}");
    }
    let stage = Stage::with_sample(500);
    let export = stage.of(Kind::Full);
    let status = |text: &str| std::fs::write(export.join("migration_status.json"), text).unwrap();
    status(r#"{"migrations_by_app": {"zerver": ["[X] 9000_x"]}, "zulip_version": "20.0"}"#);
    let summary = summarize(&export, &Silent).unwrap();
    assert!(summary.to_string().contains("newer than Zulip 12"), "{summary}");
    status("{");
    let summary = summarize(&export, &Silent).unwrap();
    assert_eq!((summary.release_from, codes(&summary.findings)), (ReleaseFrom::Columns, ["json-invalid"].into()));
    // Neither a backup, nor what is none of either.
    let other = stage.dir.join("other.tar");
    for (name, is) in
        [(&b"zulip-backup/zulip-version"[..], false), (b"./zulip-backup/zulip-version", false), (b"x/y", true)]
    {
        tarball(&other, &[(name, b'0', b"10.1")]);
        assert_eq!(Package::is_at(&other).unwrap(), is);
        assert_eq!(summarize(&other, &Silent).unwrap_err().kind(), ErrorKind::Damaged);
    }
    std::fs::write(&other, "no tarball").unwrap();
    assert!(!Package::is_at(&other).unwrap());
}

#[test]
fn the_export_of_a_single_user_is_that_users_alone() {
    let Some(tarball) = golden("golden-export-single-hamlet") else { return };
    let stage = Stage::new();
    let directory = stage.dir.join("user");
    unpack(&tarball, &directory);
    for path in [&directory, &tarball] {
        let report = check(path);
        assert!(codes(&report.findings).is_empty(), "{report}");
        assert_eq!((report.kind_from, report.users, report.messages), (KindFrom::SingleUser, 1, 218));
    }
    let damaged = |change: &dyn Fn(&exports::Copy)| {
        let copy = stage.copy(&directory, "copy");
        change(&copy);
        codes(&check(&copy.path).findings).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(damaged(&|copy| std::fs::remove_file(copy.file("emoji/records.json")).unwrap()), ["file-missing"]);
    let others = |copy: &exports::Copy| {
        copy.edit("user.json", |file| file["zerver_alertword"][0]["user_profile"] = 7.into());
        copy.edit("uploads/records.json", |records| records[0]["user_profile_id"] = 7.into());
    };
    assert_eq!(damaged(&others), ["row-unjustified"]);
    let flags = |copy: &exports::Copy| {
        copy.edit("messages-000001.json", |file| file["zerver_message"][0]["flags_mask"] = "1".into());
    };
    assert_eq!(damaged(&flags), ["value-type"]);
}

#[test]
fn migrations_that_are_of_no_release_are_refused_unless_the_columns_are() {
    let stage = Stage::with_sample(500);
    let export = stage.of(Kind::Full);
    let with = |newest: &str| {
        let text = format!(r#"{{"migrations_by_app": {{"zerver": ["[X] {newest}"]}}, "zulip_version": "x"}}"#);
        std::fs::write(export.join("migration_status.json"), text).unwrap();
        validate(&export, &ValidateOptions::default().jobs(2), &Silent)
    };
    // No export of these has such a file; or its columns are others.
    for newest in ["0496_x", "0550_x", "0760_x", "9000_x"] {
        let error = with(newest).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Incompatible);
        assert!(error.to_string().contains("known are 10.x"), "{error}");
    }
    assert!(with("0760_x").unwrap_err().reasons().iter().any(|reason| reason.object.ends_with("topics_policy")));
    // Said to be of another release.
    let report = with("0800_x").unwrap();
    assert!(report.release == "12" && codes(&report.findings).contains("key-unknown"), "{report}");
    // A development version whose tables are still those of the release before.
    let report = with("0698_x").unwrap();
    assert_eq!((report.release, codes(&report.findings)), ("10", ["migrations-unexpected"].into()), "{report}");
}

#[test]
fn our_own_exports_are_sound() {
    let stage = Stage::with_sample(2500);
    for kind in KINDS {
        let report = check(&stage.of(kind));
        assert!(codes(&report.findings).is_empty(), "{report}");
        assert_eq!(report.kind, kind);
        for extension in ["tar", "tar.gz", "tar.zst"] {
            let tarball = stage.dir.join(format!("{kind}.{extension}"));
            pack(&stage.of(kind), &tarball);
            let packed = check(&tarball);
            assert!(codes(&packed.findings).is_empty(), "{packed}");
            assert_eq!((packed.rows, packed.messages), (report.rows, report.messages));
        }
    }
}

/// A tarball of members that nobody has to have made honestly: name, type and content.
fn tarball(path: &Utf8Path, members: &[(&[u8], u8, &[u8])]) {
    let mut bytes = Vec::new();
    for (name, kind, content) in members {
        let mut header = tar::Header::new_ustar();
        header.as_ustar_mut().unwrap().name[..name.len()].copy_from_slice(name);
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_entry_type(tar::EntryType::new(*kind));
        if matches!(kind, b'1' | b'2') {
            header.as_ustar_mut().unwrap().linkname[..11].copy_from_slice(b"/etc/passwd");
        }
        header.set_cksum();
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(content);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.resize(bytes.len() + 1024, 0);
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn hostile_tarballs_are_described_and_never_followed() {
    let stage = Stage::new();
    let path = stage.dir.join("x.tar");
    let realm = (&b"export/realm.json"[..], b'0', &b"{}"[..]);
    for (member, code) in [
        ((&b"export/../../etc/x"[..], b'0', &b"x"[..]), "hostile-name"),
        ((b"/etc/x", b'0', b"x"), "hostile-name"),
        ((b"export/a\xff", b'0', b"x"), "hostile-name"),
        ((b"export/uploads", b'2', b""), "special-member"),
        ((b"export/uploads/x", b'1', b""), "special-member"),
        ((b"export/device", b'3', b""), "special-member"),
        ((b"export/realm.json", b'0', b"[]"), "duplicate-member"),
        ((b"other/realm.json", b'0', b"{}"), "foreign-member"),
        ((b"realm.json", b'0', b"{}"), "foreign-member"),
    ] {
        tarball(&path, &[(b"export/", b'5', b""), realm, member]);
        let report = check(&path);
        assert_eq!(report.findings.count(code), 1, "{code}: {report}");
        assert!(!report.is_sound());
    }
    tarball(&path, &[realm]);
    let whole = std::fs::read(&path).unwrap();
    for (content, code) in [
        (&whole[..700], "truncated"),
        (&whole[..1024], "truncated"),
        (&[&whole[..], b"more"].concat()[..], "trailing-bytes"),
        (&[&whole[..1024], &[b'x'; 512], &whole[1024..]].concat()[..], "stream-damaged"),
    ] {
        std::fs::write(&path, content).unwrap();
        let report = check(&path);
        assert_eq!(report.findings.count(code), 1, "{code}: {report}");
    }
    // 200 MiB of spaces in some kB: one row without an end.
    let mut bomb = tar::Header::new_ustar();
    bomb.set_path("export/realm.json").unwrap();
    bomb.set_size(200 << 20);
    bomb.set_entry_type(tar::EntryType::Regular);
    bomb.set_cksum();
    let zeros = vec![b' '; 200 << 20];
    let content = [&bomb.as_bytes()[..], b"{\"zerver_realm\": [\"", &zeros[20..], &[0; 1044]].concat();
    let path = stage.dir.join("x.tar.zst");
    std::fs::write(&path, zstd::bulk::compress(&content, 1).unwrap()).unwrap();
    let report = check(&path);
    assert!(report.findings.at_least(zulip_backup_core::Severity::Error) > 0, "{report}");

    for (name, content, kind) in [
        ("nothing", &b""[..], ErrorKind::Damaged),
        ("text", b"this is no tarball", ErrorKind::Damaged),
        ("text.gz", b"\x1f\x8b\x08 and nothing else", ErrorKind::Damaged),
    ] {
        let path = stage.dir.join(name);
        std::fs::write(&path, content).unwrap();
        match validate(&path, &ValidateOptions::default(), &Silent) {
            Err(error) => assert_eq!(error.kind(), kind, "{name}"),
            Ok(report) => assert!(!report.is_sound(), "{name}: {report}"),
        }
    }
    let empty = stage.dir.join("empty");
    std::fs::create_dir(&empty).unwrap();
    assert_eq!(validate(&empty, &ValidateOptions::default(), &Silent).unwrap_err().kind(), ErrorKind::Damaged);
    let missing = validate(&stage.dir.join("missing"), &ValidateOptions::default(), &Silent).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
}

#[test]
fn links_of_a_directory_are_not_followed() {
    let Some(packed) = golden("golden-export-lear") else { return };
    let stage = Stage::new();
    let directory = stage.dir.join("export");
    unpack(&packed, &directory);
    std::os::unix::fs::symlink("/etc/passwd", directory.join("uploads/passwd")).unwrap();
    std::os::unix::fs::symlink("/etc", directory.join("more")).unwrap();
    let report = check(&directory);
    assert_eq!(codes(&report.findings).into_iter().collect::<Vec<_>>(), ["special-member"]);
    assert_eq!(report.findings.count("special-member"), 2, "{report}");
}

#[test]
fn a_check_can_be_stopped() {
    let Some(packed) = golden("golden-export-lear") else { return };
    let progress = zulip_backup_core::Recorder::default();
    progress.cancel();
    let error = validate(&packed, &ValidateOptions::default(), &progress).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
}
