//! How to reach a database.

use camino::Utf8PathBuf;

use crate::Secret;
use crate::process::SystemUser;

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

/// How to reach one database: what libpq would be told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectOptions {
    /// Host names, addresses or socket directories, tried in order; empty: the default socket directories.
    pub hosts: Vec<String>,
    /// Ports, one for all hosts or one each; empty: 5432.
    pub ports: Vec<u16>,
    /// Role.
    pub user: Option<String>,
    /// Database.
    pub dbname: Option<String>,
    /// Password; absent: `.pgpass`, peer authentication or a client certificate.
    pub password: Option<Secret>,
    /// TLS mode; absent: `prefer`.
    pub sslmode: Option<SslMode>,
    /// Certificate authorities; absent: `~/.postgresql/root.crt` where it exists.
    pub sslrootcert: Option<Utf8PathBuf>,
    /// Client certificate; absent: `~/.postgresql/postgresql.crt` where it exists.
    pub sslcert: Option<Utf8PathBuf>,
    /// Key of the client certificate; absent: `~/.postgresql/postgresql.key` where it exists.
    pub sslkey: Option<Utf8PathBuf>,
    /// Only a server that takes writes will do (`target_session_attrs=read-write`).
    pub read_write: bool,
    /// Seconds to wait for a connection; absent: 10.
    pub connect_timeout_seconds: Option<u64>,
    /// Connect with this user's identity, for peer authentication when running as root.
    pub run_as: Option<SystemUser>,
}
