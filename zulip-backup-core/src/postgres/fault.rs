//! What a server answered, as an [`Error`](crate::Error).

use std::error::Error as StdError;

use postgres::error::{DbError, ErrorPosition};

use crate::{Error, ErrorKind, Result};

/// An error a server reported; found as the [`source`](StdError::source) of an [`Error`](crate::Error) of the kind
/// [`Postgres`](ErrorKind::Postgres).
///
/// `Display` is the message with its SQLSTATE and detail on one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.line())]
#[non_exhaustive]
pub struct ServerError {
    /// The five letters of the SQLSTATE.
    pub code: String,
    /// The server's message.
    pub message: String,
    /// What the server has to say beyond it.
    pub detail: Option<String>,
    /// The server's own hint.
    pub hint: Option<String>,
    /// The table it is about, with its schema, where there is one.
    pub table: Option<String>,
    /// Where in the statement, in characters from 1.
    pub position: Option<u32>,
}

impl ServerError {
    fn line(&self) -> String {
        let detail = self.detail.as_deref().map(|detail| format!(" ({detail})")).unwrap_or_default();
        format!("{}{detail} [SQLSTATE {}]", self.message, self.code).replace('\n', " ")
    }
}

impl From<&DbError> for ServerError {
    fn from(error: &DbError) -> Self {
        let table = error.table().map(|table| match error.schema() {
            Some(schema) => format!("{schema}.{table}"),
            None => table.to_owned(),
        });
        let position = match error.position() {
            Some(ErrorPosition::Original(position)) => Some(*position),
            Some(ErrorPosition::Internal { .. }) | None => None,
        };
        Self {
            code: error.code().code().to_owned(),
            message: error.message().to_owned(),
            detail: error.detail().map(str::to_owned),
            hint: error.hint().map(str::to_owned),
            table,
            position,
        }
    }
}

/// The error for something that was asked of a server. `doing` completes the sentence "cannot …".
pub fn error(doing: &str, error: postgres::Error) -> Error {
    let (text, server) = explain(&error);
    let hint = hint(&error);
    let made = Error::new(ErrorKind::Postgres, format!("cannot {doing}: {text}"));
    let made = match server {
        Some(server) => made.with_source(server),
        None => match error.into_source() {
            Some(source) => made.with_source(source),
            None => made,
        },
    };
    match hint {
        Some(hint) => made.with_hint(hint),
        None => made,
    }
}

/// The SQLSTATE behind an error of this crate, where a server reported it.
pub fn sqlstate(error: &Error) -> Option<&str> {
    let mut next = StdError::source(error);
    while let Some(cause) = next {
        if let Some(server) = cause.downcast_ref::<ServerError>() {
            return Some(&server.code);
        }
        next = cause.source();
    }
    None
}

/// The whole story of a client error on one line, and the server's part of it.
pub(super) fn explain(error: &postgres::Error) -> (String, Option<ServerError>) {
    if let Some(server) = error.as_db_error().map(ServerError::from) {
        return (server.to_string(), Some(server));
    }
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    (text, None)
}

/// What usually helps.
pub(super) fn hint(error: &postgres::Error) -> Option<String> {
    let Some(server) = error.as_db_error() else {
        if error.is_closed() {
            return Some(LOST.to_owned());
        }
        let cause = error.source()?;
        let io = cause.downcast_ref::<std::io::Error>()?;
        return io_hint(io).map(str::to_owned);
    };
    let advice = match server.code().code() {
        "28P01" => "the password is wrong or missing: set PGPASSWORD, or add a line to ~/.pgpass (mode 0600)",
        "28000" if server.message().contains("Peer authentication") => {
            "peer authentication wants the system user of the same name: run as root or as that user, or give a password \
             and connect to localhost"
        }
        "28000" => "the server's pg_hba.conf does not let this role in from here; the server's log names the line",
        "3D000" => "there is no such database: check its name (zulip.conf [postgresql] database_name) and the server",
        "42501" => "the role may not do this: connect as the owner of the objects, or as postgres",
        "53300" => "all connections are taken: stop some clients, or raise max_connections",
        "53100" => "the server's disk is full",
        "55006" => "somebody is connected to it: stop Zulip (supervisorctl stop all) and end the other sessions",
        "55P03" => "somebody holds a lock on it: look at pg_stat_activity and try again",
        "57P03" => "the server is starting, stopping or recovering: try again in a moment",
        "57014" => "the server cancelled it: look at statement_timeout and lock_timeout",
        "58P01" => "a file is missing on the server: for text search, the dictionary in its tsearch_data directory",
        _ => return server.hint().map(str::to_owned),
    };
    Some(advice.to_owned())
}

const LOST: &str = "the connection was lost: the server's log says whether it was ended, restarted or crashed";

fn io_hint(error: &std::io::Error) -> Option<&'static str> {
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => {
            Some("no server listens there: check that PostgreSQL runs, and its port and listen_addresses")
        }
        std::io::ErrorKind::NotFound => {
            Some("there is no such socket: check that PostgreSQL runs, its port and unix_socket_directories")
        }
        std::io::ErrorKind::PermissionDenied => Some("the socket or its directory may not be used by this user"),
        std::io::ErrorKind::TimedOut => {
            Some("nothing answered in time: check the address, firewalls and connect_timeout")
        }
        std::io::ErrorKind::BrokenPipe
        | std::io::ErrorKind::ConnectionReset
        | std::io::ErrorKind::ConnectionAborted
        | std::io::ErrorKind::UnexpectedEof => Some(LOST),
        // Of a stream that ends in the middle of a message the reader of messages says no more than this.
        std::io::ErrorKind::Other if error.to_string() == "bytes remaining on stream" => Some(LOST),
        _ => None,
    }
}

/// A column of a row. Where the driver's `get` would panic on a type that a server of another version has, this is an
/// error that names the column.
pub fn column<'a, T: postgres::types::FromSql<'a>>(row: &'a postgres::Row, index: usize) -> Result<T> {
    row.try_get(index).map_err(|failure| {
        let name = row.columns().get(index).map_or("?", postgres::Column::name);
        error(&format!("read the column {name}"), failure)
    })
}
