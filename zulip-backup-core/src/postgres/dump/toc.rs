//! The table of contents of a dump: read from pg_dump's custom and directory formats, written in the directory format.
//!
//! The layout was read off the files that pg_dump 12 to 18 writes. A number is a sign byte and `int_bytes` bytes, least
//! significant first; a text is a number (its length, negative for null) and its bytes.

use std::io::{BufRead, Read};

use crate::{Error, ErrorKind, Result};

/// Format codes in the header. The directory format writes the tar format's code, and on purpose.
const FORMAT_CUSTOM: u8 = 1;
const FORMAT_DIRECTORY: u8 = 3;

/// Archive versions this module knows: 1.14 is written by pg_dump 12 to 15, 1.15 by 16, 1.16 by 17 and 18.
pub const KNOWN: std::ops::RangeInclusive<(u8, u8)> = (1, 14)..=(1, 16);

/// Bounds that no real dump comes near, against files made to exhaust memory.
const MAX_TEXT_BYTES: usize = 64 << 20;
const MAX_ENTRIES: usize = 1 << 20;
const MAX_DEPENDENCIES: usize = 1 << 20;
const MAX_TOTAL_BYTES: usize = 512 << 20;

/// A dump's table of contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toc {
    /// Archive version: major, minor, revision.
    pub version: (u8, u8, u8),
    int_bytes: u8,
    offset_bytes: u8,
    /// How data files are compressed: from 1.15 an algorithm, before it a zlib level, as written.
    pub compression: i64,
    /// When the dump was made: seconds, minutes, hours, day, month from 0, years since 1900, daylight saving.
    created: [i64; 7],
    /// The database that was dumped.
    pub dbname: Option<String>,
    /// Version text of the server.
    pub server_version: Option<String>,
    /// Version text of pg_dump.
    pub dump_version: Option<String>,
    /// The entries, in order.
    pub entries: Vec<TocEntry>,
}

/// One entry: an object, or the data of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TocEntry {
    /// The number that names the entry and its data file.
    pub dump_id: i64,
    /// Whether data belongs to it.
    pub has_data: bool,
    /// Catalog and object of the source database, as text.
    pub table_oid: Option<String>,
    /// Object in that catalog, as text.
    pub oid: Option<String>,
    /// Name.
    pub tag: Option<String>,
    /// Type: `TABLE DATA`, `SEQUENCE SET`, `FK CONSTRAINT`, …
    pub desc: Option<String>,
    /// 1 none, 2 pre-data, 3 data, 4 post-data.
    pub section: i64,
    /// SQL that creates it.
    pub defn: Option<String>,
    /// SQL that drops it.
    pub drop_stmt: Option<String>,
    /// `COPY … FROM stdin;`
    pub copy_stmt: Option<String>,
    /// Schema.
    pub namespace: Option<String>,
    /// Tablespace.
    pub tablespace: Option<String>,
    /// Table access method.
    pub table_am: Option<String>,
    /// `pg_class.relkind`; from 1.16.
    pub relkind: i64,
    /// Role that owns it.
    pub owner: Option<String>,
    with_oids: Option<String>,
    /// Entries that must come before.
    pub dependencies: Vec<String>,
    /// Name of the data file, in the directory format.
    pub file: Option<String>,
}

impl TocEntry {
    /// The rows of a table, with `columns` in the order of the data file.
    pub fn table_data(dump_id: i64, schema: &str, table: &str, columns: &[&str]) -> Self {
        Self {
            dump_id,
            has_data: true,
            tag: Some(table.to_owned()),
            desc: Some("TABLE DATA".to_owned()),
            section: 3,
            copy_stmt: Some(format!("COPY {schema}.{table} ({}) FROM stdin;\n", columns.join(", "))),
            namespace: Some(schema.to_owned()),
            with_oids: Some("false".to_owned()),
            file: Some(format!("{dump_id}.dat")),
            ..Self::default()
        }
    }

    /// Whether it is of type `desc`.
    pub fn is(&self, desc: &str) -> bool {
        self.desc.as_deref() == Some(desc)
    }
}

