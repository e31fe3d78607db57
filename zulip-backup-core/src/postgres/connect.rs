//! Connecting.

mod identity;
mod tls;
mod verifier;

use std::sync::mpsc;
use std::time::Duration;

use postgres::{Client, NoTls};
use tokio_postgres::Config;
use tokio_postgres::config::SslMode as ClientSslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::config::{Endpoint, password_for};
use super::{ConnectOptions, SslMode, fault};
use crate::process::SystemUser;
use crate::{Error, ErrorKind, Result};

/// How long to wait for one server when nothing is said, in seconds. libpq waits for ever; a job run by cron must not.
const DEFAULT_TIMEOUT_SECONDS: u64 = 10;

/// Makes a session of one kind with one server, by one way of encryption.
pub(super) type Open<S> = fn(&Config, Option<MakeRustlsConnect>) -> std::result::Result<S, Failure>;

/// How one try to reach a server ended.
pub(super) struct Failure {
    text: String,
    source: Option<Box<fault::ServerError>>,
    hint: Option<String>,
    /// TLS could not be agreed upon, or the server lets nobody in this way: the other way may do.
    encryption: bool,
}

impl ConnectOptions {
    /// Whether the server is reached over a socket, so is on this machine.
    pub(crate) fn is_local(&self) -> bool {
        self.hosts.is_empty() || self.hosts.iter().all(|host| host.starts_with('/'))
    }

    /// Connects to the first host that answers, as `application` in the server's activity view.
    ///
    /// Hosts, TLS, password file and certificates are treated as libpq does. With [`run_as`](Self::run_as) a socket is
    /// connected to with that user's identity, which needs root. Fails with [`ErrorKind::Postgres`], naming what
    /// each host answered; with [`ErrorKind::Config`] for unusable certificates or an unknown user.
    pub fn connect(&self, application: &str) -> Result<Client> {
        self.connect_with(application, |config, tls| {
            let config = postgres::Config::from(config.clone());
            let connected = match tls {
                Some(tls) => config.connect(tls),
                None => config.connect(NoTls),
            };
            connected.map_err(|error| Failure::of(&error))
        })
    }

    /// As [`connect`](Self::connect), with a session of another kind.
    pub(super) fn connect_with<S: Send + 'static>(&self, application: &str, open: Open<S>) -> Result<S> {
        let user = self.effective_user()?;
        let dbname = self.dbname.clone().unwrap_or_else(|| user.clone());
        let endpoints = self.endpoints()?;
        let mode = self.effective_sslmode()?;
        let needs_tls = mode != SslMode::Disable && endpoints.iter().any(|endpoint| !endpoint.is_socket());
        let tls = if needs_tls { Some(tls::connector(self, mode)?) } else { None };
        let mut failures: Vec<(String, Failure)> = Vec::new();
        for endpoint in &endpoints {
            let mut config = self.base_config(endpoint, application);
            config.user(&user).dbname(&dbname);
            if let Some(password) = password_for(self, endpoint, &user, &dbname) {
                config.password(password.expose());
            }
            match self.try_endpoint(&config, endpoint, mode, tls.as_ref(), open) {
                Ok(session) => return Ok(session),
                Err(failure) => failures.push((endpoint.to_string(), failure)),
            }
        }
        Err(self.report(&user, failures))
    }

    fn base_config(&self, endpoint: &Endpoint, application: &str) -> Config {
        let mut config = Config::new();
        config.application_name(application).port(endpoint.port);
        config.host(&endpoint.host);
        if let Some(address) = endpoint.hostaddr.filter(|_| !endpoint.is_socket()) {
            config.hostaddr(address);
        }
        if self.read_write {
            config.target_session_attrs(tokio_postgres::config::TargetSessionAttrs::ReadWrite);
        }
        // The library's limit is for the TCP handshake with each address; the one for the whole is in `in_time`.
        if let Some(limit) = self.timeout() {
            config.connect_timeout(limit);
        }
        config
    }

    /// The limit for one server; `None`: for ever.
    fn timeout(&self) -> Option<Duration> {
        match self.connect_timeout_seconds.unwrap_or(DEFAULT_TIMEOUT_SECONDS) {
            0 => None,
            seconds => Some(Duration::from_secs(seconds)),
        }
    }

    /// The ways of encryption that libpq tries for this mode, in its order.
    fn try_endpoint<S: Send + 'static>(
        &self,
        config: &Config,
        endpoint: &Endpoint,
        mode: SslMode,
        tls: Option<&MakeRustlsConnect>,
        open: Open<S>,
    ) -> std::result::Result<S, Failure> {
        let ways: &[ClientSslMode] = match (mode, tls) {
            // A server never offers TLS on a socket.
            _ if endpoint.is_socket() => &[ClientSslMode::Disable],
            (SslMode::Disable, _) | (_, None) => &[ClientSslMode::Disable],
            (SslMode::Allow, _) => &[ClientSslMode::Disable, ClientSslMode::Require],
            (SslMode::Prefer, _) => &[ClientSslMode::Prefer, ClientSslMode::Disable],
            (SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull, _) => &[ClientSslMode::Require],
        };
        let mut first: Option<Failure> = None;
        for way in ways {
            let mut config = config.clone();
            config.ssl_mode(*way);
            let tls = tls.filter(|_| *way != ClientSslMode::Disable).cloned();
            let run_as = self.run_as.clone().filter(|user| endpoint.is_socket() && !user.is_current());
            match in_time(config, tls, run_as, self.timeout(), open) {
                Ok(session) => return Ok(session),
                Err(failure) if failure.encryption && first.is_none() => first = Some(failure),
                // The second way is the makeshift; what the first one said explains more.
                Err(failure) => return Err(first.unwrap_or(failure)),
            }
        }
        Err(first.unwrap_or_else(|| Failure::new("there is no way to connect".into())))
    }

    fn report(&self, user: &str, mut failures: Vec<(String, Failure)>) -> Error {
        let told: Vec<String> =
            failures.iter().map(|(endpoint, failure)| format!("{endpoint}: {}", failure.text)).collect();
        let target = self.clone().with_user(user);
        let error = Error::new(ErrorKind::Postgres, format!("cannot connect to {target}: {}", told.join("; ")));
        // With several hosts, the one that answered has more to say than those that are down.
        failures.sort_by_key(|(_, failure)| failure.source.is_none());
        let Some((_, best)) = failures.into_iter().next() else { return error };
        let error = match best.source {
            Some(source) => error.with_source(*source),
            None => error,
        };
        match best.hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }
}

