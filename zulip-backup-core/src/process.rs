//! System users, child processes and processors.
//!
//! A child started here cannot be forgotten: whoever loses interest in it drops it, and with that it is stopped and
//! reaped. What it says on its standard error is kept, up to a bound, because it is the only explanation of a failure.

mod tail;
mod user;

use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use camino::Utf8Path;

use crate::{Error, ErrorKind, Progress, Result};
pub(crate) use tail::{Tail, last_lines};
pub use user::SystemUser;
pub(crate) use user::current_uid;

/// How much of a child's standard output [`output`] accepts, in bytes.
const OUTPUT_LIMIT: u64 = 16 << 20;

/// How long a child that is no longer wanted may take to end by itself. `pg_dump -j` and `pg_restore -j` use it to
/// cancel what their workers run on the server, which a SIGKILL would leave running.
const GRACE: Duration = Duration::from_secs(2);

/// How often a child that is waited for is looked at.
const POLL: Duration = Duration::from_millis(20);

/// How many threads a verb has that was asked for so many; 0 asks for one for each processor.
pub(crate) fn threads(asked: usize) -> std::num::NonZeroUsize {
    std::num::NonZeroUsize::new(asked).unwrap_or_else(processors)
}

/// How many processors this process may use.
pub(crate) fn processors() -> std::num::NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(std::num::NonZeroUsize::MIN)
}

/// Runs a program to its end, its standard output thrown away, and returns the last 64 KiB of its standard error.
///
/// Fails with `kind` when the program ends with another status than 0 or by a signal; the message names the program,
/// the status and the last lines it wrote. A program that does not exist is [`ErrorKind::NotFound`].
pub fn run(mut command: Command, kind: ErrorKind) -> Result<String> {
    command.stdout(Stdio::null());
    Running::start(command, kind)?.finish()
}

/// Runs a program to its end and returns its standard output, at most 16 MiB. Fails like [`run`].
pub fn output(command: Command, kind: ErrorKind) -> Result<Vec<u8>> {
    let mut running = spawn(command, kind)?;
    let mut bytes = Vec::new();
    let name = running.name.clone();
    let read = running.by_ref().take(OUTPUT_LIMIT + 1).read_to_end(&mut bytes);
    read.map_err(|error| Error::new(kind, format!("cannot read what {name} says")).with_source(error))?;
    if bytes.len() as u64 > OUTPUT_LIMIT {
        return Err(Error::new(
            ErrorKind::Refused,
            format!("{name} wrote more than the {OUTPUT_LIMIT} bytes expected"),
        ));
    }
    running.finish()?;
    Ok(bytes)
}

/// Starts a program whose standard output the caller reads from the result. Fails like [`run`].
pub fn spawn(mut command: Command, kind: ErrorKind) -> Result<Running> {
    command.stdout(Stdio::piped());
    Running::start(command, kind)
}

/// Makes `command` run as `user`: uid, primary group, no supplementary groups, and `HOME`, `USER` and `LOGNAME`.
///
/// Does nothing when this process already runs as `user`, so that no privilege is needed for it.
pub fn run_as(command: &mut Command, user: &SystemUser) {
    if !user.is_current() {
        // The standard library also drops root's supplementary groups when root sets a uid.
        command.uid(user.uid).gid(user.gid);
        command.env("HOME", &user.home).env("USER", &user.name).env("LOGNAME", &user.name);
    }
}

/// A child process. Reading from it reads its standard output; dropping it stops it.
///
/// A dropped child gets SIGTERM, two seconds later SIGKILL, and is reaped in any case.
#[derive(Debug)]
pub struct Running {
    name: String,
    kind: ErrorKind,
    child: Child,
    stdout: Option<ChildStdout>,
    stderr: Option<Tail>,
    reaped: bool,
}

impl Running {
    fn start(mut command: Command, kind: ErrorKind) -> Result<Self> {
        let program = command.get_program().to_string_lossy().into_owned();
        let name = Utf8Path::new(&program).file_name().unwrap_or(&program).to_owned();
        command.stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| {
            let kind = if error.kind() == std::io::ErrorKind::NotFound { ErrorKind::NotFound } else { ErrorKind::Io };
            Error::new(kind, format!("cannot start {program}")).with_path(program.as_str()).with_source(error)
        })?;
        let stdout = child.stdout.take();
        let stderr = child.stderr.take().map(Tail::follow);
        Ok(Self { name, kind, child, stdout, stderr, reaped: false })
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the end and returns the last 64 KiB of the standard error. Fails like [`run`].
    ///
    /// The standard output is closed before: a child that is not read to its end is likely to fail.
    pub fn finish(mut self) -> Result<String> {
        self.stdout = None;
        let status = self.child.wait();
        self.conclude(status)
    }

