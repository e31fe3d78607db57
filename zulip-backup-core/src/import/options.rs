//! What may be asked of an import.

use serde::{Deserialize, Serialize};

use crate::package::Compat;

/// What may be asked of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ImportOptions {
    /// The new organisation's subdomain; empty for the root domain.
    pub subdomain: String,
    /// Take a subdomain that is reserved.
    pub allow_reserved_subdomain: bool,
    /// Keep the organisation's name. Zulip's importer gives it that of the subdomain.
    pub keep_name: bool,
    /// Whether links in messages follow the new ids; absent: unless it is done as Zulip does.
    pub fix_links: Option<bool>,
    /// Let users keep the powers over the whole server that the export says they have.
    pub trust_server_powers: bool,
    /// What is done where upstream is wrong.
    pub compat: Compat,
    /// How many threads; absent: the machine's processors.
    pub jobs: Option<usize>,
}

impl ImportOptions {
    /// To this subdomain; empty for the root domain.
    pub fn to(subdomain: impl Into<String>) -> Self {
        Self { subdomain: subdomain.into(), ..Self::default() }
    }

    /// Works with so many threads.
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.jobs = Some(jobs);
        self
    }

    /// Does this where upstream is wrong.
    pub fn compat(mut self, compat: Compat) -> Self {
        self.compat = compat;
        self
    }
}
