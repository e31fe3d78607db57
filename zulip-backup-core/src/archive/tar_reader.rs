//! A reader of tar streams that trusts nothing.
//!
//! Every length is bounded before memory is taken for it (a long name of a few gigabytes compresses to a few megabytes),
//! and the end of the stream is told apart from its being cut off at a member's border, which plain readers do not do.

use std::io::{Error, ErrorKind, Read, Result};

use crate::archive::padding;

/// The longest name or link target, in a `././@LongLink` block or a pax record: PATH_MAX of Linux.
const MAX_NAME_BYTES: u64 = 4096;
/// The longest pax header: a name, a link and a few numbers and attributes.
const MAX_PAX_BYTES: u64 = 256 << 10;
/// How many headers may stand before one member: names, links, pax.
const MAX_EXTENSIONS: u32 = 16;

/// A member as its headers describe it, unchecked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RawMember {
    /// Bytes of the name, long names joined.
    pub name: Vec<u8>,
    /// Bytes of the link's target.
    pub link: Vec<u8>,
    /// The type byte; `S` for every kind of sparse file.
    pub kind: u8,
    /// Length of the content that follows.
    pub size: u64,
    /// Permission bits and more, as written.
    pub mode: u32,
    /// Owner's number.
    pub uid: u64,
    /// Group's number.
    pub gid: u64,
    /// Owner's name.
    pub user: Vec<u8>,
    /// Group's name.
    pub group: Vec<u8>,
    /// Seconds since 1970; 0 for anything before.
    pub mtime: u64,
    /// Where the first header starts.
    pub tar_offset: u64,
    /// Length of all headers.
    pub header_bytes: u64,
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With the two zero blocks that end a tar stream.
    Whole,
    /// With one zero block. GNU tar warns and goes on.
    LoneZero,
    /// Without a zero block: cut off at a member's border.
    Missing,
}

/// Reads members one after the other.
pub(crate) struct TarReader<R> {
    source: R,
    offset: u64,
    /// Content of the current member that was not read yet, and the zeros behind it.
    content: u64,
    padding: u64,
    dirty: bool,
    end: Option<End>,
}

impl<R: Read> TarReader<R> {
    pub(crate) fn new(source: R) -> Self {
        Self { source, offset: 0, content: 0, padding: 0, dirty: false, end: None }
    }

    /// How the stream ended, once [`TarReader::next`] has answered `None`.
    pub(crate) fn end(&self) -> Option<End> {
        self.end
    }

    /// Whether anything but zeros stood behind the content of a member that was passed.
    pub(crate) fn has_dirty_padding(&self) -> bool {
        self.dirty
    }

    pub(crate) fn source(&self) -> &R {
        &self.source
    }

    pub(crate) fn source_mut(&mut self) -> &mut R {
        &mut self.source
    }

    /// The next member; what was not read of the one before is skipped.
    ///
    /// # Errors
    /// `UnexpectedEof` where the stream is cut off, `InvalidData` where it is not tar, else the source's own.
    pub(crate) fn next(&mut self) -> Result<Option<RawMember>> {
        if self.end.is_some() {
            return Ok(None);
        }
        self.skip()?;
        let mut member = RawMember { tar_offset: self.offset, ..RawMember::default() };
        let mut pax = Pax::default();
        let mut extended = false;
        for _ in 0..MAX_EXTENSIONS {
            let Some(block) = self.block(!extended)? else { return Ok(None) };
            let header = tar::Header::from_byte_slice(&block);
            check_sum(header)?;
            let size = header.entry_size().map_err(|_| invalid("a tar header has a bad size"))?;
            match header.entry_type().as_byte() {
                b'L' => member.name = self.long_name(size)?,
                b'K' => member.link = self.long_name(size)?,
                b'x' | b'X' => pax.parse(&self.extension(size, MAX_PAX_BYTES, "a pax header")?)?,
                // Global headers hold comments and defaults; no backup has any but a comment.
                b'g' => {
                    self.extension(size, MAX_PAX_BYTES, "a pax header")?;
                }
                kind => {
                    self.describe(&mut member, header, kind, size, pax)?;
                    return Ok(Some(member));
                }
            }
            extended = true;
        }
        Err(invalid("a member has more than 16 headers"))
    }

    /// Reads on in the content of the current member; 0 at its end.
    pub(crate) fn read_content(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let limit = usize::try_from(self.content).unwrap_or(usize::MAX).min(buffer.len());
        if limit == 0 {
            return Ok(0);
        }
        let read = self.source.read(&mut buffer[..limit])?;
        if read == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.content -= read as u64;
        self.offset += read as u64;
        Ok(read)
    }

