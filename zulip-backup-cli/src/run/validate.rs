//! `validate` and `diff`.

use zulip_backup_core::diff::{self, DiffOptions};
use zulip_backup_core::validate::{self, ValidateOptions};
use zulip_backup_core::{Result, Severity};

use super::Session;
use crate::args::{DiffArgs, ValidateArgs};
use crate::exit::Exit;

pub fn run(session: Session, args: &ValidateArgs) -> Result<Exit> {
    let Session { console, progress, .. } = session;
    let mut options = ValidateOptions::default().jobs(args.jobs.map_or(0, usize::from));
    options.kind = args.kind.map(Into::into);
    options.consent_message = args.consent_message_id;
    let report = validate::validate(&args.export, &options, &*progress)?;
    drop(progress);
    console.product(&report)?;
    if !report.is_sound() {
        return Ok(Exit::Damaged);
    }
    Ok(Exit::done(report.findings.at_least(Severity::Warning) > 0))
}

pub fn diff(session: Session, args: &DiffArgs) -> Result<Exit> {
    let Session { console, progress, .. } = session;
    let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let options =
        DiffOptions::default().limit(limit).jobs(args.jobs.map_or(0, usize::from)).renumbered(args.renumbered);
    let report = diff::diff(&args.a, &args.b, &options, &*progress)?;
    drop(progress);
    console.product(&report)?;
    Ok(Exit::done(!report.is_same()))
}
