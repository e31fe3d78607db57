//! Opening directories beneath another without following a link.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// Whether the kernel has `openat2` (Linux 5.6) and lets us use it; seccomp filters of old container runtimes do not.
static HAS_OPENAT2: AtomicBool = AtomicBool::new(true);

/// The directory part and the last part of a clean relative name; the former is empty at the top.
pub(super) fn split(name: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memrchr(b'/', name) {
        Some(slash) => (&name[..slash], &name[slash + 1..]),
        None => (b"", name),
    }
}

/// Opens the directory `name` beneath `root`; empty means `root` itself. A link anywhere on the way is `LOOP` or
/// `NOTDIR`. The descriptor serves for `…at` calls only.
pub(super) fn open_directory(root: impl AsFd, name: &[u8]) -> Result<OwnedFd, Errno> {
    open(root, name, OFlags::PATH)
}

/// The same, for a descriptor that can be flushed and whose attributes can be set.
pub(super) fn open_directory_for_reading(root: impl AsFd, name: &[u8]) -> Result<OwnedFd, Errno> {
    open(root, name, OFlags::RDONLY)
}

fn open(root: impl AsFd, name: &[u8], access: OFlags) -> Result<OwnedFd, Errno> {
    let name = if name.is_empty() { b"." } else { name };
    let flags = access | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    if HAS_OPENAT2.load(Ordering::Relaxed) {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        match rustix::fs::openat2(root.as_fd(), name, flags, Mode::empty(), resolve) {
            Err(Errno::NOSYS | Errno::PERM) => HAS_OPENAT2.store(false, Ordering::Relaxed),
            other => return other,
        }
    }
    step_by_step(root, name, flags)
}

/// What `openat2` does, one part of the name after the other: each is opened without following it.
fn step_by_step(root: impl AsFd, name: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    let step = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut here = rustix::fs::openat(root, ".", step, Mode::empty())?;
    let mut parts = name.split(|&byte| byte == b'/').filter(|part| !part.is_empty()).peekable();
    while let Some(part) = parts.next() {
        if part == b".." {
            return Err(Errno::XDEV);
        }
        let flags = if parts.peek().is_some() { step } else { flags };
        here = rustix::fs::openat(&here, part, flags, Mode::empty())?;
    }
    Ok(here)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn both_ways_open_the_same_and_follow_nothing() {
        let temp = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(temp.path().join("a/b")).unwrap();
        std::fs::write(temp.path().join("file"), "").unwrap();
        symlink("a", temp.path().join("inside")).unwrap();
        symlink(outside.path(), temp.path().join("outside")).unwrap();
        symlink(outside.path(), temp.path().join("a/out")).unwrap();
        let root = std::fs::File::open(temp.path()).unwrap();
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        for (name, works) in [
            (&b""[..], true),
            (b"a", true),
            (b"a/b", true),
            (b"nothing", false),
            (b"inside", false),
            (b"inside/b", false),
            (b"outside", false),
            (b"a/out", false),
            (b"file", false),
            (b"..", false),
            (b"a/../..", false),
        ] {
            assert_eq!(open_directory(&root, name).is_ok(), works, "{}", name.escape_ascii());
            let name = if name.is_empty() { b"." } else { name };
            assert_eq!(step_by_step(&root, name, flags).is_ok(), works, "{}", name.escape_ascii());
        }
    }
}
