//! `import`.

use zulip_backup_core::Result;
use zulip_backup_core::import::{self, ImportOptions};

use super::Session;
use crate::args::ImportArgs;
use crate::exit::Exit;

pub fn run(session: Session, args: &ImportArgs) -> Result<Exit> {
    let site = session.open(None)?;
    let plan = import::plan(&site, &args.path, &ImportOptions::from(args), &*session.progress)?;
    session.carry_out(&plan, args.dry_run, |progress| {
        let report = plan.execute(progress)?;
        Ok((report.has_findings(), report))
    })
}