impl Toc {
    /// A table of contents without entries, of archive version `1.minor`.
    pub fn new(minor: u8, dbname: &str, server_version: &str, dump_version: &str) -> Self {
        Self {
            version: (1, minor, 0),
            int_bytes: 4,
            offset_bytes: 8,
            compression: 0,
            created: [0, 0, 0, 1, 0, 100, 0],
            dbname: Some(dbname.to_owned()),
            server_version: Some(server_version.to_owned()),
            dump_version: Some(dump_version.to_owned()),
            entries: Vec::new(),
        }
    }

    /// Reads a table of contents from the start of a custom-format dump or from a `toc.dat`.
    ///
    /// # Errors
    /// `Damaged` when it is no such thing, `Incompatible` when its version is not known.
    pub fn read(source: impl BufRead) -> Result<Self> {
        Reader { source, int_bytes: 4, budget: MAX_TOTAL_BYTES }.toc()
    }

    /// Writes it in the directory format: what `pg_dump --format=directory` writes as `toc.dat`.
    ///
    /// `compression` is what the header says of the data files: pg_restore finds them by name in any case.
    pub fn write_directory(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(1 << 20);
        out.extend_from_slice(b"PGDMP");
        out.extend_from_slice(&[self.version.0, self.version.1, self.version.2]);
        out.extend_from_slice(&[self.int_bytes, self.offset_bytes, FORMAT_DIRECTORY]);
        let width = usize::from(self.int_bytes);
        let number = |out: &mut Vec<u8>, value: i64| {
            out.push(u8::from(value < 0));
            out.extend_from_slice(&value.unsigned_abs().to_le_bytes()[..width]);
        };
        let text = |out: &mut Vec<u8>, value: Option<&str>| match value {
            None => number(out, -1),
            Some(text) => {
                number(out, i64::try_from(text.len()).unwrap_or(0));
                out.extend_from_slice(text.as_bytes());
            }
        };
        if self.has_algorithm() {
            out.push(u8::try_from(self.compression).unwrap_or(0));
        } else {
            number(&mut out, self.compression);
        }
        self.created.iter().for_each(|&part| number(&mut out, part));
        for value in [&self.dbname, &self.server_version, &self.dump_version] {
            text(&mut out, value.as_deref());
        }
        number(&mut out, i64::try_from(self.entries.len()).unwrap_or(0));
        for entry in &self.entries {
            number(&mut out, entry.dump_id);
            number(&mut out, i64::from(entry.has_data));
            for value in [&entry.table_oid, &entry.oid, &entry.tag, &entry.desc] {
                text(&mut out, value.as_deref());
            }
            number(&mut out, entry.section);
            for value in
                [&entry.defn, &entry.drop_stmt, &entry.copy_stmt, &entry.namespace, &entry.tablespace, &entry.table_am]
            {
                text(&mut out, value.as_deref());
            }
            if self.has_relkind() {
                number(&mut out, entry.relkind);
            }
            text(&mut out, entry.owner.as_deref());
            text(&mut out, entry.with_oids.as_deref());
            entry.dependencies.iter().for_each(|dependency| text(&mut out, Some(dependency)));
            text(&mut out, None);
            text(&mut out, Some(entry.file.as_deref().unwrap_or("")));
        }
        out
    }

    /// Major version of the server the dump was taken from, where the version text tells it.
    pub fn server_major(&self) -> Option<u32> {
        major(self.server_version.as_deref()?)
    }

    /// Major version of the pg_dump that made the dump, where the version text tells it.
    pub fn dump_major(&self) -> Option<u32> {
        major(self.dump_version.as_deref()?)
    }

    /// `1.15`, as pg_restore names it.
    pub fn version_text(&self) -> String {
        format!("{}.{}", self.version.0, self.version.1)
    }

    /// The entries with rows of a table.
    pub fn tables(&self) -> impl Iterator<Item = &TocEntry> {
        self.entries.iter().filter(|entry| entry.is("TABLE DATA"))
    }

