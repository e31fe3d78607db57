//! Making a deactivated organisation active again.

use std::fmt;
use std::time::Instant;

use serde::Serialize;

use crate::postgres::error;
use crate::realm::change::Change;
use crate::realm::deactivation;
use crate::site::Site;
use crate::units::seconds;
use crate::{Findings, Progress, Result, Severity};

/// What a reactivation will do. This is the dry run.
#[derive(Debug, Serialize)]
pub struct ReactivatePlan {
    /// The organisation's id.
    pub realm_id: i64,
    /// Its `string_id`.
    pub realm: String,
    /// Its name.
    pub name: String,
    /// Whether it is active already: then nothing changes.
    pub already: bool,
    #[serde(skip)]
    change: Change,
}

/// What a reactivation did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReactivateReport {
    /// The organisation's id.
    pub realm_id: i64,
    /// Its `string_id`.
    pub realm: String,
    /// Whether it was active before.
    pub already: bool,
    /// What was noticed.
    pub findings: Findings,
    /// What is left to do by hand: commands, in order.
    pub next_steps: Vec<String>,
    /// What all took, in seconds.
    pub seconds: f64,
}

/// Says what a reactivation of the organisation with this id or `string_id` will do. Reads, never writes.
///
/// # Errors
/// `NotFound` for an organisation that is not there, `Refused` for that of the system's bots, `Locked` while Zulip is
/// upgraded, and what the database answers.
pub fn plan(site: &Site, realm: &str) -> Result<ReactivatePlan> {
    let (change, _) = Change::of(site, realm, "reactivate")?;
    Ok(ReactivatePlan {
        realm_id: change.realm.id,
        realm: change.realm.string_id.clone(),
        name: change.realm.name.clone(),
        already: !change.realm.deactivated,
        change,
    })
}

impl ReactivatePlan {
    /// Makes it active. Where the deactivated organisation led to stays in the database, as upstream leaves it; sessions
    /// and e-mails do not come back.
    ///
    /// # Errors
    /// As [`DeactivatePlan::execute`](super::deactivate::DeactivatePlan::execute).
    pub fn execute(&self, progress: &dyn Progress) -> Result<ReactivateReport> {
        let begun = Instant::now();
        let failed = |failure| error("activate the organisation", failure);
        let (mut findings, mut next_steps) = (Findings::default(), Vec::new());
        let (_reservation, mut client) = self.change.begin(&mut findings)?;
        let mut transaction = client.transaction().map_err(failed)?;
        self.change.lock(&mut transaction)?;
        let changed = deactivation::reactivate(&mut transaction, self.realm_id)?;
        progress.checkpoint()?;
        transaction.commit().map_err(failed)?;
        self.change.flush_caches(&mut findings, &mut next_steps);
        Ok(ReactivateReport {
            realm_id: self.realm_id,
            realm: self.realm.clone(),
            already: !changed,
            findings,
            next_steps,
            seconds: begun.elapsed().as_secs_f64(),
        })
    }
}

impl ReactivateReport {
    /// Whether something needs a person's look: exit code 1. Notes do not.
    pub fn has_findings(&self) -> bool {
        self.findings.at_least(Severity::Warning) > 0
    }
}

impl fmt::Display for ReactivatePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "realm     {:?} (id {}), {}", self.realm, self.realm_id, self.name)?;
        f.write_str(if self.already {
            "state     active already"
        } else {
            "effect    its users can log in again; a scheduled deletion is called off"
        })
    }
}

impl fmt::Display for ReactivateReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { realm, realm_id, .. } = self;
        super::show_rest(f, &self.findings, &self.next_steps)?;
        if self.already {
            return write!(f, "realm     {realm:?} (id {realm_id}) is active already");
        }
        write!(f, "realm     {realm:?} (id {realm_id}) active again in {}", seconds(self.seconds))
    }
}
