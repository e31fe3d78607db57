//! Where a server keeps uploaded files: one trait, and one file for each kind of store.

mod local;
mod staging;

use std::fmt;
use std::fs::File;
use std::io::Read;

pub use local::LocalFiles;
pub use staging::{ReadSeek, Staging};

use sha1::{Digest as _, Sha1};

use crate::codec::Digest;
use crate::site::UploadsBackend;
use crate::{Error, ErrorKind, Result, Secret};

/// The two places that Zulip keeps files in: directories below `LOCAL_UPLOADS_DIR`, or buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Store {
    /// Attachments: `files`, or `S3_AUTH_UPLOADS_BUCKET`.
    Files,
    /// Avatars, emoji and icons: `avatars`, or `S3_AVATAR_BUCKET`.
    Avatars,
}

impl Store {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::Files, Self::Avatars];

    /// Its directory below `LOCAL_UPLOADS_DIR`.
    pub(crate) fn directory(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Avatars => "avatars",
        }
    }
}

/// A server's uploaded files, wherever they are.
pub trait Uploads: fmt::Debug + Send + Sync {
    /// Opens the file with this key; `None` where there is none.
    ///
    /// # Errors
    /// `Damaged` for a key that leads out of the store, and what the store answers.
    fn open(&self, store: Store, key: &str) -> Result<Option<Upload>>;

    /// The keys of the files directly in a directory, in order; none where there is no such directory.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    fn list(&self, store: Store, directory: &str) -> Result<Vec<String>>;

    /// Begins to put files in that are to become a new organisation's. `directory` is a name that says whose they are
    /// until then.
    ///
    /// # Errors
    /// `Refused` where there are files under the organisation's id, and what the store answers.
    fn stage(&self, realm: i64, directory: &str) -> Result<Box<dyn Staging>>;

    /// What was begun with this name earlier, perhaps by a process that is no more.
    fn staged(&self, realm: i64, directory: &str) -> Box<dyn Staging>;

    /// How many files there are under this key, and how many bytes: of a file, or of everything below a directory.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    fn measure(&self, store: Store, key: &str) -> Result<(u64, u64)>;

    /// Removes what is under this key: a file, or a directory with everything below. What is not there is no error.
    ///
    /// # Errors
    /// As [`open`](Self::open); `Refused` for a symbolic link, whose target may be anybody's.
    fn remove(&self, store: Store, key: &str) -> Result<()>;
}

/// An uploaded file, open for reading.
#[derive(Debug)]
pub struct Upload {
    /// Its size.
    pub bytes: u64,
    /// When it was last changed: seconds and nanoseconds since 1970.
    pub modified: (i64, i64),
    /// What is in it.
    pub content: Content,
}

/// The content of an uploaded file.
pub enum Content {
    /// A file: the system can copy it by itself.
    File(File),
    /// Anything else.
    Stream(Box<dyn Read + Send>),
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File(_) => "File",
            Self::Stream(_) => "Stream",
        })
    }
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::File(file) => file.read(buffer),
            Self::Stream(stream) => stream.read(buffer),
        }
    }
}

impl Content {
    /// Copies all of it to a file.
    pub(crate) fn copy_to(&mut self, target: &mut File) -> std::io::Result<u64> {
        match self {
            // Between two files the kernel copies, or the file system only counts.
            Self::File(file) => std::io::copy(file, target),
            Self::Stream(stream) => std::io::copy(stream, target),
        }
    }
}

/// What the files with a user's avatar are called, but for their endings: 20 bytes of a hash that only the server's secret
/// tells (`user_avatar_path_from_ids` of upstream). Shown as hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AvatarName(pub(crate) [u8; 20]);

impl AvatarName {
    /// Of a user's avatar, and of its version in releases whose names depend on it. The secret must not get into a
    /// statement, which a server may write down: names are made here.
    pub(crate) fn new(user: i64, version: Option<i64>, salt: &Secret) -> Self {
        let salt = salt.expose();
        let Some(version) = version else {
            return Self(Sha1::digest(format!("{user}{salt}")).into());
        };
        let Digest(hash) = Digest::of(format!("{user}:{version}:{salt}").as_bytes());
        let mut first = [0; 20];
        first.copy_from_slice(&hash[..20]);
        Self(first)
    }
}

impl fmt::Display for AvatarName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The store that a server's settings name.
///
/// # Errors
/// `Incompatible` for one that cannot be read yet.
pub fn open(backend: &UploadsBackend) -> Result<Box<dyn Uploads>> {
    match backend {
        UploadsBackend::Local(local) => Ok(Box::new(LocalFiles::new(&local.dir))),
        UploadsBackend::S3(s3) => Err(Error::new(
            ErrorKind::Incompatible,
            format!("the server keeps its uploads in S3, in the bucket {}", s3.uploads_bucket),
        )
        .with_hint("uploads can be read from local disk only")),
    }
}
