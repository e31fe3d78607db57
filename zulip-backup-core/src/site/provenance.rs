//! Where a value comes from.

use std::fmt;

use camino::Utf8PathBuf;
use serde::{Serialize, Serializer};

/// Where a value comes from; its text is what `zulip-backup site` shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Given by the caller: the flag's name, `--deployment`.
    Flag(String),
    /// An environment variable.
    Environment(&'static str),
    /// The configuration file of zulip-backup.
    ConfigFile(Utf8PathBuf),
    /// Found at its usual place.
    Found(Utf8PathBuf),
    /// Answered by the deployment's `scripts/get-django-setting`.
    GetDjangoSetting,
    /// A literal read from a settings file.
    SettingsPy {
        /// The file.
        path: Utf8PathBuf,
        /// The line, from 1.
        line: u32,
    },
    /// Worked out from the named files.
    Derived(String),
    /// Nothing says otherwise.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(text) | Self::Derived(text) => f.write_str(text),
            Self::Environment(name) => write!(f, "${name}"),
            Self::ConfigFile(path) | Self::Found(path) => f.write_str(path.as_str()),
            Self::GetDjangoSetting => f.write_str("get-django-setting"),
            Self::SettingsPy { path, line } => write!(f, "{path}:{line}"),
            Self::Default => f.write_str("default"),
        }
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A value and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Known<T> {
    /// The value.
    pub value: T,
    /// Where it comes from.
    #[serde(rename = "from")]
    pub origin: Origin,
}

impl<T> Known<T> {
    /// A value with its origin.
    pub fn new(value: T, origin: Origin) -> Self {
        Self { value, origin }
    }

    /// Another value with the same origin.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Known<U> {
        Known { value: change(self.value), origin: self.origin }
    }
}