    /// Says of the data files that they are gzip (`true`) or plain text.
    pub fn set_gzip(&mut self, gzip: bool) {
        self.compression = match (gzip, self.has_algorithm()) {
            (false, _) => 0,
            // From 1.15 the algorithm: 1 is gzip. Before, zlib's default level.
            (true, true) => 1,
            (true, false) => -1,
        };
    }

    fn has_algorithm(&self) -> bool {
        (self.version.0, self.version.1) >= (1, 15)
    }

    fn has_relkind(&self) -> bool {
        (self.version.0, self.version.1) >= (1, 16)
    }
}

fn major(version: &str) -> Option<u32> {
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

struct Reader<R> {
    source: R,
    int_bytes: u8,
    /// How many more bytes of text may come.
    budget: usize,
}

impl<R: BufRead> Reader<R> {
    fn toc(mut self) -> Result<Toc> {
        let mut magic = [0; 5];
        self.exact(&mut magic)?;
        if &magic != b"PGDMP" {
            return Err(damaged("does not start with PGDMP: it is no dump of pg_dump's custom or directory format"));
        }
        let version = (self.byte()?, self.byte()?, self.byte()?);
        if !KNOWN.contains(&(version.0, version.1)) {
            return Err(Error::new(
                ErrorKind::Incompatible,
                format!("the dump has archive version {}.{}, expected 1.14 to 1.16", version.0, version.1),
            )
            .with_hint("it was made by a PostgreSQL older than 12 or newer than 18"));
        }
        let int_bytes = self.byte()?;
        let offset_bytes = self.byte()?;
        let format = self.byte()?;
        if !(1..=8).contains(&int_bytes) || !(1..=8).contains(&offset_bytes) {
            return Err(damaged("has an impossible integer size in its header"));
        }
        if format != FORMAT_CUSTOM && format != FORMAT_DIRECTORY {
            return Err(damaged(&format!("has format code {format}, expected 1 (custom) or 3 (directory)")));
        }
        self.int_bytes = int_bytes;
        let mut toc = Toc {
            version,
            int_bytes,
            offset_bytes,
            compression: 0,
            created: [0; 7],
            dbname: None,
            server_version: None,
            dump_version: None,
            entries: Vec::new(),
        };
        toc.compression = if toc.has_algorithm() { i64::from(self.byte()?) } else { self.number()? };
        for part in &mut toc.created {
            *part = self.number()?;
        }
        toc.dbname = self.text()?;
        toc.server_version = self.text()?;
        toc.dump_version = self.text()?;
        let count = usize::try_from(self.number()?).ok().filter(|&count| count <= MAX_ENTRIES);
        let count = count.ok_or_else(|| damaged("claims an impossible number of entries"))?;
        for _ in 0..count {
            let entry = self.entry(&toc, format)?;
            toc.entries.push(entry);
        }
        Ok(toc)
    }

    fn entry(&mut self, toc: &Toc, format: u8) -> Result<TocEntry> {
        let mut entry = TocEntry { dump_id: self.number()?, has_data: self.number()? != 0, ..TocEntry::default() };
        entry.table_oid = self.text()?;
        entry.oid = self.text()?;
        entry.tag = self.text()?;
        entry.desc = self.text()?;
        entry.section = self.number()?;
        entry.defn = self.text()?;
        entry.drop_stmt = self.text()?;
        entry.copy_stmt = self.text()?;
        entry.namespace = self.text()?;
        entry.tablespace = self.text()?;
        entry.table_am = self.text()?;
        if toc.has_relkind() {
            entry.relkind = self.number()?;
        }
        entry.owner = self.text()?;
        entry.with_oids = self.text()?;
        while let Some(dependency) = self.text()? {
            if entry.dependencies.len() >= MAX_DEPENDENCIES {
                return Err(damaged("has an entry with an impossible number of dependencies"));
            }
            entry.dependencies.push(dependency);
        }
        if format == FORMAT_CUSTOM {
            let mut offset = [0; 9];
            self.exact(&mut offset[..=usize::from(toc.offset_bytes)])?;
        } else {
            entry.file = self.text()?.filter(|file| !file.is_empty());
        }
        Ok(entry)
    }

    fn exact(&mut self, buffer: &mut [u8]) -> Result<()> {
        self.source.read_exact(buffer).map_err(|error| damaged("ends in the middle").with_source(error))
    }

    fn byte(&mut self) -> Result<u8> {
        let mut byte = [0];
        self.exact(&mut byte)?;
        Ok(byte[0])
    }

    fn number(&mut self) -> Result<i64> {
        let negative = self.byte()? != 0;
        let mut bytes = [0; 8];
        let width = usize::from(self.int_bytes);
        self.exact(&mut bytes[..width])?;
        let value = i64::try_from(u64::from_le_bytes(bytes)).map_err(|_| damaged("has an impossible number"))?;
        Ok(if negative { -value } else { value })
    }

    fn text(&mut self) -> Result<Option<String>> {
        let length = self.number()?;
        let Ok(length) = usize::try_from(length) else { return Ok(None) };
        if length > MAX_TEXT_BYTES || length > self.budget {
            return Err(damaged("claims a text longer than any dump has"));
        }
        self.budget -= length;
        let mut bytes = Vec::new();
        // Grows with what is there, not with what is claimed.
        (&mut self.source)
            .take(length as u64)
            .read_to_end(&mut bytes)
            .map_err(|error| damaged("cannot be read").with_source(error))?;
        if bytes.len() != length {
            return Err(damaged("ends in the middle"));
        }
        String::from_utf8(bytes).map(Some).map_err(|_| damaged("has text that is not UTF-8"))
    }
}

fn damaged(what: &str) -> Error {
    Error::new(ErrorKind::Damaged, format!("the dump's table of contents {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn toc(version: (u8, u8, u8)) -> Toc {
        Toc {
            version,
            int_bytes: 4,
            offset_bytes: 8,
            compression: 0,
            created: [13, 35, 22, 21, 10, 126, 0],
            dbname: Some("zulip".into()),
            server_version: Some("15.18 (Debian 15.18-0+deb12u1)".into()),
            dump_version: Some("16.1".into()),
            entries: vec![
                TocEntry {
                    dump_id: 5027,
                    has_data: true,
                    tag: Some("zerver_realm".into()),
                    desc: Some("TABLE DATA".into()),
                    section: 3,
                    copy_stmt: Some("COPY zulip.zerver_realm (id) FROM stdin;\n".into()),
                    namespace: Some("zulip".into()),
                    with_oids: Some("false".into()),
                    dependencies: vec!["215".into()],
                    file: Some("5027.dat".into()),
                    ..TocEntry::default()
                },
                TocEntry { dump_id: -1, ..TocEntry::default() },
            ],
        }
    }

    #[test]
    fn every_known_version_is_read_back() {
        for minor in 14..=16 {
            let toc = toc((1, minor, 0));
            let bytes = toc.write_directory();
            let back = Toc::read(&bytes[..]).unwrap();
            assert_eq!(back, toc);
            assert_eq!(back.server_major(), Some(15));
            assert_eq!(back.dump_major(), Some(16));
            for end in 0..bytes.len() {
                assert_eq!(Toc::read(&bytes[..end]).unwrap_err().kind(), ErrorKind::Damaged);
            }
        }
    }

    #[test]
    fn unknown_versions_and_lies_are_refused() {
        let bytes = toc((1, 17, 0)).write_directory();
        assert_eq!(Toc::read(&bytes[..]).unwrap_err().kind(), ErrorKind::Incompatible);
        let mut bytes = toc((1, 14, 0)).write_directory();
        let count = bytes.iter().rposition(|&byte| byte == 2).unwrap();
        bytes[count] = 0xff;
        assert!(Toc::read(&bytes[..]).is_err());
        let mut bytes = toc((1, 14, 0)).write_directory();
        // The length of the database's name.
        bytes[11 + 5 * 8 + 3] = 0x7f;
        assert!(Toc::read(&bytes[..]).is_err());
    }
}
