//! Taking members out of an archive.

mod indexed;
mod select;
mod sink;
mod stream;

pub(super) use indexed::read_member;

use std::fmt;
use std::io::Write;
use std::time::Instant;

use camino::Utf8Path;
use serde::{Deserialize, Serialize};

use crate::archive::{Archive, IndexedArchive, Member, MemberName, StreamArchive, member};
use crate::fs::{UnpackOptions, Unpacker};
use crate::units::{bytes, seconds};
use crate::{Error, ErrorKind, Finding, Findings, Progress, Result, Severity, Task, process};
use select::Selection;
use sink::Sink;
pub(crate) use sink::attributes;

/// The name of the task told to [`Progress`]: bytes of the archive's file.
pub(crate) const TASK: &str = "extract";

/// What [`extract`] is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct ExtractOptions {
    /// Members by their full name, or directories with all that is in them; `zulip-backup/` in front may be left out.
    /// Empty: everything.
    pub members: Vec<String>,
    /// Owners, flushing, and whether existing files are replaced.
    pub unpack: UnpackOptions,
    /// How many threads; 0 for one per processor.
    pub jobs: usize,
}

impl ExtractOptions {
    /// Takes one more member or directory out.
    pub fn member(mut self, member: impl Into<String>) -> Self {
        self.members.push(member.into());
        self
    }

    /// Unpacks as `unpack` says.
    pub fn unpack(mut self, unpack: UnpackOptions) -> Self {
        self.unpack = unpack;
        self
    }

    /// Works with so many threads; 0 for one per processor.
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.jobs = jobs;
        self
    }
}

/// What was taken out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ExtractReport {
    /// Regular files, hard links included.
    pub files: u64,
    /// Directories.
    pub directories: u64,
    /// Symbolic links.
    pub links: u64,
    /// Bytes of the files' contents.
    pub bytes: u64,
    /// What could not be taken out, and why. A file that is named here is not in the destination.
    pub findings: Findings,
    /// How long it took.
    pub seconds: f64,
}

impl fmt::Display for ExtractReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings.list {
            writeln!(f, "{finding}")?;
            if let Some(hint) = &finding.hint {
                writeln!(f, "    {hint}")?;
            }
        }
        write!(
            f,
            "{} files, {} directories, {} links; {} in {}",
            self.files,
            self.directories,
            self.links,
            bytes(self.bytes),
            seconds(self.seconds)
        )
    }
}

impl ExtractReport {
    /// Whether everything that was asked for is there.
    pub fn is_complete(&self) -> bool {
        self.findings.at_least(Severity::Error) == 0
    }

    /// The report itself where everything is there.
    ///
    /// # Errors
    /// `Damaged`, with the findings as its reasons.
    pub fn into_result(self) -> Result<Self> {
        let errors = self.findings.at_least(Severity::Error);
        if errors == 0 {
            return Ok(self);
        }
        let first = self.findings.list.iter().find(|finding| finding.severity == Severity::Error);
        let first = first.map(|finding| format!("; the first: {finding}")).unwrap_or_default();
        Err(Error::new(ErrorKind::Damaged, format!("{errors} members could not be taken out{first}"))
            .with_reasons(self.findings.list))
    }
}

/// Takes members out of an archive into the directory `destination`, under their full names.
///
/// Of an archive with an index only the frames with these members are read, on all processors; any other is read to its
/// end. A file appears under its name only when its digest is right. Nothing is written outside `destination`, whatever
/// the archive says, and no link is followed.
///
/// # Errors
/// `NotFound` with the closest names where a member is not in the archive (known before anything is written only where
/// there is an index), `Refused` where a file exists or does not fit, `Io`, `Interrupted`. Damaged members are findings,
/// and so is a damaged manifest or index, without which everything is read front to back.
pub fn extract(
    archive: &Archive,
    options: &ExtractOptions,
    destination: &Utf8Path,
    progress: &dyn Progress,
) -> Result<ExtractReport> {
    let started = Instant::now();
    let selection = Selection::new(&options.members)?;
    let mut report = match Way::choose(archive, |archive| indexed::survey(archive, &selection))? {
        Way::Index(archive, expected) => {
            let unpacker = Unpacker::new(destination, options.unpack)?;
            unpacker.expect_bytes(expected.content_bytes)?;
            progress.begin(Task::bytes(TASK, Some(expected.archive_bytes)));
            let sink = Sink::new(&unpacker, b"", TASK, progress);
            indexed::run(archive, &selection, &sink, process::threads(options.jobs).get())?;
            let report = sink.finish();
            unpacker.finish()?;
            report
        }
        Way::FrontToBack(archive) => {
            let unpacker = Unpacker::new(destination, options.unpack)?;
            progress.begin(Task::bytes(TASK, Some(archive.file_bytes())));
            let sink = Sink::new(&unpacker, b"", TASK, progress);
            if let Some(damage) = archive.tail_damage() {
                let message =
                    format!("{}; members were taken out front to back, without their digests", damage.message);
                sink.push(Finding::warning(&damage.code, &damage.object, message));
            }
            let missing = stream::run(&archive, &selection, &sink)?;
            let report = sink.finish();
            unpacker.finish()?;
            if let Some(error) = missing {
                return Err(error);
            }
            report
        }
    };
    progress.end(TASK);
    report.seconds = started.elapsed().as_secs_f64();
    Ok(report)
}

