//! Archives made to do harm: nothing is written outside, nothing exhausts the memory, and all of it is named.

use std::collections::BTreeSet;
use std::io::Write;

use camino::Utf8Path;
use flate2::Compression;
use flate2::write::GzEncoder;
use zulip_backup_core::Silent;
use zulip_backup_core::archive::{Archive, ExtractOptions, extract};

use crate::builder::{check, codes, place};

/// Raw members of a tar stream.
#[derive(Default)]
struct Tar(Vec<u8>);

impl Tar {
    fn new() -> Self {
        let mut tar = Self::default();
        tar.file("zulip-backup/zulip-version", b"9.0\n");
        tar.file("zulip-backup/os-version", b"debian 12\n");
        tar.file("zulip-backup/postgres-version", b"150018\n");
        tar
    }

    fn member(&mut self, kind: u8, name: &[u8], link: &[u8], size: u64, content: &[u8]) {
        let mut header = tar::Header::new_gnu();
        header.as_mut_bytes()[..name.len().min(100)].copy_from_slice(&name[..name.len().min(100)]);
        header.as_mut_bytes()[157..157 + link.len()].copy_from_slice(link);
        header.set_entry_type(tar::EntryType::new(kind));
        header.set_size(size);
        header.set_mode(0o4755);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1);
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
    }

    fn file(&mut self, name: &str, content: &[u8]) {
        self.member(b'0', name.as_bytes(), b"", content.len() as u64, content);
    }

    fn write(mut self, path: &Utf8Path) {
        self.0.extend_from_slice(&[0; 1024]);
        let mut gzip = GzEncoder::new(std::fs::File::create(path).unwrap(), Compression::fast());
        gzip.write_all(&self.0).unwrap();
        gzip.finish().unwrap();
    }
}

type Harm = fn(&mut Tar);

/// What is done, the codes that proving and taking out must name it by.
const HARMS: &[(&str, &[&str], &[&str], Harm)] = &[
    ("absolute", &["hostile-name"], &["hostile-name"], |tar| tar.file("/tmp/zulip-backup-pwned", b"x")),
    ("climbing", &["hostile-name"], &["hostile-name"], |tar| tar.file("zulip-backup/../../pwned", b"x")),
    ("climbing to the outside's twin", &["hostile-name"], &["hostile-name"], |tar| {
        tar.file("zulip-backup/../outside/pwned", b"x");
    }),
    ("empty part", &["hostile-name"], &["hostile-name"], |tar| tar.file("zulip-backup//etc", b"x")),
    ("elsewhere", &["foreign-member"], &["foreign-member"], |tar| tar.file("etc/cron.d/pwned", b"x")),
    ("write through a link", &[], &["link-not-made"], |tar| {
        tar.member(b'2', b"zulip-backup/uploads", b"../../outside", 0, b"");
        tar.file("zulip-backup/uploads/pwned", b"x");
    }),
    ("write through a link that stays inside", &[], &["not-written"], |tar| {
        tar.member(b'5', b"zulip-backup/settings/", b"", 0, b"");
        tar.member(b'2', b"zulip-backup/uploads", b"settings", 0, b"");
        tar.file("zulip-backup/uploads/pwned", b"x");
    }),
    ("write over a link", &["duplicate-member"], &["link-not-made"], |tar| {
        tar.member(b'2', b"zulip-backup/uploads", b"/tmp/pwned", 0, b"");
        tar.file("zulip-backup/uploads", b"x");
    }),
    ("link by a link", &[], &["link-not-made"], |tar| {
        tar.member(b'2', b"zulip-backup/settings/here", b".", 0, b"");
        tar.member(b'2', b"zulip-backup/settings/up", b"here/../../../outside", 0, b"");
        tar.file("zulip-backup/settings/up/pwned", b"x");
    }),
    ("directory over a link", &["duplicate-member"], &["not-written"], |tar| {
        tar.member(b'2', b"zulip-backup/uploads", b"nowhere", 0, b"");
        tar.member(b'5', b"zulip-backup/uploads/", b"", 0, b"");
    }),
    ("hard link to the outside", &["hostile-name"], &["hostile-name"], |tar| {
        tar.member(b'1', b"zulip-backup/settings/x", b"../outside/precious", 0, b"");
    }),
    ("hard link to what was there before", &["link-target-missing"], &["link-target-missing"], |tar| {
        tar.member(b'1', b"zulip-backup/settings/x", b"zulip-backup/before", 0, b"");
    }),
    ("hard link to a link", &[], &["not-written"], |tar| {
        tar.member(b'2', b"zulip-backup/settings/l", b"nowhere", 0, b"");
        tar.member(b'1', b"zulip-backup/settings/x", b"zulip-backup/settings/l", 0, b"");
    }),
    ("device", &["special-member"], &["special-member"], |tar| {
        tar.member(b'3', b"zulip-backup/settings/null", b"", 0, b"");
    }),
    ("pipe", &["special-member"], &["special-member"], |tar| tar.member(b'6', b"zulip-backup/p", b"", 0, b"")),
    ("a file twice", &["duplicate-member"], &["not-written"], |tar| {
        tar.file("zulip-backup/settings/a", b"1");
        tar.file("zulip-backup/settings/a", b"2");
    }),
    ("a file as a directory", &[], &["not-written"], |tar| {
        tar.file("zulip-backup/settings", b"1");
        tar.file("zulip-backup/settings/a", b"2");
    }),
    ("a name that is no text", &[], &[], |tar| tar.member(b'0', b"zulip-backup/settings/\xff\x1b[2J", b"", 1, b"x")),
    ("a long name of gigabytes", &["stream-damaged"], &["stream-damaged"], |tar| {
        tar.member(b'L', b"././@LongLink", b"", 5 << 30, b"");
    }),
    ("a pax header of gigabytes", &["stream-damaged"], &["stream-damaged"], |tar| {
        tar.member(b'x', b"pax", b"", 5 << 30, b"");
    }),
    ("a long name that climbs", &["hostile-name"], &["hostile-name"], |tar| {
        let name = [b"zulip-backup/".to_vec(), b"../".repeat(200), b"pwned\0".to_vec()].concat();
        tar.member(b'L', b"././@LongLink", b"", name.len() as u64, &name);
        tar.file("zulip-backup/settings/harmless", b"x");
    }),
    ("a pax name that climbs", &["hostile-name"], &["hostile-name"], |tar| {
        let record = b"29 path=zulip-backup/../../x\n";
        tar.member(b'x', b"pax", b"", record.len() as u64, record);
        tar.file("zulip-backup/settings/harmless", b"x");
    }),
    ("a part longer than any file system takes", &[], &["not-written"], |tar| {
        let name = [b"zulip-backup/settings/".to_vec(), vec![b'n'; 300], vec![0]].concat();
        tar.member(b'L', b"././@LongLink", b"", name.len() as u64, &name);
        tar.file("short", b"x");
    }),
    ("a claim of exabytes", &["truncated"], &["member-spoiled", "truncated"], |tar| {
        tar.member(b'0', b"zulip-backup/settings/huge", b"", 1 << 60, b"x");
    }),
    ("content behind a link's header", &["stream-damaged"], &["stream-damaged"], |tar| {
        tar.member(b'2', b"zulip-backup/settings/l", b"x", 512, &[1; 512]);
    }),
    ("a header that is none", &["stream-damaged"], &["stream-damaged"], |tar| tar.0.extend_from_slice(&[7; 512])),
];

