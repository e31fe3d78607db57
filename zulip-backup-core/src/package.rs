//! A logical export as it lies on disk, for whatever reads one.
//!
//! [`Package::open`] takes a directory, or the tarball upstream makes of it: `.tar.gz`, `.tar.zst` or plain `.tar`, with
//! every file under one base name. Nothing of it is trusted: names cannot lead out, links and devices are never
//! followed, lengths are bounded before memory is taken.
//!
//! A directory is read at random, and so is an archive that this program wrote, by its index: [`Package::prove`] compares
//! all of its bytes with what the index says. Any other tarball is a stream: [`Package::visit`] hands its files out in the order they come
//! in, as often as it is called. [`Package::is_random_access`] says which of the two is cheap.
//!
//! Rows come out typed, one at a time, however large the file is:
//!
//! ```
//! use serde::Deserialize;
//! use zulip_backup_core::package::Package;
//!
//! #[derive(Deserialize)]
//! struct Stream {
//!     id: i64,
//!     name: String,
//! }
//!
//! # let temp = tempfile::tempdir()?;
//! # let directory = camino::Utf8Path::from_path(temp.path()).unwrap();
//! # std::fs::write(directory.join("realm.json"), r#"{"zerver_stream": [{"id": 7, "name": "général"}]}"#)?;
//! let package = Package::open(directory)?;
//! for stream in package.rows::<Stream>("realm.json", "zerver_stream")? {
//!     let Stream { id, name } = stream?;
//!     println!("{id} {name}");
//! #   assert_eq!((id, name.as_str()), (7, "général"));
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod directory;
mod kind;
mod listing;
mod manifest;
mod parallel;
mod rows;
mod scan;
mod sealed;
mod shelf;
mod tarball;
mod typed;

use std::io::Read;

use camino::{Utf8Path, Utf8PathBuf};

use crate::archive::member;
use crate::{ErrorKind, Finding, Findings, Progress, Result, fs};
use directory::Directory;
use sealed::Sealed;
use tarball::Tarball;

pub use kind::{Compat, Kind};
pub use listing::{Listing, Member, MessageFile, message_file_number};
pub use manifest::{ExportManifest, FilesFacts};
pub(crate) use parallel::HANDED_OVER;
pub use parallel::Work;
pub use rows::{Item, Place, Row, RowReader};
pub use typed::Rows;

/// What an export is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// A whole organisation: `realm.json`.
    Organisation,
    /// One user: `user.json`.
    SingleUser,
}

/// Whether a visit goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Go {
    /// To the next file.
    On,
    /// No further: what was wanted was found.
    Stop,
}

/// What a visit does with a file: its name and size, and its content.
pub type Visitor<'a> = dyn FnMut(&Member, &mut (dyn Read + Send)) -> Result<Go> + 'a;

/// An export on disk.
#[derive(Debug)]
pub struct Package {
    path: Utf8PathBuf,
    source: Source,
    /// What is wrong with the manifest or the index of one of our archives, which is read front to back for that reason.
    damage: Option<Finding>,
}

#[derive(Debug)]
enum Source {
    Directory(Directory),
    Sealed(Box<Sealed>),
    Tarball(Tarball),
}

impl Package {
    /// Opens an export. Of a directory the names are read, of a tarball the first bytes.
    ///
    /// # Errors
    /// `NotFound`, `Usage` for what is neither a directory nor a regular file, `Damaged` for a file that is no tarball.
    pub fn open(path: impl AsRef<Utf8Path>) -> Result<Self> {
        let path = path.as_ref();
        let made = |source, damage| Self { path: path.to_owned(), source, damage };
        if fs::is_dir(path) {
            return Ok(made(Source::Directory(Directory::open(path)?), None));
        }
        let tarball = Tarball::open(path)?;
        match Sealed::open(path, tarball.file()) {
            Ok(Some(sealed)) => Ok(made(Source::Sealed(Box::new(sealed)), None)),
            Ok(None) => Ok(made(Source::Tarball(tarball), None)),
            Err(error) if error.kind() == ErrorKind::Damaged => {
                let damage = Finding::error("manifest-damaged", path.as_str(), error.chain())
                    .with_hint("the archive was changed after it was written: use another copy");
                Ok(made(Source::Tarball(tarball), Some(damage)))
            }
            Err(error) => Err(error),
        }
    }

