//! Walking a tree in one order on every machine.

use std::ffi::{OsStr, OsString};
use std::fs::{DirEntry, File, Metadata, OpenOptions};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use camino::Utf8Path;

use super::own;
use crate::{Error, Result};

/// One thing in a tree.
#[derive(Debug)]
pub struct WalkEntry {
    /// Name below the tree's root, bytes as the file system has them.
    pub relative: Vec<u8>,
    /// Where it is.
    pub path: PathBuf,
    /// What it is.
    pub kind: WalkKind,
    /// Its metadata; of the target where a link was followed.
    pub metadata: Metadata,
    /// The link that was followed to it.
    pub link: Option<FollowedLink>,
}

/// A link that was followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FollowedLink {
    /// The target as written.
    pub target: String,
    /// Whether it leads out of the tree.
    pub outside: bool,
}

/// What a [`WalkEntry`] is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WalkKind {
    /// A regular file.
    File,
    /// A directory; its entries follow.
    Directory,
    /// A link to nothing, or back to a directory above it: not followed.
    BrokenLink {
        /// The target as written.
        target: String,
        /// Whether it leads back up.
        cycle: bool,
    },
    /// A socket, pipe or device.
    Special,
    /// Could not be looked at; the reason.
    Unreadable(String),
}

/// Walks a tree depth first, each directory sorted by the bytes of the names: the order in which a path with `/` read as
/// the lowest byte sorts. Symbolic links are followed, as upstream's `tar -h` does, except where that cannot end.
///
/// What vanishes meanwhile is left out: an upload can be deleted at any moment. Memory: the directories on the way down.
#[derive(Debug)]
pub struct Walk {
    root: PathBuf,
    stack: Vec<Level>,
    own: Vec<OsString>,
}

#[derive(Debug)]
struct Level {
    relative: Vec<u8>,
    /// Device and inode, to see a link that leads back up.
    identity: (u64, u64),
    names: std::vec::IntoIter<OsString>,
    path: PathBuf,
}

impl Walk {
    /// Starts at the directory `root`, which is not an entry itself.
    pub fn new(root: &Utf8Path) -> Result<Self> {
        let resolved = super::canonicalize(root)?;
        let metadata = std::fs::metadata(&resolved).map_err(|error| Error::io("look at", root, error))?;
        let path = resolved.into_std_path_buf();
        let names = names(&path).map_err(|error| Error::io("list", root, error))?;
        let level = Level { relative: Vec::new(), identity: identity(&metadata), names, path: path.clone() };
        Ok(Self { root: path, stack: vec![level], own: Vec::new() })
    }

    /// As [`Walk::new`], without what this program keeps there for itself: [`Walk::own`].
    pub fn of_others(root: &Utf8Path) -> Result<Self> {
        let mut walk = Self::new(root)?;
        for level in &mut walk.stack {
            let (own, others): (Vec<_>, Vec<_>) = level.names.by_ref().partition(|name| own::is_own(name));
            level.names = others.into_iter();
            walk.own.extend(own);
        }
        Ok(walk)
    }

    /// What of this program's own lies at the top and is left out, in order.
    pub fn own(&self) -> &[OsString] {
        &self.own
    }

    fn visit(&mut self, name: &OsStr) -> Option<WalkEntry> {
        let level = self.stack.last()?;
        let path = level.path.join(name);
        let mut relative = level.relative.clone();
        if !relative.is_empty() {
            relative.push(b'/');
        }
        relative.extend_from_slice(name.as_bytes());
        let own = match std::fs::symlink_metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
            Err(error) => {
                let metadata = std::fs::symlink_metadata(&level.path).ok()?;
                return Some(WalkEntry {
                    relative,
                    path,
                    kind: WalkKind::Unreadable(error.to_string()),
                    metadata,
                    link: None,
                });
            }
        };
        let (metadata, link) = if own.is_symlink() {
            let target = std::fs::read_link(&path).unwrap_or_default();
            let shown = target.to_string_lossy().into_owned();
            match std::fs::metadata(&path) {
                Ok(metadata) => {
                    if metadata.is_dir() && self.stack.iter().any(|level| level.identity == identity(&metadata)) {
                        let kind = WalkKind::BrokenLink { target: shown, cycle: true };
                        return Some(WalkEntry { relative, path, kind, metadata: own, link: None });
                    }
                    let outside = std::fs::canonicalize(&path).is_ok_and(|real| !real.starts_with(&self.root));
                    (metadata, Some(FollowedLink { target: shown, outside }))
                }
                Err(_) => {
                    let kind = WalkKind::BrokenLink { target: shown, cycle: false };
                    return Some(WalkEntry { relative, path, kind, metadata: own, link: None });
                }
            }
        } else {
            (own, None)
        };
        let kind = if metadata.is_file() {
            WalkKind::File
        } else if metadata.is_dir() {
            match names(&path) {
                Ok(names) => {
                    let identity = identity(&metadata);
                    self.stack.push(Level { relative: relative.clone(), identity, names, path: path.clone() });
                    WalkKind::Directory
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
                Err(error) => WalkKind::Unreadable(error.to_string()),
            }
        } else {
            WalkKind::Special
        };
        Some(WalkEntry { relative, path, kind, metadata, link })
    }
}

