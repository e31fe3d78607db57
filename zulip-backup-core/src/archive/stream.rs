//! Archives without our index: upstream's, repacked ones, and ours when their tail is lost.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};

use camino::{Utf8Path, Utf8PathBuf};

use crate::archive::tar_reader::{End, RawMember, TarReader};
use crate::archive::{EntryKind, Member, MemberName, MemberTarget, member};
use crate::codec::{Bounded, Compression, Counted, StreamDecoder};
use crate::{Error, ErrorKind, Finding, Result};

/// An archive that is read front to back.
#[derive(Debug)]
pub struct StreamArchive {
    path: Utf8PathBuf,
    file: File,
    file_bytes: u64,
    compression: Compression,
    tail: Option<Finding>,
}

/// How a front-to-back reading ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamEnd {
    /// Members that were visited.
    pub members: u64,
    /// Length of the uncompressed stream.
    pub tar_bytes: u64,
    /// Whether the end was reached; `false` when the visitor had enough.
    pub reached: bool,
}

impl StreamArchive {
    pub(super) fn new(path: Utf8PathBuf, file: File, file_bytes: u64, compression: Compression) -> Self {
        Self { path, file, file_bytes, compression, tail: None }
    }

    /// The same archive once more.
    pub(super) fn try_clone(&self) -> Result<Self> {
        let file = self.file.try_clone().map_err(|error| Error::io("open", &self.path, error))?;
        let copy = Self::new(self.path.clone(), file, self.file_bytes, self.compression);
        Ok(Self { tail: self.tail.clone(), ..copy })
    }

    /// One of ours whose tail is of no use: what is before it may be whole.
    pub(super) fn with_damaged_tail(mut self, finding: Finding) -> Self {
        self.tail = Some(finding);
        self
    }

    /// What is wrong with the manifest, where the archive is one of ours and is read front to back for that reason.
    pub fn tail_damage(&self) -> Option<&Finding> {
        self.tail.as_ref()
    }

    /// Where it lies.
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// How it is compressed.
    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// Size of the file.
    pub fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Calls `visit` with every member and a reader of its content, in order; stops at the first error or when `visit`
    /// answers `false`. Members that no backup may have (hostile names, devices, members outside the layout) are not
    /// visited: each becomes a finding, as does what lies behind the end. `read` is told how many more bytes of the
    /// file were read, from time to time, and may stop the reading with an error.
    ///
    /// # Errors
    /// `Damaged` where the compression or the tar structure breaks, naming the last whole member; its only reason is a
    /// finding `truncated` or `stream-damaged`. Otherwise what `visit` or `read` answered.
    pub fn each(
        &self,
        mut visit: impl FnMut(&Member, &mut dyn Read) -> Result<bool>,
        mut found: impl FnMut(Finding),
        mut read: impl FnMut(u64) -> Result<()>,
    ) -> Result<StreamEnd> {
        let mut file = self.file.try_clone().map_err(|error| Error::io("read", &self.path, error))?;
        file.seek(SeekFrom::Start(0)).map_err(|error| Error::io("read", &self.path, error))?;
        let source = BufReader::with_capacity(256 << 10, Counted::new(file));
        let stream = StreamDecoder::new(self.compression, source)?;
        let mut tar = TarReader::new(Bounded::new(stream, self.file_bytes));
        let mut last: Option<MemberName> = None;
        let mut end = StreamEnd::default();
        let mut told = 0;
        loop {
            let raw = match tar.next() {
                Ok(Some(raw)) => raw,
                Ok(None) => break,
                Err(error) => return Err(self.broken(last.as_ref(), error)),
            };
            let position = tar.source().inner().source().get_ref().count();
            read(position - told)?;
            told = position;
            let member = match describe(member::ROOT, raw) {
                Ok(member) => member,
                Err(finding) => {
                    found(finding);
                    continue;
                }
            };
            let mut content = Content { tar: &mut tar, failed: None };
            let visited = visit(&member, &mut content);
            if let Some(error) = content.failed {
                return Err(self.broken(last.as_ref(), error));
            }
            end.members += 1;
            end.tar_bytes = tar.source().count();
            if !visited? {
                return Ok(end);
            }
            last = Some(member.name);
        }
        let ended = tar.end();
        if ended == Some(End::Missing) {
            return Err(self.broken(last.as_ref(), std::io::ErrorKind::UnexpectedEof.into()));
        }
        let whole = ended == Some(End::Whole);
        if let Some(what) = behind_the_end(tar.source_mut(), whole) {
            found(
                Finding::error("trailing-bytes", self.path.as_str(), what)
                    .with_hint("something was appended after the archive was written"),
            );
        }
        end.tar_bytes = tar.source().count();
        end.reached = true;
        let position = tar.source().inner().source().get_ref().count();
        read(position - told)?;
        Ok(end)
    }

