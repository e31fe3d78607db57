//! A private directory for work that leaves nothing behind.

use camino::{Utf8Path, Utf8PathBuf};

use crate::Result;
use crate::fs::{self, LockFile};

/// A directory with the mode 0700 that is removed with all in it when it is dropped. What a killed process left is
/// removed by the next one: each holds a lock in its own.
#[derive(Debug)]
pub struct WorkDir {
    path: Utf8PathBuf,
    keep: bool,
    _lock: LockFile,
}

const LOCK: &str = ".lock";

impl WorkDir {
    /// Makes one below `parent`. `prefix` is the program's own: directories of that prefix whose owners are gone are
    /// removed first.
    pub fn create(parent: &Utf8Path, prefix: &str, doing: &str) -> Result<Self> {
        for name in fs::list(parent)? {
            let path = parent.join(&name);
            let lock = path.join(LOCK);
            // Only what has our lock file in it is ours, and only what this user owns can be removed anyway.
            if name.starts_with(prefix) && fs::is_file(&lock) && LockFile::take(&lock, doing).is_ok() {
                let _ = std::fs::remove_dir_all(&path);
            }
        }
        let path = fs::private_temp_dir(parent, prefix)?;
        let lock = LockFile::take(&path.join(LOCK), doing)?;
        Ok(Self { path, keep: false, _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// Makes a directory in it, with the mode 0700: it may be given a name elsewhere.
    pub fn directory(&self, name: &str) -> Result<Utf8PathBuf> {
        let path = self.path.join(name);
        fs::create_private_dirs(&path)?;
        Ok(path)
    }

    /// Leaves it in place when it is dropped.
    pub fn keep(&mut self) {
        self.keep = true;
    }
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        if !self.keep {
            // The next run removes what this one cannot.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_process_left_is_removed_and_what_a_living_one_has_is_not() {
        let temp = tempfile::tempdir().unwrap();
        let parent = Utf8Path::from_path(temp.path()).unwrap();
        std::fs::create_dir_all(parent.join("x-old/deep")).unwrap();
        std::fs::write(parent.join("x-old/.lock"), "").unwrap();
        std::fs::create_dir(parent.join("x-foreign")).unwrap();
        let living = WorkDir::create(parent, "x-", "test").unwrap();
        let other = WorkDir::create(parent, "x-", "test").unwrap();
        assert!(living.path().exists() && !parent.join("x-old").exists() && parent.join("x-foreign").exists());
        let path = other.path().to_owned();
        drop(other);
        assert!(!path.exists());
    }
}
