//! Dumps on disk, recognised by what they are and not by what they are called.

use std::fmt;
use std::io::{BufReader, Read};

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use crate::postgres::dump::Toc;
use crate::{Error, ErrorKind, Result, fs};

/// The formats of `pg_dump` that can be restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DumpKind {
    /// `--format=directory`.
    Directory,
    /// `--format=custom`; what docker-zulip writes as `backup-….sql`.
    Custom,
    /// `--format=plain`: an SQL script.
    Plain,
    /// The same, compressed with gzip.
    PlainGzip,
}

impl fmt::Display for DumpKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Directory => "a dump in pg_dump's directory format",
            Self::Custom => "a dump in pg_dump's custom format",
            Self::Plain => "an SQL script",
            Self::PlainGzip => "a gzip-compressed SQL script",
        })
    }
}

/// A dump on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DumpFile {
    /// Where it is.
    pub path: Utf8PathBuf,
    /// What it is.
    pub kind: DumpKind,
}

impl DumpFile {
    /// Looks at what `path` is.
    ///
    /// # Errors
    /// `NotFound`; `Incompatible` for anything that is no dump, with what it seems to be.
    pub fn recognise(path: &Utf8Path) -> Result<Self> {
        let of = |kind| Ok(Self { path: path.to_owned(), kind });
        if fs::is_dir(path) {
            return if fs::is_file(&path.join("toc.dat")) {
                of(DumpKind::Directory)
            } else {
                Err(strange(path, "a directory without toc.dat"))
            };
        }
        let mut start = Vec::new();
        let read = |source: &mut dyn Read, start: &mut Vec<u8>| {
            source.take(512).read_to_end(start).map_err(|error| Error::io("read", path, error))
        };
        read(&mut fs::open(path)?, &mut start)?;
        if start.starts_with(b"PGDMP") {
            return of(DumpKind::Custom);
        }
        if start.starts_with(b"\x1f\x8b") {
            let mut inner = Vec::new();
            // What is cut off is noticed when it is loaded; here only the start counts.
            let _ = read(&mut flate2::read::MultiGzDecoder::new(fs::open(path)?), &mut inner);
            return match what(&inner) {
                Start::Sql => of(DumpKind::PlainGzip),
                Start::Tar => Err(strange(path, "a compressed tar file")
                    .with_hint("a whole backup is restored with `restore ARCHIVE`, without --database")),
                Start::Other => Err(strange(path, "a gzip file of something else than SQL")),
            };
        }
        match what(&start) {
            Start::Sql => of(DumpKind::Plain),
            Start::Tar => Err(strange(path, "a tar file").with_hint("unpack it and name the directory")),
            Start::Other => Err(strange(path, "neither a dump of pg_dump nor SQL")),
        }
    }

    /// Its table of contents; an SQL script has none.
    pub(crate) fn toc(&self) -> Result<Option<Toc>> {
        let file = match self.kind {
            DumpKind::Directory => self.path.join("toc.dat"),
            DumpKind::Custom => self.path.clone(),
            DumpKind::Plain | DumpKind::PlainGzip => return Ok(None),
        };
        let toc = Toc::read(BufReader::with_capacity(1 << 20, fs::open(&file)?));
        toc.map(Some).map_err(|error| error.with_path(file))
    }

    /// Bytes on disk.
    pub(crate) fn bytes(&self) -> Result<u64> {
        let size = |path: &Utf8Path| Ok::<_, Error>(fs::metadata(path)?.map_or(0, |found| found.len()));
        if self.kind != DumpKind::Directory {
            return size(&self.path);
        }
        fs::list(&self.path)?.iter().map(|name| size(&self.path.join(name))).sum()
    }
}

enum Start {
    Sql,
    Tar,
    Other,
}

fn what(start: &[u8]) -> Start {
    if start.get(257..262) == Some(b"ustar") {
        return Start::Tar;
    }
    let text = String::from_utf8_lossy(start);
    let first = text.trim_start_matches('\u{feff}').trim_start();
    let sql = first.starts_with("--")
        || ["SET ", "CREATE ", "\\restrict", "BEGIN"].iter().any(|word| first.starts_with(word));
    if sql && !start.contains(&0) { Start::Sql } else { Start::Other }
}

fn strange(path: &Utf8Path, what: &str) -> Error {
    Error::new(ErrorKind::Incompatible, format!("{path} is {what}"))
        .with_path(path)
        .with_hint("expected pg_dump's directory or custom format, or an SQL script, perhaps compressed with gzip")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_dump_is_known_by_its_content() {
        let scratch = fs::Scratch::new(&fs::temp_dir(), None).unwrap();
        let file = |name: &str, content: &[u8]| {
            let path = scratch.path().join(name);
            fs::tests_write(&path, content);
            DumpFile::recognise(&path)
        };
        let zip = |content: &[u8]| {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(content).unwrap();
            encoder.finish().unwrap()
        };
        let mut tar = vec![0; 512];
        tar[257..262].copy_from_slice(b"ustar");
        assert_eq!(file("backup.sql", b"PGDMP\x01\x0e").unwrap().kind, DumpKind::Custom);
        assert_eq!(file("a", b"--\n-- PostgreSQL database dump\n").unwrap().kind, DumpKind::Plain);
        assert_eq!(file("b", &zip(b"--\n-- x\n")).unwrap().kind, DumpKind::PlainGzip);
        for (name, content, says) in
            [("c", zip(&tar), "compressed tar"), ("d", tar, "a tar file"), ("e", b"GIF89a".to_vec(), "neither")]
        {
            let error = file(name, &content).unwrap_err();
            assert!(error.kind() == ErrorKind::Incompatible && error.to_string().contains(says), "{error}");
        }
        assert!(DumpFile::recognise(scratch.path()).unwrap_err().to_string().contains("toc.dat"));
    }
}
