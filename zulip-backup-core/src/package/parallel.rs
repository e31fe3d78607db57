//! Many files at a time.

use std::io::Read;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::package::{Go, Member, Package, read_small};
use crate::{Error, ErrorKind, Result};

/// Larger files of a tarball are worked on while they are read, not by another thread.
pub(crate) const HANDED_OVER: u64 = 16 << 20;

/// What is done with each file. Called from several threads.
pub type Work<'a> = dyn Fn(&Member, &mut (dyn Read + Send)) -> Result<()> + Sync + 'a;

impl Package {
    /// Calls `work` with every file that is `wanted`, in any order, from `jobs` threads at a time. `read` is told from time
    /// to time how many more bytes were read, and may stop the work with an error.
    ///
    /// Of a tarball one thread reads and hands whole files over through a short queue: memory is bounded by `jobs` times
    /// 32 MiB, and in practice by what a few files with messages have.
    ///
    /// # Errors
    /// As [`Package::visit`].
    pub fn for_each(
        &self,
        jobs: usize,
        wanted: &(dyn Fn(&str) -> bool + Sync),
        work: &Work<'_>,
        read: &(dyn Fn(u64) -> Result<()> + Sync),
    ) -> Result<()> {
        if self.is_random_access() {
            self.at_random(jobs, wanted, work, read)
        } else {
            self.streamed(jobs, wanted, work, read)
        }
    }

    fn at_random(
        &self,
        jobs: usize,
        wanted: &(dyn Fn(&str) -> bool + Sync),
        work: &Work<'_>,
        read: &(dyn Fn(u64) -> Result<()> + Sync),
    ) -> Result<()> {
        let members: Vec<&Member> = self.listing()?.members.iter().filter(|member| wanted(&member.name)).collect();
        let (next, stopped) = (AtomicUsize::new(0), AtomicBool::new(false));
        let worker = || {
            while !stopped.load(Ordering::Relaxed) {
                let Some(member) = members.get(next.fetch_add(1, Ordering::Relaxed)) else { break };
                self.open_member(&member.name)
                    .and_then(|mut content| work(member, &mut content))
                    .and_then(|()| read(member.size))
                    .inspect_err(|_| stopped.store(true, Ordering::Relaxed))?;
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let others: Vec<_> = (1..jobs.min(members.len())).map(|_| scope.spawn(worker)).collect();
            let first = worker();
            others.into_iter().map(|other| other.join().unwrap_or_else(|_| Err(broken()))).fold(first, Result::and)
        })
    }

    fn streamed(
        &self,
        jobs: usize,
        wanted: &(dyn Fn(&str) -> bool + Sync),
        work: &Work<'_>,
        read: &(dyn Fn(u64) -> Result<()> + Sync),
    ) -> Result<()> {
        // Known from an earlier reading: then this one ends with the last file that is wanted.
        let mut rest = self.known().map(|known| known.members.iter().filter(|member| wanted(&member.name)).count());
        if rest == Some(0) {
            return Ok(());
        }
        let jobs = jobs.max(1);
        let (sender, receiver) = crossbeam_channel::bounded::<(Member, Vec<u8>)>(jobs);
        std::thread::scope(|scope| {
            let worker = |receiver: crossbeam_channel::Receiver<(Member, Vec<u8>)>| {
                receiver.into_iter().try_for_each(|(member, bytes)| work(&member, &mut bytes.as_slice()))
            };
            let workers: Vec<_> = (0..jobs)
                .map(|_| {
                    let receiver = receiver.clone();
                    scope.spawn(move || worker(receiver))
                })
                .collect();
            drop(receiver);
            let visited = self.visit(
                &mut |member, content| {
                    if !wanted(&member.name) {
                        return Ok(Go::On);
                    }
                    if member.size > HANDED_OVER {
                        work(member, content)?;
                    } else {
                        let bytes = read_small(&member.name, content, HANDED_OVER)?;
                        // Nobody receives any more where all workers failed; their error comes below.
                        sender.send((member.clone(), bytes)).map_err(|_| broken())?;
                    }
                    rest = rest.map(|rest| rest.saturating_sub(1));
                    Ok(if rest == Some(0) { Go::Stop } else { Go::On })
                },
                &mut |bytes| read(bytes),
            );
            drop(sender);
            let worked = workers.into_iter().map(|worker| worker.join().unwrap_or_else(|_| Err(broken())));
            worked.fold(Ok(()), Result::and).and(visited)
        })
    }
}

fn broken() -> Error {
    Error::new(ErrorKind::Io, "a thread that reads an export ended unexpectedly")
}
