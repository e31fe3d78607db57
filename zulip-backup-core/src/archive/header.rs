//! tar headers as GNU tar writes them.

use crate::archive::{EntryKind, Member, MemberName};
use crate::fs::OwnerNames;
use crate::{Error, ErrorKind, Result};

/// The block of the tar format: headers and padded contents are whole numbers of it.
pub const BLOCK: u64 = 512;

/// How many zero bytes follow a content of `size` bytes.
pub fn padding(size: u64) -> u64 {
    (BLOCK - size % BLOCK) % BLOCK
}

/// A member about to be written: all but its place and its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Full name.
    pub name: MemberName,
    /// What it is.
    pub kind: EntryKind,
    /// Permission bits.
    pub mode: u32,
    /// Owner's number.
    pub uid: u64,
    /// Group's number.
    pub gid: u64,
    /// Owner's name.
    pub user: String,
    /// Group's name.
    pub group: String,
    /// Seconds since 1970.
    pub mtime: u64,
}

impl Header {
    /// A file that the backup itself makes.
    pub fn generated(name: &str, mode: u32, mtime: u64, owner: &Owner) -> Result<Self> {
        let name = MemberName::try_from(name)
            .map_err(|bad| Error::new(ErrorKind::Usage, format!("the member name {name:?} {bad}")))?;
        Ok(Self {
            name,
            kind: EntryKind::File,
            mode,
            uid: owner.uid,
            gid: owner.gid,
            user: owner.user.clone(),
            group: owner.group.clone(),
            mtime,
        })
    }

    /// The header blocks for a content of `size` bytes: GNU format, long names in a `././@LongLink` block before, a
    /// size beyond 8 GiB in base 256.
    pub fn encode(&self, size: u64) -> Result<Vec<u8>> {
        let failed = |error: std::io::Error| {
            Error::new(ErrorKind::Io, format!("cannot write a tar header for {}", self.name)).with_source(error)
        };
        let mut header = tar::Header::new_gnu();
        header.set_mode(self.mode & 0o7777);
        header.set_uid(self.uid);
        header.set_gid(self.gid);
        header.set_mtime(self.mtime);
        header.set_size(size);
        // A name longer than its field is left to the number, as GNU tar does.
        let _ = header.set_username(&self.user);
        let _ = header.set_groupname(&self.group);
        let mut name = self.name.as_bytes().to_vec();
        let mut builder = tar::Builder::new(Vec::new());
        match &self.kind {
            EntryKind::File => header.set_entry_type(tar::EntryType::Regular),
            EntryKind::Directory => {
                header.set_entry_type(tar::EntryType::Directory);
                name.push(b'/');
            }
            EntryKind::Symlink(target) => {
                header.set_entry_type(tar::EntryType::Symlink);
                builder.append_link(&mut header, bytes_path(&name), &target.0).map_err(failed)?;
                return Self::strip_end(builder, &self.name);
            }
            EntryKind::Hardlink(target) => {
                header.set_entry_type(tar::EntryType::Link);
                builder.append_link(&mut header, bytes_path(&name), bytes_path(target.as_bytes())).map_err(failed)?;
                return Self::strip_end(builder, &self.name);
            }
        }
        builder.append_data(&mut header, bytes_path(&name), std::io::empty()).map_err(failed)?;
        Self::strip_end(builder, &self.name)
    }

    /// The builder's output without the two zero blocks that end an archive.
    fn strip_end(builder: tar::Builder<Vec<u8>>, name: &MemberName) -> Result<Vec<u8>> {
        let mut bytes = builder.into_inner().map_err(|error| {
            Error::new(ErrorKind::Io, format!("cannot write a tar header for {name}")).with_source(error)
        })?;
        bytes.truncate(bytes.len().saturating_sub(1024));
        Ok(bytes)
    }

    /// The member this header becomes at `tar_offset`.
    pub fn into_member(
        self,
        size: u64,
        sha256: Option<crate::codec::Digest>,
        tar_offset: u64,
        header_bytes: u64,
    ) -> Member {
        Member {
            name: self.name,
            kind: self.kind,
            size,
            mode: self.mode & 0o7777,
            uid: self.uid,
            gid: self.gid,
            user: self.user,
            group: self.group,
            mtime: self.mtime,
            sha256,
            tar_offset,
            header_bytes,
        }
    }
}

/// Whose files the backup's own members are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// Number of the user.
    pub uid: u64,
    /// Number of the group.
    pub gid: u64,
    /// Name of the user.
    pub user: String,
    /// Name of the group.
    pub group: String,
}

impl Owner {
    /// Who runs this process: generated members belong to him, as upstream's do.
    pub fn this_process() -> Self {
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let names = OwnerNames::load();
        Self { uid: u64::from(uid), gid: u64::from(gid), user: names.user(uid), group: names.group(gid) }
    }
}

fn bytes_path(bytes: &[u8]) -> &std::path::Path {
    std::path::Path::new(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(name: &[u8], kind: EntryKind) -> Header {
        Header {
            name: MemberName::new(name).unwrap(),
            kind,
            mode: 0o100_640,
            uid: 1000,
            gid: 3_000_000,
            user: "zulip".into(),
            group: "zulip".into(),
            mtime: 1_795_291_703,
        }
    }

    #[test]
    fn tar_reads_back_what_was_written() {
        let long = [b'x'; 300];
        for (name, size) in [(&b"a/b"[..], 0), (&long[..], 5), (b"big", 9 << 30), ("ü|\u{7f}".as_bytes(), 1)] {
            let bytes = header(name, EntryKind::File).encode(size).unwrap();
            assert_eq!(bytes.len() % 512, 0);
            let mut archive = tar::Archive::new(&bytes[..]);
            let entry = archive.entries().unwrap().next().unwrap().unwrap();
            assert_eq!(&*entry.path_bytes(), name);
            assert_eq!(entry.header().mode().unwrap(), 0o640);
            assert_eq!(entry.header().uid().unwrap(), 1000);
            assert_eq!(entry.header().gid().unwrap(), 3_000_000);
            assert_eq!(entry.header().entry_size().unwrap(), size);
            assert_eq!(entry.header().username_bytes().unwrap(), b"zulip");
        }
    }

    #[test]
    fn directories_end_in_a_slash() {
        let bytes = header(b"a/b", EntryKind::Directory).encode(0).unwrap();
        assert_eq!(&bytes[..4], b"a/b/");
    }
}
