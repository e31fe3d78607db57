//! Runs handed out to threads.

use std::sync::Mutex;
use std::thread;

use crate::archive::runs::{Run, RunReader, Walker};
use crate::archive::{ArchiveManifest, IndexedArchive};
use crate::{Error, Result};

/// Reads the index on the calling thread and hands each run that `plan` accepts to one of `jobs` threads.
///
/// Damage of the index ends the planning and is the answer; the runs before it are still worked on. The queue
/// is short: memory does not grow with the archive.
///
/// # Errors
/// The first error of `plan` or `work`.
pub(crate) fn each_run<M: ArchiveManifest + Sync>(
    archive: &IndexedArchive<M>,
    jobs: usize,
    mut plan: impl FnMut(&Run) -> Result<bool>,
    work: impl Fn(&mut Walker<'_, M>, &Run) -> Result<()> + Sync,
) -> Result<Option<Error>> {
    let failed: Mutex<Option<Error>> = Mutex::new(None);
    let fail = |error: Error| {
        if let Ok(mut first) = failed.lock() {
            first.get_or_insert(error);
        }
    };
    let mut index_damage = None;
    let jobs = jobs.clamp(1, 256);
    let (sender, receiver) = crossbeam_channel::bounded::<Run>(2 * jobs);
    thread::scope(|scope| {
        for _ in 0..jobs {
            let (receiver, work, fail) = (receiver.clone(), &work, &fail);
            scope.spawn(move || {
                let done = Walker::new(archive)
                    .and_then(|mut walker| receiver.iter().try_for_each(|run| work(&mut walker, &run)));
                if let Err(error) = done {
                    fail(error);
                }
            });
        }
        // The workers hold the only receivers: when all have failed, sending fails and planning ends.
        drop(receiver);
        let mut reader = match archive.index() {
            Ok(lines) => RunReader::new(lines),
            Err(error) => {
                index_damage = Some(error);
                drop(sender);
                return;
            }
        };
        for run in reader.by_ref() {
            let run = match run {
                Ok(run) => run,
                Err(error) => {
                    index_damage = Some(error);
                    break;
                }
            };
            match plan(&run) {
                Ok(false) => {}
                Ok(true) => {
                    let stopped = failed.lock().is_ok_and(|failed| failed.is_some());
                    if stopped || sender.send(run).is_err() {
                        break;
                    }
                }
                Err(error) => {
                    fail(error);
                    break;
                }
            }
        }
        if index_damage.is_none() && failed.lock().is_ok_and(|failed| failed.is_none()) {
            index_damage = reader.check(archive).err();
        }
        drop(sender);
    });
    match failed.into_inner() {
        Ok(Some(error)) => Err(error),
        _ => Ok(index_damage),
    }
}
