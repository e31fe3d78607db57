//! `create`.

use zulip_backup_core::backup::{self, BackupOptions, BackupReport};
use zulip_backup_core::units::seconds;
use zulip_backup_core::{Result, Severity};

use super::Session;
use crate::args::CreateArgs;
use crate::console::{Format, Verbosity};
use crate::exit::Exit;

pub fn run(session: Session, args: &CreateArgs) -> Result<Exit> {
    let Session { console, .. } = session;
    let site = session.open(args.output.as_deref())?;
    let progress = &*session.progress;
    let plan = backup::plan(&site, &BackupOptions::from(args), progress)?;
    if args.dry_run {
        console.product(&plan)?;
        return Ok(Exit::done(plan.findings.iter().any(|finding| finding.severity >= Severity::Warning)));
    }
    console.aside(&plan);
    let report = plan.execute(progress)?;
    drop(session);
    console.aside(&report);
    if console.format() == Format::Human && console.verbosity() >= Verbosity::Verbose {
        console.aside(&timings(&report));
    }
    console.findings_if_quiet(&report.findings);
    // The very words of Zulip's own command: scripts look for them.
    console.result(&report, &format_args!("Backup tarball written to {}", report.path))?;
    Ok(Exit::done(report.has_findings()))
}

fn timings(report: &BackupReport) -> String {
    let parts: Vec<String> =
        report.timings.iter().map(|part| format!("{} {}", part.name, seconds(part.seconds))).collect();
    format!("time      {}", parts.join(", "))
}
