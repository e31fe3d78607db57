//! The one error type of the crate.
//!
//! Every room converts its own faults into [`Error`] at its door, so a caller decides by [`Error::kind`] and never by
//! the text. The text is for the person who has to act: it names the object and both values, and [`Error::hint`]
//! says what to do.

use std::error::Error as StdError;
use std::fmt;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

/// The result of every fallible operation of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What an [`Error`] means for whoever called. The names, the exit codes and the Python exceptions are a contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request itself makes no sense: contradicting options, an unknown name.
    Usage,
    /// Two things do not fit each other: versions, formats, encodings.
    Incompatible,
    /// The operation would be unsafe and was not begun.
    Refused,
    /// Data is not what it was, or not what it claims to be.
    Damaged,
    /// Somebody else is at work on the same thing.
    Locked,
    /// `PostgreSQL`, or one of its tools, answered with an error.
    Postgres,
    /// A remote store answered with an error.
    Store,
    /// The operating system answered with an error.
    Io,
    /// Something that was named does not exist.
    NotFound,
    /// A setting is missing, unreadable or wrong.
    Config,
    /// The operation was asked to stop.
    Interrupted,
}

impl ErrorKind {
    /// The exit code of a process that ends with an error of this kind.
    ///
    /// An interruption is 130 here; a process that knows it was ended by SIGTERM answers 143 instead.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Usage => 2,
            Self::Incompatible | Self::Refused => 3,
            Self::Damaged => 4,
            Self::Locked => 5,
            Self::Postgres | Self::Store | Self::Io | Self::NotFound | Self::Config => 6,
            Self::Interrupted => 130,
        }
    }

    /// The stable name of the kind, as it stands in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Incompatible => "incompatible",
            Self::Refused => "refused",
            Self::Damaged => "damaged",
            Self::Locked => "locked",
            Self::Postgres => "postgres",
            Self::Store => "store",
            Self::Io => "io",
            Self::NotFound => "not-found",
            Self::Config => "config",
            Self::Interrupted => "interrupted",
        }
    }
}

/// What went wrong, with the object it went wrong with and a hint at what to do.
///
/// ```
/// use zulip_backup_core::{Error, ErrorKind};
///
/// let error = Error::new(ErrorKind::Incompatible, "expected PostgreSQL 15, found 17")
///     .with_hint("install postgresql-client-17");
/// assert_eq!(error.kind().exit_code(), 3);
/// assert_eq!(error.to_string(), "expected PostgreSQL 15, found 17");
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    path: Option<Utf8PathBuf>,
    hint: Option<String>,
    reasons: Vec<crate::Finding>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of `kind` with `message`: lower case, no full stop, naming the object and both values.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            path: None,
            hint: None,
            reasons: Vec::new(),
            source: None,
        }))
    }

    /// The operating system's answer to something done to `path`. `doing` is a verb in its base form: `open`.
    pub fn io(doing: &str, path: impl AsRef<Utf8Path>, source: std::io::Error) -> Self {
        let path = path.as_ref();
        let kind = match source.kind() {
            std::io::ErrorKind::NotFound => ErrorKind::NotFound,
            _ => ErrorKind::Io,
        };
        let hint = match source.kind() {
            std::io::ErrorKind::PermissionDenied => Some("check the owner and mode, or run as the user who may"),
            std::io::ErrorKind::StorageFull => Some("free some space, or name another place"),
            _ => None,
        };
        let mut error = Self::new(kind, format!("cannot {doing} {path}")).with_path(path).with_source(source);
        error.0.hint = hint.map(str::to_owned);
        error
    }

    /// The operation was asked to stop and did.
    pub fn interrupted() -> Self {
        Self::new(ErrorKind::Interrupted, "interrupted")
    }

    /// The file or directory the error is about.
    pub fn with_path(mut self, path: impl Into<Utf8PathBuf>) -> Self {
        self.0.path = Some(path.into());
        self
    }

    /// What the reader can do about it.
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// The cause, one level down.
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// All the reasons that were found together, where several could be known at once.
    pub fn with_reasons(mut self, reasons: Vec<crate::Finding>) -> Self {
        self.0.reasons = reasons;
        self
    }

    /// What the error means for the caller.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The file or directory the error is about, where there is one.
    pub fn path(&self) -> Option<&Utf8Path> {
        self.0.path.as_deref()
    }

    /// What the reader can do about it, where that is known.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The reasons behind a refusal or a damage report; empty where the message says it all.
    pub fn reasons(&self) -> &[crate::Finding] {
        &self.0.reasons
    }

    /// The message with its causes, joined by colons: one line for a log.
    pub fn chain(&self) -> String {
        let mut text = self.0.message.clone();
        let mut next = self.source();
        while let Some(cause) = next {
            let cause_text = cause.to_string();
            if !text.contains(&cause_text) {
                text.push_str(": ");
                text.push_str(&cause_text);
            }
            next = cause.source();
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.0.kind, self.chain())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_names_every_cause_once() {
        let io = std::io::Error::other("disk on fire");
        let error = Error::io("open", "/a/b", io);
        assert_eq!(error.chain(), "cannot open /a/b: disk on fire");
        assert_eq!(error.path(), Some(Utf8Path::new("/a/b")));
    }

    #[test]
    fn a_missing_file_is_not_found() {
        let error = Error::io("open", "/a", std::io::ErrorKind::NotFound.into());
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(error.kind().exit_code(), 6);
    }

    #[test]
    fn the_json_name_is_the_name() {
        for kind in [ErrorKind::Usage, ErrorKind::NotFound, ErrorKind::Interrupted, ErrorKind::Postgres] {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
    }
}
