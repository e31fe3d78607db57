//! An export as a tarball: a stream of members under one base name.

use std::fs::File;
use std::io::{BufReader, Read};
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

use camino::{Utf8Path, Utf8PathBuf};

use crate::archive::{End, MemberName, RawMember, TarReader};
use crate::codec::{Bounded, Compression, Counted, StreamDecoder, detect};
use crate::package::shelf::Shelf;
use crate::package::{Go, Listing, Member, Visitor};
use crate::{Error, ErrorKind, Finding, Findings, Result, fs};

#[derive(Debug)]
pub(super) struct Tarball {
    path: Utf8PathBuf,
    file: File,
    file_bytes: u64,
    compression: Option<Compression>,
    listing: OnceLock<Listing>,
    shelf: OnceLock<Shelf>,
}

impl Tarball {
    pub(super) fn open(path: &Utf8Path) -> Result<Self> {
        let file = fs::open(path)?;
        let metadata = file.metadata().map_err(|error| Error::io("look at", path, error))?;
        if !metadata.is_file() {
            let message = format!("{path} is neither a directory nor a regular file");
            return Err(Error::new(ErrorKind::Usage, message).with_path(path));
        }
        let mut head = [0; 512];
        let length = file.read_at(&mut head, 0).map_err(|error| Error::io("read", path, error))?;
        let compression = detect(&head[..length]);
        if compression.is_none() && head[257..262] != *b"ustar" {
            let message = format!("{path} is no tarball: neither gzip nor zstd nor tar");
            return Err(Error::new(ErrorKind::Damaged, message)
                .with_path(path)
                .with_hint("an export is a directory, or a .tar.gz, .tar.zst or .tar of one"));
        }
        let (path, file_bytes) = (path.to_owned(), metadata.len());
        Ok(Self { path, file, file_bytes, compression, listing: OnceLock::new(), shelf: OnceLock::new() })
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    pub(super) fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// The directory that the first member lies in; nothing where no member can be read.
    pub(super) fn base(&self) -> Result<Option<Vec<u8>>> {
        let first = TarReader::new(self.stream()?).next().ok().flatten();
        Ok(first.and_then(|raw| {
            raw.name.split(|&byte| byte == b'/').find(|part| !matches!(part, [] | [b'.'])).map(<[u8]>::to_vec)
        }))
    }

    pub(super) fn known(&self) -> Option<&Listing> {
        self.listing.get()
    }

    pub(super) fn listing(&self) -> Result<&Listing> {
        self.look_over(&mut |_| Ok(()))?;
        self.listing.get().ok_or_else(|| self.broken(None, &std::io::ErrorKind::UnexpectedEof.into()))
    }

    /// Reads all of it once for its names, and keeps what is read again.
    pub(super) fn look_over(&self, read: &mut dyn FnMut(u64) -> Result<()>) -> Result<()> {
        if self.listing.get().is_some() {
            return Ok(());
        }
        let mut shelf = Shelf::default();
        let keep = &mut |member: &Member, content: &mut (dyn Read + Send)| {
            if Shelf::is_for(&member.name) {
                shelf.put(&member.name, content).map_err(|error| self.broken(None, &error))?;
            }
            Ok(Go::On)
        };
        self.visit(keep, read)?;
        // Another thread may have been here before; both have kept the same.
        let _ = self.shelf.set(shelf);
        Ok(())
    }

    pub(super) fn visit(&self, visitor: &mut Visitor<'_>, read: &mut dyn FnMut(u64) -> Result<()>) -> Result<()> {
        let mut tar = TarReader::new(self.stream()?);
        let mut names = Names::default();
        let (mut last, mut told) = (None, 0);
        loop {
            let raw = match tar.next() {
                Ok(Some(raw)) => raw,
                Ok(None) => break,
                Err(error) => return Err(self.broken(last.as_deref(), &error)),
            };
            let position = tar.source().inner().position();
            read(position - told)?;
            told = position;
            let Some(member) = names.take(&raw) else { continue };
            let mut content = Content { tar: &mut tar, failed: None };
            let visited = visitor(&member, &mut content);
            if let Some(error) = content.failed {
                return Err(self.broken(last.as_deref(), &error));
            }
            if visited? == Go::Stop {
                return Ok(());
            }
            last = Some(member.name);
        }
        if tar.end() == Some(End::Missing) {
            return Err(self.broken(last.as_deref(), &std::io::ErrorKind::UnexpectedEof.into()));
        }
        // What follows is padding; reading it also checks the last checksum.
        match std::io::copy(&mut NonZero(tar.source_mut()), &mut std::io::sink()) {
            Ok(0) => {}
            Ok(_) => {
                names.findings.push(behind_the_end(&self.path, "something stands behind the end of its tar stream"));
            }
            Err(error) => return Err(self.broken(last.as_deref(), &error)),
        }
        read(tar.source().inner().position() - told)?;
        // Another thread may have been here before; both have seen the same.
        let _ = self.listing.set(Listing::new(names.members, names.findings));
        Ok(())
    }

    pub(super) fn open_member(&self, name: &str) -> Result<Box<dyn Read + Send>> {
        if let Some(content) = self.shelf.get().and_then(|shelf| shelf.open(name)) {
            return Ok(Box::new(content?));
        }
        let missing = || Error::new(ErrorKind::NotFound, format!("{} has no file {name}", self.path)).with_path(name);
        let mut tar = TarReader::new(self.stream()?);
        let mut names = Names::default();
        while let Some(raw) = tar.next().map_err(|error| self.broken(None, &error))? {
            if names.take(&raw).is_some_and(|member| member.name == name) {
                return Ok(Box::new(Owned(tar)));
            }
        }
        Err(missing())
    }

    fn stream(&self) -> Result<Bounded<Stream>> {
        // With a position of its own: two readers of one tarball must not disturb each other.
        let file = fs::open(&self.path)?;
        let source = BufReader::with_capacity(256 << 10, Counted::new(file));
        let inner = match self.compression {
            Some(compression) => Stream::Packed(Box::new(StreamDecoder::new(compression, source)?)),
            None => Stream::Plain(source),
        };
        Ok(Bounded::new(inner, self.file_bytes))
    }

    fn broken(&self, last: Option<&str>, error: &std::io::Error) -> Error {
        let place = last.map_or_else(|| "before its first file ends".to_owned(), |name| format!("behind {name}"));
        let cut = error.kind() == std::io::ErrorKind::UnexpectedEof;
        let (code, message) = if cut {
            ("truncated", format!("is cut off {place}"))
        } else {
            ("stream-damaged", format!("is damaged {place}: {error}"))
        };
        let finding = Finding::error(code, self.path.as_str(), &message);
        let hint = "every file up to there is whole; make the tarball again, or use another copy";
        Error::new(ErrorKind::Damaged, format!("{} {message}", self.path))
            .with_path(&self.path)
            .with_hint(hint)
            .with_reasons(vec![finding.with_hint(hint)])
    }
}

fn behind_the_end(path: &Utf8Path, what: &str) -> Finding {
    Finding::error("trailing-bytes", path.as_str(), what).with_hint("something was appended after the tarball was made")
}

/// Judges members by their names and kinds.
#[derive(Default)]
struct Names {
    base: Option<Vec<u8>>,
    members: Vec<Member>,
    seen: std::collections::HashSet<String>,
    findings: Findings,
}

impl Names {
    /// The file that headers stand for; `None` for a directory, and for what no export may have.
    fn take(&mut self, raw: &RawMember) -> Option<Member> {
        let shown = raw.name.escape_ascii().to_string();
        let refused = match MemberName::new(raw.name.clone()) {
            Err(bad) => Finding::error("hostile-name", shown, format!("the member's name {bad}")),
            Ok(name) => match self.judge(raw, &name) {
                Ok(None) => return None,
                Ok(Some(name)) if self.seen.insert(name.clone()) => {
                    let member = Member { name, size: raw.size };
                    self.members.push(member.clone());
                    return Some(member);
                }
                Ok(Some(name)) => Finding::error("duplicate-member", name, "is in the tarball more than once"),
                Err(finding) => finding,
            },
        };
        self.findings.push(refused);
        None
    }

