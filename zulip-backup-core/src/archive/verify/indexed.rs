//! Proving one of our archives: its runs on all processors.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::archive::names::NameMap;
use crate::archive::runs::{Part, Run, Visit, each_run};
use crate::archive::verify::collector::{AT_THE_END, Collector};
use crate::archive::verify::content::{Content, Found, is_kept};
use crate::archive::verify::database::Parts;
use crate::archive::verify::proof::{Proof, damaged_frame};
use crate::archive::verify::report::ArchiveKind;
use crate::archive::verify::{Depth, TASK, VerifyOptions, VerifyReport, stream, tail};
use crate::archive::{EntryKind, Frame, IndexedArchive, Manifest, Member, Section, SectionFacts, member};
use crate::codec::most_bytes;
use crate::{Error, Finding, Progress, Result, process};

/// Counts what the index lists, and compares it with the manifest.
pub(super) type Sections = BTreeMap<&'static str, SectionFacts>;

pub(super) fn verify(
    archive: &IndexedArchive,
    options: &VerifyOptions,
    progress: &dyn Progress,
) -> Result<VerifyReport> {
    let manifest = archive.manifest();
    let collector = Collector::new(progress);
    let parts = Mutex::new(Parts::default());
    let mut names = NameMap::new();
    let mut sections = Sections::new();
    let mut members = 0;
    let full = options.depth == Depth::Full;
    let limit = most_bytes(archive.file_bytes());
    let index_error = each_run(
        archive,
        process::threads(options.jobs).get(),
        |run| {
            progress.checkpoint()?;
            for member in &run.members {
                members += 1;
                if names.insert(&member.name, ()).is_some() {
                    collector.push(place(run), duplicate(member));
                }
                if let Some(finding) = unexpected(member) {
                    collector.push(place(run), finding);
                }
                count(&mut sections, member);
                if member.name.is_in(member::DATABASE.as_bytes()) || is_kept(&member.name) {
                    lock(&parts).present(&member.name);
                }
            }
            Ok(full || run.members.iter().any(|member| is_kept(&member.name)))
        },
        |walker, run| {
            let mut check = Check::new(run, full, &collector, &parts, limit);
            walker.walk(run, &mut check, TASK, progress)
        },
    )?;
    drop(names);
    let mut report = VerifyReport {
        archive: archive.path().to_owned(),
        kind: ArchiveKind::Indexed,
        compression: archive.compression(),
        depth: options.depth,
        format: Some(manifest.format),
        archive_bytes: archive.file_bytes(),
        tar_bytes: manifest.index.tar_offset,
        members,
        frames: manifest.index.frames,
        tables: Vec::new(),
        findings: crate::Findings::default(),
        seconds: 0.0,
    };
    let parts = parts.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(error) = index_error {
        collector.push(AT_THE_END, index_damage(&error));
        report.findings = collector.finish();
        if full {
            // The index does not tell the way any more: what is behind its damage is read as any other tar stream.
            stream::after_index_damage(archive, &mut report, progress)?;
        }
        return Ok(report);
    }
    compare_sections(&sections, manifest, true, &collector);
    for finding in [tail::check(archive)?, tail::first_frame(archive)?].into_iter().flatten() {
        collector.push(AT_THE_END, finding);
    }
    report.tables = parts.check(Some(manifest), true, &collector);
    report.findings = collector.finish();
    Ok(report)
}

pub(super) fn duplicate(member: &Member) -> Finding {
    Finding::error(
        "duplicate-member",
        member.name.to_string(),
        "is in the archive twice: readers disagree on which one",
    )
}

/// Members that our archives never have.
fn unexpected(member: &Member) -> Option<Finding> {
    if Section::of(&member.name).is_none_or(|section| section == Section::Proof) {
        return Some(Finding::error("foreign-member", member.name.to_string(), "no Zulip backup has such a member"));
    }
    matches!(member.kind, EntryKind::Hardlink(_)).then(|| {
        Finding::error("special-member", member.name.to_string(), "is a hard link, which no archive of this format has")
    })
}

