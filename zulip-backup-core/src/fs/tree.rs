//! Whole trees: made, moved, exchanged, removed.

use std::ffi::OsString;
use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io::{ErrorKind as IoKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{CWD, Gid, Mode, RenameFlags, StatxAttributes, StatxFlags, Uid};
use rustix::io::Errno;

use super::{Output, metadata, parent, symlink_metadata, sync_directory};
use crate::{Error, Result};

/// Makes a directory and all above it, with the mode 0700 where they are new.
pub(crate) fn create_private_dirs(path: &Utf8Path) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| Error::io("create the directory", path, error))
}

/// Removes a file, a link or a directory with all in it. What is not there is no error.
pub(crate) fn remove_tree(path: &Utf8Path) -> Result<()> {
    let removed = match symlink_metadata(path)? {
        None => return Ok(()),
        Some(found) if found.is_dir() => std::fs::remove_dir_all(path),
        Some(_) => std::fs::remove_file(path),
    };
    match removed {
        Err(error) if error.kind() != IoKind::NotFound => Err(Error::io("remove", path, error)),
        _ => Ok(()),
    }
}

/// How many files lie at or below `path`, and how many bytes they have. Links count for themselves and are not followed;
/// what vanishes meanwhile is left out.
pub(crate) fn measure(path: &Utf8Path) -> Result<(u64, u64)> {
    let (mut files, mut bytes) = (0, 0);
    let mut todo = vec![path.as_std_path().to_owned()];
    while let Some(path) = todo.pop() {
        let shown = || path.to_string_lossy().into_owned();
        let found = match std::fs::symlink_metadata(&path) {
            Err(error) if matches!(error.kind(), IoKind::NotFound | IoKind::NotADirectory) => continue,
            found => found.map_err(|error| Error::io("look at", shown(), error))?,
        };
        if !found.is_dir() {
            files += 1;
            bytes += found.len();
            continue;
        }
        match std::fs::read_dir(&path) {
            Err(error) if error.kind() == IoKind::NotFound => {}
            entries => {
                for entry in entries.map_err(|error| Error::io("list", shown(), error))? {
                    todo.push(entry.map_err(|error| Error::io("list", shown(), error))?.path());
                }
            }
        }
    }
    Ok((files, bytes))
}

/// Gives `from` the name `to`, which nothing may have, and flushes both directories.
pub(crate) fn move_new(from: &Utf8Path, to: &Utf8Path) -> Result<()> {
    match rustix::fs::renameat_with(CWD, from.as_str(), CWD, to.as_str(), RenameFlags::NOREPLACE) {
        Ok(()) => {}
        // File systems without the flag.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) if symlink_metadata(to)?.is_none() => {
            std::fs::rename(from, to).map_err(|error| Error::io("rename", from, error))?;
        }
        Err(errno) => return Err(Error::io("rename", from, errno.into()).with_hint(format!("it should become {to}"))),
    }
    sync_parents(from, to)
}

/// Exchanges two names in one step; `false` where the file system cannot.
pub(crate) fn exchange(one: &Utf8Path, other: &Utf8Path) -> Result<bool> {
    match rustix::fs::renameat_with(CWD, one.as_str(), CWD, other.as_str(), RenameFlags::EXCHANGE) {
        Ok(()) => sync_parents(one, other).map(|()| true),
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => Ok(false),
        Err(errno) => Err(Error::io("exchange", one, errno.into()).with_hint(format!("it should change with {other}"))),
    }
}

fn sync_parents(one: &Utf8Path, other: &Utf8Path) -> Result<()> {
    let (first, second) = (parent(one), parent(other));
    sync_directory(first)?;
    if first == second { Ok(()) } else { sync_directory(second) }
}

/// Device and number of what lies at `path` itself.
pub(crate) fn identity(path: &Utf8Path) -> Result<Option<(u64, u64)>> {
    Ok(symlink_metadata(path)?.map(|found| (found.dev(), found.ino())))
}

/// Whether something is mounted at `path`, a part of the same file system included.
pub(crate) fn is_mount_point(path: &Utf8Path) -> Result<bool> {
    let found = rustix::fs::statx(CWD, path.as_str(), rustix::fs::AtFlags::empty(), StatxFlags::BASIC_STATS)
        .map_err(|errno| Error::io("look at", path, errno.into()))?;
    if found.stx_attributes_mask.contains(StatxAttributes::MOUNT_ROOT) {
        return Ok(found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT));
    }
    // Before Linux 5.8.
    let device = |path: &Utf8Path| Ok::<_, Error>(metadata(path)?.map(|found| found.dev()));
    Ok(match path.parent() {
        Some(parent) => device(path)? != device(parent)?,
        None => true,
    })
}

