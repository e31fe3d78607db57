//! Archives without our index: upstream's, repacked ones, and ours when their tail is lost.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};

use camino::{Utf8Path, Utf8PathBuf};

use crate::archive::{EntryKind, Member, MemberName, MemberTarget, Section};
use crate::codec::{Compression, StreamDecoder};
use crate::{Error, ErrorKind, Finding, Result};

/// An archive that is read front to back.
#[derive(Debug)]
pub struct StreamArchive {
    path: Utf8PathBuf,
    file: File,
    file_bytes: u64,
    compression: Compression,
}

/// The most an archive may grow when decompressed, as a multiple of its size. deflate cannot exceed 1032; real backups
/// stay below 20, and with 64 MiB granted in any case small ones never come near.
const MAX_RATIO: u64 = 1100;
const FREE_BYTES: u64 = 64 << 20;

impl StreamArchive {
    pub(super) fn new(path: Utf8PathBuf, file: File, file_bytes: u64, compression: Compression) -> Self {
        Self { path, file, file_bytes, compression }
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

    /// Calls `visit` with every member and a reader of its content, in order; stops at the first error or when `visit`
    /// answers `false`. Members that no backup may have (hostile names, devices, members outside the layout) are not
    /// visited: each becomes a finding. `read` is told how far the file was read, in bytes, from time to time.
    ///
    /// # Errors
    /// `Damaged` where the compression or the tar structure breaks, naming the last whole member.
    pub fn each(
        &self,
        mut visit: impl FnMut(&Member, &mut dyn Read) -> Result<bool>,
        mut found: impl FnMut(Finding),
        mut read: impl FnMut(u64),
    ) -> Result<()> {
        let mut file = self.file.try_clone().map_err(|error| Error::io("read", &self.path, error))?;
        file.seek(SeekFrom::Start(0)).map_err(|error| Error::io("read", &self.path, error))?;
        let stream = StreamDecoder::new(self.compression, BufReader::with_capacity(256 << 10, file))?;
        let limit = self.file_bytes.saturating_mul(MAX_RATIO).saturating_add(FREE_BYTES);
        let mut archive = tar::Archive::new(Bounded { stream, rest: limit });
        let mut last: Option<MemberName> = None;
        let mut rest = vec![0; 64 << 10];
        let broken = |last: &Option<MemberName>, error: std::io::Error| {
            let place = match last {
                Some(name) => format!("behind the member {name}"),
                None => "before its first member".to_owned(),
            };
            Error::new(ErrorKind::Damaged, format!("{} breaks {place}", self.path))
                .with_path(&self.path)
                .with_source(error)
                .with_hint("it was cut off or changed after it was written: use another copy")
        };
        for entry in archive.entries().map_err(|error| broken(&last, error))? {
            let mut entry = entry.map_err(|error| broken(&last, error))?;
            let member = match describe(&mut entry) {
                Ok(member) => member,
                Err(finding) => {
                    found(finding);
                    continue;
                }
            };
            let size = member.size;
            let mut content = Counted { inner: &mut entry, count: 0 };
            let go_on = visit(&member, &mut content)?;

            while go_on && content.count < size {
                if content.read(&mut rest).map_err(|error| broken(&Some(member.name.clone()), error))? == 0 {
                    break;
                }
            }
            if go_on && content.count != size {
                return Err(broken(&Some(member.name), std::io::ErrorKind::UnexpectedEof.into()));
            }
            read(entry.raw_file_position());
            last = Some(member.name);
            if !go_on {
                return Ok(());
            }
        }
        // What follows the last member: the end blocks, and a checksum that proves the rest.
        let mut bounded = archive.into_inner();
        while bounded.read(&mut rest).map_err(|error| broken(&last, error))? > 0 {}
        Ok(())
    }
}

/// The member an entry stands for, or why there cannot be one.
fn describe<R: Read>(entry: &mut tar::Entry<'_, R>) -> Result<Member, Finding> {
    let bytes = entry.path_bytes().into_owned();
    let shown = || bytes.escape_ascii().to_string();
    let name = MemberName::new(bytes.clone())
        .map_err(|bad| Finding::error("hostile-name", shown(), format!("the member's name {bad}")))?;
    if Section::of(&name).is_none() && !name.is_in(b"zulip-backup") {
        return Err(Finding::error("foreign-member", name.to_string(), "no Zulip backup has such a member")
            .with_hint("the file is not a Zulip backup, or somebody added to it"));
    }
    let target = entry.link_name_bytes().map(std::borrow::Cow::into_owned);
    let header = entry.header();
    let kind = match header.entry_type() {
        tar::EntryType::Regular | tar::EntryType::Continuous | tar::EntryType::GNUSparse => EntryKind::File,
        tar::EntryType::Directory => EntryKind::Directory,
        tar::EntryType::Symlink => EntryKind::Symlink(MemberTarget(
            String::from_utf8_lossy(target.as_deref().unwrap_or_default()).into_owned(),
        )),
        tar::EntryType::Link => {
            let target = MemberName::new(target.unwrap_or_default()).map_err(|bad| {
                Finding::error("hostile-name", name.to_string(), format!("the hard link's target {bad}"))
            })?;
            EntryKind::Hardlink(target)
        }
        other => {
            return Err(Finding::error(
                "special-member",
                name.to_string(),
                format!("is of tar type {:?}, which no backup has", char::from(other.as_byte())),
            ));
        }
    };
    let unreadable =
        |what: &str| Finding::error("bad-header", name.to_string(), format!("has a tar header with a bad {what}"));
    let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
    Ok(Member {
        size: if kind == EntryKind::File { entry.size() } else { 0 },
        mode: header.mode().map_err(|_| unreadable("mode"))? & 0o7777,
        uid: header.uid().map_err(|_| unreadable("owner"))?,
        gid: header.gid().map_err(|_| unreadable("group"))?,
        user: text(header.username_bytes()),
        group: text(header.groupname_bytes()),
        mtime: header.mtime().map_err(|_| unreadable("time"))?,
        sha256: None,
        tar_offset: entry.raw_header_position(),
        header_bytes: entry.raw_file_position().saturating_sub(entry.raw_header_position()),
        name,
        kind,
    })
}

/// Ends with an error when more bytes come than the compressed size can honestly hold.
struct Bounded<R> {
    stream: R,
    rest: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.stream.read(buffer)?;
        self.rest = self.rest.checked_sub(read as u64).ok_or_else(|| {
            std::io::Error::new(
                std::io::ErrorKind::InvalidData,
                format!("it holds more than {MAX_RATIO} times its size: a decompression bomb"),
            )
        })?;
        Ok(read)
    }
}

struct Counted<'a, R> {
    inner: &'a mut R,
    count: u64,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.count += read as u64;
        Ok(read)
    }
}
