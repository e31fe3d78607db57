//! Making a cluster.

use std::process::Command;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use super::guard::Guard;
use super::server::prepare;
use super::{Cluster, SUPERUSER};
use crate::postgres::config::DEFAULT_PORT;
use crate::postgres::{Environment, ServerPrograms};
use crate::process::{self, SystemUser, current_uid};
use crate::{Error, ErrorKind, Result};

/// The kernel's limit for the path of a socket is 107 bytes; `/.s.PGSQL.65535` is 15 of them.
const SOCKET_DIRECTORY_LIMIT: usize = 84;

/// What the directories are called, before six random letters.
const PREFIX: &str = "zulip-backup-pg-";

/// Whether what is written survives a failure of the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// No: several times faster, for servers whose loss is no loss.
    #[default]
    ThrowAway,
    /// Yes: the server's own defaults.
    Durable,
}

/// Settings for a new [`Cluster`].
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until it is started"]
pub struct ClusterBuilder {
    programs: Option<ServerPrograms>,
    major: Option<u32>,
    parent: Option<Utf8PathBuf>,
    settings: Vec<(String, String)>,
    locale: Option<String>,
    durability: Durability,
    autovacuum: bool,
    port: Option<u16>,
    run_as: Option<SystemUser>,
    start_timeout: Option<Duration>,
}

impl ClusterBuilder {
    /// Use these programs; otherwise they are looked for.
    pub fn programs(mut self, programs: ServerPrograms) -> Self {
        self.programs = Some(programs);
        self
    }

    /// Look for programs of this major version, or the nearest newer one.
    pub fn major(mut self, major: u32) -> Self {
        self.major = Some(major);
        self
    }

    /// Put the cluster's directory in here; otherwise in the system's directory for temporary files.
    ///
    /// The server's user must be able to enter it, which excludes `/root`.
    pub fn parent(mut self, parent: impl Into<Utf8PathBuf>) -> Self {
        self.parent = Some(parent.into());
        self
    }

    /// One more setting of `postgresql.conf`; a later one overrides an earlier one and those made here.
    ///
    /// It is passed as an argument that every user of the machine can read: no secrets.
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    /// The locale of its databases; otherwise `C.UTF-8`, or `C` where the system has no such locale.
    pub fn locale(mut self, locale: impl Into<String>) -> Self {
        self.locale = Some(locale.into());
        self
    }

    /// Whether what is written survives a failure of the machine; otherwise [`Durability::ThrowAway`].
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Whether autovacuum runs; otherwise it does not, and does not disturb measurements and comparisons.
    pub fn autovacuum(mut self, on: bool) -> Self {
        self.autovacuum = on;
        self
    }

    /// The port, which without a setting of `listen_addresses` is but a part of the socket's name; otherwise 5432.
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// When this process is root's, run the server as this user; otherwise as `postgres`, or `nobody`.
    pub fn run_as(mut self, user: SystemUser) -> Self {
        self.run_as = Some(user);
        self
    }

    /// How long the server may take to start; otherwise 60 s.
    pub fn start_timeout(mut self, limit: Duration) -> Self {
        self.start_timeout = Some(limit);
        self
    }

    /// Makes the directory and the data in it, and starts the server.
    ///
    /// Fails with [`ErrorKind::Incompatible`] when there are no programs, with [`ErrorKind::Refused`] when the server's
    /// user cannot get at the programs or the directory, and with [`ErrorKind::Postgres`] when the server does not
    /// start, quoting the end of its log.
    pub fn start(self) -> Result<Cluster> {
        let programs = match self.programs {
            Some(programs) => programs,
            None => ServerPrograms::find(self.major, &Environment::current())?,
        };
        let user = if current_uid() == 0 { Some(server_user(self.run_as)?) } else { None };
        let parent = parent_for(self.parent, user.as_ref())?;
        let guard = Guard::new(&parent, PREFIX, user.as_ref())?;
        let data_dir = guard.directory().join("data");
        initdb(&programs, &guard, user.as_ref(), &data_dir, self.locale.as_deref(), self.durability)?;
        let (socket_dir, socket_guard) = socket_dir(&guard, user.as_ref())?;
        let port = self.port.unwrap_or(DEFAULT_PORT);
        let mut settings = vec![
            ("listen_addresses".to_owned(), String::new()),
            ("unix_socket_directories".to_owned(), socket_dir.to_string()),
            ("port".to_owned(), port.to_string()),
            ("autovacuum".to_owned(), if self.autovacuum { "on" } else { "off" }.to_owned()),
            ("timezone".to_owned(), "UTC".to_owned()),
        ];
        if self.durability == Durability::ThrowAway {
            settings.extend(THROW_AWAY.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        }
        settings.extend(self.settings);
        let start_timeout = self.start_timeout.unwrap_or(Duration::from_mins(1));
        let mut cluster = Cluster {
            server: None,
            guard,
            socket_guard,
            programs,
            user,
            data_dir,
            socket_dir,
            port,
            settings,
            start_timeout,
        };
        cluster.run()?;
        Ok(cluster)
    }
}

/// What makes a server fast that may lose everything.
const THROW_AWAY: &[(&str, &str)] = &[
    ("fsync", "off"),
    ("synchronous_commit", "off"),
    ("full_page_writes", "off"),
    ("wal_level", "minimal"),
    ("max_wal_senders", "0"),
    ("max_wal_size", "4GB"),
    ("checkpoint_timeout", "1h"),
];

/// The user for a server started by root, which a server refuses to run as.
fn server_user(wanted: Option<SystemUser>) -> Result<SystemUser> {
    let user = match wanted {
        Some(user) => user,
        // The server looks its own user up, so a number without a name would not do.
        None => ["postgres", "nobody", "daemon"]
            .into_iter()
            .find_map(|name| SystemUser::by_name(name).ok())
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::Refused,
                    "PostgreSQL refuses to run as root, and there is no user postgres or nobody",
                )
                .with_hint("create a user, or run as another user than root")
            })?,
    };
    if user.uid == 0 {
        return Err(Error::new(ErrorKind::Refused, format!("PostgreSQL refuses to run as {}", user.name)));
    }
    Ok(user)
}

