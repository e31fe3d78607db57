//! Removing a cluster's directory when everybody who uses it is gone, by whatever way they went.

use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Instant;

use camino::{Utf8Path, Utf8PathBuf};

use super::server::PATIENCE;
use crate::process::{self, SystemUser};
use crate::{Error, ErrorKind, Result, fs};

/// Waits until its input ends, then removes its arguments. The signals are those that would end it together with us: of
/// a terminal, and of a service manager that stops the whole group.
const SCRIPT: &str = r#"trap '' HUP INT QUIT TERM; while read -r _; do :; done; rm -rf -- "$@""#;

/// Directories that exist as long as a pipe has writers: this process, and every server process it was handed to.
///
/// A process cannot clean up after its own SIGKILL, so a shell does. It holds the reading end of the pipe; the writing
/// end closes when its holders end, whatever ends them, and the kernel closes it in everything else we start.
#[derive(Debug)]
pub(super) struct Guard {
    directory: Utf8PathBuf,
    watchdog: Child,
    pipe: Option<ChildStdin>,
}

impl Guard {
    /// Makes a private directory below `parent` for `owner`, and has it watched.
    pub(super) fn new(parent: &Utf8Path, prefix: &str, owner: Option<&SystemUser>) -> Result<Self> {
        let directory = fs::private_temp_dir(parent, prefix)?;
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SCRIPT, "zulip-backup-watchdog", directory.as_str()]);
        // Its own group, so that Ctrl-C reaches us and not it; no directory kept busy.
        command.process_group(0).current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let watchdog = command.spawn().map_err(|error| Error::io("start", "/bin/sh", error));
        let mut watchdog = match watchdog {
            Ok(watchdog) => watchdog,
            Err(error) => {
                let _ = fs::remove_empty_dir(&directory);
                return Err(error);
            }
        };
        let pipe = watchdog.stdin.take();
        let guard = Self { directory, watchdog, pipe };
        if let Some(owner) = owner {
            fs::chown(&guard.directory, owner.uid, owner.gid)?;
        }
        Ok(guard)
    }

    /// The directory.
    pub(super) fn directory(&self) -> &Utf8Path {
        &self.directory
    }

    /// The pipe's writing end for a process that uses the directory: it stays until that process is gone too.
    pub(super) fn tether(&self) -> Result<Stdio> {
        let lost = || Error::new(ErrorKind::Io, "the pipe to the watchdog is closed");
        let pipe = self.pipe.as_ref().ok_or_else(lost)?;
        let copy = pipe.as_fd().try_clone_to_owned();
        copy.map(Stdio::from).map_err(|error| Error::io("share the pipe to", "/bin/sh", error))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.pipe = None;
        // A server that does not end keeps its directory. It is not waited for longer than it was for its end; the
        // watchdog stays and removes the directory when the server is gone at last.
        let _ = process::wait_until(&mut self.watchdog, Instant::now() + PATIENCE);
    }
}
