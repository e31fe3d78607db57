//! A file that appears under its name only when it is complete.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind as IoKind;
use std::os::unix::fs::OpenOptionsExt;

use camino::{Utf8Path, Utf8PathBuf};

use crate::{Error, ErrorKind, Result, fs};

/// What the name of an unfinished file ends in.
const SUFFIX: &str = ".partial";

/// A file on its way to its final name. Dropped before [`Output::publish`], it is removed.
///
/// It lies beside its final name as `.<name>.<random>.partial`, mode 0600, and is locked while its process lives: the
/// next run recognises what a killed one left behind and removes it.
#[derive(Debug)]
pub struct Output {
    target: Utf8PathBuf,
    partial: Utf8PathBuf,
    file: Option<File>,
    replace: bool,
}

impl Output {
    /// Begins a file that will be `target`. An existing target is refused unless `replace`.
    pub fn create(target: &Utf8Path, replace: bool) -> Result<Self> {
        if !replace && fs::symlink_metadata(target)?.is_some() {
            return Err(exists(target));
        }
        let name = target
            .file_name()
            .ok_or_else(|| Error::new(ErrorKind::Usage, format!("{target} does not name a file")).with_path(target))?;
        let directory = parent(target);
        if !fs::is_dir(directory) {
            return Err(Error::new(ErrorKind::NotFound, format!("there is no directory {directory}"))
                .with_path(directory)
                .with_hint("create it, or name another place"));
        }
        sweep(directory)?;
        let partial = directory.join(format!(".{name}.{}{SUFFIX}", random_name()));
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&partial)
            .map_err(|error| Error::io("create", &partial, error))?;
        file.lock().map_err(|error| Error::io("lock", &partial, error))?;
        Ok(Self { target: target.to_owned(), partial, file: Some(file), replace })
    }

    /// The file, for writing. A second handle of the same open file.
    pub fn file(&self) -> Result<File> {
        match &self.file {
            Some(file) => file.try_clone().map_err(|error| Error::io("open", &self.partial, error)),
            None => Err(Error::new(ErrorKind::Usage, format!("{} is published already", self.target))),
        }
    }

    /// The name it will have.
    pub fn target(&self) -> &Utf8Path {
        &self.target
    }

    /// A file without a name in the same directory, for what waits to be written.
    pub fn scratch(&self) -> Result<File> {
        let directory = parent(&self.target);
        tempfile::tempfile_in(directory).map_err(|error| Error::io("create a file in", directory, error))
    }

    /// Flushes the file and its directory to the disk and gives it its name.
    pub fn publish(mut self) -> Result<Utf8PathBuf> {
        let Some(file) = self.file.take() else {
            return Err(Error::new(ErrorKind::Usage, format!("{} is published already", self.target)));
        };
        let published = (|| {
            file.sync_all().map_err(|error| Error::io("flush", &self.partial, error))?;
            if self.replace {
                std::fs::rename(&self.partial, &self.target)
                    .map_err(|error| Error::io("create", &self.target, error))?;
            } else {
                // Two runs with one output: the later one must not replace what the earlier one published.
                rename_new(&self.partial, &self.target)?;
            }
            fs::sync_directory(parent(&self.target))
        })();
        if published.is_err() {
            let _ = std::fs::remove_file(&self.partial);
        }
        published.map(|()| self.target.clone())
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if self.file.is_some() {
            // Nothing can be done about a failure here; the next run sweeps.
            let _ = std::fs::remove_file(&self.partial);
        }
    }
}

/// Gives a file a name that nobody has.
fn rename_new(from: &Utf8Path, to: &Utf8Path) -> Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    match renameat_with(CWD, from.as_str(), CWD, to.as_str(), RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::EXIST) => Err(exists(to)),
        // File systems without the flag (NFS, some FUSE): a hard link refuses an existing name as well.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::NOTSUP) => {
            match std::fs::hard_link(from, to) {
                Ok(()) => std::fs::remove_file(from).map_err(|error| Error::io("remove", from, error)),
                Err(error) if error.kind() == IoKind::AlreadyExists => Err(exists(to)),
                Err(error) => Err(Error::io("create", to, error)),
            }
        }
        Err(errno) => Err(Error::io("create", to, errno.into())),
    }
}

