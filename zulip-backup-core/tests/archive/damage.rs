//! The damage matrix: whatever is done to an archive is found and named.

use std::collections::BTreeSet;

use camino::Utf8Path;
use zulip_backup_core::ErrorKind;
use zulip_backup_core::archive::{
    Archive, EntryKind, Frame, IndexLine, IndexedArchive, Manifest, MemberTarget, TRAILER_BYTES,
};
use zulip_backup_core::codec::{Compression, FrameEncoder};

use crate::builder::{BOTH, Backup, check, codes, file, header, place};

/// What opening and proving came to: the codes without repetition, or what opening answered.
fn outcome(path: &Utf8Path) -> Vec<String> {
    match Archive::open(path) {
        Ok(_) => codes(&check(path)).into_iter().collect::<BTreeSet<_>>().into_iter().collect(),
        Err(error) => {
            // A flipped bit in the trailer's version is a newer format to whoever reads it; a file without even a first
            // frame is no archive.
            assert!(matches!(error.kind(), ErrorKind::Damaged | ErrorKind::Incompatible), "{error:?}");
            vec!["not-opened".to_owned()]
        }
    }
}

fn indexed(path: &Utf8Path) -> Box<IndexedArchive> {
    match Archive::open(path).unwrap() {
        Archive::Indexed(archive) => archive,
        Archive::Stream(_) => panic!("it has lost its index"),
    }
}

fn frames(archive: &IndexedArchive) -> Vec<Frame> {
    archive
        .index()
        .unwrap()
        .filter_map(|line| match line.unwrap() {
            IndexLine::Frame(frame) => Some(frame),
            IndexLine::Member(_) => None,
        })
        .collect()
}

#[test]
fn a_cut_is_named_wherever_it_is() {
    let (_temp, directory) = place();
    for compression in BOTH {
        let path = directory.join("whole");
        Backup::new(compression).write(&path);
        let bytes = std::fs::read(&path).unwrap();
        let archive = indexed(&path);
        let tail = bytes.len() - TRAILER_BYTES;
        let mut cuts: Vec<usize> = (1..40).map(|part| bytes.len() * part / 40).collect();
        for frame in frames(&archive) {
            let start = usize::try_from(frame.archive_offset).unwrap();
            cuts.extend([start, start + 1, start + 20]);
        }
        cuts.retain(|&cut| cut > 0 && cut < tail);
        let cut = directory.join("cut");
        for at in cuts {
            std::fs::write(&cut, &bytes[..at]).unwrap();
            let found = outcome(&cut);
            assert!(
                found == ["truncated"] || found == ["not-opened"] && at < 4,
                "{compression} cut at {at}: {found:?}"
            );
            let report = check_if_open(&cut);
            assert!(report.is_none_or(|report| !report.is_sound()));
        }
        for at in tail..bytes.len() {
            std::fs::write(&cut, &bytes[..at]).unwrap();
            let found = outcome(&cut);
            let expected: &[&str] =
                if at == tail { &["trailer-damaged"] } else { &["trailer-damaged", "trailing-bytes"] };
            assert_eq!(found, expected, "{compression} cut {} bytes into the trailer", at - tail);
        }
        std::fs::write(&cut, b"").unwrap();
        assert_eq!(outcome(&cut), ["not-opened"]);
    }
}

fn check_if_open(path: &Utf8Path) -> Option<zulip_backup_core::archive::VerifyReport> {
    Archive::open(path).is_ok().then(|| check(path))
}

#[test]
fn a_flipped_bit_is_named_and_spoils_only_its_own_frame() {
    let (_temp, directory) = place();
    for compression in BOTH {
        let path = directory.join("whole");
        Backup::new(compression).write(&path);
        let bytes = std::fs::read(&path).unwrap();
        let archive = indexed(&path);
        let flipped = directory.join("flipped");
        for (number, frame) in frames(&archive).into_iter().enumerate() {
            // Behind the frame's own header, whose time and system mean nothing to anyone.
            for at in
                [frame.archive_offset + 18, frame.archive_offset + frame.archive_bytes / 2, frame.archive_end() - 1]
            {
                let mut bytes = bytes.clone();
                bytes[usize::try_from(at).unwrap()] ^= 4;
                std::fs::write(&flipped, &bytes).unwrap();
                let report = check(&flipped);
                let found = codes(&report);
                assert!(!report.is_sound(), "{compression} frame {number} byte {at}");
                let expected =
                    ["frame-damaged", "member-spoiled", "digest-differs", "member-differs", "padding-differs"];
                assert!(found.iter().all(|code| expected.contains(&code.as_str())), "{found:?}");
                if compression == Compression::Gzip {
                    assert_eq!(report.findings.list[0].object, format!("frame {number}"));
                    assert_eq!(report.findings.count("frame-damaged"), 1);
                }
                let touched = archive.index().unwrap().filter(|line| match line.as_ref().unwrap() {
                    IndexLine::Member(member) => {
                        member.tar_offset < frame.tar_end() && member.end_offset() > frame.tar_offset
                    }
                    IndexLine::Frame(_) => false,
                });
                let spoiled = report.findings.count("member-spoiled");
                assert!(spoiled == 0 || spoiled == touched.count() as u64);
            }
        }
    }
}