fn parent_for(wanted: Option<Utf8PathBuf>, user: Option<&SystemUser>) -> Result<Utf8PathBuf> {
    let given = wanted.is_some();
    let system = || Utf8PathBuf::from_path_buf(std::env::temp_dir()).unwrap_or_else(|_| Utf8PathBuf::from("/tmp"));
    let parent = crate::fs::canonicalize(&wanted.unwrap_or_else(system))?;
    let Some(user) = user else { return Ok(parent) };
    match (barrier(user, &parent)?, given) {
        (None, _) => Ok(parent),
        // Root's TMPDIR may be root's own.
        (Some(_), false) => Ok(Utf8PathBuf::from("/tmp")),
        (Some(directory), true) => Err(barred(user, &directory, &parent)),
    }
}

/// The first directory on the way to `path` (itself included) that `user` may not enter.
fn barrier(user: &SystemUser, path: &Utf8Path) -> Result<Option<Utf8PathBuf>> {
    let mut way: Vec<&Utf8Path> = path.ancestors().collect();
    way.reverse();
    for directory in way {
        if !user.may(1, directory)? {
            return Ok(Some(directory.to_owned()));
        }
    }
    Ok(None)
}

fn barred(user: &SystemUser, directory: &Utf8Path, wanted: &Utf8Path) -> Error {
    let message = format!("the user {} may not enter {directory}, and so cannot use {wanted}", user.name);
    Error::new(ErrorKind::Refused, message)
        .with_path(directory)
        .with_hint(format!("use a place that every user may enter, or: chmod o+x {directory}"))
}

fn initdb(
    programs: &ServerPrograms,
    guard: &Guard,
    user: Option<&SystemUser>,
    data_dir: &Utf8Path,
    locale: Option<&str>,
    durability: Durability,
) -> Result<()> {
    let run = |locale: &[String]| {
        let mut command = Command::new(programs.path("initdb"));
        command.args(["--auth-local=trust", "--auth-host=reject", "--encoding=UTF8", "--lc-messages=C"]);
        command.arg(format!("--username={SUPERUSER}")).arg(format!("--pgdata={data_dir}")).args(locale);
        if durability == Durability::ThrowAway {
            command.arg("--no-sync");
        }
        prepare(&mut command, guard.directory(), user);
        // It reads nothing; as long as it runs, its directory stays.
        command.stdin(guard.tether()?);
        process::run(command, ErrorKind::Postgres)
    };
    let made = match (run(&[format!("--locale={}", locale.unwrap_or("C.UTF-8"))]), locale) {
        (Err(error), None) if error.to_string().contains("locale") => {
            let mut plain = vec!["--locale=C".to_owned()];
            if programs.major() >= 17 {
                plain.extend(["--locale-provider=builtin".to_owned(), "--builtin-locale=C.UTF-8".to_owned()]);
            }
            run(&plain)
        }
        (made, _) => made,
    };
    made.map(|_| ()).map_err(|error| {
        let denied = std::error::Error::source(&error)
            .and_then(|source| source.downcast_ref::<std::io::Error>())
            .is_some_and(|source| source.kind() == std::io::ErrorKind::PermissionDenied);
        match user.filter(|_| denied).map(|user| (user, barrier(user, programs.bin_dir()))) {
            Some((user, Ok(Some(directory)))) => barred(user, &directory, programs.bin_dir()),
            _ => error,
        }
    })
}

/// The directory for the socket, and its guard when it is not the cluster's own.
fn socket_dir(guard: &Guard, user: Option<&SystemUser>) -> Result<(Utf8PathBuf, Option<Guard>)> {
    let own = guard.directory();
    // In the setting, a comma would begin another directory and quotes have a meaning.
    let plain = own.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte));
    if plain && own.as_str().len() <= SOCKET_DIRECTORY_LIMIT {
        return Ok((own.to_owned(), None));
    }
    let short = Guard::new(Utf8Path::new("/tmp"), PREFIX, user)?;
    Ok((short.directory().to_owned(), Some(short)))
}