impl Failure {
    pub(super) fn new(text: String) -> Self {
        Self { text, source: None, hint: None, encryption: false }
    }

    pub(super) fn of(error: &postgres::Error) -> Self {
        let (text, source) = fault::explain(error);
        let refused = source.as_ref().is_some_and(|server| server.code == "28000");
        let tls = tls::is_tls_failure(error);
        let hint = if tls { tls::hint(&text) } else { fault::hint(error) };
        Self { text, source: source.map(Box::new), hint, encryption: tls || refused }
    }
}

/// Connects on a thread of its own, which is given up when the time is over.
///
/// The library bounds the TCP handshake only: a stopped server process, whose kernel still accepts, would hold us for
/// ever. The thread is also what makes another identity safe: the kernel keeps user ids per thread, so nothing else of
/// this process ever runs as somebody else, and the thread ends with the try, even when it panics.
fn in_time<S: Send + 'static>(
    config: Config,
    tls: Option<MakeRustlsConnect>,
    run_as: Option<SystemUser>,
    limit: Option<Duration>,
    open: Open<S>,
) -> std::result::Result<S, Failure> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let attempt = move || {
        let outcome = identity::assume(run_as.as_ref()).map_err(|error| {
            let mut failure = Failure::new(error.chain());
            failure.hint = error.hint().map(str::to_owned);
            failure
        });
        let outcome = outcome.and_then(|()| open(&config, tls));
        // Nobody waits any more when the time is over; the session is then closed by being dropped.
        let _ = sender.send(outcome);
    };
    let thread = std::thread::Builder::new().name("postgres-connect".into());
    thread.spawn(attempt).map_err(|error| Failure::new(format!("cannot start a thread: {error}")))?;
    let outcome = match limit {
        Some(limit) => receiver.recv_timeout(limit).map_err(|error| match error {
            mpsc::RecvTimeoutError::Timeout => format!("no answer within {} s", limit.as_secs()),
            mpsc::RecvTimeoutError::Disconnected => "the attempt ended without an answer".to_owned(),
        }),
        None => receiver.recv().map_err(|_| "the attempt ended without an answer".to_owned()),
    };
    outcome.unwrap_or_else(|text| {
        let mut failure = Failure::new(text);
        failure.hint = Some("check the address, firewalls and connect_timeout".into());
        Err(failure)
    })
}
