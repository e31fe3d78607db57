//! Deactivating an organisation: nobody can log in or send messages.

use std::fmt;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::postgres::error;
use crate::realm::change::Change;
use crate::realm::deactivation::{Deactivation, Ended};
use crate::site::Site;
use crate::units::seconds;
use crate::{Error, ErrorKind, Findings, Progress, Result, Severity};

/// What the column `zerver_realm.deactivated_redirect` holds.
const MAX_REDIRECT: usize = 128;

/// What may be asked of a deactivation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeactivateOptions {
    /// The organisation's id or `string_id`.
    pub realm: String,
    /// Why, for the audit log: a word such as `owner_request` or `self_hosting_migration`.
    pub reason: String,
    /// Where visitors are sent from now on.
    pub redirect_url: Option<String>,
}

impl DeactivateOptions {
    /// Deactivates an organisation for a reason.
    pub fn of(realm: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { realm: realm.into(), reason: reason.into(), redirect_url: None }
    }

    /// Sends visitors to an address.
    pub fn redirect_url(mut self, url: impl Into<String>) -> Self {
        self.redirect_url = Some(url.into());
        self
    }
}

/// What a deactivation will do. This is the dry run.
#[derive(Debug, Serialize)]
pub struct DeactivatePlan {
    /// The organisation's id.
    pub realm_id: i64,
    /// Its `string_id`.
    pub realm: String,
    /// Its name.
    pub name: String,
    /// Whether it is deactivated already: then only the address to lead to changes, if one is given.
    pub already: bool,
    /// Why, for the audit log.
    pub reason: String,
    /// Where visitors are sent from now on.
    pub redirect_url: Option<String>,
    #[serde(skip)]
    change: Change,
}

/// What a deactivation did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DeactivateReport {
    /// The organisation's id.
    pub realm_id: i64,
    /// Its `string_id`.
    pub realm: String,
    /// Whether it had been deactivated before.
    pub already: bool,
    /// Where visitors are sent from now on, if that was changed.
    pub redirect_url: Option<String>,
    /// How many sessions of its users were ended.
    pub ended_sessions: u64,
    /// How many e-mails on their way were deleted.
    pub deleted_emails: u64,
    /// What was noticed.
    pub findings: Findings,
    /// What is left to do by hand: commands, in order.
    pub next_steps: Vec<String>,
    /// What all took, in seconds.
    pub seconds: f64,
}

/// Says what a deactivation will do. Reads, never writes.
///
/// # Errors
/// `Usage` for a reason or an address that cannot be, `NotFound` for an organisation that is not there, `Refused` for that
/// of the system's bots, `Locked` while Zulip is upgraded, and what the database answers.
pub fn plan(site: &Site, options: &DeactivateOptions) -> Result<DeactivatePlan> {
    if options.reason.trim().is_empty() || options.reason.chars().any(char::is_control) {
        return Err(Error::new(ErrorKind::Usage, "a deactivation has a reason, which the audit log keeps"));
    }
    if let Some(url) = &options.redirect_url {
        check_url(url)?;
    }
    let (change, _) = Change::of(site, &options.realm, "deactivate")?;
    Ok(DeactivatePlan {
        realm_id: change.realm.id,
        realm: change.realm.string_id.clone(),
        name: change.realm.name.clone(),
        already: change.realm.deactivated,
        reason: options.reason.clone(),
        redirect_url: options.redirect_url.clone(),
        change,
    })
}

fn check_url(url: &str) -> Result<()> {
    let wrong = |what: &str| Err(Error::new(ErrorKind::Usage, format!("{url:?} {what}")));
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    if host.is_none_or(|host| host.is_empty() || host.starts_with('/')) {
        return wrong("is no address: it begins with https:// and a host");
    }
    if url.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return wrong("is no address: it has a space in it");
    }
    if url.chars().count() > MAX_REDIRECT {
        return wrong(&format!("is longer than the {MAX_REDIRECT} characters that Zulip keeps"));
    }
    Ok(())
}

impl DeactivatePlan {
    /// Deactivates.
    ///
    /// # Errors
    /// `Locked` while somebody else changes or exports the organisation, `Refused` when it is not what it was for the plan,
    /// `Interrupted` when `progress` asks to stop, and what the database answers: nothing has changed then.
    pub fn execute(&self, progress: &dyn Progress) -> Result<DeactivateReport> {
        let begun = Instant::now();
        let failed = |failure| error("deactivate the organisation", failure);
        let (mut findings, mut next_steps) = (Findings::default(), Vec::new());
        let (_reservation, mut client) = self.change.begin(&mut findings)?;
        let mut transaction = client.transaction().map_err(failed)?;
        self.change.lock(&mut transaction)?;
        let deactivation = Deactivation::within(&mut transaction, self.realm_id, &self.reason)?;
        let ended = match &deactivation {
            Some(deactivation) => deactivation.complete_within(&mut transaction)?,
            None => Ended { sessions: 0, emails: 0 },
        };
        if let Some(url) = &self.redirect_url {
            let update = "UPDATE zerver_realm SET deactivated_redirect = $2 WHERE id = $1::int8";
            transaction.execute(update, &[&self.realm_id, url]).map_err(failed)?;
        }
        progress.checkpoint()?;
        transaction.commit().map_err(failed)?;
        self.change.flush_caches(&mut findings, &mut next_steps);
        Ok(DeactivateReport {
            realm_id: self.realm_id,
            realm: self.realm.clone(),
            already: deactivation.is_none(),
            redirect_url: self.redirect_url.clone(),
            ended_sessions: ended.sessions,
            deleted_emails: ended.emails,
            findings,
            next_steps,
            seconds: begun.elapsed().as_secs_f64(),
        })
    }
}

impl DeactivateReport {
    /// Whether something needs a person's look: exit code 1. Notes do not.
    pub fn has_findings(&self) -> bool {
        self.findings.at_least(Severity::Warning) > 0
    }
}

impl fmt::Display for DeactivatePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "realm     {:?} (id {}), {}", self.realm, self.realm_id, self.name)?;
        if self.already {
            write!(f, "state     deactivated already")?;
        } else {
            writeln!(f, "reason    {}", self.reason)?;
            write!(f, "effect    nobody can log in or send messages; sessions end, e-mails on their way are deleted")?;
        }
        self.redirect_url.iter().try_for_each(|url| write!(f, "\nredirect  {url}"))
    }
}

impl fmt::Display for DeactivateReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { realm, realm_id, ended_sessions, deleted_emails, .. } = self;
        if let Some(url) = &self.redirect_url {
            writeln!(f, "redirect  {url}")?;
        }
        super::show_rest(f, &self.findings, &self.next_steps)?;
        if self.already {
            return write!(f, "realm     {realm:?} (id {realm_id}) is deactivated already");
        }
        writeln!(f, "ended     {ended_sessions} sessions, {deleted_emails} e-mails on their way")?;
        write!(f, "realm     {realm:?} (id {realm_id}) deactivated in {}", seconds(self.seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_to_lead_to_is_one() {
        for good in ["https://chat.example.com", "http://a.b:9991/x"] {
            check_url(good).unwrap();
        }
        let long = format!("https://{}", "x".repeat(121));
        for wrong in ["", "chat.example.com", "https://", "https:///x", "https://a b", "javascript:1", &long] {
            assert_eq!(check_url(wrong).unwrap_err().kind(), ErrorKind::Usage, "{wrong}");
        }
    }
}
