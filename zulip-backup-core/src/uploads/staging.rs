//! Files that are to become an organisation's, all at once.

use std::fmt;
use std::io::{Read, Seek};

use camino::{Utf8Path, Utf8PathBuf};

use crate::uploads::Store;
use crate::{Error, Result, fs};

/// What can be read at any place.
pub trait ReadSeek: Read + Seek {}

impl<T: Read + Seek> ReadSeek for T {}

/// Files of an organisation that is not there yet. What is put in is seen by nobody until [`switch`](Self::switch).
pub trait Staging: fmt::Debug + Send + Sync {
    /// Writes a new file; `key` is what follows the organisation's id in its name. How many bytes it has comes back.
    ///
    /// # Errors
    /// What the store answers; a key that leads out is an error.
    fn put(&self, store: Store, key: &str, content: &mut dyn Read) -> Result<u64>;

    /// Opens a file that was written.
    ///
    /// # Errors
    /// What the store answers.
    fn open(&self, store: Store, key: &str) -> Result<Box<dyn ReadSeek>>;

    /// Flushes what was put in, so that [`switch`](Self::switch) has little to flush.
    ///
    /// # Errors
    /// What the store answers.
    fn flush(&self) -> Result<()>;

    /// Puts all files under the organisation's id, complete and flushed.
    ///
    /// # Errors
    /// What the store answers. Nothing is replaced: files that are there already under the id are an error.
    fn switch(&self) -> Result<()>;

    /// Takes back what [`switch`](Self::switch) did, and removes the files.
    ///
    /// # Errors
    /// What the store answers.
    fn discard(&self) -> Result<()>;
}

/// Files on local disk: in a directory beside those of the other organisations, renamed when all are there.
#[derive(Debug)]
pub(super) struct LocalStaging {
    /// `LOCAL_UPLOADS_DIR`.
    pub(super) uploads: Utf8PathBuf,
    /// Where the files are until then, on the same file system.
    pub(super) directory: Utf8PathBuf,
    pub(super) realm: i64,
}

impl LocalStaging {
    fn staged(&self, store: Store) -> Utf8PathBuf {
        self.directory.join(store.directory())
    }

    fn target(&self, store: Store) -> Utf8PathBuf {
        self.uploads.join(store.directory()).join(self.realm.to_string())
    }
}

impl LocalStaging {
    /// Makes the directories.
    pub(super) fn create(&self) -> Result<()> {
        Store::ALL.into_iter().try_for_each(|store| {
            let staged = self.staged(store);
            fs::create_dirs_like(&staged, &self.uploads)
        })
    }
}

impl Staging for LocalStaging {
    fn put(&self, store: Store, key: &str, content: &mut dyn Read) -> Result<u64> {
        let path = super::local::below(&self.staged(store), key)?;
        // The web server may be somebody else: what is new is as readable as what is there.
        fs::create_dirs_like(fs::parent(&path), &self.uploads)?;
        let bytes = fs::write_new(&path, content, None)?;
        fs::dress_file(&path, &self.uploads, 0o666)?;
        Ok(bytes)
    }

    fn open(&self, store: Store, key: &str) -> Result<Box<dyn ReadSeek>> {
        Ok(Box::new(fs::open(&super::local::below(&self.staged(store), key)?)?))
    }

    fn flush(&self) -> Result<()> {
        fs::sync_file_system(&self.uploads)
    }

    fn switch(&self) -> Result<()> {
        fs::sync_file_system(&self.uploads)?;
        for store in Store::ALL {
            let staged = self.staged(store);
            if !fs::list(&staged)?.is_empty() {
                let target = self.target(store);
                fs::create_dirs_like(fs::parent(&target), &self.uploads)?;
                fs::move_new(&staged, &target)?;
            }
        }
        Ok(())
    }

    fn discard(&self) -> Result<()> {
        for store in Store::ALL {
            // Only what was here and is not any more went there.
            if !fs::is_dir(&self.staged(store)) {
                fs::remove_tree(&self.target(store))?;
            }
        }
        fs::remove_tree(&self.directory)
    }
}

/// Whether an organisation has files on local disk.
pub(super) fn has_files(uploads: &Utf8Path, realm: i64) -> Result<bool> {
    for store in Store::ALL {
        if fs::symlink_metadata(&uploads.join(store.directory()).join(realm.to_string()))?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The error for files of an organisation that there should not be.
pub(super) fn occupied(uploads: &Utf8Path, realm: i64) -> Error {
    Error::new(crate::ErrorKind::Refused, format!("{uploads} has files of an organisation {realm} that does not exist"))
        .with_path(uploads)
        .with_hint("look whose they are, and move them away")
}
