//! Members on their way into the destination.

use std::io::Write;
use std::sync::{Mutex, PoisonError};

use crate::archive::extract::ExtractReport;
use crate::archive::{EntryKind, Member};
use crate::fs::{Attributes, OwnerNames, UnpackFile, Unpacker};
use crate::{Error, ErrorKind, Finding, Progress, Result};

/// Puts members into an unpacker, without the prefix of their names, and counts; used from any thread.
pub(super) struct Sink<'a> {
    pub(super) unpacker: &'a Unpacker,
    prefix: &'a [u8],
    pub(super) task: &'static str,
    pub(super) progress: &'a dyn Progress,
    report: Mutex<ExtractReport>,
    owners: OwnerNames,
}

impl<'a> Sink<'a> {
    pub(super) fn new(
        unpacker: &'a Unpacker,
        prefix: &'a [u8],
        task: &'static str,
        progress: &'a dyn Progress,
    ) -> Self {
        Self { unpacker, prefix, task, progress, report: Mutex::default(), owners: OwnerNames::load() }
    }

    pub(super) fn finish(self) -> ExtractReport {
        self.report.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(&self, finding: Finding) {
        self.progress.finding(&finding);
        self.count(|report| report.findings.push(finding));
    }

    /// Where the member goes, below the destination.
    pub(super) fn place<'m>(&self, name: &'m crate::archive::MemberName) -> Option<&'m [u8]> {
        if self.prefix.is_empty() { Some(name.as_bytes()) } else { name.below(self.prefix) }
    }

    /// Begins the file that the member is.
    pub(super) fn begin(&self, member: &Member) -> Result<Option<UnpackFile<'a>>> {
        match self.place(&member.name) {
            Some(place) => self.tolerate(member, self.unpacker.file(place)),
            None => Ok(None),
        }
    }

    /// Writes a piece of a file.
    pub(super) fn write(&self, member: &Member, file: &mut UnpackFile<'_>, bytes: &[u8]) -> Result<()> {
        file.write_all(bytes).map_err(|error| {
            Error::io("write", self.unpacker.path().join(member.name.to_string()), error)
                .with_hint("free some space on the destination's file system, or name another place")
        })
    }

    /// Gives a whole file its name.
    pub(super) fn commit(&self, member: &Member, file: UnpackFile<'_>) -> Result<()> {
        if self.tolerate(member, file.commit(&attributes(member, &self.owners)))?.is_some() {
            self.count(|report| {
                report.files += 1;
                report.bytes += member.size;
            });
        }
        Ok(())
    }

    /// Makes what has no content.
    pub(super) fn make(
        &self,
        member: &Member,
        may_link_to: impl FnOnce(&crate::archive::MemberName) -> bool,
    ) -> Result<()> {
        let Some(place) = self.place(&member.name) else { return Ok(()) };
        match &member.kind {
            EntryKind::File => Ok(()),
            EntryKind::Directory => {
                if self.tolerate(member, self.unpacker.directory(place, attributes(member, &self.owners)))?.is_some() {
                    self.count(|report| report.directories += 1);
                }
                Ok(())
            }
            EntryKind::Symlink(target) => {
                match self.unpacker.symlink(place, target.0.as_bytes()) {
                    Ok(()) => self.count(|report| report.links += 1),
                    Err(error) if error.kind() == ErrorKind::Refused => self.push(
                        Finding::warning("link-not-made", member.name.to_string(), error.to_string())
                            .with_hint("nothing is written outside the destination; make the link by hand"),
                    ),
                    Err(error) => return Err(error),
                }
                Ok(())
            }
            EntryKind::Hardlink(target) => {
                let place_of_target = self.place(target).filter(|_| may_link_to(target));
                let Some(place_of_target) = place_of_target else {
                    self.push(
                        Finding::error(
                            "link-target-missing",
                            member.name.to_string(),
                            format!("shares its content with {target}, which was not taken out before it"),
                        )
                        .with_hint("take both out"),
                    );
                    return Ok(());
                };
                if self.tolerate(member, self.unpacker.hardlink(place, place_of_target))?.is_some() {
                    self.count(|report| report.files += 1);
                }
                Ok(())
            }
        }
    }

    /// One member that is in the way of another, or whose name the file system does not take, is that member's fault:
    /// the others still come out.
    fn tolerate<T>(&self, member: &Member, result: Result<T>) -> Result<Option<T>> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.kind() == ErrorKind::Refused || is_bad_name(&error) => {
                let finding = Finding::error("not-written", member.name.to_string(), error.chain());
                self.push(match error.hint() {
                    Some(hint) => finding.with_hint(hint),
                    None => finding,
                });
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn count(&self, change: impl FnOnce(&mut ExtractReport)) {
        change(&mut self.report.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

fn is_bad_name(error: &Error) -> bool {
    std::error::Error::source(error)
        .and_then(|source| source.downcast_ref::<std::io::Error>())
        .is_some_and(|error| matches!(error.kind(), std::io::ErrorKind::InvalidFilename))
}

/// Names count before numbers, as for tar: the user `zulip` has another number on another machine.
pub(crate) fn attributes(member: &Member, owners: &OwnerNames) -> Attributes {
    Attributes {
        mode: member.mode,
        uid: owners.uid(&member.user).map_or(member.uid, u64::from),
        gid: owners.gid(&member.group).map_or(member.gid, u64::from),
        mtime: member.mtime,
    }
}