impl Iterator for Walk {
    type Item = WalkEntry;

    fn next(&mut self) -> Option<WalkEntry> {
        loop {
            let level = self.stack.last_mut()?;
            let Some(name) = level.names.next() else {
                self.stack.pop();
                continue;
            };
            if let Some(entry) = self.visit(&name) {
                return Some(entry);
            }
        }
    }
}

fn names(path: &Path) -> std::io::Result<std::vec::IntoIter<OsString>> {
    let mut names = std::fs::read_dir(path)?
        .map(|entry: std::io::Result<DirEntry>| entry.map(|entry| entry.file_name().into_vec()))
        .collect::<std::io::Result<Vec<_>>>()?;
    names.sort_unstable();
    Ok(names.into_iter().map(OsString::from_vec).collect::<Vec<_>>().into_iter())
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// Opens a file for reading without disturbing it: no blocking on a pipe that took its place.
pub fn open_for_backup(path: &Path) -> std::io::Result<File> {
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::CLOEXEC | rustix::fs::OFlags::NOCTTY;
    OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use camino::Utf8PathBuf;

    use super::*;

    #[test]
    fn the_order_is_that_of_the_paths_with_the_slash_lowest() {
        let temp = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("o"), "o").unwrap();
        let root = temp.path();
        for directory in ["a", "a-b", "a/z", "link-target"] {
            std::fs::create_dir(root.join(directory)).unwrap();
        }
        for file in ["a/b", "a-b/c", "a.txt", "a/z/1", "link-target/t", "b|c ü"] {
            std::fs::write(root.join(file), file).unwrap();
        }
        std::fs::write(root.join(OsStr::from_bytes(b"non-\xff")), "x").unwrap();
        symlink("link-target", root.join("link")).unwrap();
        symlink(outside.path(), root.join("link-out")).unwrap();
        symlink("..", root.join("a/up")).unwrap();
        symlink("nowhere", root.join("dangling")).unwrap();
        let entries: Vec<_> = Walk::new(&Utf8PathBuf::from_path_buf(root.to_owned()).unwrap()).unwrap().collect();
        let names: Vec<_> = entries.iter().map(|entry| entry.relative.escape_ascii().to_string()).collect();
        let mut sorted = entries.iter().map(|entry| entry.relative.clone()).collect::<Vec<_>>();
        sorted.sort_by_key(|name| name.iter().map(|&byte| if byte == b'/' { 0 } else { byte }).collect::<Vec<_>>());
        assert_eq!(entries.iter().map(|entry| entry.relative.clone()).collect::<Vec<_>>(), sorted, "{names:?}");
        let find = |name: &[u8]| entries.iter().find(|entry| entry.relative == name).unwrap();
        assert_eq!(find(b"a/up").kind, WalkKind::BrokenLink { target: "..".into(), cycle: true });
        assert_eq!(find(b"dangling").kind, WalkKind::BrokenLink { target: "nowhere".into(), cycle: false });
        assert!(!find(b"link").link.as_ref().unwrap().outside);
        assert!(find(b"link-out").link.as_ref().unwrap().outside);
        assert_eq!(find(b"link-out/o").kind, WalkKind::File);
        assert_eq!(find(b"link/t").kind, WalkKind::File);
    }

    #[test]
    fn what_this_program_keeps_at_the_top_is_not_others() {
        let temp = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(temp.path().to_owned()).unwrap();
        for directory in [".zulip-backup-import-7", "7"] {
            std::fs::create_dir(root.join(directory)).unwrap();
        }
        for file in [".zulip-backup-delete-7.json", ".zulip-backup-import-7/a", ".zulip", "7/.zulip-backup-of-mine"] {
            std::fs::write(root.join(file), file).unwrap();
        }
        let names = |walk: Walk| walk.map(|entry| String::from_utf8(entry.relative).unwrap()).collect::<Vec<_>>();
        let others = [".zulip", "7", "7/.zulip-backup-of-mine"];
        let walk = Walk::of_others(&root).unwrap();
        assert_eq!(walk.own(), [".zulip-backup-delete-7.json", ".zulip-backup-import-7"]);
        assert_eq!(names(walk), others);
        assert_eq!(names(Walk::new(&root).unwrap()).len(), others.len() + 3);
    }
}