#[test]
fn a_flipped_bit_in_the_tail_is_named() {
    let (_temp, directory) = place();
    for compression in BOTH {
        let path = directory.join("whole");
        Backup::new(compression).write(&path);
        let bytes = std::fs::read(&path).unwrap();
        let archive = indexed(&path);
        let index = usize::try_from(archive.manifest().index.archive_offset).unwrap();
        let manifest = usize::try_from(archive.trailer().manifest_offset).unwrap();
        let trailer = bytes.len() - TRAILER_BYTES;
        let flipped = directory.join("flipped");
        let flip = |at: usize| {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1;
            std::fs::write(&flipped, &bytes).unwrap();
            outcome(&flipped)
        };
        for at in [index + 20, index + 300, usize::midpoint(index, manifest)] {
            let found = flip(at);
            assert!(found.contains(&"index-damaged".to_owned()), "{compression} index {at}: {found:?}");
        }
        let found = flip(usize::midpoint(manifest, trailer));
        assert!(found.contains(&"manifest-damaged".to_owned()), "{compression} manifest: {found:?}");
        for at in trailer..bytes.len() {
            let found = flip(at);
            let named = ["trailer-damaged", "manifest-damaged"].map(|code| found.contains(&code.to_owned()));
            let newer = found == ["not-opened"];
            assert!(newer || named.contains(&true), "{compression} trailer {}: {found:?}", at - trailer);
        }
    }
}

#[test]
fn appended_and_removed_bytes_are_named() {
    let (_temp, directory) = place();
    for compression in BOTH {
        let path = directory.join("whole");
        Backup::new(compression).write(&path);
        let bytes = std::fs::read(&path).unwrap();
        let changed = directory.join("changed");
        for (appended, expected) in [
            (b"x".to_vec(), &["trailer-damaged", "trailing-bytes"][..]),
            (vec![0; 100], &["trailer-damaged", "trailing-bytes"]),
            (
                FrameEncoder::new(compression, 3).unwrap().frame(b"more").unwrap(),
                &["trailer-damaged", "trailing-bytes"],
            ),
            // A second archive behind the first: its trailer does not fit the file.
            (bytes.clone(), &["manifest-damaged", "trailing-bytes"]),
        ] {
            std::fs::write(&changed, [&bytes[..], &appended].concat()).unwrap();
            assert_eq!(outcome(&changed), expected, "{compression}, {} bytes appended", appended.len());
        }
        let frame = frames(&indexed(&path))[1];
        let (start, end) =
            (usize::try_from(frame.archive_offset).unwrap(), usize::try_from(frame.archive_end()).unwrap());
        std::fs::write(&changed, [&bytes[..start], &bytes[end..]].concat()).unwrap();
        let found = outcome(&changed);
        assert!(found.contains(&"manifest-damaged".to_owned()), "{compression}, a frame was cut out: {found:?}");
    }
}

type Change = fn(&mut Backup);

