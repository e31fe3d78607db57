//! `realm`.

use std::fmt::Display;
use std::io::{self, BufRead, IsTerminal, Read, Write};

use serde::Serialize;
use zulip_backup_core::realm::deactivate::DeactivateOptions;
use zulip_backup_core::realm::delete::DeletePlan;
use zulip_backup_core::realm::rename::RenameOptions;
use zulip_backup_core::realm::{self, deactivate, delete, reactivate, rename};
use zulip_backup_core::site::Site;
use zulip_backup_core::{Error, ErrorKind, Result};

use super::{Session, among_uploads};
use crate::args::{RealmArgs, RealmDeleteArgs, RealmVerb};
use crate::exit::Exit;

pub fn run(session: Session, args: &RealmArgs) -> Result<Exit> {
    let changed = matches!(&args.verb, RealmVerb::Delete(verb) if !verb.dry_run);
    let site = session.site()?;
    // The journal of a deletion is written there.
    let journal = if changed { among_uploads(&site) } else { None };
    session.enter(&site, journal.as_deref())?;
    match &args.verb {
        RealmVerb::List(_) => show(&session, &realm::list(&site)?),
        RealmVerb::Show(verb) => show(&session, &realm::show(&site, &verb.realm)?),
        RealmVerb::Deactivate(verb) => {
            let plan = deactivate::plan(&site, &DeactivateOptions::from(verb))?;
            session.carry_out(&plan, verb.dry_run, |progress| {
                let report = plan.execute(progress)?;
                Ok((report.has_findings(), report))
            })
        }
        RealmVerb::Reactivate(verb) => {
            let plan = reactivate::plan(&site, &verb.realm)?;
            session.carry_out(&plan, verb.dry_run, |progress| {
                let report = plan.execute(progress)?;
                Ok((report.has_findings(), report))
            })
        }
        RealmVerb::Rename(verb) => {
            let plan = rename::plan(&site, &RenameOptions::from(verb))?;
            session.carry_out(&plan, verb.dry_run, |progress| {
                let report = plan.execute(progress)?;
                Ok((report.has_findings(), report))
            })
        }
        RealmVerb::Delete(verb) => delete(session, &site, verb),
    }
}

fn show(session: &Session, product: &(impl Display + Serialize)) -> Result<Exit> {
    session.console.product(product)?;
    Ok(Exit::Done)
}

fn delete(session: Session, site: &Site, args: &RealmDeleteArgs) -> Result<Exit> {
    // One that was stopped between the rows and the files is not found among the organisations any more.
    if !args.dry_run
        && let Some(report) = delete::finish(site, &args.realm)?
    {
        session.console.product(&report)?;
        return Ok(Exit::done(report.has_findings()));
    }
    let plan = delete::plan(site, &args.realm)?;
    session.carry_out(&plan, args.dry_run, |progress| {
        if !args.yes {
            confirm(&plan)?;
        }
        let report = plan.execute(progress)?;
        Ok((report.has_findings(), report))
    })
}

/// Asks on the terminal.
fn confirm(plan: &DeletePlan) -> Result<()> {
    let expected = if plan.realm.is_empty() { &plan.name } else { &plan.realm };
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return Err(Error::new(ErrorKind::Usage, format!("the deletion of {expected:?} was not confirmed"))
            .with_hint("there is no terminal to ask on: give --yes"));
    }
    let _ = write!(io::stderr().lock(), "This cannot be undone. Type {expected} to confirm: ");
    typed(expected, &mut stdin.lock())
}

fn typed(expected: &str, input: &mut impl BufRead) -> Result<()> {
    let mut answer = String::new();
    input
        .take(1 << 10)
        .read_line(&mut answer)
        .map_err(|error| Error::new(ErrorKind::Io, "cannot read the answer").with_source(error))?;
    if answer.trim_end_matches(['\r', '\n']) == expected {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Refused, format!("not confirmed: {expected:?} was not typed; nothing was deleted")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_subdomain_itself_confirms() {
        for good in ["acme\n", "acme", "acme\r\n"] {
            typed("acme", &mut good.as_bytes()).unwrap();
        }
        for wrong in ["", "\n", "yes\n", "Acme\n", "acme \n", "acm\n", &"a".repeat(5000)] {
            assert_eq!(typed("acme", &mut wrong.as_bytes()).unwrap_err().kind(), ErrorKind::Refused, "{wrong:?}");
        }
    }
}
