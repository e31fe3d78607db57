//! `inspect`, `verify` and `extract`.

use std::io::{self, BufWriter, Write};

use zulip_backup_core::archive::{self, Archive, Depth, ExtractOptions, VerifyOptions};
use zulip_backup_core::fs::UnpackOptions;
use zulip_backup_core::package::Package;
use zulip_backup_core::{Error, ErrorKind, Result, Severity, validate};

use super::Session;
use crate::args::{ExtractArgs, InspectArgs, VerifyArgs};
use crate::exit::Exit;

pub fn inspect(session: Session, args: &InspectArgs) -> Result<Exit> {
    let Session { console, progress, .. } = session;
    if !args.sha256sums && Package::is_at(&args.archive)? {
        let summary = validate::summarize(&args.archive, &*progress)?;
        drop(progress);
        console.product(&summary)?;
        return Ok(Exit::done(summary.findings.at_least(Severity::Warning) > 0));
    }
    let archive = Archive::open(&args.archive)?;
    if args.sha256sums {
        let Archive::Indexed(archive) = archive else {
            return Err(Error::new(ErrorKind::Incompatible, format!("{} has no index with digests", args.archive))
                .with_path(&args.archive)
                .with_hint("unpack it and use sha256sum: only archives made by zulip-backup have an index"));
        };
        let mut output = BufWriter::new(Pipe { output: io::stdout().lock(), closed: false });
        archive::sha256sums(&archive, &mut output)?;
        return flushed(output);
    }
    let report = archive::inspect(&archive, &*progress)?;
    drop(progress);
    console.product(&report)?;
    Ok(Exit::done(report.findings.at_least(Severity::Warning) > 0))
}

pub fn verify(session: Session, args: &VerifyArgs) -> Result<Exit> {
    let Session { console, progress, .. } = session;
    let archive = Archive::open(&args.archive)?;
    let depth = if args.quick { Depth::Quick } else { Depth::Full };
    let options = VerifyOptions::default().depth(depth).jobs(args.jobs.map_or(0, usize::from));
    let report = archive::verify(&archive, &options, &*progress)?;
    drop(progress);
    console.product(&report)?;
    if !report.is_sound() {
        return Ok(Exit::Damaged);
    }
    Ok(Exit::done(report.findings.at_least(Severity::Warning) > 0))
}

pub fn extract(session: Session, args: ExtractArgs) -> Result<Exit> {
    let Session { console, progress, .. } = session;
    let archive = Archive::open(&args.archive)?;
    if args.stdout {
        let [member] = args.members.as_slice() else {
            return Err(Error::new(ErrorKind::Usage, format!("--stdout takes one member, not {}", args.members.len()))
                .with_hint("name one file, or leave --stdout out"));
        };
        let mut output = Pipe { output: io::stdout().lock(), closed: false };
        archive::extract_to(&archive, member, &mut output)?;
        return flushed(output);
    }
    let mut options = ExtractOptions::default()
        .unpack(UnpackOptions::default().replace(args.force))
        .jobs(args.jobs.map_or(0, usize::from));
    options.members = args.members;
    let report = archive::extract(&archive, &options, &args.directory, &*progress)?;
    drop(progress);
    console.product(&report)?;
    // A file that was there already is no damage of the archive.
    if report.findings.at_least(Severity::Error) > report.findings.count("not-written") {
        return Ok(Exit::Damaged);
    }
    Ok(Exit::done(report.findings.at_least(Severity::Warning) > 0))
}

fn flushed(mut output: impl Write) -> Result<Exit> {
    output.flush().map_err(|error| Error::new(ErrorKind::Io, "cannot write to standard output").with_source(error))?;
    Ok(Exit::Done)
}

/// Standard output, whose reader may leave early: from then on everything is swallowed.
struct Pipe<W> {
    output: W,
    closed: bool,
}

impl<W: Write> Write for Pipe<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        if self.closed {
            return Ok(buffer.len());
        }
        match self.output.write(buffer) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(buffer.len())
            }
            result => result,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.output.flush() {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            result => result,
        }
    }
}