/// What was written wrong, by whom ever, and the codes it must be found by. All else about these archives is right.
const LIES: &[(&str, &[&str], Change)] = &[
    ("a version file is missing", &["member-missing"], |backup| backup.remove("os-version")),
    ("a version file is empty", &["version-file-damaged"], |backup| backup.part("zulip-version").content.clear()),
    ("a version is none", &["version-file-damaged"], |backup| {
        backup.part("postgres-version").content = b"fifteen\n".to_vec();
    }),
    ("a version is another", &["version-file-damaged"], |backup| {
        backup.part("postgres-version").content = b"160001\n".to_vec();
    }),
    ("the table of contents is missing", &["member-missing"], |backup| backup.remove("database/toc.dat")),
    ("the table of contents is cut", &["toc-damaged"], |backup| {
        backup.part("database/toc.dat").content.truncate(100);
    }),
    ("the table of contents is another's", &["toc-differs"], |backup| {
        let toc = &mut backup.part("database/toc.dat").content;
        let at = toc.windows(5).position(|window| window == b"zulip").unwrap();
        toc[at] = b'Z';
    }),
    ("a table's file is missing", &["toc-file-missing"], |backup| backup.remove_table(5003)),
    ("a file belongs to no table", &["toc-file-extra"], |backup| {
        let mut part = file(&backup.table_file(5004), crate::builder::copy_text(1));
        if backup.compression == Compression::Gzip {
            part.content = FrameEncoder::new(Compression::Gzip, 3).unwrap().frame(&part.content).unwrap();
        }
        backup.parts.push(part);
    }),
    ("a table is cut", &["copy-terminator-missing"], |backup| {
        let name = backup.table_file(5001);
        let text = b"1\tx\t\\N\n".to_vec();
        let gzip = backup.compression == Compression::Gzip;
        backup.part(&name).content =
            if gzip { FrameEncoder::new(Compression::Gzip, 3).unwrap().frame(&text).unwrap() } else { text };
    }),
    ("a table has another number of rows", &["table-rows-differ"], |backup| backup.tables[0].rows += 1),
    ("a table has other bytes", &["table-rows-differ"], |backup| backup.tables[1].bytes -= 1),
    ("the manifest has a table more", &["table-missing"], |backup| {
        let mut table = backup.tables[0].clone();
        table.name = "zerver_other".into();
        backup.tables.push(table);
    }),
    ("the manifest has a table less", &["table-extra"], |backup| {
        backup.tables.pop();
    }),
    ("a member is there twice", &["duplicate-member"], |backup| {
        let part = backup.part("uploads/files/3.txt").clone();
        backup.parts.push(part);
    }),
    ("two tables are swapped", &["table-rows-differ"], |backup| {
        let (one, other) = (backup.table_file(5001), backup.table_file(5003));
        let first = std::mem::take(&mut backup.part(&one).content);
        let second = std::mem::replace(&mut backup.part(&other).content, first);
        backup.part(&one).content = second;
    }),
    ("a hard link", &["special-member"], |backup| {
        let target = header(b"uploads/files/3.txt", EntryKind::File, 0o640).name;
        let mut part = file("uploads/hard", "");
        part.header.kind = EntryKind::Hardlink(target);
        backup.parts.push(part);
    }),
    ("a stranger", &["foreign-member"], |backup| backup.parts.push(file("other/file", "x"))),
    ("a second index", &["foreign-member"], |backup| backup.parts.push(file("index.jsonl", "{}\n"))),
];

impl Backup {
    fn remove(&mut self, name: &str) {
        let name = self.part(name).header.name.clone();
        self.parts.retain(|part| part.header.name != name);
    }

    fn table_file(&self, id: u32) -> String {
        let extension = if self.compression == Compression::Gzip { "dat.gz" } else { "dat" };
        format!("database/{id}.{extension}")
    }

    fn remove_table(&mut self, id: u32) {
        let name = self.table_file(id);
        self.remove(&name);
    }
}

#[test]
fn lies_are_named() {
    let (_temp, directory) = place();
    let path = directory.join("liar");
    for compression in BOTH {
        for (lie, expected, change) in LIES {
            let mut backup = Backup::new(compression);
            change(&mut backup);
            backup.write(&path);
            assert_eq!(outcome(&path), *expected, "{compression}: {lie}");
            std::fs::remove_file(&path).unwrap();
        }
    }
    let mut backup = Backup::new(Compression::Gzip);
    let name = backup.table_file(5001);
    backup.part(&name).content.truncate(20);
    backup.write(&path);
    assert_eq!(outcome(&path), ["dump-file-damaged"], "a table's inner gzip is cut");
}

type ManifestChange = fn(&mut Manifest);

