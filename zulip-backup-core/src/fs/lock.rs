//! One run at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;

use camino::{Utf8Path, Utf8PathBuf};

use crate::{Error, ErrorKind, Result};

/// A lock that a process holds on a file until it ends, however it ends. The file says who holds it.
#[derive(Debug)]
pub struct LockFile {
    file: File,
    path: Utf8PathBuf,
}

impl LockFile {
    /// Takes the lock, or says who has it: `Locked`, with the other process's id.
    ///
    /// The file stays when the lock is given back: removing it would let two processes lock two files of one name.
    pub fn take(path: &Utf8Path, doing: &str) -> Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).mode(0o600).custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
        // Without O_CREAT first: in a sticky directory such as /tmp the kernel refuses it for a file of somebody else, and
        // to root too (fs.protected_regular).
        let mut file = options
            .open(path)
            .or_else(|error| match error.kind() {
                std::io::ErrorKind::NotFound => options.create(true).truncate(false).open(path),
                _ => Err(error),
            })
            .map_err(|error| Error::io("open the lock", path, error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = (&mut file).take(200).read_to_string(&mut holder);
                let holder = holder.trim();
                let holder = if holder.is_empty() { "another process" } else { holder };
                return Err(Error::new(ErrorKind::Locked, format!("{path} is held by {holder}"))
                    .with_path(path)
                    .with_hint("wait until it is done, or end it"));
            }
            Err(TryLockError::Error(error)) => return Err(Error::io("lock", path, error)),
        }
        let text = format!("pid {} ({doing}, since {:.0})\n", std::process::id(), jiff::Timestamp::now());
        file.set_len(0)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| file.write_all(text.as_bytes()))
            .map_err(|error| Error::io("write", path, error))?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// The lock's file.
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }
}

impl Drop for LockFile {
    fn drop(&mut self) {
        // Closing would do, were there not children that another thread has forked and that have not yet begun their
        // program: until then they hold the lock too.
        let _ = self.file.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_the_first_is() {
        let temp = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(temp.path().join("lock")).unwrap();
        let first = LockFile::take(&path, "create").unwrap();
        let error = LockFile::take(&path, "create").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Locked);
        assert!(error.to_string().contains(&format!("pid {}", std::process::id())), "{error}");
        drop(first);
        LockFile::take(&path, "create").unwrap();
    }
}
