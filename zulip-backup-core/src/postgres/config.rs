//! How to reach a database.
//!
//! The client library knows neither the `PG*` variables nor service files nor `.pgpass`; operators do, and every other
//! `PostgreSQL` program on their hosts honours them. This room makes ours honour them by libpq's rules.

mod child;
mod environment;
mod passfile;
mod service;
mod settings;
mod text;

use std::fmt;
use std::net::IpAddr;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::str::FromStr;

use camino::{Utf8Path, Utf8PathBuf};

use crate::process::SystemUser;
use crate::{Error, ErrorKind, Result, Secret, fs};
pub use environment::Environment;
pub(crate) use passfile::password_for;

/// The port a server listens on unless told otherwise.
pub(crate) const DEFAULT_PORT: u16 = 5432;

/// Where servers put their socket: Debian's and Red Hat's place, then upstream's.
pub(crate) const SOCKET_DIRECTORIES: [&str; 2] = ["/var/run/postgresql", "/tmp"];

/// libpq's `sslmode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SslMode {
    /// Never TLS.
    Disable,
    /// TLS only when the server insists.
    Allow,
    /// TLS when the server offers it; libpq's default.
    #[default]
    Prefer,
    /// Always TLS, certificate unchecked unless a root certificate is given.
    Require,
    /// Always TLS, certificate chain checked.
    VerifyCa,
    /// Always TLS, certificate chain and host name checked.
    VerifyFull,
}

impl SslMode {
    /// libpq's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Allow => "allow",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }
}

impl FromStr for SslMode {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        [Self::Disable, Self::Allow, Self::Prefer, Self::Require, Self::VerifyCa, Self::VerifyFull]
            .into_iter()
            .find(|mode| mode.as_str() == word)
            .ok_or_else(|| Error::new(ErrorKind::Config, "not an sslmode that libpq knows"))
    }
}

impl fmt::Display for SslMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How to reach one database: what libpq would be told.
///
/// `Display` is a URL for messages; it never holds the password.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectOptions {
    /// Host names, addresses or socket directories, tried in order; empty: the default socket directories, and
    /// `localhost` when there is no socket in them.
    pub hosts: Vec<String>,
    /// Addresses to connect to instead of looking the hosts up, one for each host; empty: look them up.
    pub hostaddrs: Vec<IpAddr>,
    /// Ports, one for all hosts or one each; empty: 5432.
    pub ports: Vec<u16>,
    /// Role; absent: the name of the system user.
    pub user: Option<String>,
    /// Database; absent: the name of the role.
    pub dbname: Option<String>,
    /// Password; absent: `.pgpass`, peer authentication or a client certificate.
    pub password: Option<Secret>,
    /// Password file; absent: `~/.pgpass`. Ignored, as libpq does, when others than its owner may read it.
    pub passfile: Option<Utf8PathBuf>,
    /// The service whose definition [`fill_from_environment`](Self::fill_from_environment) looks up.
    pub service: Option<String>,
    /// The file that defines the service; absent: `~/.pg_service.conf`, then the system's.
    pub servicefile: Option<Utf8PathBuf>,
    /// TLS mode; absent: `prefer`, or `verify-full` with `sslrootcert=system`.
    pub sslmode: Option<SslMode>,
    /// Certificate authorities, or the word `system` for the operating system's; absent: `~/.postgresql/root.crt`
    /// where it exists.
    pub sslrootcert: Option<Utf8PathBuf>,
    /// Client certificate; absent: `~/.postgresql/postgresql.crt` where it exists.
    pub sslcert: Option<Utf8PathBuf>,
    /// Key of the client certificate; absent: `~/.postgresql/postgresql.key` where it exists.
    pub sslkey: Option<Utf8PathBuf>,
    /// Only a server that takes writes will do (`target_session_attrs=read-write`).
    pub read_write: bool,
    /// Seconds to wait for a connection to each host; 0: for ever; absent: 10.
    pub connect_timeout_seconds: Option<u64>,
    /// Connect with this user's identity, for peer authentication when running as root.
    pub run_as: Option<SystemUser>,
}

/// One server that will be tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// Host name, address or socket directory.
    pub(crate) host: String,
    /// The address to use instead of the host's.
    pub(crate) hostaddr: Option<IpAddr>,
    /// The port, which also is part of a socket's name.
    pub(crate) port: u16,
}

