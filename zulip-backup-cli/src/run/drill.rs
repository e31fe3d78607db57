//! `drill`.

use zulip_backup_core::Result;
use zulip_backup_core::archive::Archive;
use zulip_backup_core::drill::{DrillOptions, drill};

use super::Session;
use crate::args::DrillArgs;
use crate::exit::Exit;

pub fn run(session: Session, args: DrillArgs) -> Result<Exit> {
    let Session { console, progress, .. } = session;
    let archive = Archive::open(&args.archive)?;
    let options = DrillOptions {
        work_dir: args.work_dir,
        certificate: args.certificate,
        keep: args.keep,
        jobs: args.jobs.map_or(0, usize::from),
        ignore_space: args.ignore_space,
    };
    let certificate = drill(&archive, &options, &*progress)?;
    drop(progress);
    console.product(&certificate)?;
    if !certificate.passed {
        return Ok(Exit::Damaged);
    }
    Ok(Exit::done(certificate.has_findings()))
}
