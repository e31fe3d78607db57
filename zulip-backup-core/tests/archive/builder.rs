//! A small backup, written by the public writer, and ways to write it wrong.

use std::collections::BTreeMap;
use std::fs::File;

use camino::{Utf8Path, Utf8PathBuf};
use zulip_backup_core::archive::{
    Archive, ArchiveWriter, Batch, Block, DatabaseFacts, EntryKind, Header, Manifest, MemberName, MemberTarget, Owner,
    SnapshotFacts, SourceFacts, TableFacts, ToolFacts, VerifyOptions, VerifyReport, padding, verify,
};
use zulip_backup_core::codec::{Compression, Digest, FrameEncoder};
use zulip_backup_core::postgres::dump::toc::{Toc, TocEntry};
use zulip_backup_core::{Findings, Silent};

pub const BOTH: [Compression; 2] = [Compression::Gzip, Compression::Zstd];
pub const MTIME: u64 = 1_790_000_000;

/// A member to be written.
#[derive(Clone)]
pub struct Part {
    pub header: Header,
    pub content: Vec<u8>,
    /// Written in blocks with a header of its own, as large files are, or in a batch with its neighbours.
    pub large: bool,
}

/// A backup to be written: change its parts or its manifest's facts to make a liar of it.
#[derive(Clone)]
pub struct Backup {
    pub compression: Compression,
    pub parts: Vec<Part>,
    pub tables: Vec<TableFacts>,
}

pub fn owner() -> Owner {
    Owner { uid: 1000, gid: 1000, user: "zulip".into(), group: "zulip".into() }
}

pub fn header(name: &[u8], kind: EntryKind, mode: u32) -> Header {
    let name = MemberName::new([b"zulip-backup/", name].concat()).unwrap();
    let Owner { uid, gid, user, group } = owner();
    Header { name, kind, mode, uid, gid, user, group, mtime: MTIME }
}

pub fn file(name: &str, content: impl Into<Vec<u8>>) -> Part {
    Part { header: header(name.as_bytes(), EntryKind::File, 0o640), content: content.into(), large: false }
}

/// Bytes that look like nothing.
pub fn noise(length: usize) -> Vec<u8> {
    (0..length.div_ceil(32) as u64).flat_map(|n| Digest::of(&n.to_le_bytes()).0).take(length).collect()
}

/// COPY text of `rows` rows.
pub fn copy_text(rows: u64) -> Vec<u8> {
    let mut text: Vec<u8> =
        (0..rows).flat_map(|row| format!("{row}\tsome text of row {row}\t\\N\n").into_bytes()).collect();
    text.extend_from_slice(b"\\.\n\n\n");
    text
}

const TABLES: [(i64, &str, u64); 3] =
    [(5001, "zerver_realm", 3), (5002, "zerver_message", 30_000), (5003, "zerver_userprofile", 0)];

impl Backup {
    /// A backup with everything in it that can be in one.
    pub fn new(compression: Compression) -> Self {
        let mut toc = Toc::new(14, "zulip", "15.18 (Debian)", "15.18 (Debian)");
        toc.set_gzip(compression == Compression::Gzip);
        let mut tables = Vec::new();
        let mut database = Vec::new();
        let mut inner = FrameEncoder::new(Compression::Gzip, 6).unwrap();
        for (id, name, rows) in TABLES {
            toc.entries.push(TocEntry::table_data(id, "public", name, &["id", "text", "nothing"]));
            let text = copy_text(rows);
            let bytes = text.len() as u64 - 5;
            tables.push(TableFacts {
                schema: "public".into(),
                name: name.into(),
                file: format!("{id}.dat"),
                rows,
                bytes,
            });
            let mut part = match compression {
                Compression::Gzip => {
                    let members =
                        text.chunks(300_000).flat_map(|chunk| inner.frame(chunk).unwrap()).collect::<Vec<_>>();
                    file(&format!("database/{id}.dat.gz"), members)
                }
                Compression::Zstd => file(&format!("database/{id}.dat"), text),
            };
            part.large = rows > 100;
            database.push(part);
        }
        let directory = |name: &str| Part {
            header: header(name.as_bytes(), EntryKind::Directory, 0o750),
            content: Vec::new(),
            large: false,
        };
        let mut parts = vec![
            file("zulip-version", "10.1\n"),
            file("os-version", "debian 12\n"),
            file("postgres-version", "150018\n"),
            directory("settings"),
            file("settings/zulip-secrets.conf", "[secrets]\navatar_salt = abc\n# a comment\nsecret_key = def\n"),
            file("settings/zulip.conf", "[machine]\ndeploy_type = production\n"),
            directory("database"),
            file("database/toc.dat", toc.write_directory()),
        ];
        parts.append(&mut database);
        parts.push(directory("uploads"));
        for number in 0..40 {
            parts.push(file(&format!("uploads/files/{number}.txt"), format!("file {number}\n").repeat(number * 10)));
        }
        let mut large = file("uploads/files/large.bin", noise(2_500_000));
        large.large = true;
        parts.push(large);
        parts.push(file(&format!("uploads/files/{}", "long-name/".repeat(30) + "end"), "long\n"));
        let mut odd = file("uploads/odd", "odd\n");
        odd.header.name = MemberName::new(&b"zulip-backup/uploads/\xff \n|\xc3\xbc"[..]).unwrap();
        parts.push(odd);
        let link = EntryKind::Symlink(MemberTarget("files/nothing".into()));
        parts.push(Part { header: header(b"uploads/dangling", link, 0o777), content: Vec::new(), large: false });
        Self { compression, parts, tables }
    }