    fn describe(&mut self, member: &mut RawMember, header: &tar::Header, kind: u8, size: u64, pax: Pax) -> Result<()> {
        let bad = |what: &str| invalid(&format!("a tar header has a bad {what}"));
        if member.name.is_empty() {
            member.name = header.path_bytes().into_owned();
        }
        if member.link.is_empty() {
            member.link = header.link_name_bytes().map(std::borrow::Cow::into_owned).unwrap_or_default();
        }
        member.kind = if pax.sparse { b'S' } else { kind };
        member.mode = header.mode().map_err(|_| bad("mode"))?;
        member.uid = pax.uid.map_or_else(|| header.uid().map_err(|_| bad("owner")), Ok)?;
        member.gid = pax.gid.map_or_else(|| header.gid().map_err(|_| bad("group")), Ok)?;
        // Times before 1970 exist (negative, in base 256); no member is lost over one.
        member.mtime = pax.mtime.unwrap_or_else(|| header.mtime().unwrap_or(0));
        member.user = pax.user.unwrap_or_else(|| header.username_bytes().unwrap_or_default().to_vec());
        member.group = pax.group.unwrap_or_else(|| header.groupname_bytes().unwrap_or_default().to_vec());
        if let Some(name) = pax.name {
            member.name = name;
        }
        if let Some(link) = pax.link {
            member.link = link;
        }
        member.size = pax.size.unwrap_or(size);
        // Readers disagree on whether content follows such a header: a stream that looks different to each is hostile.
        if member.size > 0 && matches!(kind, b'1'..=b'6') {
            return Err(invalid("a tar header gives a size to what is no file"));
        }
        member.header_bytes = self.offset - member.tar_offset;
        self.content = member.size;
        self.padding = padding(member.size);
        Ok(())
    }

