//! The file system of the described host, which for tests and demonstrations may lie below a directory of another.

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};

use crate::process::SystemUser;
use crate::{Error, ErrorKind, Result, fs};

/// As many links in one path as Linux follows.
const MAX_LINKS: usize = 40;

/// Largest `/etc/passwd` that is read, in bytes.
const MAX_PASSWD_BYTES: u64 = 4 << 20;

/// A host whose absolute paths start at `root`.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    root: Utf8PathBuf,
}

impl Host {
    /// The host below `root`, `/` for this very machine.
    pub(crate) fn new(root: &Utf8Path) -> Result<Self> {
        Ok(Self { root: fs::canonicalize(root)? })
    }

    /// Where a path of the host really is. Paths that are already below the root stay.
    pub(crate) fn path(&self, path: impl AsRef<Utf8Path>) -> Utf8PathBuf {
        let path = path.as_ref();
        if path.starts_with(&self.root) {
            path.to_owned()
        } else {
            self.root.join(path.as_str().trim_start_matches('/'))
        }
    }

    /// The path with every symbolic link resolved, absolute links read as the host would.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where nothing is, a dangling link included.
    pub(crate) fn resolve(&self, path: &Utf8Path) -> Result<Utf8PathBuf> {
        if self.root == "/" || !path.starts_with(&self.root) {
            return fs::canonicalize(path);
        }
        let mut pending = components(path.strip_prefix(&self.root).unwrap_or(path));
        let mut resolved = self.root.clone();
        let mut links = 0;
        while let Some(name) = pending.pop() {
            if name == ".." {
                if resolved != self.root {
                    resolved.pop();
                }
                continue;
            }
            let next = resolved.join(&name);
            let Some(metadata) = fs::symlink_metadata(&next)? else {
                return Err(Error::new(ErrorKind::NotFound, format!("cannot resolve {path}: there is no {next}"))
                    .with_path(path));
            };
            if !metadata.file_type().is_symlink() {
                resolved = next;
                continue;
            }
            links += 1;
            if links > MAX_LINKS {
                return Err(Error::new(ErrorKind::Io, format!("cannot resolve {path}: too many symbolic links"))
                    .with_path(path));
            }
            let target = fs::read_link(&next)?;
            if target.is_absolute() {
                resolved.clone_from(&self.root);
            }
            pending.extend(components(target.strip_prefix(&self.root).unwrap_or(&target)));
        }
        Ok(resolved)
    }

