#![allow(clippy::disallowed_methods)] // this is the room
//! Files and directories: the only room that touches the file system.
//!
//! Everything written goes through [`Output`]: complete or absent, fsynced, mode 0600 unless said otherwise.

mod lock;
mod output;
mod own;
mod owner;
mod space;
mod tree;
mod unpack;
mod walk;
mod work_dir;

pub use lock::LockFile;
pub use output::{Output, random_name};
pub(crate) use output::{parent, sweep};
pub(crate) use own::{own_name, own_whose};
pub use owner::OwnerNames;
pub use space::{existing_directory, free_bytes, same_file_system};
pub(crate) use tree::{
    Scratch, create_dirs_like, create_new, create_private_dirs, dress, dress_file, exchange, identity, is_mount_point,
    link, may_change, measure, move_entry, move_new, open_regular, overwrite, raw_names, remove_tree, sync_file_system,
    temp_dir, write_dated, write_json, write_new,
};
pub use unpack::{Attributes, Ownership, Sync, UnpackFile, UnpackOptions, Unpacker, link_stays_inside};
pub use walk::{FollowedLink, Walk, WalkEntry, WalkKind, open_for_backup};
pub use work_dir::WorkDir;

use std::fs::{File, Metadata};
use std::io::Read;

use camino::{Utf8Path, Utf8PathBuf};

use crate::{Error, Result};

/// Opens a file for reading.
pub fn open(path: &Utf8Path) -> Result<File> {
    File::open(path).map_err(|error| Error::io("open", path, error))
}

/// Reads a whole small file: at most `limit` bytes, so that a hostile or mistaken path cannot fill the memory.
pub fn read(path: &Utf8Path, limit: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(limit + 1).read_to_end(&mut bytes).map_err(|error| Error::io("read", path, error))?;
    if bytes.len() as u64 > limit {
        return Err(Error::new(
            crate::ErrorKind::Refused,
            format!("{path} is larger than the {limit} bytes such a file may have"),
        )
        .with_path(path));
    }
    Ok(bytes)
}

/// Reads a whole small text file, at most 16 MiB.
pub fn read_to_string(path: &Utf8Path) -> Result<String> {
    let bytes = read(path, 16 << 20)?;
    String::from_utf8(bytes).map_err(|error| {
        Error::new(crate::ErrorKind::Config, format!("{path} is not UTF-8 text")).with_path(path).with_source(error)
    })
}

/// The metadata of what `path` leads to, or `None` where there is nothing.
pub fn metadata(path: &Utf8Path) -> Result<Option<Metadata>> {
    match std::fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("look at", path, error)),
    }
}

/// The metadata of `path` itself, a symbolic link included, or `None` where there is nothing.
pub fn symlink_metadata(path: &Utf8Path) -> Result<Option<Metadata>> {
    match std::fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("look at", path, error)),
    }
}

/// Whether `path` leads to a directory.
pub fn is_dir(path: &Utf8Path) -> bool {
    path.is_dir()
}

/// Whether `path` leads to a regular file.
pub fn is_file(path: &Utf8Path) -> bool {
    path.is_file()
}

/// The path with every symbolic link resolved.
pub fn canonicalize(path: &Utf8Path) -> Result<Utf8PathBuf> {
    path.canonicalize_utf8().map_err(|error| Error::io("resolve", path, error))
}

/// The target of a symbolic link, as written in it.
pub fn read_link(path: &Utf8Path) -> Result<Utf8PathBuf> {
    path.read_link_utf8().map_err(|error| Error::io("read the link", path, error))
}

/// The names in a directory, sorted by their bytes; names that are not UTF-8 are left out.
pub fn list(path: &Utf8Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(path).map_err(|error| Error::io("list", path, error))? {
        let entry = entry.map_err(|error| Error::io("list", path, error))?;
        if let Ok(name) = entry.file_name().into_string() {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Flushes a directory, so that the names in it survive a crash.
pub fn sync_directory(path: &Utf8Path) -> Result<()> {
    File::open(path).and_then(|directory| directory.sync_all()).map_err(|error| Error::io("flush", path, error))
}

/// Makes a directory with a name nobody can guess below `parent`, with the mode 0700. It stays until it is removed.
pub(crate) fn private_temp_dir(parent: &Utf8Path, prefix: &str) -> Result<Utf8PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let permissions = std::fs::Permissions::from_mode(0o700);
    let made = tempfile::Builder::new()
        .prefix(prefix)
        .permissions(permissions)
        .tempdir_in(parent)
        .map_err(|error| Error::io("make a directory in", parent, error))?;
    Utf8PathBuf::from_path_buf(made.keep()).map_err(|path| {
        let message = format!("the path {} is not UTF-8", path.display());
        Error::new(crate::ErrorKind::Refused, message)
    })
}

/// Gives `path` to another user and group; needs root.
pub(crate) fn chown(path: &Utf8Path, uid: u32, gid: u32) -> Result<()> {
    std::os::unix::fs::chown(path, Some(uid), Some(gid)).map_err(|error| Error::io("change the owner of", path, error))
}

/// Removes a directory that is empty.
pub(crate) fn remove_empty_dir(path: &Utf8Path) -> Result<()> {
    std::fs::remove_dir(path).map_err(|error| Error::io("remove", path, error))
}

/// Writes a private file for a unit test.
#[cfg(test)]
pub(crate) fn tests_write(path: &Utf8Path, content: impl AsRef<[u8]>) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, content).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}
