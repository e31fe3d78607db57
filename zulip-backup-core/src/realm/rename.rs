//! Giving an organisation another subdomain, another name, or both.

use std::fmt;
use std::time::Instant;

use postgres::Transaction;
use serde::{Deserialize, Serialize};

use crate::postgres::error;
use crate::realm::change::Change;
use crate::realm::sessions::end_sessions;
use crate::realm::{Existing, Subdomain, show};
use crate::site::Site;
use crate::units::seconds;
use crate::{Error, ErrorKind, Findings, Progress, Result, Severity};

/// What the column `zerver_realm.name` holds.
const MAX_NAME: usize = 40;

/// `zerver_realmauditlog.event_type` of a changed setting, with its old and its new value.
const REALM_PROPERTY_CHANGED: i16 = 207;

/// What may be asked of a change of name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RenameOptions {
    /// The organisation's id or `string_id`.
    pub realm: String,
    /// The new subdomain; empty for the root domain.
    pub subdomain: Option<String>,
    /// The new name.
    pub name: Option<String>,
    /// Whether the subdomain may be a reserved word.
    pub allow_reserved_subdomain: bool,
}

impl RenameOptions {
    /// Changes nothing yet of an organisation.
    pub fn of(realm: impl Into<String>) -> Self {
        Self { realm: realm.into(), ..Self::default() }
    }

    /// Gives it another subdomain.
    pub fn subdomain(mut self, subdomain: impl Into<String>) -> Self {
        self.subdomain = Some(subdomain.into());
        self
    }

    /// Gives it another name.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Lets the subdomain be a reserved word, or not.
    pub fn allow_reserved_subdomain(mut self, allow: bool) -> Self {
        self.allow_reserved_subdomain = allow;
        self
    }
}

/// What a change of name will do. This is the dry run.
#[derive(Debug, Serialize)]
pub struct RenamePlan {
    /// The organisation's id.
    pub realm_id: i64,
    /// Its `string_id` now.
    pub realm: String,
    /// Its name now.
    pub name: String,
    /// Its subdomain afterwards, where that changes.
    pub new_subdomain: Option<Subdomain>,
    /// Its name afterwards, where that changes.
    pub new_name: Option<String>,
    /// The host it answers to afterwards, where the server's name is known.
    pub new_host: Option<String>,
    /// The host it answers to now.
    #[serde(skip)]
    old_host: Option<String>,
    #[serde(skip)]
    change: Change,
}

/// What a change of name did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RenameReport {
    /// The organisation's id.
    pub realm_id: i64,
    /// Its `string_id` before.
    pub old_realm: String,
    /// Its `string_id` now.
    pub realm: String,
    /// Its name now.
    pub name: String,
    /// How many sessions of its users were ended: they log in at the new address.
    pub ended_sessions: u64,
    /// How many deactivated organisations lead to the new address now, and led to the old one.
    pub redirects: u64,
    /// What was noticed.
    pub findings: Findings,
    /// What is left to do by hand, in order.
    pub next_steps: Vec<String>,
    /// What all took, in seconds.
    pub seconds: f64,
}

/// Says what a change of name will do. Reads, never writes.
///
/// # Errors
/// `Usage` where nothing would change, or for a name that cannot be; `Refused`, with all reasons, for a subdomain that the
/// server cannot give; and as [`deactivate::plan`](super::deactivate::plan).
pub fn plan(site: &Site, options: &RenameOptions) -> Result<RenamePlan> {
    if let Some(name) = &options.name {
        check_name(name)?;
    }
    let (change, mut client) = Change::of(site, &options.realm, "rename")?;
    let old = &change.realm;
    let wanted = options.subdomain.as_ref().filter(|subdomain| **subdomain != old.string_id);
    let new_name = options.name.clone().filter(|name| *name != old.name);
    if wanted.is_none() && new_name.is_none() {
        let message = format!("the organisation {:?} is called that already, or no new name is given", old.string_id);
        return Err(Error::new(ErrorKind::Usage, message).with_hint("give it a new subdomain, a new --name, or both"));
    }
    let new_subdomain = match wanted {
        None => None,
        Some(wanted) => {
            let existing = Existing::of(site, &mut client)?.allow_reserved(options.allow_reserved_subdomain);
            Some(Subdomain::check(wanted, &existing).map_err(|reasons| {
                Error::new(ErrorKind::Refused, format!("the server cannot give the subdomain {wanted:?}"))
                    .with_reasons(reasons)
                    .with_hint("choose another; --allow-reserved-subdomain lets reserved words be taken")
            })?)
        }
    };
    Ok(RenamePlan {
        realm_id: old.id,
        realm: old.string_id.clone(),
        name: old.name.clone(),
        old_host: show::host(site, &old.string_id).ok(),
        new_host: new_subdomain.as_ref().and_then(|new| show::host(site, new.as_str()).ok()),
        new_subdomain,
        new_name,
        change,
    })
}

fn check_name(name: &str) -> Result<()> {
    let length = name.chars().count();
    if name.trim().is_empty() || length > MAX_NAME || name.chars().any(char::is_control) {
        let message =
            format!("{name:?} is no name: it has {length} characters, and may have 1 to {MAX_NAME} on one line");
        return Err(Error::new(ErrorKind::Usage, message));
    }
    Ok(())
}