    /// Passes over what is left of the current member.
    fn skip(&mut self) -> Result<()> {
        let rest = std::mem::take(&mut self.content);
        let skipped = std::io::copy(&mut (&mut self.source).take(rest), &mut std::io::sink())?;
        self.offset += skipped;
        if skipped < rest {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let mut zeros = [0; 512];
        let padding = usize::try_from(std::mem::take(&mut self.padding)).unwrap_or(0);
        if self.fill(&mut zeros[..padding])? < padding {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.dirty |= zeros != [0; 512];
        Ok(())
    }

    /// The next block. `None` at the end of the stream, which may only come where `may_end`.
    fn block(&mut self, may_end: bool) -> Result<Option<[u8; 512]>> {
        let mut block = [0; 512];
        let read = self.fill(&mut block)?;
        if read == 0 && may_end {
            self.end = Some(End::Missing);
            return Ok(None);
        }
        if read < block.len() {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        if block != [0; 512] {
            return Ok(Some(block));
        }
        if !may_end {
            return Err(invalid("a member ends after its name"));
        }
        let read = self.fill(&mut block)?;
        self.end = Some(if read == block.len() && block == [0; 512] { End::Whole } else { End::LoneZero });
        Ok(None)
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.source.read(&mut buffer[filled..])? {
                0 => break,
                read => filled += read,
            }
        }
        self.offset += filled as u64;
        Ok(filled)
    }

    fn long_name(&mut self, size: u64) -> Result<Vec<u8>> {
        // GNU tar ends it with a NUL that the size counts.
        let mut name = self.extension(size, MAX_NAME_BYTES + 1, "a name")?;
        if name.last() == Some(&0) {
            name.pop();
        }
        Ok(name)
    }

    fn extension(&mut self, size: u64, limit: u64, what: &str) -> Result<Vec<u8>> {
        if size > limit {
            return Err(invalid(&format!("{what} claims {size} bytes, more than {limit}")));
        }
        let mut bytes = vec![0; usize::try_from(size + padding(size)).unwrap_or(0)];
        if self.fill(&mut bytes)? < bytes.len() {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        bytes.truncate(usize::try_from(size).unwrap_or(0));
        Ok(bytes)
    }
}

/// The records of a pax header that matter here.
#[derive(Default)]
struct Pax {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    uid: Option<u64>,
    gid: Option<u64>,
    mtime: Option<u64>,
    user: Option<Vec<u8>>,
    group: Option<Vec<u8>>,
    sparse: bool,
}

impl Pax {
    /// Records of the form `length key=value\n`; the length counts the whole record.
    fn parse(&mut self, mut records: &[u8]) -> Result<()> {
        let bad = || invalid("a pax header is not understood");
        while !records.is_empty() {
            let space = memchr::memchr(b' ', records).ok_or_else(bad)?;
            let length: usize = number(&records[..space]).and_then(|length| length.try_into().ok()).ok_or_else(bad)?;
            let record = records.get(space + 1..length).ok_or_else(bad)?;
            records = &records[length..];
            let record = record.strip_suffix(b"\n").ok_or_else(bad)?;
            let equals = memchr::memchr(b'=', record).ok_or_else(bad)?;
            let (key, value) = (&record[..equals], &record[equals + 1..]);
            match key {
                b"path" | b"linkpath" if value.len() as u64 > MAX_NAME_BYTES => {
                    return Err(invalid("a pax header has a name longer than any path"));
                }
                b"path" => self.name = Some(value.to_vec()),
                b"linkpath" => self.link = Some(value.to_vec()),
                b"size" => self.size = Some(number(value).ok_or_else(bad)?),
                b"uid" => self.uid = Some(number(value).ok_or_else(bad)?),
                b"gid" => self.gid = Some(number(value).ok_or_else(bad)?),
                // Fractions of seconds are left out; what is before 1970 becomes 1970.
                b"mtime" => {
                    self.mtime = Some(number(value.split(|&byte| byte == b'.').next().unwrap_or(value)).unwrap_or(0));
                }
                b"uname" => self.user = Some(value.to_vec()),
                b"gname" => self.group = Some(value.to_vec()),
                key => self.sparse |= key.starts_with(b"GNU.sparse"),
            }
        }
        Ok(())
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Compares a header with its own checksum: the sum of its bytes with the checksum's field read as spaces.
fn check_sum(header: &tar::Header) -> Result<()> {
    let bytes = header.as_bytes();
    let sum: u32 = bytes.iter().map(|&byte| u32::from(byte)).sum();
    let field: u32 = bytes[148..156].iter().map(|&byte| u32::from(byte)).sum();
    let expected = header.cksum().map_err(|_| invalid("a tar header has a bad checksum field"))?;
    let found = sum - field + 8 * u32::from(b' ');
    if found == expected {
        Ok(())
    } else {
        Err(invalid(&format!("a tar header fails its checksum: expected {expected}, found {found}")))
    }
}

fn invalid(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(kind: u8, name: &str, size: u64) -> Vec<u8> {
        let mut header = tar::Header::new_gnu();
        header.set_path(name).unwrap();
        header.set_size(size);
        header.set_mode(0o644);
        header.set_uid(1);
        header.set_gid(2);
        header.set_mtime(3);
        header.set_entry_type(tar::EntryType::new(kind));
        header.set_cksum();
        header.as_bytes().to_vec()
    }

    fn padded(content: &[u8]) -> Vec<u8> {
        let mut bytes = content.to_vec();
        bytes.resize(bytes.len() + usize::try_from(padding(bytes.len() as u64)).unwrap(), 0);
        bytes
    }

    #[test]
    fn pax_records_replace_the_header() {
        assert!(Pax::default().parse(b"99 path=a\n").is_err(), "a record longer than the header");
        let records = [&b"14 path=a/\xc3\xbcx\n"[..], b"10 size=3\n", b"19 mtime=1700000.9\n"].concat();
        let mut tar = header(b'x', "PaxHeaders/1", records.len() as u64);
        tar.extend(padded(&records));
        tar.extend(header(b'0', "short", 0));
        tar.extend(padded(b"abc"));
        tar.extend([0; 1024]);
        let mut reader = TarReader::new(&tar[..]);
        let member = reader.next().unwrap().unwrap();
        assert_eq!((member.name.as_slice(), member.size, member.mtime), ("a/üx".as_bytes(), 3, 1_700_000));
        assert_eq!((member.tar_offset, member.header_bytes), (0, 1536));
        let mut content = [0; 10];
        assert_eq!(reader.read_content(&mut content).unwrap(), 3);
        assert_eq!(reader.next().unwrap(), None);
        assert_eq!(reader.end(), Some(End::Whole));
    }

    #[test]
    fn claims_take_no_memory() {
        for (kind, name) in [(b'L', "././@LongLink"), (b'K', "././@LongLink"), (b'x', "pax"), (b'g', "pax")] {
            let tar = header(kind, name, 5 << 30);
            let error = TarReader::new(&tar[..]).next().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidData, "{error}");
        }
        let endless = header(b'g', "pax", 0).repeat(20);
        assert_eq!(TarReader::new(&endless[..]).next().unwrap_err().kind(), ErrorKind::InvalidData);
    }

    #[test]
    fn a_cut_is_seen_wherever_it_is() {
        let mut tar = header(b'0', "a", 600);
        tar.extend(padded(&[1; 600]));
        tar.extend(header(b'0', "b", 0));
        tar.extend([0; 1024]);
        for end in 0..=tar.len() {
            let mut reader = TarReader::new(&tar[..end]);
            let result = loop {
                match reader.next() {
                    Ok(Some(_)) => {}
                    Ok(None) => break Ok(reader.end().unwrap()),
                    Err(error) => break Err(error.kind()),
                }
            };
            let expected = match end {
                0 | 1536 | 2048 => Ok(End::Missing),
                2560..=3071 => Ok(End::LoneZero),
                3072 => Ok(End::Whole),
                _ => Err(ErrorKind::UnexpectedEof),
            };
            assert_eq!(result, expected, "cut at {end}");
        }
    }

    #[test]
    fn a_changed_header_fails_its_checksum() {
        let mut tar = header(b'0', "a", 0);
        tar[5] ^= 1;
        assert_eq!(TarReader::new(&tar[..]).next().unwrap_err().kind(), ErrorKind::InvalidData);
    }
}
