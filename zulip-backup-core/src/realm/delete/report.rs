//! What a deletion did.

use std::fmt;

use serde::Serialize;

use crate::realm::delete::files::FileCount;
use crate::realm::delete::plan::TableRows;
use crate::realm::journal::Place;
use crate::site::Site;
use crate::units::seconds;
use crate::{Findings, Result, Severity};

/// What a deletion did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DeleteReport {
    /// The organisation's id.
    pub realm_id: i64,
    /// Its `string_id`.
    pub realm: String,
    /// Deleted rows, by table, the most first.
    pub tables: Vec<TableRows>,
    /// All of them.
    pub rows: u64,
    /// How many sessions of its users were ended.
    pub ended_sessions: u64,
    /// Removed files.
    pub files: FileCount,
    /// What was noticed.
    pub findings: Findings,
    /// What is left to do by hand: commands, in order.
    pub next_steps: Vec<String>,
    /// What all took, in seconds.
    pub seconds: f64,
}

impl DeleteReport {
    /// Whether something needs a person's look: exit code 1. Notes do not.
    pub fn has_findings(&self) -> bool {
        self.findings.at_least(Severity::Warning) > 0
    }
}

/// What was left to do of a deletion that was stopped between the rows and the files, and is done now.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FinishReport {
    /// What was done, and noticed.
    pub findings: Findings,
}

impl FinishReport {
    /// Whether something needs a person's look: exit code 1. Notes do not.
    pub fn has_findings(&self) -> bool {
        self.findings.at_least(Severity::Warning) > 0
    }
}

/// Brings deletions to their end that were stopped between the rows and the files, as every change of an organisation does
/// before it begins. What was done comes back for the organisation with this id or `string_id`, if it was one of them.
///
/// # Errors
/// What the database and the disk answer.
pub fn finish(site: &Site, realm: &str) -> Result<Option<FinishReport>> {
    let settled = Place::of(site).settle(&site.database()?.value)?;
    let meant = |id: Option<i64>, name: &str| id.is_some_and(|id| id.to_string() == realm || name == realm);
    Ok(settled.into_iter().find(|settled| meant(settled.realm_id, &settled.realm)).map(|settled| {
        let mut findings = Findings::default();
        for finding in settled.findings {
            findings.push(finding);
        }
        FinishReport { findings }
    }))
}

impl fmt::Display for FinishReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.findings.list.iter().try_for_each(|finding| writeln!(f, "{finding}"))
    }
}

impl fmt::Display for DeleteReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "rows      {} in {} tables", self.rows, self.tables.len())?;
        writeln!(f, "ended     {} sessions", self.ended_sessions)?;
        writeln!(f, "files     {}", self.files)?;
        crate::realm::show_rest(f, &self.findings, &self.next_steps)?;
        write!(f, "realm     {:?} (id {}) deleted in {}", self.realm, self.realm_id, seconds(self.seconds))
    }
}
