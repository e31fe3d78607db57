//! `export`.

use camino::Utf8Path;
use zulip_backup_core::Result;
use zulip_backup_core::export::{self, ExportOptions};
use zulip_backup_core::realm;
use zulip_backup_core::site::Site;

use super::Session;
use crate::args::{ExportArgs, ExportUserArgs};
use crate::exit::Exit;
use crate::identity;

pub fn run(session: Session, args: &ExportArgs) -> Result<Exit> {
    if args.list {
        let site = open(&session, None)?;
        session.console.product(&realm::list(&site)?)?;
        return Ok(Exit::Done);
    }
    export(session, &ExportOptions::from(args), args.dry_run)
}

pub fn user(session: Session, args: &ExportUserArgs) -> Result<Exit> {
    export(session, &ExportOptions::from(args), args.dry_run)
}

fn open(session: &Session, output: Option<&Utf8Path>) -> Result<Site> {
    let site = session.site()?;
    identity::become_owner(&site, output, &session.words)?;
    session.warn_of_visible_password(&site);
    Ok(site)
}

fn export(session: Session, options: &ExportOptions, dry_run: bool) -> Result<Exit> {
    let Session { console, .. } = session;
    let site = open(&session, options.output.as_deref())?;
    let plan = export::plan(&site, options)?;
    if dry_run {
        console.product(&plan)?;
        return Ok(Exit::Done);
    }
    console.aside(&plan);
    let report = plan.execute(&*session.progress)?;
    drop(session);
    console.product(&report)?;
    Ok(Exit::done(report.has_findings()))
}
