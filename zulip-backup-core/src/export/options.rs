//! What may be asked of an export.

use std::fmt;

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

/// What an export holds of people who were not asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Everything: for moving an organisation to another server.
    #[default]
    Full,
    /// Everything public, and private data of the users who consent.
    FullWithConsent,
    /// Public channels.
    Public,
}

impl Kind {
    /// `zerver_realmexport.type`.
    pub(super) fn number(self) -> i16 {
        match self {
            Self::Public => 1,
            Self::FullWithConsent => 2,
            Self::Full => 3,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "full",
            Self::FullWithConsent => "full with consent",
            Self::Public => "public",
        })
    }
}

/// What to do where upstream's exporter is wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compat {
    /// What is right: see docs/upstream-differences.md.
    #[default]
    Fixed,
    /// What upstream does.
    Strict,
}

/// What may be asked of an export. The default is all of the organisation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExportOptions {
    /// The organisation: its id, or its `string_id`; empty for the one at the root domain.
    pub realm: String,
    /// The directory to write.
    pub output: Option<Utf8PathBuf>,
    /// Whose data.
    pub kind: Kind,
    /// What to do where upstream is wrong.
    pub compat: Compat,
    /// Leave no trace in the database.
    pub no_record: bool,
    /// Export also where nobody could use the result.
    pub force: bool,
    /// How many threads and connections; absent: the machine's processors.
    pub jobs: Option<usize>,
}

impl ExportOptions {
    /// Of the organisation with this id or `string_id`.
    pub fn of(realm: impl Into<String>) -> Self {
        Self { realm: realm.into(), ..Self::default() }
    }

    /// The directory to write.
    pub fn output(mut self, path: impl Into<Utf8PathBuf>) -> Self {
        self.output = Some(path.into());
        self
    }

    /// Whose data.
    pub fn kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// What to do where upstream is wrong.
    pub fn compat(mut self, compat: Compat) -> Self {
        self.compat = compat;
        self
    }

    /// Leave no trace in the database.
    pub fn no_record(mut self, no_record: bool) -> Self {
        self.no_record = no_record;
        self
    }

    /// How many threads and connections.
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.jobs = Some(jobs);
        self
    }
}