    fn judge(&mut self, raw: &RawMember, name: &MemberName) -> Result<Option<String>, Finding> {
        let directory = match raw.kind {
            // A directory as tars before 1988 wrote it.
            0 | b'0' | b'7' => raw.name.ends_with(b"/"),
            b'5' => true,
            b'1' | b'2' => {
                let message = "is a link, which no export has: it is not read";
                return Err(Finding::error("special-member", name.to_string(), message));
            }
            other => {
                let message = format!("is of tar type {:?}, which no export has: it is not read", char::from(other));
                return Err(Finding::error("special-member", name.to_string(), message));
            }
        };
        let first = name.as_bytes().split(|&byte| byte == b'/').next().unwrap_or_default();
        let base = self.base.get_or_insert_with(|| first.to_vec());
        if base.as_slice() != first {
            let message = format!("does not lie under {}, as what is before it", base.escape_ascii());
            return Err(Finding::error("foreign-member", name.to_string(), message));
        }
        if directory {
            return Ok(None);
        }
        let Some(below) = name.below(base) else {
            let message = "lies under no directory: every file of an export has one base name";
            return Err(Finding::error("foreign-member", name.to_string(), message));
        };
        let below = std::str::from_utf8(below)
            .map_err(|_| Finding::error("hostile-name", name.to_string(), "the member's name is not UTF-8"))?;
        Ok(Some(below.to_owned()))
    }
}

enum Stream {
    Plain(BufReader<Counted<File>>),
    Packed(Box<StreamDecoder<BufReader<Counted<File>>>>),
}

impl Stream {
    /// How much of the file was read.
    fn position(&self) -> u64 {
        match self {
            Self::Plain(source) => source.get_ref().count(),
            Self::Packed(source) => source.source().get_ref().count(),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(source) => source.read(buffer),
            Self::Packed(source) => source.read(buffer),
        }
    }
}

/// A file's content; remembers that the tarball broke, so that its reader cannot mistake that for a fault of the file.
struct Content<'a> {
    tar: &'a mut TarReader<Bounded<Stream>>,
    failed: Option<std::io::Error>,
}

impl Read for Content<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.tar.read_content(buffer).map_err(|error| {
            let kind = error.kind();
            self.failed = Some(error);
            kind.into()
        })
    }
}

/// The content of one file, with the tarball it is read from.
struct Owned(TarReader<Bounded<Stream>>);

impl Read for Owned {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read_content(buffer)
    }
}

/// Reads to the end and shows what is not zero.
struct NonZero<'a>(&'a mut Bounded<Stream>);

impl Read for NonZero<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        loop {
            let read = self.0.read(buffer)?;
            if read == 0 || buffer[..read].iter().any(|&byte| byte != 0) {
                return Ok(read);
            }
        }
    }
}
