//! Writing the members of an archive into a directory, and nowhere else.
//!
//! The names come from a file that may be hostile, and the directory may hold links that lead elsewhere. So nothing is
//! ever opened by a path from the root: every directory is opened beneath the destination's own descriptor, without
//! following a link, and every file appears under a name that did not exist before.

mod beneath;
mod link;

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags, Timespec, Timestamps};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind, Result, fs};
use beneath::split;
pub use link::link_stays_inside;

/// Who will own what is unpacked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ownership {
    /// Whoever unpacks.
    #[default]
    Unpacker,
    /// The numbers in the archive. Only root may.
    Archive,
    /// One user and group for all.
    Given {
        /// Number of the user.
        uid: u32,
        /// Number of the group.
        gid: u32,
    },
}

/// When what is unpacked is flushed to the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sync {
    /// By the system, when it likes.
    Never,
    /// All of it at the end, by flushing the file system: a hundred times as fast as flushing each of many files.
    #[default]
    AtEnd,
    /// Each file before it gets its name.
    EachFile,
}

/// How [`Unpacker`] works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct UnpackOptions {
    /// Who will own it.
    pub ownership: Ownership,
    /// When it is flushed.
    pub sync: Sync,
    /// Whether existing files are replaced. Directories are always shared; a link is never written through.
    pub replace: bool,
}

impl UnpackOptions {
    /// Gives everything to `ownership`.
    pub fn ownership(mut self, ownership: Ownership) -> Self {
        self.ownership = ownership;
        self
    }

    /// Flushes when `sync` says.
    pub fn sync(mut self, sync: Sync) -> Self {
        self.sync = sync;
        self
    }

    /// Replaces existing files.
    pub fn replace(mut self, replace: bool) -> Self {
        self.replace = replace;
        self
    }
}

/// What is set on a file or directory once its content is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Permission bits; set-user-id, set-group-id and sticky are dropped.
    pub mode: u32,
    /// Owner's number in the archive.
    pub uid: u64,
    /// Group's number in the archive.
    pub gid: u64,
    /// Seconds since 1970.
    pub mtime: u64,
}

/// Unpacks into one directory, from any number of threads.
#[derive(Debug)]
pub struct Unpacker {
    root: OwnedFd,
    path: Utf8PathBuf,
    options: UnpackOptions,
    /// Bytes that may still be written: what was free at the start.
    rest: AtomicU64,
    /// Members that may still be made.
    members: AtomicU64,
    number: AtomicU64,
    token: String,
    /// Directories made here; their attributes are set last, because files in them change their time and may need a
    /// mode that allows writing.
    directories: Mutex<Vec<(Vec<u8>, Attributes)>>,
}

/// More members than any server has.
const MAX_MEMBERS: u64 = 200_000_000;
/// Left free on the file system, so that the rest of the machine goes on.
const RESERVE_BYTES: u64 = 16 << 20;

impl Unpacker {
    /// Unpacks into `path`, which is made if it is not there.
    pub fn new(path: &Utf8Path, options: UnpackOptions) -> Result<Self> {
        if fs::metadata(path)?.is_none() {
            std::fs::DirBuilder::new()
                .recursive(true)
                .create(path)
                .map_err(|error| Error::io("create the directory", path, error))?;
        }
        let root = rustix::fs::open(path.as_str(), OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|errno| Error::io("open the directory", path, errno.into()))?;
        let free = fs::free_bytes(path)?.saturating_sub(RESERVE_BYTES);
        Ok(Self {
            root,
            path: path.to_owned(),
            options,
            rest: AtomicU64::new(free),
            members: AtomicU64::new(MAX_MEMBERS),
            number: AtomicU64::new(0),
            token: fs::random_name(),
            directories: Mutex::default(),
        })
    }

    /// The destination.
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// Refuses at once what will not fit.
    ///
    /// # Errors
    /// `Refused`, with both numbers.
    pub fn expect_bytes(&self, bytes: u64) -> Result<()> {
        let free = self.rest.load(Ordering::Relaxed);
        if bytes <= free { Ok(()) } else { Err(self.full(bytes, free)) }
    }

    /// Makes a directory, unless it is there, and remembers what it is to become.
    pub fn directory(&self, name: &[u8], attributes: Attributes) -> Result<()> {
        self.count()?;
        let (parent, last) = split(name);
        let directory = self.parent(parent)?;
        match rustix::fs::mkdirat(&directory, last, Mode::RWXU) {
            Ok(()) => {}
            // Made for a file that came before it, or not by us. A link in its place would be a way out.
            Err(Errno::EXIST) => {
                beneath::open_directory(&self.root, name)
                    .map_err(|errno| self.failed("open the directory", name, errno))?;
            }
            Err(errno) => return Err(self.failed("create the directory", name, errno)),
        }
        self.remember(name, attributes);
        Ok(())
    }

