//! Taking members out: exactly these, whole or not at all.

use std::os::unix::fs::MetadataExt;

use zulip_backup_core::archive::{Archive, ExtractOptions, IndexLine, extract, extract_to, inspect, unpack_section};
use zulip_backup_core::codec::Compression;
use zulip_backup_core::fs::UnpackOptions;
use zulip_backup_core::{ErrorKind, Severity, Silent};

use crate::builder::{BOTH, Backup, MTIME, place};

#[test]
fn files_and_directories_come_out_by_name() {
    let (_temp, directory) = place();
    for compression in BOTH {
        let path = directory.join(compression.extension());
        Backup::new(compression).write(&path);
        let bytes = std::fs::read(&path).unwrap();
        // The same archive with and without its trailer: by the index, and front to back.
        let cut = directory.join("cut");
        std::fs::write(&cut, &bytes[..bytes.len() - 76]).unwrap();
        for path in [&path, &cut] {
            let archive = Archive::open(path).unwrap();
            let destination = directory.join(format!("{}-{}", compression, path.file_name().unwrap()));
            let options = ExtractOptions::default().member("settings").member("zulip-backup/uploads/files/7.txt");
            let report = extract(&archive, &options, &destination, &Silent).unwrap().into_result().unwrap();
            assert_eq!((report.files, report.directories, report.links), (3, 1, 0));
            let root = destination.join("zulip-backup");
            assert_eq!(std::fs::read(root.join("uploads/files/7.txt")).unwrap(), "file 7\n".repeat(70).as_bytes());
            assert_eq!(std::fs::read_dir(root.join("uploads/files")).unwrap().count(), 1);
            let metadata = std::fs::metadata(root.join("settings")).unwrap();
            assert_eq!((metadata.mode() & 0o7777, metadata.mtime().cast_unsigned()), (0o750, MTIME));

            // What is there is not replaced unasked.
            let again = extract(&archive, &options, &destination, &Silent).unwrap();
            assert_eq!(again.findings.count("not-written"), 3);
            let options = options.unpack(UnpackOptions::default().replace(true));
            assert!(extract(&archive, &options, &destination, &Silent).unwrap().is_complete());

            let mut content = Vec::new();
            let member = extract_to(&archive, "uploads/files/large.bin", &mut content).unwrap();
            assert_eq!((content.len() as u64, content), (member.size, crate::builder::noise(2_500_000)));
            for (name, kind) in
                [("settings", ErrorKind::Usage), ("uploads/dangling", ErrorKind::Usage), ("x", ErrorKind::NotFound)]
            {
                assert_eq!(extract_to(&archive, name, &mut Vec::new()).unwrap_err().kind(), kind, "{name}");
            }
        }
    }
}

#[test]
fn what_is_whole_comes_out_though_index_or_manifest_is_not() {
    let (_temp, directory) = place();
    for compression in BOTH {
        let path = directory.join(compression.extension());
        Backup::new(compression).write(&path);
        let Archive::Indexed(whole) = Archive::open(&path).unwrap() else { panic!("no index") };
        let (index, manifest) = (whole.manifest().index.archive_offset, whole.trailer().manifest_offset);
        for (code, at) in [("index-damaged", index.midpoint(manifest)), ("manifest-damaged", manifest + 40)] {
            let mut bytes = std::fs::read(&path).unwrap();
            bytes[usize::try_from(at).unwrap()] ^= 1;
            let damaged = directory.join(format!("{code}.{}", compression.extension()));
            std::fs::write(&damaged, bytes).unwrap();
            let archive = Archive::open(&damaged).unwrap();
            let destination = directory.join(format!("{compression}-{code}"));
            let options = ExtractOptions::default().member("settings").member("uploads");
            let report = extract(&archive, &options, &destination, &Silent).unwrap();
            let first = &report.findings.list[0];
            assert_eq!((first.code.as_str(), first.severity), (code, Severity::Warning), "{compression}: {report:?}");
            let seven = destination.join("zulip-backup/uploads/files/7.txt");
            assert_eq!(std::fs::read(seven).unwrap(), "file 7\n".repeat(70).as_bytes());
            let mut content = Vec::new();
            extract_to(&archive, "uploads/files/large.bin", &mut content).unwrap();
            assert_eq!(content, crate::builder::noise(2_500_000));
            let inspected = inspect(&archive, &Silent).unwrap();
            assert!(code == "index-damaged" || inspected.findings.count(code) == 1, "{inspected:?}");
        }
    }
}

