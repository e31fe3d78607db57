//! Proving any archive with an index, whatever is in it.

use crate::archive::runs::{Part, Run, Visit, each_run};
use crate::archive::verify::collector::{AT_THE_END, Collector};
use crate::archive::verify::indexed::index_damage;
use crate::archive::verify::proof::{Proof, damaged_frame};
use crate::archive::verify::tail;
use crate::archive::{ArchiveManifest, Frame, IndexedArchive, Member};
use crate::{Error, Findings, Progress, Result, Silent, process};

/// Compares every byte of an archive with what its index says: headers, contents, padding, and the tail. What is wrong
/// comes back. `task` is advanced by the bytes of the file.
///
/// # Errors
/// `Interrupted`, and `Io` where the system refuses to read at all.
pub(crate) fn prove<M: ArchiveManifest + Sync>(
    archive: &IndexedArchive<M>,
    jobs: usize,
    task: &'static str,
    progress: &dyn Progress,
) -> Result<Findings> {
    // Whoever asks tells of the findings.
    let collector = Collector::new(&Silent);
    let root = archive.root();
    let damage = each_run(
        archive,
        process::threads(jobs).get(),
        |_| progress.checkpoint().map(|()| true),
        |walker, run| {
            let mut check = Check { run, root, collector: &collector, proof: Proof::default() };
            walker.walk(run, &mut check, task, progress)
        },
    )?;
    if let Some(error) = damage {
        collector.push(AT_THE_END, index_damage(&error));
    }
    if let Some(finding) = tail::check(archive)? {
        collector.push(AT_THE_END, finding);
    }
    Ok(collector.finish())
}

struct Check<'a> {
    run: &'a Run,
    root: &'a str,
    collector: &'a Collector<'a>,
    proof: Proof,
}

impl Visit for Check<'_> {
    fn piece(&mut self, _member: &Member, part: Part, bytes: &[u8]) -> Result<()> {
        self.proof.piece(part, bytes);
        Ok(())
    }

    fn damaged(&mut self, frame: &Frame, error: &Error) -> Result<()> {
        self.collector.push(self.run.number, damaged_frame(self.run, frame, error));
        Ok(())
    }

    fn end(&mut self, member: &Member, whole: bool) -> Result<()> {
        self.proof.end(self.root, member, whole, &|finding| self.collector.push(self.run.number, finding));
        Ok(())
    }
}
