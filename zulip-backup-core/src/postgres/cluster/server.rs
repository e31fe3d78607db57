//! One run of the server process.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use super::Cluster;
use crate::process::{self, Tail};
use crate::{Error, ErrorKind, Result};

/// Runs its arguments as a server and ends it by the signal it is told, or at once when nobody is left to tell.
///
/// Three pipes: orders come in on 0, the server's log goes out on 1, and 2 is the tether to the directory's watchdog,
/// handed on to the server as its unused input. The shell is the server's parent, so the number it signals is never
/// that of a stranger.
const SCRIPT: &str = r#"
"$@" <&2 2>&1 &
pid=$!
trap '' HUP INT QUIT TERM
exec >/dev/null
read -r order || order=QUIT
kill -s "$order" "$pid"
wait "$pid"
exit 0
"#;

/// How long an ending server may take; a fast shutdown writes what is in memory to the disk first.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);

/// How a server is ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum Order {
    /// Sessions are ended, everything is written.
    Fast,
    /// Everything is dropped on the spot.
    Immediate,
    /// The postmaster vanishes, its children find out.
    Kill,
}

impl Order {
    fn signal(self) -> &'static str {
        match self {
            Self::Fast => "INT",
            Self::Immediate => "QUIT",
            Self::Kill => "KILL",
        }
    }
}

/// A server process under its shell.
#[derive(Debug)]
pub(super) struct Server {
    shell: Child,
    orders: Option<ChildStdin>,
    log: Option<Tail>,
}

impl Server {
    /// Starts the cluster's server; it may take a while until it answers.
    pub(super) fn start(cluster: &Cluster) -> Result<Self> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SCRIPT, "zulip-backup-server", cluster.programs.path("postgres").as_str()]);
        command.args(["-D", cluster.data_dir.as_str()]);
        for (name, value) in &cluster.settings {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        prepare(&mut command, cluster.guard.directory(), cluster.user.as_ref());
        // Its own group, so that Ctrl-C stops us and not the server under us.
        command.process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(cluster.guard.tether()?);
        let mut shell = command.spawn().map_err(|error| Error::io("start", "/bin/sh", error))?;
        let orders = shell.stdin.take();
        let log = shell.stdout.take().map(Tail::follow);
        Ok(Self { shell, orders, log })
    }

    /// Whether all of its processes are gone: they all hold the log open.
    pub(super) fn is_gone(&self) -> bool {
        self.log.as_ref().is_none_or(Tail::is_finished)
    }

    /// The end of its log.
    pub(super) fn log(&self) -> String {
        self.log.as_ref().map(Tail::text).unwrap_or_default()
    }

    /// Ends it and waits until all of its processes are gone.
    pub(super) fn end(mut self, order: Order) -> Result<()> {
        if self.finish(order) {
            return Ok(());
        }
        let message = format!("the PostgreSQL server did not end within {} s", PATIENCE.as_secs());
        Err(Error::new(ErrorKind::Postgres, message))
    }

    fn finish(&mut self, order: Order) -> bool {
        let deadline = Instant::now() + PATIENCE;
        if let Some(mut orders) = self.orders.take() {
            // Should this fail, then by dropping the pipe the shell is told to end it at once.
            let _ = writeln!(orders, "{}", order.signal());
        }
        let ended = process::wait_until(&mut self.shell, deadline).is_some();
        // A killed postmaster leaves children for a moment, who would keep a next server from starting.
        while !self.is_gone() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        ended && self.is_gone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.orders.is_some() {
            self.finish(Order::Immediate);
        }
    }
}

/// What every program of a cluster needs: a directory it may be in, its user, and nothing of our environment that could
/// change what it does.
pub(super) fn prepare(command: &mut Command, directory: &camino::Utf8Path, user: Option<&process::SystemUser>) {
    command.env_clear();
    for name in ["PATH", "LD_LIBRARY_PATH"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command.env("TZ", "UTC").env("HOME", directory).current_dir(directory);
    if let Some(user) = user {
        process::run_as(command, user);
    }
}
