//! Throw-away PostgreSQL servers: for rehearsing a restore, and for tests.
//!
//! Nothing of a cluster outlives the process that started it, however that ends, and nobody but its user and root can
//! reach it: its directory is private and it listens on a socket in there only.

mod builder;
mod guard;
mod server;

use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use postgres::Client;

pub use builder::{ClusterBuilder, Durability};
use guard::Guard;
use server::{Order, Server};

use super::{ConnectOptions, ServerPrograms, SslMode, error, quote_identifier};
use crate::process::SystemUser;
use crate::{Error, ErrorKind, Result};

/// How a cluster's own connections are named in its activity view.
const APPLICATION: &str = "zulip-backup cluster";

/// The superuser's role.
const SUPERUSER: &str = "postgres";

/// How often a starting server is knocked at.
const KNOCK: Duration = Duration::from_millis(20);

/// A running throw-away server. Dropping it stops it at once and removes its directory.
///
/// ```no_run
/// use zulip_backup_core::postgres::Cluster;
///
/// let cluster = Cluster::builder().start()?;
/// cluster.create_database("zulip", "zulip")?;
/// let mut client = cluster.connect_options("zulip").connect("example")?;
/// # Ok::<(), zulip_backup_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Cluster {
    // Dropped in this order: the server has to be gone before its directory goes.
    server: Option<Server>,
    guard: Guard,
    #[expect(dead_code, reason = "it is held to keep the directory of the socket")]
    socket_guard: Option<Guard>,
    programs: ServerPrograms,
    user: Option<SystemUser>,
    data_dir: Utf8PathBuf,
    socket_dir: Utf8PathBuf,
    port: u16,
    settings: Vec<(String, String)>,
    start_timeout: Duration,
}

impl Cluster {
    /// Settings for a new cluster.
    pub fn builder() -> ClusterBuilder {
        ClusterBuilder::default()
    }

    /// How to connect to one of its databases as the superuser `postgres`.
    pub fn connect_options(&self, dbname: &str) -> ConnectOptions {
        ConnectOptions {
            hosts: vec![self.socket_dir.to_string()],
            ports: vec![self.port],
            user: Some(SUPERUSER.to_owned()),
            dbname: Some(dbname.to_owned()),
            sslmode: Some(SslMode::Disable),
            ..ConnectOptions::default()
        }
    }

    /// Creates a database owned by `owner`, a role that is created, with the right to log in, when there is none yet.
    pub fn create_database(&self, name: &str, owner: &str) -> Result<()> {
        let mut client = self.connect()?;
        let asked = client.query_opt("SELECT 1 FROM pg_roles WHERE rolname = $1", &[&owner]);
        let role = quote_identifier(owner);
        if asked.map_err(|cause| error("look for a role", cause))?.is_none() {
            let created = client.batch_execute(&format!("CREATE ROLE {role} LOGIN"));
            created.map_err(|cause| error(&format!("create the role {owner}"), cause))?;
        }
        let name_quoted = quote_identifier(name);
        client
            .batch_execute(&format!("CREATE DATABASE {name_quoted} OWNER {role} TEMPLATE template0 ENCODING 'UTF8'"))
            .map_err(|cause| error(&format!("create the database {name}"), cause))
    }

    /// Stops the server in an orderly way: sessions are ended, everything is written. Its files stay.
    ///
    /// Does nothing when it is not running.
    pub fn stop(&mut self) -> Result<()> {
        self.server.take().map_or(Ok(()), |server| server.end(Order::Fast))
    }

    /// Kills the server as a power failure of its processes would, for tests of what survives. Its files stay.
    pub fn crash(&mut self) -> Result<()> {
        self.server.take().map_or(Ok(()), |server| server.end(Order::Kill))
    }

    /// Starts the server again, after stopping it when it runs.
    pub fn restart(&mut self) -> Result<()> {
        self.stop()?;
        self.run()
    }

    /// The major version of the server.
    pub fn major(&self) -> u32 {
        self.programs.major()
    }

    /// The server's programs.
    pub fn programs(&self) -> &ServerPrograms {
        &self.programs
    }

    /// The data directory.
    pub fn data_dir(&self) -> &Utf8Path {
        &self.data_dir
    }

    /// The user the server runs as, where that is not the user of this process.
    pub fn system_user(&self) -> Option<&SystemUser> {
        self.user.as_ref()
    }

    /// The last 64 KiB of what the running server wrote to its log.
    pub fn log(&self) -> String {
        self.server.as_ref().map(Server::log).unwrap_or_default()
    }

    fn connect(&self) -> Result<Client> {
        self.connect_options(SUPERUSER).connect(APPLICATION)
    }

    /// Starts the server and waits until it lets us in.
    fn run(&mut self) -> Result<()> {
        let server = Server::start(self)?;
        let deadline = Instant::now() + self.start_timeout;
        loop {
            let answer = self.connect();
            let Err(last) = answer else {
                self.server = Some(server);
                return Ok(());
            };
            if server.is_gone() || Instant::now() > deadline {
                let gone = server.is_gone();
                let state = if gone { "ended" } else { "does not answer" };
                let said = crate::process::last_lines(&server.log());
                let message = format!("the PostgreSQL {} server in {} {state}: {said}", self.major(), self.data_dir);
                let error = Error::new(ErrorKind::Postgres, message).with_path(&self.data_dir);
                // That nobody listens any more is no explanation.
                return Err(if gone { error } else { error.with_source(last) });
            }
            std::thread::sleep(KNOCK);
        }
    }
}