    /// Begins a file. It gets its name when it is committed, and is gone when it is dropped before.
    pub fn file(&self, name: &[u8]) -> Result<UnpackFile<'_>> {
        self.count()?;
        let (parent, last) = split(name);
        let directory = self.parent(parent)?;
        let temporary = self.temporary_name();
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&directory, temporary.as_str(), flags, Mode::RUSR | Mode::WUSR)
            .map_err(|errno| self.failed("create", name, errno))?;
        Ok(UnpackFile {
            unpacker: self,
            name: name.to_vec(),
            last: last.to_vec(),
            directory,
            temporary: Some(temporary),
            file: File::from(file),
        })
    }

    /// Makes a symbolic link, if its target is relative and stays inside: see [`link_stays_inside`].
    ///
    /// # Errors
    /// `Refused` for any other target.
    pub fn symlink(&self, name: &[u8], target: &[u8]) -> Result<()> {
        self.count()?;
        if !link_stays_inside(name, target) {
            return Err(Error::new(
                ErrorKind::Refused,
                format!("the link {} leads out, to {}", name.escape_ascii(), target.escape_ascii()),
            ));
        }
        let (parent, last) = split(name);
        let directory = self.parent(parent)?;
        let temporary = self.temporary_name();
        rustix::fs::symlinkat(target, &directory, temporary.as_str())
            .map_err(|errno| self.failed("create the link", name, errno))?;
        self.rename(&directory, &temporary, last, name)
    }

    /// Makes a second name for the file `target`, which must be one that was unpacked here.
    pub fn hardlink(&self, name: &[u8], target: &[u8]) -> Result<()> {
        self.count()?;
        let (target_parent, target_last) = split(target);
        let target_directory = beneath::open_directory(&self.root, target_parent)
            .map_err(|errno| self.failed("open the directory of", target, errno))?;
        let stat = rustix::fs::statat(&target_directory, target_last, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|errno| self.failed("look at", target, errno))?;
        if rustix::fs::FileType::from_raw_mode(stat.st_mode) != rustix::fs::FileType::RegularFile {
            return Err(Error::new(
                ErrorKind::Refused,
                format!("the hard link {} leads to no regular file", name.escape_ascii()),
            ));
        }
        let (parent, last) = split(name);
        let directory = self.parent(parent)?;
        let temporary = self.temporary_name();
        rustix::fs::linkat(&target_directory, target_last, &directory, temporary.as_str(), AtFlags::empty())
            .map_err(|errno| self.failed("create the hard link", name, errno))?;
        self.rename(&directory, &temporary, last, name)
    }

    /// Sets the attributes of the directories, deepest first, and flushes as was asked.
    pub fn finish(self) -> Result<()> {
        let mut directories =
            self.directories.lock().map(|mut directories| std::mem::take(&mut *directories)).unwrap_or_default();
        // Setting a directory's time after all that is in it; a longer name cannot be above a shorter one.
        directories.sort_by(|one, other| other.0.cmp(&one.0));
        for (name, attributes) in &directories {
            let directory = beneath::open_directory_for_reading(&self.root, name)
                .map_err(|errno| self.failed("open the directory", name, errno))?;
            self.set_attributes(&directory, attributes).map_err(|errno| self.failed("set the mode of", name, errno))?;
            if self.options.sync == Sync::EachFile {
                rustix::fs::fsync(&directory).map_err(|errno| self.failed("flush", name, errno))?;
            }
        }
        match self.options.sync {
            Sync::Never => Ok(()),
            Sync::EachFile => rustix::fs::fsync(&self.root).map_err(|errno| self.failed("flush", b"", errno)),
            Sync::AtEnd => rustix::fs::syncfs(&self.root).map_err(|errno| self.failed("flush", b"", errno)),
        }
    }

    /// The directory `name`, made with all above it where it is missing. Missing ones are for the unpacker's eyes only.
    fn parent(&self, name: &[u8]) -> Result<OwnedFd> {
        match beneath::open_directory(&self.root, name) {
            Ok(directory) => return Ok(directory),
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(self.failed("open the directory", name, errno)),
        }
        for (at, _) in name.iter().enumerate().filter(|&(_, &byte)| byte == b'/').chain([(name.len(), &0)]) {
            let (parent, last) = split(&name[..at]);
            let made = beneath::open_directory(&self.root, parent)
                .and_then(|parent| rustix::fs::mkdirat(parent, last, Mode::RWXU));
            if let Err(errno) = made
                && errno != Errno::EXIST
            {
                return Err(self.failed("create the directory", name, errno));
            }
        }
        beneath::open_directory(&self.root, name).map_err(|errno| self.failed("open the directory", name, errno))
    }

    fn remember(&self, name: &[u8], attributes: Attributes) {
        if let Ok(mut directories) = self.directories.lock() {
            directories.push((name.to_vec(), attributes));
        }
    }

    fn rename(&self, directory: &OwnedFd, temporary: &str, last: &[u8], name: &[u8]) -> Result<()> {
        let renamed = if self.options.replace {
            rustix::fs::renameat(directory, temporary, directory, last)
        } else {
            match rustix::fs::renameat_with(directory, temporary, directory, last, RenameFlags::NOREPLACE) {
                // File systems without the flag: a hard link refuses an existing name as well.
                Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
                    rustix::fs::linkat(directory, temporary, directory, last, AtFlags::empty())
                        .and_then(|()| rustix::fs::unlinkat(directory, temporary, AtFlags::empty()))
                }
                other => other,
            }
        };
        renamed.map_err(|errno| {
            let _ = rustix::fs::unlinkat(directory, temporary, AtFlags::empty());
            match errno {
                Errno::EXIST => Error::new(ErrorKind::Refused, format!("{} exists", self.shown(name)))
                    .with_path(self.shown(name))
                    .with_hint("unpack into an empty directory, or replace what is there with --force"),
                errno => self.failed("create", name, errno),
            }
        })
    }

    fn set_attributes(&self, file: impl std::os::fd::AsFd, attributes: &Attributes) -> Result<(), Errno> {
        let owner = match self.options.ownership {
            Ownership::Unpacker => None,
            Ownership::Archive => u32::try_from(attributes.uid).ok().zip(u32::try_from(attributes.gid).ok()),
            Ownership::Given { uid, gid } => Some((uid, gid)),
        };
        if let Some((uid, gid)) = owner.filter(|&(uid, gid)| uid != u32::MAX && gid != u32::MAX) {
            let (uid, gid) = (rustix::fs::Uid::from_raw(uid), rustix::fs::Gid::from_raw(gid));
            rustix::fs::fchown(&file, Some(uid), Some(gid))?;
        }
        rustix::fs::fchmod(&file, Mode::from_raw_mode(attributes.mode & 0o777))?;
        let seconds = i64::try_from(attributes.mtime).unwrap_or(i64::MAX);
        let time = Timespec { tv_sec: seconds, tv_nsec: 0 };
        rustix::fs::futimens(&file, &Timestamps { last_access: time, last_modification: time })
    }

    /// Takes `bytes` off what may be written.
    fn spend(&self, bytes: u64) -> std::io::Result<()> {
        self.rest
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |rest| rest.checked_sub(bytes))
            .map(|_| ())
            .map_err(|_| std::io::ErrorKind::StorageFull.into())
    }

    fn count(&self) -> Result<()> {
        self.members
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |members| members.checked_sub(1))
            .map(|_| ())
            .map_err(|_| {
                Error::new(ErrorKind::Refused, format!("the archive has more than {MAX_MEMBERS} members"))
                    .with_path(&self.path)
            })
    }

    fn temporary_name(&self) -> String {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        format!(".zulip-backup.{}.{number}.partial", self.token)
    }

    fn shown(&self, name: &[u8]) -> Utf8PathBuf {
        self.path.join(name.escape_ascii().to_string())
    }

    fn failed(&self, doing: &str, name: &[u8], errno: Errno) -> Error {
        match errno {
            // The two answers for a link in the way.
            Errno::LOOP | Errno::NOTDIR | Errno::XDEV => Error::new(
                ErrorKind::Refused,
                format!("{} is reached through a link or a file, and was not touched", self.shown(name)),
            )
            .with_path(self.shown(name))
            .with_hint("unpack into an empty directory"),
            errno => Error::io(doing, self.shown(name), errno.into()),
        }
    }

    fn full(&self, bytes: u64, free: u64) -> Error {
        Error::new(ErrorKind::Refused, format!("{} has room for {free} bytes, {bytes} are needed", self.path))
            .with_path(&self.path)
            .with_hint("free some space, or name another place")
    }
}

