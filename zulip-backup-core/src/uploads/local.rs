//! Uploads on local disk: `LOCAL_UPLOADS_DIR`.

use std::os::unix::fs::MetadataExt;

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};

use crate::uploads::{Content, Store, Upload, Uploads};
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

    /// Keys come out of a database: none of them may lead elsewhere.
    fn path(&self, store: Store, key: &str) -> Result<Utf8PathBuf> {
        let store = match store {
            Store::Files => "files",
            Store::Avatars => "avatars",
        };
        if Utf8Path::new(key).components().all(|part| matches!(part, Utf8Component::Normal(_))) && !key.contains('\0') {
            Ok(self.directory.join(store).join(key))
        } else {
            Err(Error::new(ErrorKind::Damaged, format!("{key:?} is no path below the uploads"))
                .with_hint("a row of the database names it: see who changed it"))
        }
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
        for key in ["../secret", "/etc/passwd", "2/../../secret", "a\0b"] {
            assert_eq!(files.open(Store::Avatars, key).unwrap_err().kind(), ErrorKind::Damaged, "{key:?}");
        }
    }
}