    pub fn part(&mut self, name: &str) -> &mut Part {
        let full = format!("zulip-backup/{name}");
        self.parts.iter_mut().find(|part| part.header.name.as_bytes() == full.as_bytes()).unwrap()
    }

    /// Writes it; `change` may change the manifest.
    pub fn write_with(&self, path: &Utf8Path, change: impl FnOnce(&mut Manifest)) {
        let file = File::options().read(true).write(true).create(true).truncate(true).open(path).unwrap();
        let level = self.compression.default_level();
        let mut writer =
            ArchiveWriter::new("zulip-backup", file, tempfile::tempfile().unwrap(), self.compression, level);
        let mut encoder = FrameEncoder::new(self.compression, level).unwrap();
        for group in self.parts.chunk_by(|one, other| !one.large && !other.large) {
            if group[0].large {
                write_large(&mut writer, &mut encoder, &group[0]);
                continue;
            }
            let mut bytes = Vec::new();
            let mut members = Vec::new();
            for part in group {
                let offset = bytes.len() as u64;
                let size = part.content.len() as u64;
                let header = part.header.encode(size).unwrap();
                bytes.extend_from_slice(&header);
                bytes.extend_from_slice(&part.content);
                bytes.resize(bytes.len() + usize::try_from(padding(size)).unwrap(), 0);
                let digest = (part.header.kind == EntryKind::File).then(|| Digest::of(&part.content));
                members.push(part.header.clone().into_member(size, digest, offset, header.len() as u64));
            }
            let batch = Batch { frame: encoder.frame(&bytes).unwrap(), tar_bytes: bytes.len() as u64, members };
            writer.batch(batch).unwrap();
        }
        writer
            .finish(&owner(), MTIME, |sections, index| {
                let mut manifest = self.manifest(sections, index);
                change(&mut manifest);
                manifest
            })
            .unwrap();
    }

    pub fn write(&self, path: &Utf8Path) {
        self.write_with(path, |_| {});
    }

    pub fn manifest(
        &self,
        sections: BTreeMap<String, zulip_backup_core::archive::SectionFacts>,
        index: zulip_backup_core::archive::IndexFacts,
    ) -> Manifest {
        Manifest {
            format: 1,
            tool: ToolFacts { name: "zulip-backup".into(), version: "0.1.0".into() },
            created_at: "2026-11-21T20:34:00Z".parse().unwrap(),
            compression: self.compression,
            level: self.compression.default_level(),
            source: SourceFacts {
                hostname: "chat".into(),
                external_host: Some("chat.example.com".into()),
                production: true,
                zulip_version: "10.1".into(),
                os_version: "debian 12".into(),
                postgres_version: 150_018,
                uploads_backend: "local".into(),
                ..SourceFacts::default()
            },
            database: Some(DatabaseFacts {
                name: "zulip".into(),
                owner: "zulip".into(),
                snapshot: SnapshotFacts {
                    taken_at: "2026-11-21T20:34:00Z".parse().unwrap(),
                    lsn: None,
                    standby: false,
                },
                server_version: "15.18 (Debian)".into(),
                dump_version: "15.18 (Debian)".into(),
                method: "copy".into(),
                encoding: "UTF8".into(),
                collate: "C.UTF-8".into(),
                ctype: "C.UTF-8".into(),
                extensions: BTreeMap::new(),
                dictionary_files: BTreeMap::new(),
                search_path: Some("zulip, public".into()),
                size_bytes: 10 << 20,
                migrations: BTreeMap::from([("zerver".into(), vec!["0001_initial".into()])]),
                tables: self.tables.clone(),
            }),
            sections,
            links: Vec::new(),
            findings: Findings::default(),
            varies: Vec::new(),
            index,
        }
    }
}

fn write_large(writer: &mut ArchiveWriter, encoder: &mut FrameEncoder, part: &Part) {
    writer.begin(part.header.clone()).unwrap();
    let gzip_inside = part.header.name.as_bytes().ends_with(b".dat.gz");
    // Pieces that end with whole inner members, as `create` makes them.
    let mut pieces: Vec<Vec<u8>> = Vec::new();
    if gzip_inside {
        let text = copy_text(TABLES[1].2);
        let mut inner = FrameEncoder::new(Compression::Gzip, 6).unwrap();
        pieces.extend(text.chunks(300_000).map(|chunk| inner.frame(chunk).unwrap()));
    }
    if pieces.concat() != part.content {
        pieces = part.content.chunks(1 << 20).map(<[u8]>::to_vec).collect();
    }
    for content in pieces {
        let frame = (!gzip_inside).then(|| encoder.frame(&content).unwrap());
        writer.content(&Block { content, frame }).unwrap();
    }
    writer.end().unwrap();
}

/// A directory that goes away, and its path.
pub fn place() -> (tempfile::TempDir, Utf8PathBuf) {
    let temp = tempfile::tempdir().unwrap();
    let path = Utf8PathBuf::from_path_buf(temp.path().to_owned()).unwrap();
    (temp, path)
}

/// Opens and proves all of it.
pub fn check(path: &Utf8Path) -> VerifyReport {
    verify(&Archive::open(path).unwrap(), &VerifyOptions::default(), &Silent).unwrap()
}

/// The codes of a report with the objects they are about.
pub fn codes(report: &VerifyReport) -> Vec<String> {
    report.findings.list.iter().map(|finding| finding.code.clone()).collect()
}
