//! `restore`.

use std::fmt;

use serde::Serialize;
use zulip_backup_core::restore::{self, Preflight, RestoreOptions, RestorePlan, Source};
use zulip_backup_core::{Result, Severity};

use super::Session;
use crate::args::RestoreArgs;
use crate::exit::Exit;

pub fn run(session: Session, args: &RestoreArgs) -> Result<Exit> {
    let site = session.site()?;
    session.warn_of_visible_password(&site);
    let Session { console, progress, .. } = session;
    let options = RestoreOptions::from(args);
    if args.commit || args.rollback {
        let end = if args.commit { restore::commit } else { restore::rollback };
        let report = end(&site, &options, &*progress)?;
        drop(progress);
        console.product(&report)?;
        return Ok(Exit::Done);
    }
    let source = match &args.archive {
        Some(path) => Source::archive(path)?,
        None => Source::parts(args.database.as_deref(), args.settings.as_deref(), args.uploads.as_deref())?,
    };
    let plan = restore::plan(&source, &site, &options, &*progress)?;
    if args.dry_run {
        let preflight = plan.check(&*progress)?;
        drop(progress);
        console.product(&DryRun { plan: &plan, preflight: &preflight })?;
        return Ok(Exit::done(preflight.findings.iter().any(|finding| finding.severity >= Severity::Warning)));
    }
    console.aside(&plan);
    let preflighted = plan.preflight(&*progress)?;
    console.aside(preflighted.preflight());
    let report = preflighted.execute(&*progress)?;
    drop(progress);
    console.product(&report)?;
    Ok(Exit::done(report.has_findings()))
}

/// What would be done and what speaks against it.
#[derive(Serialize)]
struct DryRun<'a> {
    plan: &'a RestorePlan,
    preflight: &'a Preflight,
}

impl fmt::Display for DryRun<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}", self.plan, self.preflight)
    }
}
