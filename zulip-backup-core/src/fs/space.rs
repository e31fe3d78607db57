//! Free space.

use camino::Utf8Path;

use crate::{Error, Result};

/// How many bytes an unprivileged process can still write to the file system of `path`.
pub fn free_bytes(path: &Utf8Path) -> Result<u64> {
    let stat = rustix::fs::statvfs(path.as_str()).map_err(|errno| Error::io("look at", path, errno.into()))?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// The path, or the nearest above it that is a directory: what will be made there takes its space.
pub fn existing_directory(path: &Utf8Path) -> &Utf8Path {
    path.ancestors().find(|place| super::is_dir(place)).unwrap_or(Utf8Path::new("/"))
}

/// Whether two paths lie on one file system.
pub fn same_file_system(one: &Utf8Path, other: &Utf8Path) -> Result<bool> {
    let device = |path: &Utf8Path| {
        rustix::fs::stat(path.as_str())
            .map(|stat| stat.st_dev)
            .map_err(|errno| Error::io("look at", path, errno.into()))
    };
    Ok(device(one)? == device(other)?)
}