    /// As [`finish`](Running::finish), but stops the child and fails with [`ErrorKind::Interrupted`] as soon as
    /// `progress` says that the work is cancelled.
    pub fn finish_unless_cancelled(mut self, progress: &dyn Progress) -> Result<String> {
        self.stdout = None;
        loop {
            if let Some(status) = self.child.try_wait().transpose() {
                return self.conclude(status);
            }
            progress.checkpoint()?;
            std::thread::sleep(POLL);
        }
    }

    fn conclude(&mut self, status: std::io::Result<ExitStatus>) -> Result<String> {
        let status = status
            .map_err(|error| Error::new(ErrorKind::Io, format!("cannot wait for {}", self.name)).with_source(error))?;
        self.reaped = true;
        let said = self.stderr.take().map(Tail::finish).unwrap_or_default();
        if status.success() {
            return Ok(said);
        }
        let how = match (status.code(), status.signal()) {
            (Some(code), _) => format!("failed with exit status {code}"),
            (None, Some(signal)) => format!("was ended by signal {signal}"),
            (None, None) => "failed".to_owned(),
        };
        let last = last_lines(&said);
        let message =
            if last.is_empty() { format!("{} {how}", self.name) } else { format!("{} {how}: {last}", self.name) };
        Err(Error::new(self.kind, message))
    }
}

impl Read for Running {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.stdout.as_mut().map_or(Ok(0), |stdout| stdout.read(buffer))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.reaped {
            return;
        }
        self.stdout = None;
        // Not yet reaped, so the number still is this child's and nobody else's.
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        if wait_until(&mut self.child, Instant::now() + GRACE).is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Waits for a child until `deadline`; `None` when it runs on.
pub(crate) fn wait_until(child: &mut Child, deadline: Instant) -> Option<ExitStatus> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < deadline => std::thread::sleep(POLL),
            Ok(None) | Err(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_failure_names_program_status_and_last_words() {
        let error = run(shell("echo one >&2; echo two >&2; exit 7"), ErrorKind::Postgres).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Postgres);
        assert_eq!(error.to_string(), "sh failed with exit status 7: one; two");
        let error = run(shell("kill -9 $$"), ErrorKind::Io).unwrap_err();
        assert_eq!(error.to_string(), "sh was ended by signal 9");
        let error = run(Command::new("/nowhere/at-all"), ErrorKind::Io).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("/nowhere/at-all"));
    }

    #[test]
    fn output_is_returned_and_bounded() {
        assert_eq!(output(shell("printf hello"), ErrorKind::Io).unwrap(), b"hello");
        let error = output(shell("head -c 20000000 /dev/zero"), ErrorKind::Io).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
        let error = output(shell("printf hello; exit 3"), ErrorKind::Io).unwrap_err();
        assert!(error.to_string().contains("exit status 3"), "{error}");
    }

    #[test]
    fn much_talk_on_stderr_neither_blocks_nor_grows() {
        let said = run(shell("head -c 1000000 /dev/zero | tr '\\0' 'x' >&2; echo end >&2"), ErrorKind::Io).unwrap();
        assert!(said.len() <= 64 << 10, "{}", said.len());
        assert!(said.ends_with("xend\n"));
    }

    #[test]
    fn a_dropped_child_is_stopped_and_reaped() {
        let running = spawn(shell("exec sleep 600"), ErrorKind::Io).unwrap();
        let proc = format!("/proc/{}", running.id());
        assert!(crate::fs::is_dir(proc.as_str().into()));
        drop(running);
        assert!(!crate::fs::is_dir(proc.as_str().into()), "a zombie would still be listed");
    }

    #[test]
    fn a_child_deaf_to_sigterm_is_killed() {
        let mut running =
            spawn(shell("trap '' TERM; echo ready; while :; do sleep 0.05; done"), ErrorKind::Io).unwrap();
        let mut ready = [0; 6];
        running.read_exact(&mut ready).unwrap();
        let proc = format!("/proc/{}", running.id());
        drop(running);
        assert!(!crate::fs::is_dir(proc.as_str().into()));
    }

    #[test]
    fn a_cancelled_wait_stops_the_child() {
        let progress = crate::Recorder::default();
        progress.cancel();
        let running = spawn(shell("exec sleep 600"), ErrorKind::Io).unwrap();
        let proc = format!("/proc/{}", running.id());
        let error = running.finish_unless_cancelled(&progress).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Interrupted);
        assert!(!crate::fs::is_dir(proc.as_str().into()));
    }
}
