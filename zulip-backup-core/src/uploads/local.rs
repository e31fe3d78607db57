//! Uploads on local disk: `LOCAL_UPLOADS_DIR`.

use std::os::unix::fs::MetadataExt;

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};

use crate::uploads::staging::{self, LocalStaging};
use crate::uploads::{Content, Staging, Store, Upload, Uploads};
use crate::{Error, ErrorKind, Result, fs};

/// The directories `files` and `avatars` of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalFiles {
    directory: Utf8PathBuf,
}

impl LocalFiles {
    /// The files in `LOCAL_UPLOADS_DIR`.
    pub fn new(directory: &Utf8Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    fn staging(&self, realm: i64, directory: &str) -> LocalStaging {
        LocalStaging { uploads: self.directory.clone(), directory: self.directory.join(directory), realm }
    }

    /// Keys come out of a database: none of them may lead elsewhere.
    fn path(&self, store: Store, key: &str) -> Result<Utf8PathBuf> {
        below(&self.directory.join(store.directory()), key)
            .map_err(|error| error.with_hint("a row of the database names it: see who changed it"))
    }
}

/// The path of a key in a directory.
///
/// # Errors
/// `Damaged` for one that leads out.
pub(super) fn below(directory: &Utf8Path, key: &str) -> Result<Utf8PathBuf> {
    let inside = Utf8Path::new(key).components().all(|part| matches!(part, Utf8Component::Normal(_)));
    if inside && !key.is_empty() && !key.contains('\0') {
        Ok(directory.join(key))
    } else {
        Err(Error::new(ErrorKind::Damaged, format!("{key:?} is no path below the uploads")))
    }
}

impl Uploads for LocalFiles {
    fn open(&self, store: Store, key: &str) -> Result<Option<Upload>> {
        Ok(fs::open_regular(&self.path(store, key)?)?.map(|(file, metadata)| Upload {
            bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            content: Content::File(file),
        }))
    }

    fn list(&self, store: Store, directory: &str) -> Result<Vec<String>> {
        let path = self.path(store, directory)?;
        let mut names = if fs::is_dir(&path) { fs::list(&path)? } else { Vec::new() };
        names.sort_unstable();
        Ok(names.into_iter().map(|name| format!("{directory}/{name}")).collect())
    }

    fn stage(&self, realm: i64, directory: &str) -> Result<Box<dyn Staging>> {
        if staging::has_files(&self.directory, realm)? {
            return Err(staging::occupied(&self.directory, realm));
        }
        let staging = self.staging(realm, directory);
        staging.create()?;
        Ok(Box::new(staging))
    }

    fn staged(&self, realm: i64, directory: &str) -> Box<dyn Staging> {
        Box::new(self.staging(realm, directory))
    }

    fn measure(&self, store: Store, key: &str) -> Result<(u64, u64)> {
        fs::measure(&self.path(store, key)?)
    }

    fn remove(&self, store: Store, key: &str) -> Result<()> {
        let path = self.path(store, key)?;
        if fs::symlink_metadata(&path)?.is_some_and(|found| found.is_symlink()) {
            return Err(Error::new(ErrorKind::Refused, format!("{path} is a symbolic link: what it leads to stays"))
                .with_path(path));
        }
        fs::remove_tree(&path)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn files_are_found_and_no_key_leads_out() {
        let temp = tempfile::tempdir().unwrap();
        let directory = Utf8Path::from_path(temp.path()).unwrap();
        fs::create_private_dirs(&directory.join("avatars/2/realm")).unwrap();
        fs::tests_write(&directory.join("avatars/2/realm/icon.png"), "icon");
        fs::tests_write(&directory.join("secret"), "secret");
        let files = LocalFiles::new(directory);
        let keys = files.list(Store::Avatars, "2/realm").unwrap();
        assert_eq!(keys, ["2/realm/icon.png"]);
        let mut text = String::new();
        let mut icon = files.open(Store::Avatars, &keys[0]).unwrap().unwrap();
        icon.content.read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), icon.bytes), ("icon", 4));
        assert!(files.open(Store::Avatars, "2/realm").unwrap().is_none());
        assert!(files.open(Store::Files, "2/nothing").unwrap().is_none());
        assert!(files.open(Store::Avatars, "2/realm/icon.png/x").unwrap().is_none());
        assert_eq!(files.list(Store::Files, "2").unwrap(), Vec::<String>::new());
        assert_eq!(files.measure(Store::Avatars, "2").unwrap(), (1, 4));
        std::os::unix::fs::symlink(directory.join("avatars/2"), directory.join("avatars/3")).unwrap();
        assert_eq!(files.remove(Store::Avatars, "3").unwrap_err().kind(), ErrorKind::Refused);
        assert_eq!(files.remove(Store::Avatars, "../secret").unwrap_err().kind(), ErrorKind::Damaged);
        files.remove(Store::Avatars, "2").unwrap();
        files.remove(Store::Avatars, "2").unwrap();
        assert_eq!(files.measure(Store::Avatars, "2").unwrap(), (0, 0));
        for key in ["../secret", "/etc/passwd", "2/../../secret", "a\0b"] {
            assert_eq!(files.open(Store::Avatars, key).unwrap_err().kind(), ErrorKind::Damaged, "{key:?}");
        }
    }
}