impl RenamePlan {
    /// Changes the names.
    ///
    /// # Errors
    /// As [`DeactivatePlan::execute`](super::deactivate::DeactivatePlan::execute).
    pub fn execute(&self, progress: &dyn Progress) -> Result<RenameReport> {
        let begun = Instant::now();
        let failed = |failure| error("rename the organisation", failure);
        let (mut findings, mut next_steps) = (Findings::default(), Vec::new());
        let (_reservation, mut client) = self.change.begin(&mut findings)?;
        let mut transaction = client.transaction().map_err(failed)?;
        self.change.lock(&mut transaction)?;
        let (mut ended_sessions, mut redirects) = (0, 0);
        if let Some(name) = &self.new_name {
            self.set_name(&mut transaction, name)?;
        }
        if let Some(subdomain) = &self.new_subdomain {
            // That nobody took it meanwhile, the column's key sees to.
            let update = "UPDATE zerver_realm SET string_id = $2 WHERE id = $1::int8";
            transaction.execute(update, &[&self.realm_id, &subdomain.as_str()]).map_err(failed)?;
            ended_sessions = end_sessions(&mut transaction, self.realm_id)?;
            redirects = self.move_redirects(&mut transaction)?;
        }
        progress.checkpoint()?;
        transaction.commit().map_err(failed)?;
        if let Some(host) = self.new_host.as_ref().filter(|_| self.new_subdomain.is_some()) {
            next_steps.push(format!("let {host} lead to this server: its name (DNS) and its certificate (TLS)"));
        }
        self.change.flush_caches(&mut findings, &mut next_steps);
        Ok(RenameReport {
            realm_id: self.realm_id,
            old_realm: self.realm.clone(),
            realm: self.new_subdomain.as_ref().map_or_else(|| self.realm.clone(), |new| new.as_str().to_owned()),
            name: self.new_name.clone().unwrap_or_else(|| self.name.clone()),
            ended_sessions,
            redirects,
            findings,
            next_steps,
            seconds: begun.elapsed().as_secs_f64(),
        })
    }

    /// As upstream does where an administrator changes it.
    fn set_name(&self, transaction: &mut Transaction<'_>, name: &str) -> Result<()> {
        let failed = |failure| error("change the organisation's name", failure);
        let log = "INSERT INTO zerver_realmauditlog (realm_id, event_type, event_time, backfilled, extra_data)
                   SELECT id, $2, now(), false, jsonb_build_object('1', name, '2', $3::text, 'property', 'name')
                   FROM zerver_realm WHERE id = $1::int8";
        transaction.execute(log, &[&self.realm_id, &REALM_PROPERTY_CHANGED, &name]).map_err(failed)?;
        let update = "UPDATE zerver_realm SET name = $2 WHERE id = $1::int8";
        transaction.execute(update, &[&self.realm_id, &name]).map_err(failed)?;
        Ok(())
    }

    /// Lets deactivated organisations that lead to the old address lead to the new one.
    fn move_redirects(&self, transaction: &mut Transaction<'_>) -> Result<u64> {
        let Some((old, new)) = self.old_host.as_ref().zip(self.new_host.as_ref()) else { return Ok(0) };
        let mut moved = 0;
        for scheme in ["https://", "http://"] {
            for end in ["", "/"] {
                let (old, new) = (format!("{scheme}{old}{end}"), format!("{scheme}{new}{end}"));
                let update = "UPDATE zerver_realm SET deactivated_redirect = $2
                              WHERE deactivated AND deactivated_redirect = $1 AND length($2) <= 128";
                moved += transaction
                    .execute(update, &[&old, &new])
                    .map_err(|failure| error("change where deactivated organisations lead to", failure))?;
            }
        }
        Ok(moved)
    }
}

impl RenameReport {
    /// Whether something needs a person's look: exit code 1. Notes do not.
    pub fn has_findings(&self) -> bool {
        self.findings.at_least(Severity::Warning) > 0
    }
}

impl fmt::Display for RenamePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "realm     {:?} (id {}), {}", self.realm, self.realm_id, self.name)?;
        if let Some(subdomain) = &self.new_subdomain {
            write!(f, "\nsubdomain {:?}", subdomain.as_str())?;
            self.new_host.iter().try_for_each(|host| write!(f, ", at {host}"))?;
            write!(
                f,
                "\neffect    nothing leads from the old address to the new one; everybody logs in again, in apps too"
            )?;
        }
        self.new_name.iter().try_for_each(|name| write!(f, "\nname      {name}"))
    }
}

impl fmt::Display for RenameReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.realm != self.old_realm {
            writeln!(
                f,
                "subdomain {:?}, and {:?} before: that address no longer leads anywhere",
                self.realm, self.old_realm
            )?;
            writeln!(f, "ended     {} sessions", self.ended_sessions)?;
            if self.redirects > 0 {
                writeln!(f, "redirects {} of deactivated organisations lead to the new address", self.redirects)?;
            }
        }
        super::show_rest(f, &self.findings, &self.next_steps)?;
        let Self { realm, realm_id, name, .. } = self;
        write!(f, "realm     {realm:?} (id {realm_id}), {name}, renamed in {}", seconds(self.seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_line_that_fits() {
        check_name("Müller & Söhne").unwrap();
        check_name(&"ü".repeat(40)).unwrap();
        for wrong in ["", "  ", "a\nb", &"x".repeat(41)] {
            assert_eq!(check_name(wrong).unwrap_err().kind(), ErrorKind::Usage, "{wrong:?}");
        }
    }
}