/// Writes the content of one file of an archive to `output`.
///
/// # Errors
/// `NotFound` with the closest names; `Usage` where the member is no file; `Damaged` where its digest or checksum is
/// wrong, which is known only at its end: what was written until then is not to be trusted.
pub fn extract_to(archive: &Archive, member: &str, output: &mut dyn Write) -> Result<Member> {
    let selection = Selection::new(&[member.to_owned()])?;
    match Way::choose(archive, |archive| indexed::find(archive, &selection))? {
        Way::Index(archive, (run, member)) => indexed::read_member(archive, &run, &member, output).map(|()| member),
        Way::FrontToBack(archive) => stream::to_writer(&archive, &selection, output),
    }
}

/// How members are found.
enum Way<'a, Found> {
    /// By the index, and what it says.
    Index(&'a IndexedArchive, Found),
    /// By reading everything: there is no index, or it is of no use. The members may be whole for all that.
    FrontToBack(StreamArchive),
}

impl<'a, Found> Way<'a, Found> {
    fn choose(archive: &'a Archive, find: impl FnOnce(&IndexedArchive) -> Result<Found>) -> Result<Self> {
        match archive {
            Archive::Stream(archive) => archive.try_clone().map(Self::FrontToBack),
            Archive::Indexed(archive) => match find(archive) {
                Ok(found) => Ok(Self::Index(archive, found)),
                Err(error) if error.kind() == ErrorKind::Damaged => {
                    let damage = Finding::error("index-damaged", member::INDEX, error.chain());
                    Ok(Self::FrontToBack(archive.as_stream()?.with_damaged_tail(damage)))
                }
                Err(error) => Err(error),
            },
        }
    }
}

/// Unpacks everything below the directory `prefix` of an archive into `destination`, without the prefix, on `jobs`
/// threads (0 for one per processor): what a restore does with settings, database and uploads.
///
/// # Errors
/// As [`extract`]. An archive without anything below `prefix` gives an empty report.
pub fn unpack_section(
    archive: &IndexedArchive,
    prefix: &str,
    destination: &Utf8Path,
    options: UnpackOptions,
    jobs: usize,
    progress: &dyn Progress,
) -> Result<ExtractReport> {
    let started = Instant::now();
    let prefix = MemberName::try_from(prefix)
        .map_err(|bad| Error::new(ErrorKind::Usage, format!("the member name {prefix:?} {bad}")))?;
    let selection = Selection::below(&prefix);
    let unpacker = Unpacker::new(destination, options)?;
    let expected = indexed::survey(archive, &selection)?;
    unpacker.expect_bytes(expected.content_bytes)?;
    progress.begin(Task::bytes(TASK, Some(expected.archive_bytes)));
    let sink = Sink::new(&unpacker, prefix.as_bytes(), TASK, progress);
    indexed::run(archive, &selection, &sink, process::threads(jobs).get())?;
    let mut report = sink.finish();
    unpacker.finish()?;
    progress.end(TASK);
    report.seconds = started.elapsed().as_secs_f64();
    Ok(report)
}

/// Writes a line for each file of an archive, in the form that `sha256sum --check` reads in the directory the archive
/// was unpacked into. Returns how many lines there were.
///
/// # Errors
/// `Damaged` where the index cannot be read to its end, `Io` where `output` cannot be written.
pub fn sha256sums(archive: &IndexedArchive, output: &mut dyn Write) -> Result<u64> {
    let mut lines = 0;
    for line in archive.index()? {
        let crate::archive::IndexLine::Member(member) = line? else { continue };
        let Some(digest) = member.sha256 else { continue };
        let name = member.name.as_bytes();
        // sha256sum marks a line whose name has these bytes and writes them so.
        let mut text = Vec::with_capacity(name.len() + 70);
        if name.iter().any(|byte| matches!(byte, b'\\' | b'\n' | b'\r')) {
            text.push(b'\\');
        }
        text.extend_from_slice(format!("{digest}  ").as_bytes());
        for &byte in name {
            match byte {
                b'\\' => text.extend_from_slice(b"\\\\"),
                b'\n' => text.extend_from_slice(b"\\n"),
                b'\r' => text.extend_from_slice(b"\\r"),
                byte => text.push(byte),
            }
        }
        text.push(b'\n');
        output.write_all(&text).map_err(write_failed)?;
        lines += 1;
    }
    Ok(lines)
}

fn write_failed(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Io, "cannot write the output").with_source(error)
}
