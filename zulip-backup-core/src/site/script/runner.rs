//! The runner that really runs things.

use std::collections::VecDeque;
use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, geteuid, kill_process_group};

use super::{ScriptCall, ScriptOutput, ScriptRunner, ScriptStatus};
use crate::{Error, ErrorKind, Progress, Result};

/// How much of the standard output is kept, in bytes.
const MAX_STDOUT: usize = 1 << 20;
/// A longer line is cut into several, in bytes.
const MAX_LINE: usize = 4096;
const LAST_LINES: usize = 20;
const TICK: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
/// How long a script may keep its outputs open after its end (a daemon it started may inherit them for ever), and how
/// long it may take to stop when asked to.
const GRACE: Duration = Duration::from_secs(2);

/// The directories of a system's programs; the caller's own `PATH` has no say in what root runs.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Runs scripts as child processes: nothing on standard input, a clean environment, its own process group, and when
/// this process is root, the identity of the call's user.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRunner;

impl ScriptRunner for SystemRunner {
    fn execute(&self, call: &ScriptCall, progress: &dyn Progress) -> Result<ScriptOutput> {
        let started = Instant::now();
        let mut child = command(call)?.spawn().map_err(|error| {
            let kind = if error.kind() == std::io::ErrorKind::NotFound { ErrorKind::NotFound } else { ErrorKind::Io };
            Error::new(kind, format!("cannot start {call} in {}", call.directory))
                .with_path(call.executable())
                .with_source(error)
        })?;
        let mut watch = Watch { call, progress, stdout: Vec::new(), last_lines: VecDeque::new() };
        let status = match watch.until_end(&mut child, started) {
            Ok(status) => status,
            Err(error) => {
                stop(&mut child);
                return Err(error);
            }
        };
        Ok(ScriptOutput {
            status,
            stdout: String::from_utf8_lossy(&watch.stdout).into_owned(),
            last_lines: watch.last_lines.into(),
            seconds: started.elapsed().as_secs_f64(),
        })
    }
}

fn command(call: &ScriptCall) -> Result<Command> {
    let mut command = Command::new(call.executable());
    command.args(&call.args).current_dir(&call.directory).process_group(0).env_clear();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.env("PATH", PATH).env("LANG", "C.UTF-8").env("LC_ALL", "C.UTF-8");
    if let Some(user) = &call.user {
        command.env("HOME", &user.home).env("USER", &user.name).env("LOGNAME", &user.name);
        let me = geteuid();
        if user.uid != me.as_raw() {
            if !me.is_root() {
                return Err(Error::new(
                    ErrorKind::Refused,
                    format!("{call} must run as user id {}, but this is user id {}", user.uid, me.as_raw()),
                )
                .with_hint(format!("run zulip-backup as root or as {}", user.name)));
            }
            // Supplementary groups are dropped by the standard library when root sets another uid.
            command.uid(user.uid).gid(user.gid);
        }
    } else if let Some(home) = std::env::var_os("HOME") {
        command.env("HOME", home);
    }
    command.envs(call.env.iter().map(|(name, value)| (name, value)));
    Ok(command)
}

/// One of the two outputs, with the line being received.
struct Output<T> {
    pipe: Option<T>,
    line: Vec<u8>,
    kept: bool,
}

struct Watch<'a> {
    call: &'a ScriptCall,
    progress: &'a dyn Progress,
    stdout: Vec<u8>,
    last_lines: VecDeque<String>,
}

impl Watch<'_> {
    fn until_end(&mut self, child: &mut Child, started: Instant) -> Result<ScriptStatus> {
        let mut stdout = Output { pipe: child.stdout.take(), line: Vec::new(), kept: true };
        let mut stderr = Output { pipe: child.stderr.take(), line: Vec::new(), kept: false };
        let failed = |error: std::io::Error| Error::io("read the output of", self.call.executable(), error);
        let deadline = Duration::from_secs(self.call.timeout_seconds);
        let mut ended: Option<(ScriptStatus, Instant)> = None;
        loop {
            self.progress.checkpoint()?;
            let (out_ready, err_ready) = ready(&stdout, &stderr).map_err(|error| failed(error.into()))?;
            if out_ready {
                self.receive(&mut stdout).map_err(failed)?;
            }
            if err_ready {
                self.receive(&mut stderr).map_err(failed)?;
            }
            if ended.is_none() {
                let status = child.try_wait().map_err(failed)?;
                ended = status.map(|status| {
                    let status = status
                        .signal()
                        .map_or_else(|| ScriptStatus::Exited(status.code().unwrap_or(-1)), ScriptStatus::Signalled);
                    (status, Instant::now())
                });
            }
            if let Some((status, since)) = ended {
                let drained = stdout.pipe.is_none() && stderr.pipe.is_none();
                if drained || since.elapsed() > GRACE {
                    self.finish_line(&mut stdout.line);
                    self.finish_line(&mut stderr.line);
                    return Ok(status);
                }
            } else if started.elapsed() > deadline {
                return Err(Error::new(
                    ErrorKind::Io,
                    format!("{} did not end within {} s and was stopped", self.call, self.call.timeout_seconds),
                )
                .with_path(self.call.executable()));
            }
        }
    }

    fn receive<T: Read>(&mut self, output: &mut Output<T>) -> std::io::Result<()> {
        let Some(pipe) = &mut output.pipe else { return Ok(()) };
        let mut buffer = [0; 8192];
        let count = match pipe.read(&mut buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => return Ok(()),
            Err(error) => return Err(error),
        };
        if count == 0 {
            output.pipe = None;
            self.finish_line(&mut output.line);
            return Ok(());
        }
        let received = &buffer[..count];
        if output.kept {
            let room = MAX_STDOUT.saturating_sub(self.stdout.len());
            self.stdout.extend_from_slice(&received[..count.min(room)]);
        }
        for byte in received {
            if *byte == b'\n' || output.line.len() == MAX_LINE {
                self.finish_line(&mut output.line);
            }
            if *byte != b'\n' {
                output.line.push(*byte);
            }
        }
        Ok(())
    }

    fn finish_line(&mut self, line: &mut Vec<u8>) {
        let text = printable(&String::from_utf8_lossy(&std::mem::take(line)));
        if text.trim().is_empty() {
            return;
        }
        if !self.call.quiet {
            self.progress.message(&text);
        }
        if self.last_lines.len() == LAST_LINES {
            self.last_lines.pop_front();
        }
        self.last_lines.push_back(text);
    }
}