/// Whether this process may make and remove names in the directory.
pub(crate) fn may_change(directory: &Utf8Path) -> bool {
    rustix::fs::access(directory.as_str(), rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK).is_ok()
}

/// The names in a directory, whatever bytes they have.
pub(crate) fn raw_names(directory: &Utf8Path) -> Result<Vec<OsString>> {
    let failed = |error| Error::io("list", directory, error);
    std::fs::read_dir(directory)
        .map_err(failed)?
        .map(|entry| entry.map(|entry| entry.file_name()).map_err(failed))
        .collect()
}

/// Moves one entry of a directory into another on the same file system. What is not there any more is no error.
pub(crate) fn move_entry(from: &Utf8Path, name: &std::ffi::OsStr, to: &Utf8Path) -> Result<()> {
    match std::fs::rename(from.as_std_path().join(name), to.as_std_path().join(name)) {
        Err(error) if error.kind() != IoKind::NotFound => {
            Err(Error::io("rename", from.join(name.to_string_lossy().as_ref()), error))
        }
        _ => Ok(()),
    }
}

/// Gives `path` the owner and mode of `model`, or these where there is no model. The owner only where this process
/// is root's.
pub(crate) fn dress(path: &Utf8Path, model: Option<&Utf8Path>, owner: (u32, u32), mode: u32) -> Result<()> {
    let model = model.map(metadata).transpose()?.flatten();
    let (uid, gid, mode) = model.map_or((owner.0, owner.1, mode), |found| (found.uid(), found.gid(), found.mode()));
    if rustix::process::geteuid().is_root() {
        rustix::fs::chown(path.as_str(), Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))
            .map_err(|errno| Error::io("change the owner of", path, errno.into()))?;
    }
    rustix::fs::chmod(path.as_str(), Mode::from_raw_mode(mode & 0o7777))
        .map_err(|errno| Error::io("change the mode of", path, errno.into()))
}

/// Makes a directory and all above it that are missing, each with the owner and mode of `model`.
pub(crate) fn create_dirs_like(path: &Utf8Path, model: &Utf8Path) -> Result<()> {
    let missing: Vec<&Utf8Path> = path.ancestors().take_while(|ancestor| !ancestor.is_dir()).collect();
    for directory in missing.into_iter().rev() {
        match DirBuilder::new().mode(0o700).create(directory) {
            Ok(()) => dress(directory, Some(model), (0, 0), 0o700)?,
            // Another thread was faster.
            Err(error) if error.kind() == IoKind::AlreadyExists => {}
            Err(error) => return Err(Error::io("create the directory", directory, error)),
        }
    }
    Ok(())
}

/// Gives a file the owner of the directory `model`, and lets those of `most` read and write it who may use the directory so.
pub(crate) fn dress_file(path: &Utf8Path, model: &Utf8Path, most: u32) -> Result<()> {
    let (owner, mode) = metadata(model)?.map_or(((0, 0), 0o700), |found| ((found.uid(), found.gid()), found.mode()));
    dress(path, None, owner, mode & most)
}

/// Replaces a file by this content in one step, flushed, with the mode 0600.
pub(super) fn write_atomically(path: &Utf8Path, content: &[u8]) -> Result<()> {
    let output = Output::create(path, true)?;
    output.file()?.write_all(content).map_err(|error| Error::io("write", path, error))?;
    output.publish().map(|_| ())
}

/// Replaces a file by a value as JSON, as [`write_atomically`] does.
pub(crate) fn write_json(path: &Utf8Path, value: &impl serde::Serialize) -> Result<()> {
    let text = serde_json::to_vec_pretty(value)
        .map_err(|error| Error::new(crate::ErrorKind::Io, format!("cannot write {path}")).with_source(error))?;
    write_atomically(path, &text)
}

/// Overwrites a file's content and keeps its owner and mode.
pub(crate) fn overwrite(path: &Utf8Path, content: &[u8]) -> Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .truncate(true)
        .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
        .open(path)
        .map_err(|error| Error::io("open", path, error))?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(|error| Error::io("write", path, error))
}

/// A new file, for its owner alone.
pub(crate) fn create_new(path: &Utf8Path) -> Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| Error::io("create", path, error))
}

