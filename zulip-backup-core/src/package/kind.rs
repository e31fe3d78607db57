//! Of which kind an export is.

use std::fmt;

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
    pub(crate) fn number(self) -> i16 {
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
