//! `upgrade-export`.

use zulip_backup_core::Result;
use zulip_backup_core::upgrade::{self, UpgradeOptions};

use super::Session;
use crate::args::UpgradeExportArgs;
use crate::exit::Exit;

pub fn run(session: Session, args: &UpgradeExportArgs) -> Result<Exit> {
    let plan = upgrade::plan(&args.export, &UpgradeOptions::from(args), &*session.progress)?;
    session.carry_out(&plan, args.dry_run, |progress| {
        let report = plan.execute(progress)?;
        Ok((report.has_findings(), report))
    })
}