/// Opens a regular file for reading; `None` where there is none, or something else.
pub(crate) fn open_regular(path: &Utf8Path) -> Result<Option<(File, Metadata)>> {
    let file = match super::open_for_backup(path.as_std_path()) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), IoKind::NotFound | IoKind::NotADirectory) => return Ok(None),
        Err(error) => return Err(Error::io("read", path, error)),
    };
    let metadata = file.metadata().map_err(|error| Error::io("look at", path, error))?;
    Ok(metadata.is_file().then_some((file, metadata)))
}

/// Writes what `content` gives to a new private file that was last changed at `modified`, with the directories above it.
/// How many bytes that was comes back.
pub(crate) fn write_dated(
    path: &Utf8Path,
    content: impl FnOnce(&mut File) -> std::io::Result<u64>,
    (seconds, nanoseconds): (i64, i64),
) -> Result<u64> {
    create_private_dirs(parent(path))?;
    let mut file = create_new(path)?;
    let bytes = content(&mut file).map_err(|error| Error::io("write", path, error))?;
    let time = rustix::fs::Timespec { tv_sec: seconds, tv_nsec: nanoseconds };
    rustix::fs::futimens(&file, &rustix::fs::Timestamps { last_access: time, last_modification: time })
        .map_err(|errno| Error::io("set the time of", path, errno.into()))?;
    Ok(bytes)
}

/// Flushes all that was written to the file system a directory lies in: a hundred times as fast as flushing each of many
/// files.
pub(crate) fn sync_file_system(directory: &Utf8Path) -> Result<()> {
    let opened = File::open(directory).map_err(|error| Error::io("open", directory, error))?;
    rustix::fs::syncfs(&opened).map_err(|errno| Error::io("flush", directory, errno.into()))
}

/// Writes a new private file from a reader, for `owner` where it is another than this process.
pub(crate) fn write_new(path: &Utf8Path, content: &mut dyn Read, owner: Option<(u32, u32)>) -> Result<u64> {
    let failed = |error| Error::io("write", path, error);
    let mut file = create_new(path)?;
    let copied = std::io::copy(content, &mut file).map_err(failed)?;
    if let Some((uid, gid)) = owner {
        super::chown(path, uid, gid)?;
    }
    Ok(copied)
}

/// Makes the symbolic link `path` to `target`.
pub(crate) fn link(target: &Utf8Path, path: &Utf8Path) -> Result<()> {
    std::os::unix::fs::symlink(target, path).map_err(|error| Error::io("make the link", path, error))
}

/// A directory that is removed with all in it when this is dropped.
#[derive(Debug)]
pub(crate) struct Scratch(Utf8PathBuf);

impl Scratch {
    /// A private directory below `parent`, for `owner` where it is another than this process.
    pub(crate) fn new(parent: &Utf8Path, owner: Option<(u32, u32)>) -> Result<Self> {
        let made = Self(super::private_temp_dir(parent, "zulip-backup-")?);
        if let Some((uid, gid)) = owner {
            super::chown(&made.0, uid, gid)?;
        }
        Ok(made)
    }

    /// The directory.
    pub(crate) fn path(&self) -> &Utf8Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Nothing can be done about a failure here: its name says whose it is.
        let _ = remove_tree(&self.0);
    }
}

/// The system's directory for temporary files.
pub(crate) fn temp_dir() -> Utf8PathBuf {
    Utf8PathBuf::from_path_buf(std::env::temp_dir()).unwrap_or_else(|_| Utf8PathBuf::from("/tmp"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_exchanged_and_trees_removed() {
        let scratch = Scratch::new(&temp_dir(), None).unwrap();
        let (one, other) = (scratch.path().join("one"), scratch.path().join("other"));
        create_private_dirs(&one.join("deep")).unwrap();
        write_atomically(&other, b"file").unwrap();
        let (id_one, id_other) = (identity(&one).unwrap(), identity(&other).unwrap());
        if exchange(&one, &other).unwrap() {
            assert_eq!((identity(&one).unwrap(), identity(&other).unwrap()), (id_other, id_one));
        }
        assert!(move_new(&one, &other).is_err(), "nothing is replaced");
        remove_tree(&one).unwrap();
        remove_tree(&one).unwrap();
        move_new(&other, &one).unwrap();
        assert!(!is_mount_point(&one).unwrap() && may_change(scratch.path()));
        assert!(is_mount_point(Utf8Path::new("/proc")).unwrap());
        let path = scratch.path().to_owned();
        drop(scratch);
        assert_eq!(identity(&path).unwrap(), None);
    }
}