/// Waits a tick at most; which outputs have something to read, their end included.
fn ready<A: std::os::fd::AsFd, B: std::os::fd::AsFd>(a: &Output<A>, b: &Output<B>) -> rustix::io::Result<(bool, bool)> {
    let mut waited: Vec<PollFd<'_>> = Vec::with_capacity(2);
    waited.extend(a.pipe.as_ref().map(|pipe| PollFd::new(pipe, PollFlags::IN)));
    waited.extend(b.pipe.as_ref().map(|pipe| PollFd::new(pipe, PollFlags::IN)));
    match poll(&mut waited, Some(&TICK)) {
        Ok(_) => {}
        Err(rustix::io::Errno::INTR) => return Ok((false, false)),
        Err(error) => return Err(error),
    }
    let mut events = waited.iter().map(|fd| !fd.revents().is_empty());
    let a_ready = a.pipe.is_some() && events.next().unwrap_or(false);
    let b_ready = b.pipe.is_some() && events.next().unwrap_or(false);
    Ok((a_ready, b_ready))
}

/// Asks the script and all it started to stop, and ends those that do not.
fn stop(child: &mut Child) {
    let group = Pid::from_child(child);
    // Each fails only where nobody is left.
    let _ = kill_process_group(group, Signal::TERM);
    let asked = Instant::now();
    while asked.elapsed() < GRACE && matches!(child.try_wait(), Ok(None)) {
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = kill_process_group(group, Signal::KILL);
    let _ = child.wait();
}

/// The text without control characters and terminal colours: it ends on somebody's terminal.
fn printable(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter == '\x1b' && letters.peek() == Some(&'[') {
            letters.next();
            while letters.next().is_some_and(|letter| !('@'..='~').contains(&letter)) {}
        } else if letter == '\t' || !letter.is_control() {
            plain.push(letter);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Event, Recorder, Silent};

    fn sh(script: &str) -> ScriptCall {
        ScriptCall::new("/bin/sh", "/").arg("-c").arg(script).timeout_seconds(20)
    }

    #[test]
    fn lines_reach_the_progress_and_the_output() {
        let recorder = Recorder::default();
        let output =
            sh("printf 'a\\033[31mb\\033[0m\\n'; printf 'c'; echo err >&2").run(&SystemRunner, &recorder).unwrap();
        assert_eq!(output.stdout, "a\x1b[31mb\x1b[0m\nc");
        let mut said = recorder.events();
        said.sort_by_key(|event| format!("{event:?}"));
        let texts = ["ab", "c", "err"].map(|text| Event::Message(text.to_owned()));
        assert_eq!(said, texts);
    }

    #[test]
    fn a_failure_names_script_status_and_last_lines() {
        let error = sh("echo one; echo two >&2; exit 3").quiet().run(&SystemRunner, &Silent).unwrap_err();
        assert!(error.to_string().contains("exit status 3"), "{error}");
        assert!(error.chain().contains("two"), "{}", error.chain());
        let killed = sh("kill -9 $$").run(&SystemRunner, &Silent).unwrap_err();
        assert!(killed.to_string().contains("signal 9"), "{killed}");
        let missing = ScriptCall::new("scripts/none", "/").run(&SystemRunner, &Silent).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
    }

    #[test]
    fn the_environment_is_clean_and_input_is_empty() {
        let output = sh("cat; env").env("EXTRA", "1").run(&SystemRunner, &Silent).unwrap();
        assert!(output.stdout.contains("EXTRA=1") && !output.stdout.contains("CARGO"), "{}", output.stdout);
    }

    #[test]
    fn time_and_cancellation_end_the_whole_group() {
        let started = Instant::now();
        let late = sh("sleep 30 & sleep 30").timeout_seconds(1).run(&SystemRunner, &Silent).unwrap_err();
        assert!(late.to_string().contains("within 1 s"), "{late}");
        let recorder = Recorder::default();
        recorder.cancel();
        let stopped = sh("sleep 30").run(&SystemRunner, &recorder).unwrap_err();
        assert_eq!(stopped.kind(), ErrorKind::Interrupted);
        assert!(started.elapsed() < Duration::from_secs(15));
    }

    #[test]
    fn a_daemon_that_keeps_the_pipe_does_not_hold_us() {
        let started = Instant::now();
        let output = sh("sleep 15 & echo done").run(&SystemRunner, &Silent).unwrap();
        assert_eq!(output.stdout, "done\n");
        assert!(started.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn much_output_is_bounded() {
        let output = sh("head -c 3000000 /dev/zero | tr '\\0' x").quiet().run(&SystemRunner, &Silent).unwrap();
        assert_eq!(output.stdout.len(), MAX_STDOUT);
        assert!(output.last_lines.len() <= LAST_LINES);
    }
}