#[test]
fn an_unknown_name_is_answered_with_close_ones() {
    let (_temp, directory) = place();
    let path = directory.join("a.tar.gz");
    Backup::new(Compression::Gzip).write(&path);
    let archive = Archive::open(&path).unwrap();
    for (asked, offered) in [("zulip.conf", "zulip-backup/settings/zulip.conf"), ("settngs", "zulip-backup/settings")] {
        let options = ExtractOptions::default().member(asked);
        let error = extract(&archive, &options, &directory.join("out"), &Silent).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.hint().unwrap().contains(offered), "{error:?}: {:?}", error.hint());
        assert!(!directory.join("out").exists(), "nothing is made before all names are known");
    }
}

#[test]
fn a_section_is_unpacked_without_its_prefix() {
    let (_temp, directory) = place();
    let path = directory.join("a.tar.gz");
    Backup::new(Compression::Gzip).write(&path);
    let Archive::Indexed(archive) = Archive::open(&path).unwrap() else { panic!("no index") };
    let uploads = directory.join("uploads");
    let options = UnpackOptions::default();
    let report = unpack_section(&archive, "zulip-backup/uploads", &uploads, options, 3, &Silent).unwrap();
    assert!(report.is_complete(), "{report:?}");
    assert_eq!((report.files, report.directories, report.links), (43, 0, 1));
    assert_eq!(std::fs::read(uploads.join("files/1.txt")).unwrap(), "file 1\n".repeat(10).as_bytes());
    let none = unpack_section(&archive, "zulip-backup/zproject", &uploads, options, 0, &Silent).unwrap();
    assert_eq!(none.files, 0);
}

#[test]
fn what_is_damaged_stays_out_and_the_rest_comes_out() {
    let (_temp, directory) = place();
    for compression in BOTH {
        let path = directory.join(format!("whole-{compression}"));
        let backup = Backup::new(compression);
        backup.write(&path);
        let Archive::Indexed(archive) = Archive::open(&path).unwrap() else { panic!("no index") };
        let mut bytes = std::fs::read(&path).unwrap();
        let mut last_frame = None;
        let large = archive.index().unwrap().find_map(|line| match line.unwrap() {
            IndexLine::Frame(frame) => {
                last_frame = Some(frame);
                None
            }
            IndexLine::Member(member) => member.name.as_bytes().ends_with(b"large.bin").then_some(member),
        });
        // Stored as it is in the second frame behind its header's.
        assert_eq!(large.unwrap().size, 2_500_000);
        let at = usize::try_from(last_frame.unwrap().archive_end()).unwrap() + 1000;
        bytes[at] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        let archive = Archive::open(&path).unwrap();
        let destination = directory.join(compression.to_string());
        let report = extract(&archive, &ExtractOptions::default(), &destination, &Silent).unwrap();
        assert!(!report.is_complete());
        assert_eq!(report.files + report.directories + report.links, backup.parts.len() as u64 - 1);
        let uploads = destination.join("zulip-backup/uploads/files");
        assert!(!uploads.join("large.bin").exists());
        assert_eq!(std::fs::read_dir(&uploads).unwrap().count(), 41, "no unfinished file is left");
        assert_eq!(report.into_result().unwrap_err().kind(), ErrorKind::Damaged);
        let error = extract_to(&archive, "uploads/files/large.bin", &mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Damaged);
    }
}