    /// Whether there is an export rather than a backup, as far as the first bytes say. What is neither is none.
    ///
    /// # Errors
    /// What the disk answers.
    pub fn is_at(path: impl AsRef<Utf8Path>) -> Result<bool> {
        match Self::open(path) {
            Ok(Self { source: Source::Tarball(tarball), .. }) => {
                Ok(tarball.base()?.is_some_and(|base| base != member::ROOT.as_bytes()))
            }
            Ok(_) => Ok(true),
            Err(error) if matches!(error.kind(), ErrorKind::Damaged | ErrorKind::Usage) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Where it lies.
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// Whether [`Package::open_member`] costs no more than what it reads. Otherwise every call reads the tarball from
    /// its beginning, unless the file is one of those that [`Package::look_over`] has kept at hand; [`Package::visit`] is
    /// the way to read several others.
    pub fn is_random_access(&self) -> bool {
        !matches!(self.source, Source::Tarball(_))
    }

    /// The manifest of an archive that this program wrote.
    pub fn manifest(&self) -> Option<&ExportManifest> {
        match &self.source {
            Source::Sealed(sealed) => Some(sealed.manifest()),
            Source::Directory(_) | Source::Tarball(_) => None,
        }
    }

    /// Compares every byte of an archive that this program wrote with what its index says, from `jobs` threads. What is
    /// wrong comes back; nothing for a directory or any other tarball, which say nothing of their bytes. `task` is advanced
    /// by the bytes of the file.
    ///
    /// # Errors
    /// `Interrupted`, and what the disk answers.
    pub fn prove(&self, jobs: usize, task: &'static str, progress: &dyn Progress) -> Result<Findings> {
        let mut findings = Findings::default();
        self.damage.iter().for_each(|damage| findings.push(damage.clone()));
        if let Source::Sealed(sealed) = &self.source {
            findings.extend(sealed.prove(jobs, task, progress)?);
        }
        Ok(findings)
    }

    /// Bytes a visit reads at most: the size of a tarball's file, of a directory or an indexed archive that of all files.
    pub fn disk_bytes(&self) -> u64 {
        match &self.source {
            Source::Directory(directory) => directory.listing().members.iter().map(|member| member.size).sum(),
            Source::Sealed(sealed) => sealed.listing().members.iter().map(|member| member.size).sum(),
            Source::Tarball(tarball) => tarball.file_bytes(),
        }
    }

    /// Reads a tarball to its end for the names of its files, unless a visit has been there before. Of all but messages
    /// and uploaded files the content is kept at hand, packed, as far as 64 MiB reach. Nothing is read of what can be read
    /// at random. `read` is as with [`Package::visit`].
    ///
    /// # Errors
    /// `Damaged` for a tarball that is damaged or cut off. Otherwise what `read` answered.
    pub fn look_over(&self, read: &mut dyn FnMut(u64) -> Result<()>) -> Result<()> {
        match &self.source {
            Source::Directory(_) | Source::Sealed(_) => Ok(()),
            Source::Tarball(tarball) => tarball.look_over(read),
        }
    }

    /// Its files. A tarball is read for that as [`Package::look_over`] does.
    ///
    /// # Errors
    /// `Damaged` for a tarball that is damaged or cut off.
    pub fn listing(&self) -> Result<&Listing> {
        match &self.source {
            Source::Directory(directory) => Ok(directory.listing()),
            Source::Sealed(sealed) => Ok(sealed.listing()),
            Source::Tarball(tarball) => tarball.listing(),
        }
    }

    /// Its files, where they are known without reading.
    fn known(&self) -> Option<&Listing> {
        match &self.source {
            Source::Directory(directory) => Some(directory.listing()),
            Source::Sealed(sealed) => Some(sealed.listing()),
            Source::Tarball(tarball) => tarball.known(),
        }
    }

    /// What it is an export of; `None` for what is no export.
    ///
    /// # Errors
    /// As [`Package::listing`].
    pub fn layout(&self) -> Result<Option<Layout>> {
        Ok(self.listing()?.layout())
    }

    /// Calls `visitor` with every file, in any order, until it has enough. What it does not read is passed over. `read`
    /// is told from time to time how many more bytes were read of the disk, and may stop the visit with an error.
    ///
    /// Names that no export may have, links, devices and files that come twice are not visited: they are findings of
    /// [`Package::listing`].
    ///
    /// # Errors
    /// `Damaged` for a tarball that is damaged or cut off, with the finding as its only reason. Otherwise what
    /// `visitor` or `read` answered.
    pub fn visit(&self, visitor: &mut Visitor<'_>, read: &mut dyn FnMut(u64) -> Result<()>) -> Result<()> {
        match &self.source {
            Source::Directory(directory) => directory.visit(visitor, read),
            Source::Sealed(sealed) => sealed.visit(visitor, read),
            Source::Tarball(tarball) => tarball.visit(visitor, read),
        }
    }

    /// The content of one file.
    ///
    /// # Errors
    /// `NotFound`, and what the disk answers.
    pub fn open_member(&self, name: &str) -> Result<Box<dyn Read + Send>> {
        match &self.source {
            Source::Directory(directory) => directory.open_member(name),
            Source::Sealed(sealed) => sealed.open_member(name),
            Source::Tarball(tarball) => tarball.open_member(name),
        }
    }

    /// The whole content of a small file; `None` where there is no such file.
    ///
    /// # Errors
    /// `Damaged` where it has more than `limit` bytes, and what the disk answers.
    pub fn read_member(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>> {
        match self.open_member(name) {
            Ok(mut content) => read_small(name, &mut content, limit).map(Some),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The rows of one list of a file, as a type of the caller. Keys the type does not name are passed over.
    ///
    /// # Errors
    /// As [`Package::open_member`]. A row that is not of the type is an error of the iterator, with file, line and
    /// column; so is a file without such a list, at its end.
    pub fn rows<T: serde::de::DeserializeOwned>(&self, file: &str, list: &str) -> Result<Rows<T>> {
        Ok(Rows::new(RowReader::new(file, self.open_member(file)?), list))
    }
}

/// Reads all of a file that has to be small.
///
/// # Errors
/// `Damaged` where it has more than `limit` bytes, and what the disk answers.
pub fn read_small(name: &str, content: &mut dyn Read, limit: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    content.take(limit + 1).read_to_end(&mut bytes).map_err(|error| crate::Error::io("read", name, error))?;
    if bytes.len() as u64 > limit {
        let message = format!("{name} is larger than the {limit} bytes such a file may have");
        return Err(crate::Error::new(ErrorKind::Damaged, message).with_path(name));
    }
    Ok(bytes)
}