/// A file on its way into the destination.
#[derive(Debug)]
pub struct UnpackFile<'a> {
    unpacker: &'a Unpacker,
    name: Vec<u8>,
    last: Vec<u8>,
    directory: OwnedFd,
    temporary: Option<String>,
    file: File,
}

impl UnpackFile<'_> {
    /// Sets the attributes and gives the file its name.
    pub fn commit(mut self, attributes: &Attributes) -> Result<()> {
        let unpacker = self.unpacker;
        unpacker
            .set_attributes(&self.file, attributes)
            .map_err(|errno| unpacker.failed("set the mode of", &self.name, errno))?;
        if unpacker.options.sync == Sync::EachFile {
            self.file.sync_all().map_err(|error| Error::io("flush", unpacker.shown(&self.name), error))?;
        }
        match self.temporary.take() {
            Some(temporary) => unpacker.rename(&self.directory, &temporary, &self.last, &self.name),
            None => Ok(()),
        }
    }
}

impl Write for UnpackFile<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.unpacker.spend(bytes.len() as u64)?;
        self.file.write_all(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Drop for UnpackFile<'_> {
    fn drop(&mut self) {
        if let Some(temporary) = self.temporary.take() {
            // Nothing can be done about a failure here: the name says what it is.
            let _ = rustix::fs::unlinkat(&self.directory, temporary, AtFlags::empty());
        }
    }
}

#[cfg(test)]
mod tests;
