//! Calls of a deployment's own scripts: first a value that a plan can print, then a child process.

mod runner;

use std::fmt;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

pub use runner::SystemRunner;

use crate::process::SystemUser;
use crate::{Error, ErrorKind, Progress, Result};

/// How long a script may take unless said otherwise, in seconds: puppet installs packages.
const DEFAULT_TIMEOUT_SECONDS: u64 = 3600;

/// One call of a program, not yet made. Serialised, it is a step of a plan; the environment's values are left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ScriptCall {
    /// The program as one would type it in the deployment directory: `scripts/restart-server`.
    pub program: Utf8PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// The login name it runs as; absent: whoever runs zulip-backup.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "user_name")]
    pub user: Option<SystemUser>,
    /// Where it runs.
    pub directory: Utf8PathBuf,
    /// Variables it gets beside the few every script gets.
    #[serde(skip)]
    pub env: Vec<(String, String)>,
    /// Seconds after which it is ended.
    pub timeout_seconds: u64,
    /// Whether its output is kept from the progress messages.
    #[serde(skip)]
    pub quiet: bool,
}

#[allow(clippy::ref_option)] // serde's signature
fn user_name<S: serde::Serializer>(user: &Option<SystemUser>, serializer: S) -> Result<S::Ok, S::Error> {
    match user {
        Some(user) => serializer.serialize_str(&user.name),
        None => serializer.serialize_none(),
    }
}

impl ScriptCall {
    /// A call of `program` in `directory`, as whoever runs zulip-backup.
    pub fn new(program: impl Into<Utf8PathBuf>, directory: impl Into<Utf8PathBuf>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            user: None,
            directory: directory.into(),
            env: Vec::new(),
            timeout_seconds: DEFAULT_TIMEOUT_SECONDS,
            quiet: false,
        }
    }

    /// One more argument. Never a secret: arguments are public on a machine.
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// More arguments.
    pub fn args<T: Into<String>>(mut self, args: impl IntoIterator<Item = T>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Runs as that user.
    pub fn user(mut self, user: SystemUser) -> Self {
        self.user = Some(user);
        self
    }

    /// Runs as whoever runs zulip-backup: root, for the scripts that ask for it.
    pub fn as_caller(mut self) -> Self {
        self.user = None;
        self
    }

    /// One more environment variable.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Ends the script after that many seconds.
    pub fn timeout_seconds(mut self, seconds: u64) -> Self {
        self.timeout_seconds = seconds;
        self
    }

    /// Keeps its output from the progress messages.
    pub fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// Makes the call and expects it to succeed.
    ///
    /// # Errors
    /// Those of [`ScriptRunner::execute`], and [`ErrorKind::Io`] with the script's last lines where it ends with
    /// anything but exit status 0.
    pub fn run(&self, runner: &dyn ScriptRunner, progress: &dyn Progress) -> Result<ScriptOutput> {
        let output = runner.execute(self, progress)?;
        if output.status == ScriptStatus::Exited(0) {
            return Ok(output);
        }
        let error = Error::new(ErrorKind::Io, format!("{self} {}", output.status)).with_path(self.executable());
        Err(if output.last_lines.is_empty() {
            error
        } else {
            error.with_source(LastLines(output.last_lines.join(" / ")))
        })
    }

    /// The file that is executed; a bare name, as `git`, is looked up in the usual directories of a system.
    pub fn executable(&self) -> Utf8PathBuf {
        if self.program.as_str().contains('/') { self.directory.join(&self.program) } else { self.program.clone() }
    }
}

impl fmt::Display for ScriptCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.program.as_str())?;
        for arg in &self.args {
            write!(f, " {}", shell_quoted(arg))?;
        }
        self.user.as_ref().map_or(Ok(()), |user| write!(f, " (as {})", user.name))
    }
}

fn shell_quoted(arg: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_=+./:,@%".contains(&byte);
    if !arg.is_empty() && arg.bytes().all(plain) { arg.to_owned() } else { format!("'{}'", arg.replace('\'', "'\\''")) }
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct LastLines(String);

/// How a script ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScriptStatus {
    /// By itself, with that exit status.
    Exited(i32),
    /// By that signal.
    Signalled(i32),
}

impl fmt::Display for ScriptStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(status) => write!(f, "ended with exit status {status}"),
            Self::Signalled(signal) => write!(f, "was ended by signal {signal}"),
        }
    }
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct ScriptOutput {
    /// How it ended.
    pub status: ScriptStatus,
    /// Its standard output, at most 1 MiB of it.
    pub stdout: String,
    /// The last lines of both its outputs, in the order they came, control characters removed.
    pub last_lines: Vec<String>,
    /// How long it took.
    pub seconds: f64,
}

/// Makes [`ScriptCall`]s. [`SystemRunner`] is the real one; tests and dry runs bring their own.
pub trait ScriptRunner: Send + Sync {
    /// Makes the call, telling `progress` each line unless the call is quiet, and waits for its end.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] or [`ErrorKind::Io`] when it cannot be started, [`ErrorKind::Refused`] when this process
    /// may not act as the call's user, [`ErrorKind::Io`] after the timeout, [`ErrorKind::Interrupted`] when `progress`
    /// asks to stop. A script that fails is no error here: see [`ScriptOutput::status`].
    fn execute(&self, call: &ScriptCall, progress: &dyn Progress) -> Result<ScriptOutput>;
}

/// Whether `path` is a plain relative path that stays below where it starts.
pub(super) fn is_inner(path: &Utf8Path) -> bool {
    path.components().all(|part| matches!(part, camino::Utf8Component::Normal(_))) && !path.as_str().is_empty()
}