fn exists(path: &Utf8Path) -> Error {
    Error::new(ErrorKind::Refused, format!("{path} exists"))
        .with_path(path)
        .with_hint("name another output, or replace it with --force")
}

/// Removes the unfinished files of processes that are gone. A running process holds a lock on its own.
pub(crate) fn sweep(directory: &Utf8Path) -> Result<()> {
    for name in fs::list(directory)? {
        if !(name.starts_with('.') && name.ends_with(SUFFIX)) {
            continue;
        }
        let path = directory.join(name);
        let Ok(file) = OpenOptions::new().read(true).write(true).custom_flags(nofollow()).open(&path) else { continue };
        if file.try_lock().is_ok() {
            let _ = std::fs::remove_file(&path);
        }
    }
    Ok(())
}

fn nofollow() -> i32 {
    rustix::fs::OFlags::NOFOLLOW.bits().cast_signed()
}

/// The directory a path lies in; `.` for a bare name.
pub(crate) fn parent(path: &Utf8Path) -> &Utf8Path {
    path.parent().filter(|parent| !parent.as_str().is_empty()).unwrap_or(Utf8Path::new("."))
}

/// Eight random characters that are safe in a file name.
pub fn random_name() -> String {
    use std::hash::{BuildHasher, Hasher};
    // RandomState is seeded by the operating system; uniqueness is what matters, and `create_new` checks it.
    let mut value = std::collections::hash_map::RandomState::new().build_hasher().finish();
    (0..8)
        .map(|_| {
            let digit = u32::try_from(value % 36).unwrap_or(0);
            value /= 36;
            char::from_digit(digit, 36).unwrap_or('0')
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::MetadataExt;

    use super::*;

    fn directory() -> (tempfile::TempDir, Utf8PathBuf) {
        let temp = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(temp.path().to_owned()).unwrap();
        (temp, path)
    }

    #[test]
    fn complete_or_absent() {
        let (_temp, directory) = directory();
        let target = directory.join("a.tar.gz");
        let output = Output::create(&target, false).unwrap();
        output.file().unwrap().write_all(b"half").unwrap();
        assert!(!target.exists());
        drop(output);
        assert_eq!(fs::list(&directory).unwrap(), Vec::<String>::new());

        let output = Output::create(&target, false).unwrap();
        output.file().unwrap().write_all(b"whole").unwrap();
        assert_eq!(output.publish().unwrap(), target);
        assert_eq!(fs::read(&target, 10).unwrap(), b"whole");
        assert_eq!(std::fs::metadata(&target).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::list(&directory).unwrap(), ["a.tar.gz"]);
    }

    #[test]
    fn nothing_is_replaced_unasked() {
        let (_temp, directory) = directory();
        let target = directory.join("a");
        let early = Output::create(&target, false).unwrap();
        std::fs::write(&target, "other").unwrap();
        assert_eq!(early.publish().unwrap_err().kind(), ErrorKind::Refused);
        assert_eq!(Output::create(&target, false).unwrap_err().kind(), ErrorKind::Refused);
        assert_eq!(fs::read(&target, 10).unwrap(), b"other");
        Output::create(&target, true).unwrap().publish().unwrap();
        assert_eq!(fs::read(&target, 10).unwrap(), b"");
        assert_eq!(fs::list(&directory).unwrap(), ["a"]);
    }

    #[test]
    fn what_a_killed_run_left_is_swept_and_what_a_living_one_holds_is_not() {
        let (_temp, directory) = directory();
        std::fs::write(directory.join(".old.tar.gz.abc.partial"), "x").unwrap();
        let living = Output::create(&directory.join("b"), false).unwrap();
        let other = Output::create(&directory.join("c"), false).unwrap();
        let names = fs::list(&directory).unwrap();
        assert_eq!(names.len(), 2, "{names:?}");
        drop((living, other));
    }
}
