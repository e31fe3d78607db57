//! `export`.

use zulip_backup_core::Result;
use zulip_backup_core::export::{self, ExportOptions};
use zulip_backup_core::realm;

use super::{Session, among_uploads};
use crate::args::{ExportArgs, ExportUserArgs};
use crate::exit::Exit;

pub fn run(session: Session, args: &ExportArgs) -> Result<Exit> {
    if args.list {
        let site = session.open(None)?;
        session.console.product(&realm::list(&site)?)?;
        return Ok(Exit::Done);
    }
    export(session, &ExportOptions::from(args), args.dry_run)
}

pub fn user(session: Session, args: &ExportUserArgs) -> Result<Exit> {
    export(session, &ExportOptions::from(args), args.dry_run)
}

fn export(session: Session, options: &ExportOptions, dry_run: bool) -> Result<Exit> {
    let site = session.site()?;
    let output = if options.upload { among_uploads(&site) } else { options.output.clone() };
    session.enter(&site, output.as_deref())?;
    let plan = export::plan(&site, options)?;
    session.carry_out(&plan, dry_run, |progress| {
        let report = plan.execute(progress)?;
        Ok((report.has_findings(), report))
    })
}