pub(super) fn index_damage(error: &Error) -> Finding {
    let finding = Finding::error("index-damaged", member::INDEX, error.chain());
    match error.hint() {
        Some(hint) => finding.with_hint(hint),
        None => finding,
    }
}

pub(super) fn count(sections: &mut Sections, member: &Member) {
    let Some(section) = Section::of(&member.name).filter(|&section| section != Section::Proof) else { return };
    let facts = sections.entry(section.name()).or_default();
    match member.kind {
        EntryKind::Directory => facts.directories += 1,
        _ => facts.files += 1,
    }
    facts.bytes = facts.bytes.saturating_add(member.size);
}

/// The manifest's sections against what was counted. `directories`: whether these count, which other tools add.
pub(super) fn compare_sections(sections: &Sections, manifest: &Manifest, directories: bool, collector: &Collector<'_>) {
    for section in Section::ALL {
        let mut found = sections.get(section.name()).copied().unwrap_or_default();
        let expected = manifest.section(section).copied().unwrap_or_default();
        if !directories {
            found.directories = expected.directories;
        }
        if found != expected && section != Section::Proof {
            collector.push(
                AT_THE_END,
                Finding::error(
                    "section-differs",
                    section.name(),
                    format!(
                        "has {} files, {} directories and {} bytes, the manifest says {}, {} and {}",
                        found.files,
                        found.directories,
                        found.bytes,
                        expected.files,
                        expected.directories,
                        expected.bytes
                    ),
                ),
            );
        }
    }
}

fn lock(parts: &Mutex<Parts>) -> MutexGuard<'_, Parts> {
    parts.lock().unwrap_or_else(PoisonError::into_inner)
}

fn place(run: &Run) -> u64 {
    run.number
}

/// One run under proof.
struct Check<'a> {
    run: &'a Run,
    full: bool,
    collector: &'a Collector<'a>,
    parts: &'a Mutex<Parts>,
    limit: u64,
    proof: Proof,
    content: Option<Content>,
}

impl<'a> Check<'a> {
    fn new(run: &'a Run, full: bool, collector: &'a Collector<'a>, parts: &'a Mutex<Parts>, limit: u64) -> Self {
        Self { run, full, collector, parts, limit, proof: Proof::default(), content: None }
    }

    fn push(&self, finding: Finding) {
        self.collector.push(place(self.run), finding);
    }
}

impl Visit for Check<'_> {
    fn wants(&mut self, member: &Member) -> bool {
        self.full || is_kept(&member.name)
    }

    fn piece(&mut self, member: &Member, part: Part, bytes: &[u8]) -> Result<()> {
        self.proof.piece(part, bytes);
        if part == Part::Content {
            self.content.get_or_insert_with(|| Content::of(&member.name, self.limit)).update(bytes);
        }
        Ok(())
    }

    fn damaged(&mut self, frame: &Frame, error: &Error) -> Result<()> {
        self.push(damaged_frame(self.run, frame, error));
        Ok(())
    }

    fn end(&mut self, member: &Member, whole: bool) -> Result<()> {
        let content = self.content.take().unwrap_or_else(|| Content::of(&member.name, self.limit));
        let push = |finding| self.collector.push(place(self.run), finding);
        self.proof.end(member::ROOT, member, whole, &push);
        if whole && member.is_file() {
            settle(member, content.finish(), self.parts, &push);
        }
        Ok(())
    }
}

/// Keeps what a member's content came to.
pub(super) fn settle(member: &Member, found: Found, parts: &Mutex<Parts>, push: &impl Fn(Finding)) {
    match found {
        Found::Nothing => {}
        Found::Kept(Some(bytes)) => lock(parts).keep(&member.name, bytes),
        Found::Kept(None) => {
            let code =
                if member.name.as_bytes() == member::TOC.as_bytes() { "toc-damaged" } else { "version-file-damaged" };
            push(Finding::error(code, member.name.to_string(), format!("has {} bytes, which none has", member.size)));
        }
        Found::Rows(facts) => lock(parts).rows(&member.name, facts),
        Found::Bad(code, what) => push(Finding::error(code, member.name.to_string(), what)),
    }
}
