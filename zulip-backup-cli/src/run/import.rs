//! `import`.

use zulip_backup_core::Result;
use zulip_backup_core::import::{self, ImportOptions};

use super::Session;
use crate::args::ImportArgs;
use crate::exit::Exit;
use crate::identity;

pub fn run(session: Session, args: &ImportArgs) -> Result<Exit> {
    let Session { console, .. } = session;
    let site = session.site()?;
    identity::become_owner(&site, None, &session.words)?;
    session.warn_of_visible_password(&site);
    let plan = import::plan(&site, &args.path, &ImportOptions::from(args), &*session.progress)?;
    if args.dry_run {
        console.product(&plan)?;
        return Ok(Exit::Done);
    }
    console.aside(&plan);
    let report = plan.execute(&*session.progress)?;
    drop(session);
    console.product(&report)?;
    Ok(Exit::done(report.has_findings()))
}
