//! What is restored: a whole archive, or parts that lie somewhere.

mod contents;
mod inherited;

use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};

use crate::archive::Archive;
use crate::restore::database::{Dump, DumpFile};
use crate::{Error, ErrorKind, Result, fs};
pub(super) use contents::Contents;
pub(super) use inherited::{external_host, inherited};

/// What is restored. Clones share it.
#[derive(Clone, Debug)]
pub struct Source {
    pub(super) kind: Arc<SourceKind>,
}

#[derive(Debug)]
pub(super) enum SourceKind {
    Archive(Archive),
    Parts(Parts),
}

/// Parts of a server that lie somewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) database: Option<DumpFile>,
    pub(super) settings: Option<Utf8PathBuf>,
    pub(super) uploads: Option<Utf8PathBuf>,
}

impl Source {
    /// A whole archive, of ours or upstream's.
    ///
    /// # Errors
    /// Those of [`Archive::open`].
    pub fn archive(path: &Utf8Path) -> Result<Self> {
        Ok(Self { kind: Arc::new(SourceKind::Archive(Archive::open(path)?)) })
    }

    /// A dump (pg_dump's directory or custom format, or an SQL script, perhaps gzip-compressed), a copy of `/etc/zulip`,
    /// a copy of the uploads: any of them.
    ///
    /// # Errors
    /// `Usage` where all are absent, `NotFound`, `Incompatible` for a dump in another format.
    pub fn parts(database: Option<&Utf8Path>, settings: Option<&Utf8Path>, uploads: Option<&Utf8Path>) -> Result<Self> {
        if database.is_none() && settings.is_none() && uploads.is_none() {
            return Err(Error::new(ErrorKind::Usage, "there is nothing to restore")
                .with_hint("name an archive, or --database, --settings or --uploads"));
        }
        let directory = |path: Option<&Utf8Path>| {
            let path = path.map(fs::canonicalize).transpose()?;
            match path {
                Some(path) if !fs::is_dir(&path) => {
                    Err(Error::new(ErrorKind::Usage, format!("{path} is not a directory")).with_path(path))
                }
                path => Ok(path),
            }
        };
        let parts = Parts {
            database: database.map(DumpFile::recognise).transpose()?,
            settings: directory(settings)?,
            uploads: directory(uploads)?,
        };
        Ok(Self { kind: Arc::new(SourceKind::Parts(parts)) })
    }

    /// The archive, where it is one.
    pub fn as_archive(&self) -> Option<&Archive> {
        match &*self.kind {
            SourceKind::Archive(archive) => Some(archive),
            SourceKind::Parts(_) => None,
        }
    }

    /// The dump, where it can be read as it lies.
    pub(super) fn dump(&self) -> Option<Dump<'_>> {
        match &*self.kind {
            SourceKind::Archive(Archive::Indexed(archive)) => Some(Dump::Indexed(archive)),
            SourceKind::Archive(Archive::Stream(_)) => None,
            SourceKind::Parts(parts) => parts.database.as_ref().map(Dump::File),
        }
    }

    /// What tells this source from another, for a restore that is continued.
    pub(super) fn identity(&self) -> Result<String> {
        let of_file = |path: &Utf8Path| {
            let found = fs::metadata(path)?;
            let found = found.map(|found| format!("{}:{}:{}", found.ino(), found.len(), found.mtime()));
            Ok::<_, Error>(format!("{path}@{}", found.unwrap_or_default()))
        };
        match &*self.kind {
            // The digest of the manifest stands for all of the archive, wherever it lies.
            SourceKind::Archive(Archive::Indexed(archive)) => {
                Ok(format!("manifest:{}", archive.trailer().manifest_sha256))
            }
            SourceKind::Archive(Archive::Stream(archive)) => of_file(archive.path()),
            SourceKind::Parts(parts) => {
                let database = parts.database.as_ref().map(|dump| dump.path.as_path());
                let paths = [database, parts.settings.as_deref(), parts.uploads.as_deref()];
                let all = paths.into_iter().map(|path| path.map_or(Ok(String::new()), of_file));
                Ok(all.collect::<Result<Vec<_>>>()?.join("|"))
            }
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.kind {
            SourceKind::Archive(archive) => f.write_str(archive.path().as_str()),
            SourceKind::Parts(parts) => {
                let database = parts.database.as_ref().map(|dump| format!("{} ({})", dump.path, dump.kind));
                let all = [
                    database,
                    parts.settings.as_ref().map(ToString::to_string),
                    parts.uploads.as_ref().map(ToString::to_string),
                ];
                f.write_str(&all.into_iter().flatten().collect::<Vec<_>>().join(", "))
            }
        }
    }
}
