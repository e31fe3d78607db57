//! `site`.

use zulip_backup_core::{Result, Severity};

use super::Session;
use crate::exit::Exit;

pub fn run(session: &Session) -> Result<Exit> {
    let site = session.site()?;
    session.warn_of_visible_password(&site);
    let report = site.report();
    session.console.product(&report)?;
    Ok(Exit::done(report.findings.at_least(Severity::Warning) > 0))
}
