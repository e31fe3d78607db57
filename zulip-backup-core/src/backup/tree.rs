//! Planning the files of a directory.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

use camino::Utf8Path;

use crate::archive::{EntryKind, Header, Link, MemberName, MemberTarget};
use crate::backup::files::{FileJob, Item};
use crate::backup::piece::Piece;
use crate::codec::Compression;
use crate::fs::{OwnerNames, Walk, WalkEntry, WalkKind};
use crate::pipeline::Plan;
use crate::{Error, ErrorKind, Finding, Result, fs};

/// The most entries of one job, so that empty files do not make a job without end.
const MAX_ITEMS: usize = 4096;

/// A directory that goes into the archive.
pub(super) struct Tree<'a> {
    /// Where it is.
    pub(super) root: &'a Utf8Path,
    /// The member it becomes.
    pub(super) member: &'static str,
    /// The task its bytes count for.
    pub(super) task: &'static str,
    /// Whether the backup fails when a file cannot be read.
    pub(super) required: bool,
    /// How the archive is compressed: it decides how much goes into one frame.
    pub(super) compression: Compression,
}

impl Tree<'_> {
    /// Plans every entry, the directory itself first. `seen` is told each file's name below the root, in order.
    pub(super) fn plan(
        &self,
        plan: &Plan<'_, FileJob, Piece>,
        owners: &mut OwnerNames,
        mut seen: impl FnMut(&[u8], &dyn Fn(Finding) -> Result<()>) -> Result<()>,
    ) -> Result<()> {
        let found = |finding: Finding| plan.ready(Piece::Found(finding));
        let mut items = Vec::new();
        let mut bytes = 0;
        let metadata = fs::metadata(self.root)?
            .ok_or_else(|| Error::new(ErrorKind::NotFound, format!("there is no directory {}", self.root)))?;
        let root = MemberName::try_from(self.member)
            .map_err(|bad| Error::new(ErrorKind::Usage, format!("the member name {} {bad}", self.member)))?;
        items
            .push(self.item(self.root.as_std_path().to_owned(), header(root, EntryKind::Directory, &metadata, owners)));
        let walk = Walk::of_others(self.root)?;
        for own in walk.own() {
            let message = "is what another command of zulip-backup left or is at work on, and was left out";
            found(Finding::note("own-files", format!("{}/{}", self.member, own.display()), message))?;
        }
        for entry in walk {
            let mut name = self.member.as_bytes().to_vec();
            name.push(b'/');
            name.extend_from_slice(&entry.relative);
            let name = match MemberName::new(name) {
                Ok(name) => name,
                Err(bad) => {
                    found(Finding::error(
                        "bad-name",
                        entry.path.display().to_string(),
                        format!("the file's name {bad}"),
                    ))?;
                    continue;
                }
            };
            if let Some(link) = &entry.link {
                plan.ready(Piece::Link(Link {
                    member: name.clone(),
                    target: link.target.clone(),
                    outside: link.outside,
                }))?;
            }
            let Some(kind) = self.kind(&entry, &name, &found)? else { continue };
            let large = kind == EntryKind::File && entry.metadata.len() >= self.compression.large_bytes();
            if kind == EntryKind::File {
                seen(&entry.relative, &found)?;
            }
            let item = self.item(entry.path, header(name, kind, &entry.metadata, owners));
            let size = entry.metadata.len();
            if !items.is_empty()
                && (large || bytes + size > self.compression.frame_bytes() as u64 || items.len() >= MAX_ITEMS)
            {
                plan.job(FileJob::Small(std::mem::take(&mut items)))?;
                bytes = 0;
            }
            if large {
                plan.job(FileJob::Large(item))?;
            } else {
                bytes += size;
                items.push(item);
            }
        }
        if items.is_empty() { Ok(()) } else { plan.job(FileJob::Small(items)) }
    }

    fn kind(
        &self,
        entry: &WalkEntry,
        name: &MemberName,
        found: &dyn Fn(Finding) -> Result<()>,
    ) -> Result<Option<EntryKind>> {
        match &entry.kind {
            WalkKind::File => Ok(Some(EntryKind::File)),
            WalkKind::Directory => Ok(Some(EntryKind::Directory)),
            WalkKind::BrokenLink { target, cycle } => {
                let (code, what) = match cycle {
                    true => ("link-cycle", "leads back to a directory above it"),
                    false => ("link-dangling", "leads to nothing"),
                };
                found(Finding::warning(
                    code,
                    name.to_string(),
                    format!("is a link to {target}, which {what}: stored as a link"),
                ))?;
                Ok(Some(EntryKind::Symlink(MemberTarget(target.clone()))))
            }
            WalkKind::Special => {
                found(Finding::note("special-file", name.to_string(), "is a socket, pipe or device and was left out"))?;
                Ok(None)
            }
            WalkKind::Unreadable(reason) if self.required => {
                Err(Error::new(ErrorKind::Io, format!("cannot read {}: {reason}", entry.path.display()))
                    .with_hint("run as the user who may read it"))
            }
            WalkKind::Unreadable(reason) => {
                found(Finding::error(
                    "unreadable",
                    name.to_string(),
                    format!("cannot be read and is not in the archive: {reason}"),
                ))?;
                Ok(None)
            }
        }
    }

    fn item(&self, path: std::path::PathBuf, header: Header) -> Item {
        Item { path, header, task: self.task, required: self.required }
    }
}

/// The header of a file or directory on disk.
pub(super) fn header(name: MemberName, kind: EntryKind, metadata: &Metadata, owners: &mut OwnerNames) -> Header {
    Header {
        name,
        kind,
        mode: metadata.mode() & 0o7777,
        uid: u64::from(metadata.uid()),
        gid: u64::from(metadata.gid()),
        user: owners.user(metadata.uid()),
        group: owners.group(metadata.gid()),
        // Before 1970 there is no tar time.
        mtime: u64::try_from(metadata.mtime()).unwrap_or(0),
    }
}

/// Files and bytes of a directory: for the plan and the progress.
pub(super) fn measure(root: &Utf8Path, progress: &dyn crate::Progress) -> Result<(u64, u64)> {
    let (mut files, mut bytes) = (0, 0);
    for entry in Walk::of_others(root)? {
        if entry.kind == WalkKind::File {
            files += 1;
            bytes += entry.metadata.len();
            if files % 1024 == 0 {
                progress.checkpoint()?;
            }
        }
    }
    Ok((files, bytes))
}