    fn broken(&self, last: Option<&MemberName>, error: std::io::Error) -> Error {
        let place = match last {
            Some(name) => format!("behind the member {name}"),
            None => "before its first member ends".to_owned(),
        };
        let (code, what) = match error.kind() {
            std::io::ErrorKind::UnexpectedEof => ("truncated", "is cut off"),
            _ => ("stream-damaged", "is damaged"),
        };
        let hint = "every member up to there is whole; use another copy for the rest";
        let message = match code {
            "truncated" => format!("{what} {place}"),
            _ => format!("{what} {place}: {error}"),
        };
        Error::new(ErrorKind::Damaged, format!("{} {what} {place}", self.path))
            .with_path(&self.path)
            .with_source(error)
            .with_hint(hint)
            .with_reasons(vec![Finding::error(code, self.path.as_str(), message).with_hint(hint)])
    }
}

/// Reads what follows the end of the tar stream, which also checks the last checksum. Zeros are padding.
fn behind_the_end(source: &mut impl Read, whole: bool) -> Option<String> {
    if !whole {
        return Some("ends with one zero block instead of two".to_owned());
    }
    let mut buffer = vec![0; 64 << 10];
    loop {
        match source.read(&mut buffer) {
            Ok(0) => return None,
            Ok(read) if buffer[..read].iter().all(|&byte| byte == 0) => {}
            Ok(_) => return Some("goes on behind the end of its tar stream".to_owned()),
            Err(error) => {
                return Some(format!("has something unreadable behind the end of its tar stream: {error}"));
            }
        }
    }
}

/// The member that headers stand for, or why there cannot be one in an archive whose members lie in `root`.
pub(super) fn describe(root: &str, raw: RawMember) -> Result<Member, Finding> {
    let shown = || raw.name.escape_ascii().to_string();
    let name = MemberName::new(raw.name.clone())
        .map_err(|bad| Finding::error("hostile-name", shown(), format!("the member's name {bad}")))?;
    if !name.is_in(root.as_bytes()) {
        return Err(Finding::error("foreign-member", name.to_string(), "no Zulip backup has such a member")
            .with_hint("the file is not a Zulip backup, or somebody added to it"));
    }
    let kind = match raw.kind {
        // A directory as tars before 1988 wrote it.
        0 | b'0' | b'7' if raw.name.ends_with(b"/") => EntryKind::Directory,
        0 | b'0' | b'7' => EntryKind::File,
        b'5' => EntryKind::Directory,
        b'2' => EntryKind::Symlink(MemberTarget(String::from_utf8_lossy(&raw.link).into_owned())),
        b'1' => EntryKind::Hardlink(MemberName::new(raw.link).map_err(|bad| {
            Finding::error("hostile-name", name.to_string(), format!("the hard link's target {bad}"))
        })?),
        other => {
            return Err(Finding::error(
                "special-member",
                name.to_string(),
                format!("is of tar type {:?}, which no backup has", char::from(other)),
            ));
        }
    };
    Ok(Member {
        size: if kind == EntryKind::File { raw.size } else { 0 },
        mode: raw.mode & 0o7777,
        uid: raw.uid,
        gid: raw.gid,
        user: String::from_utf8_lossy(&raw.user).into_owned(),
        group: String::from_utf8_lossy(&raw.group).into_owned(),
        mtime: raw.mtime,
        sha256: None,
        tar_offset: raw.tar_offset,
        header_bytes: raw.header_bytes,
        name,
        kind,
    })
}

/// A member's content; remembers that the archive broke, so that whoever reads it cannot mistake that for its own fault.
struct Content<'a, R> {
    tar: &'a mut TarReader<R>,
    failed: Option<std::io::Error>,
}

impl<R: Read> Read for Content<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.tar.read_content(buffer).map_err(|error| {
            let kind = error.kind();
            self.failed = Some(error);
            kind.into()
        })
    }
}