const MANIFEST_LIES: &[(&str, &[&str], ManifestChange)] = &[
    ("sections", &["section-differs"], |manifest| manifest.sections.get_mut("uploads").unwrap().files += 1),
    ("a section more", &["section-differs"], |manifest| {
        let facts = manifest.sections["uploads"];
        manifest.sections.remove("settings");
        manifest.sections.insert("settings".into(), facts);
    }),
    ("no database", &["member-extra"], |manifest| manifest.database = None),
    ("the server's version", &["version-file-damaged"], |manifest| manifest.source.os_version = "debian 13".into()),
    ("the dump's version", &["toc-differs"], |manifest| {
        manifest.database.as_mut().unwrap().server_version = "16.1".into();
    }),
    ("members", &["index-damaged"], |manifest| manifest.index.members += 1),
    ("frames", &["index-damaged"], |manifest| manifest.index.frames -= 1),
    ("the index's digest", &["index-damaged"], |manifest| manifest.index.sha256.0[0] ^= 1),
    ("the index's length", &["index-damaged"], |manifest| manifest.index.bytes -= 1),
    ("the index's place in the file", &["index-damaged"], |manifest| manifest.index.archive_offset -= 1),
    ("the index's place in the stream", &["index-damaged"], |manifest| manifest.index.tar_offset += 512),
    ("another compression", &["manifest-damaged"], |manifest| {
        manifest.compression = match manifest.compression {
            Compression::Gzip => Compression::Zstd,
            Compression::Zstd => Compression::Gzip,
        };
    }),
];

#[test]
fn a_manifest_that_lies_is_named() {
    let (_temp, directory) = place();
    let path = directory.join("liar");
    for compression in BOTH {
        for (lie, expected, change) in MANIFEST_LIES {
            Backup::new(compression).write_with(&path, change);
            assert_eq!(outcome(&path), *expected, "{compression}: {lie}");
            std::fs::remove_file(&path).unwrap();
        }
    }
}

/// One member of a batch is not what the index says of it.
#[test]
fn an_index_that_lies_is_named() {
    use zulip_backup_core::archive::{ArchiveWriter, Batch, Member};
    use zulip_backup_core::codec::Digest;
    type Lie = fn(&mut Member, &mut Vec<u8>);
    let lies: &[(&str, &[&str], Lie)] = &[
        ("mode", &["member-differs"], |member, _| member.mode = 0o777),
        ("owner", &["member-differs"], |member, _| member.uid = 0),
        ("owner's name", &["member-differs"], |member, _| member.user = "root".into()),
        ("time", &["member-differs"], |member, _| member.mtime += 1),
        ("name", &["member-differs"], |member, _| member.name = header(b"uploads/b", EntryKind::File, 0).name),
        ("size", &["member-differs", "digest-differs", "padding-differs"], |member, _| member.size -= 1),
        ("kind", &["member-differs"], |member, _| {
            member.kind = EntryKind::Symlink(MemberTarget("x".into()));
            member.size = 0;
            member.header_bytes += 512;
            member.sha256 = None;
        }),
        ("digest", &["digest-differs"], |member, _| member.sha256 = Some(Digest::of(b"other"))),
        ("padding", &["padding-differs"], |_, bytes| *bytes.last_mut().unwrap() = 1),
        ("header's checksum", &["member-differs"], |_, bytes| bytes[200] ^= 1),
    ];
    let (_temp, directory) = place();
    for (lie, expected, change) in lies {
        let path = directory.join("liar");
        let file = std::fs::File::create(&path).unwrap();
        let mut writer = ArchiveWriter::new("zulip-backup", file, tempfile::tempfile().unwrap(), Compression::Gzip, 6);
        let head = header(b"uploads/a", EntryKind::File, 0o640);
        let mut bytes = head.encode(10).unwrap();
        bytes.extend_from_slice(b"0123456789");
        bytes.resize(1024, 0);
        let mut member = head.into_member(10, Some(Digest::of(b"0123456789")), 0, 512);
        change(&mut member, &mut bytes);
        let frame = FrameEncoder::new(Compression::Gzip, 6).unwrap().frame(&bytes).unwrap();
        writer.batch(Batch { frame, tar_bytes: 1024, members: vec![member] }).unwrap();
        let backup = Backup::new(Compression::Gzip);
        writer
            .finish(&crate::builder::owner(), 0, |sections, index| {
                let mut manifest = backup.manifest(sections, index);
                manifest.database = None;
                manifest
            })
            .unwrap();
        let about_the_member: BTreeSet<_> = outcome(&path)
            .into_iter()
            .filter(|code| !["member-missing", "no-database"].contains(&code.as_str()))
            .collect();
        let expected: BTreeSet<_> = expected.iter().map(|&code| code.to_owned()).collect();
        assert_eq!(about_the_member, expected, "{lie}");
    }
}