    /// Like [`Host::resolve`], with `None` where nothing is.
    pub(crate) fn find(&self, path: &Utf8Path) -> Result<Option<Utf8PathBuf>> {
        match self.resolve(path) {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The target of `path` if `path` itself is a symbolic link, as it stands in the link.
    pub(crate) fn link_target(path: &Utf8Path) -> Result<Option<Utf8PathBuf>> {
        match fs::symlink_metadata(path)? {
            Some(metadata) if metadata.file_type().is_symlink() => fs::read_link(path).map(Some),
            _ => Ok(None),
        }
    }

    /// The text of a small file of the host, or `None` where there is none.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] for a file over `limit` bytes, [`ErrorKind::Config`] for one that is not UTF-8,
    /// [`ErrorKind::Io`] for one that cannot be read.
    pub(crate) fn read(&self, path: &Utf8Path, limit: u64) -> Result<Option<String>> {
        let Some(found) = self.find(path)? else { return Ok(None) };
        // A FIFO or device would block or never end.
        if !fs::is_file(&found) {
            return Err(Error::new(ErrorKind::Config, format!("{path} is not a regular file")).with_path(path));
        }
        let bytes = fs::read(&found, limit)?;
        String::from_utf8(bytes).map(Some).map_err(|_| {
            // The source error would hold the bytes, which may be secrets.
            Error::new(ErrorKind::Config, format!("{path} is not UTF-8 text")).with_path(path)
        })
    }

    /// The system user of that name.
    pub(crate) fn user_by_name(&self, name: &str) -> Option<SystemUser> {
        self.users().into_iter().find(|user| user.name == name)
    }

    /// The system user of that number; one without an entry gets its number as its name.
    pub(crate) fn user_by_id(&self, uid: u32, gid: u32) -> SystemUser {
        self.users().into_iter().find(|user| user.uid == uid).unwrap_or_else(|| SystemUser {
            name: uid.to_string(),
            uid,
            gid,
            home: Utf8PathBuf::from("/"),
        })
    }

    fn users(&self) -> Vec<SystemUser> {
        let text = self.read(&self.path("/etc/passwd"), MAX_PASSWD_BYTES).ok().flatten().unwrap_or_default();
        text.lines().filter_map(|line| self.passwd_line(line)).collect()
    }

    fn passwd_line(&self, line: &str) -> Option<SystemUser> {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, uid, gid, _, home, _] = fields.as_slice() else { return None };
        let (uid, gid) = (uid.parse().ok()?, gid.parse().ok()?);
        Some(SystemUser { name: (*name).to_owned(), uid, gid, home: self.path(home) })
    }
}

/// The names in a path, last first.
fn components(path: &Utf8Path) -> Vec<String> {
    let names = path.components().filter(|part| matches!(part, Utf8Component::Normal(_) | Utf8Component::ParentDir));
    names.map(|part| part.as_str().to_owned()).rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host() -> (tempfile::TempDir, Host) {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(dir.path().to_owned()).unwrap();
        let host = Host::new(&root).unwrap();
        (dir, host)
    }

    #[test]
    #[allow(clippy::disallowed_methods)] // builds the fixture
    fn absolute_links_stay_inside_the_root() {
        let (_dir, host) = host();
        std::fs::create_dir_all(host.path("/data/etc-zulip/sub")).unwrap();
        std::fs::create_dir_all(host.path("/etc")).unwrap();
        std::os::unix::fs::symlink("/data/etc-zulip", host.path("/etc/zulip")).unwrap();
        std::os::unix::fs::symlink("../../../../../..", host.path("/data/etc-zulip/sub/up")).unwrap();
        std::os::unix::fs::symlink("loop", host.path("/etc/loop")).unwrap();
        assert_eq!(host.resolve(&host.path("/etc/zulip/sub")).unwrap(), host.path("/data/etc-zulip/sub"));
        assert_eq!(
            host.resolve(&host.path("/etc/zulip/sub/up/etc")).unwrap(),
            host.path("/etc"),
            "never above the root"
        );
        assert_eq!(host.resolve(&host.path("/etc/loop")).unwrap_err().kind(), ErrorKind::Io);
        assert_eq!(host.find(&host.path("/etc/nothing")).unwrap(), None);
        assert_eq!(Host::link_target(&host.path("/etc/zulip")).unwrap().unwrap(), "/data/etc-zulip");
        let read = host.read(&host.path("/etc/zulip"), 10).unwrap_err();
        assert_eq!(read.kind(), ErrorKind::Config, "a directory is not a file");
    }

    #[test]
    #[allow(clippy::disallowed_methods)] // builds the fixture
    fn users_come_from_the_hosts_own_list() {
        let (_dir, host) = host();
        std::fs::create_dir_all(host.path("/etc")).unwrap();
        let text =
            "root:x:0:0:root:/root:/bin/sh\nbroken\nbad:x:-1:0::/:/bin/sh\nzulip:x:1000:1001::/home/zulip:/bin/bash\n";
        std::fs::write(host.path("/etc/passwd"), text).unwrap();
        let zulip = host.user_by_name("zulip").unwrap();
        assert_eq!((zulip.uid, zulip.gid), (1000, 1001));
        assert_eq!(zulip.home, host.path("/home/zulip"));
        assert_eq!(host.user_by_id(1000, 7), zulip);
        assert_eq!(host.user_by_id(4242, 7).name, "4242");
        assert!(host.user_by_name("bad").is_none());
    }

    #[test]
    #[allow(clippy::disallowed_methods)] // builds the fixture
    fn too_large_or_not_text_is_refused() {
        let (_dir, host) = host();
        std::fs::write(host.path("/big"), "x".repeat(11)).unwrap();
        std::fs::write(host.path("/bytes"), [0xff, 0xfe, b's', b'e']).unwrap();
        assert_eq!(host.read(&host.path("/big"), 10).unwrap_err().kind(), ErrorKind::Refused);
        let error = host.read(&host.path("/bytes"), 10).unwrap_err();
        assert_eq!((error.kind(), error.chain().contains("se")), (ErrorKind::Config, false));
        assert_eq!(host.read(&host.path("/absent"), 10).unwrap(), None);
    }
}