impl Endpoint {
    /// Whether it is reached over a socket of this machine.
    pub(crate) fn is_socket(&self) -> bool {
        self.hostaddr.is_none() && self.host.starts_with('/')
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.hostaddr {
            _ if self.is_socket() => write!(f, "socket {}/.s.PGSQL.{}", self.host, self.port),
            Some(address) if address.to_string() != self.host => {
                write!(f, "{}:{} (at {address})", self.host, self.port)
            }
            _ => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl ConnectOptions {
    /// Reads a `postgresql://` URL or a libpq `key=value` string.
    ///
    /// Fails with [`ErrorKind::Config`], naming the key at fault and never quoting the string, which may hold a
    /// password. Options that libpq knows and that would be unsafe to leave out are an error too.
    ///
    /// ```
    /// use zulip_backup_core::postgres::ConnectOptions;
    ///
    /// let options = ConnectOptions::parse("postgresql://zulip:secret@db1,db2:5433/zulip?sslmode=verify-full")?;
    /// assert_eq!(options.to_string(), "postgresql://zulip@db1:5432,db2:5433/zulip");
    /// # Ok::<(), zulip_backup_core::Error>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self> {
        text::parse(text)
    }

    /// The same server and role, another database.
    pub fn with_dbname(mut self, dbname: impl Into<String>) -> Self {
        self.dbname = Some(dbname.into());
        self
    }

    /// The same server and database, another role. A password given before belongs to the other role and is dropped.
    pub fn with_user(mut self, user: impl Into<String>) -> Self {
        let user = user.into();
        if self.user.as_ref() != Some(&user) {
            self.password = None;
        }
        self.user = Some(user);
        self
    }

    /// The role to connect as: the given one, else the name of the system user, as libpq does.
    pub(crate) fn effective_user(&self) -> Result<String> {
        match (&self.user, &self.run_as) {
            (Some(user), _) => Ok(user.clone()),
            (None, Some(system)) => Ok(system.name.clone()),
            (None, None) => Ok(SystemUser::current()?.name),
        }
    }

    /// The home directory in which the password file and the certificates are looked for.
    pub(crate) fn home(&self) -> Option<Utf8PathBuf> {
        match &self.run_as {
            Some(user) => Some(user.home.clone()),
            None => Environment::current().home().map(Utf8Path::to_owned),
        }
    }

    /// The servers to try, in order.
    pub(crate) fn endpoints(&self) -> Result<Vec<Endpoint>> {
        let count = self.hosts.len().max(self.hostaddrs.len()).max(1);
        for (name, length) in [("hosts", self.hosts.len()), ("host addresses", self.hostaddrs.len())] {
            if length > 0 && length != count {
                return Err(Error::new(
                    ErrorKind::Config,
                    format!("{count} servers, but {length} {name} to connect to"),
                ));
            }
        }
        if self.ports.len() > 1 && self.ports.len() != count {
            let message = format!("{count} hosts, but {} ports to connect to", self.ports.len());
            return Err(Error::new(ErrorKind::Config, message).with_hint("give one port for all hosts or one for each"));
        }
        let endpoint = |index: usize| {
            let port = self.ports.get(index).or(self.ports.first()).copied().unwrap_or(DEFAULT_PORT);
            let hostaddr = self.hostaddrs.get(index).copied();
            let host = match (self.hosts.get(index), hostaddr) {
                (Some(host), _) if !host.is_empty() => host.clone(),
                (_, Some(address)) => address.to_string(),
                _ => default_host(port),
            };
            Endpoint { host, hostaddr, port }
        };
        Ok((0..count).map(endpoint).collect())
    }

    /// Takes what is not set here from `lower`, which has less to say.
    fn fill_from(&mut self, lower: Self) {
        fn fill<T>(mine: &mut Option<T>, theirs: Option<T>) {
            if mine.is_none() {
                *mine = theirs;
            }
        }
        fn fill_list<T>(mine: &mut Vec<T>, theirs: Vec<T>) {
            if mine.is_empty() {
                *mine = theirs;
            }
        }
        fill_list(&mut self.hosts, lower.hosts);
        fill_list(&mut self.hostaddrs, lower.hostaddrs);
        fill_list(&mut self.ports, lower.ports);
        fill(&mut self.user, lower.user);
        fill(&mut self.dbname, lower.dbname);
        fill(&mut self.password, lower.password);
        fill(&mut self.passfile, lower.passfile);
        fill(&mut self.service, lower.service);
        fill(&mut self.servicefile, lower.servicefile);
        fill(&mut self.sslmode, lower.sslmode);
        fill(&mut self.sslrootcert, lower.sslrootcert);
        fill(&mut self.sslcert, lower.sslcert);
        fill(&mut self.sslkey, lower.sslkey);
        fill(&mut self.connect_timeout_seconds, lower.connect_timeout_seconds);
        self.read_write |= lower.read_write;
    }
}

impl FromStr for ConnectOptions {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

/// The default socket directory that has a server's socket for `port`, else `localhost`.
fn default_host(port: u16) -> String {
    SOCKET_DIRECTORIES
        .into_iter()
        .find(|directory| has_trusted_socket(Utf8Path::new(directory), port))
        .unwrap_or("localhost")
        .to_owned()
}

/// Whether `directory` has a socket for `port` made by a user a server may run as.
///
/// Everybody may create `/tmp/.s.PGSQL.5432` while no server does, and would be handed passwords and believed as the
/// source of a backup. That is why Debian moved its socket; libpq leaves it to `requirepeer`.
fn has_trusted_socket(directory: &Utf8Path, port: u16) -> bool {
    let Ok(Some(metadata)) = fs::metadata(&directory.join(format!(".s.PGSQL.{port}"))) else { return false };
    let owner = metadata.uid();
    metadata.file_type().is_socket()
        && (owner == 0
            || owner == crate::process::current_uid()
            || SystemUser::by_name("postgres").is_ok_and(|user| user.uid == owner))
}

impl fmt::Display for ConnectOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgresql://")?;
        if let Some(user) = &self.user {
            write!(f, "{}@", text::encode(user))?;
        }
        // A socket directory is unreadable as a percent-encoded host, so it is shown as the parameter it may also be.
        let sockets = self.hosts.iter().any(|host| host.starts_with('/'));
        let port = |index: usize| self.ports.get(index).or(self.ports.first()).copied().unwrap_or(DEFAULT_PORT);
        let names: Vec<String> = if self.hosts.is_empty() {
            self.hostaddrs.iter().map(ToString::to_string).collect()
        } else {
            self.hosts.clone()
        };
        if !sockets {
            for (index, host) in names.iter().enumerate() {
                let comma = if index == 0 { "" } else { "," };
                let host = if host.contains(':') { format!("[{host}]") } else { text::encode(host) };
                write!(f, "{comma}{host}:{}", port(index))?;
            }
        }
        f.write_str("/")?;
        if let Some(dbname) = &self.dbname {
            f.write_str(&text::encode(dbname))?;
        }
        if sockets {
            let hosts: Vec<String> = names.iter().map(|host| text::encode_path(host)).collect();
            let ports: Vec<String> = (0..names.len()).map(|index| port(index).to_string()).collect();
            write!(f, "?host={}", hosts.join(","))?;
            if ports.iter().any(|port| *port != DEFAULT_PORT.to_string()) {
                write!(f, "&port={}", ports.join(","))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_display_is_a_url_without_the_password() {
        let options = ConnectOptions {
            hosts: vec!["db".into(), "::1".into()],
            ports: vec![6432],
            user: Some("a b".into()),
            dbname: Some("zulip".into()),
            password: Some(Secret::new("hidden")),
            ..Default::default()
        };
        assert_eq!(options.to_string(), "postgresql://a%20b@db:6432,[::1]:6432/zulip");
        assert!(!format!("{options:?}").contains("hidden"));
        assert_eq!(ConnectOptions::default().to_string(), "postgresql:///");
        let socket = ConnectOptions { hosts: vec!["/run/pg".into()], ports: vec![5433], ..Default::default() };
        assert_eq!(socket.to_string(), "postgresql:///?host=/run/pg&port=5433");
        assert_eq!(ConnectOptions::parse(&socket.to_string()).unwrap(), socket);
    }

    #[test]
    fn endpoints_pair_hosts_addresses_and_ports() {
        let options = ConnectOptions::parse("host=a,b hostaddr=10.0.0.1,10.0.0.2 port=1,2").unwrap();
        let shown: Vec<String> = options.endpoints().unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["a:1 (at 10.0.0.1)", "b:2 (at 10.0.0.2)"]);
        for wrong in ["host=a,b port=1,2,3", "host=a,b hostaddr=10.0.0.1", "host=a hostaddr=::1,::2"] {
            let error = ConnectOptions::parse(wrong).unwrap().endpoints().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{wrong}");
        }
    }

    #[test]
    fn another_role_does_not_inherit_the_password() {
        let options = ConnectOptions::parse("user=zulip password=x").unwrap();
        assert!(options.clone().with_user("zulip").password.is_some());
        assert!(options.with_user("postgres").password.is_none());
    }

    #[test]
    fn a_file_that_is_no_socket_is_not_a_server() {
        let directory = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(directory.path()).unwrap();
        assert!(!has_trusted_socket(path, 5432));
        let _socket = std::os::unix::net::UnixListener::bind(path.join(".s.PGSQL.5432")).unwrap();
        assert!(has_trusted_socket(path, 5432));
        assert!(!has_trusted_socket(path, 5433));
        if crate::process::current_uid() == 0 {
            std::os::unix::fs::lchown(path.join(".s.PGSQL.5432"), Some(65534), None).unwrap();
            assert!(!has_trusted_socket(path, 5432), "anybody's socket");
        }
    }
}