#[test]
fn nothing_is_written_outside_and_all_harm_is_named() {
    for (harm, proven, taken, make) in HARMS {
        let (_temp, directory) = place();
        let outside = directory.join("outside");
        std::fs::create_dir(&outside).unwrap();
        std::fs::write(outside.join("precious"), "precious").unwrap();
        let destination = directory.join("destination");
        std::fs::create_dir_all(destination.join("zulip-backup")).unwrap();
        std::fs::write(destination.join("zulip-backup/before"), "before").unwrap();
        let path = directory.join("harm.tar.gz");
        let mut tar = Tar::new();
        make(&mut tar);
        tar.write(&path);

        let found: BTreeSet<_> = codes(&check(&path)).into_iter().filter(|code| code != "no-database").collect();
        assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), *proven, "proving: {harm}");

        let report =
            extract(&Archive::open(&path).unwrap(), &ExtractOptions::default(), &destination, &Silent).unwrap();
        let found: BTreeSet<_> = report.findings.counts.iter().map(|count| count.code.as_str()).collect();
        assert!(taken.iter().all(|code| found.contains(code)), "taking out: {harm}: {:?}", report.findings.list);
        assert_eq!(found.is_empty(), taken.is_empty(), "taking out: {harm}: {:?}", report.findings.list);
        assert!(destination.join("zulip-backup/zulip-version").exists(), "the rest comes out: {harm}");

        let names: Vec<_> = std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names.len(), 3, "{harm}: {names:?}");
        assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 1, "{harm}");
        assert_eq!(std::fs::read(outside.join("precious")).unwrap(), b"precious", "{harm}");
        assert_eq!(std::fs::read(destination.join("zulip-backup/before")).unwrap(), b"before", "{harm}");
        assert!(!Utf8Path::new("/tmp/zulip-backup-pwned").exists());
    }
}

/// A gigabyte of zeros in a megabyte: honest in an upload, and it ends where the disk would be full; but within gzip
/// within gzip it is no dump.
#[test]
fn a_bomb_within_a_bomb_ends_early() {
    let (_temp, directory) = place();
    let mut inner = GzEncoder::new(Vec::new(), Compression::best());
    let zeros = vec![b'\n'; 1 << 20];
    for _ in 0..300 {
        inner.write_all(&zeros).unwrap();
    }
    let inner = inner.finish().unwrap();
    let mut tar = Tar::new();
    tar.file("zulip-backup/database/1.dat.gz", &inner);
    let path = directory.join("bomb.tar.gz");
    tar.write(&path);
    let report = check(&path);
    assert!(report.findings.count("dump-file-damaged") == 1, "{report}");
    assert!(report.findings.list.iter().any(|finding| finding.message.contains("bomb")), "{report}");
}
