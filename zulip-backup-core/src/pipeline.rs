//! Work done by many threads, results taken in order.

use std::num::NonZeroUsize;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::{Error, Progress, Result};

/// How much work may be on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) threads: NonZeroUsize,
    /// How many results of one job may wait for their turn.
    pub(crate) results_waiting: usize,
}

impl Limits {
    /// Results of `block_bytes` at most, of which some MiB may wait for each job: it lets a file of a few MiB be done by
    /// one thread while another file is being written.
    pub(crate) fn new(threads: NonZeroUsize, block_bytes: usize) -> Self {
        Self { threads, results_waiting: ((4 << 20) / block_bytes.max(1)).max(2) }
    }
}

/// A thread's own state: buffers, a compressor, a connection.
pub(crate) trait Worker<Job, Output> {
    /// Does one job, handing out its results in order.
    fn work(&mut self, job: Job, emit: &mut dyn FnMut(Output) -> Result<()>) -> Result<()>;
}

/// Where the planning thread puts what is to be done, in the order of the archive.
pub(crate) struct Plan<'a, Job, Output> {
    jobs: Sender<(Job, Sender<Result<Output>>)>,
    order: Sender<Step<Output>>,
    results_waiting: usize,
    progress: &'a dyn Progress,
}

enum Step<Output> {
    /// Made already.
    Ready(Output),
    /// Being made by a worker.
    Coming(Receiver<Result<Output>>),
}

impl<Job, Output> Plan<'_, Job, Output> {
    /// Adds a result that needs no work.
    pub(crate) fn ready(&self, output: Output) -> Result<()> {
        self.progress.checkpoint()?;
        self.order.send(Step::Ready(output)).map_err(|_| Error::interrupted())
    }

    /// Adds a job. Waits when the threads are far behind.
    pub(crate) fn job(&self, job: Job) -> Result<()> {
        self.progress.checkpoint()?;
        let (results, coming) = bounded(self.results_waiting);
        self.order.send(Step::Coming(coming)).map_err(|_| Error::interrupted())?;
        self.jobs.send((job, results)).map_err(|_| Error::interrupted())
    }
}

/// Runs `plan` on one thread, its jobs on as many workers as `limits` says, and `take` with the results, in the order of
/// the plan, on the calling thread. The first error ends everything; memory is bounded by the queues.
///
/// It cannot lock up: jobs are begun in order, so the oldest one, which `take` waits for, always has a thread.
pub(crate) fn run<Job, Output, W, R>(
    limits: Limits,
    progress: &dyn Progress,
    worker: impl Fn() -> Result<W> + Sync,
    plan: impl FnOnce(&Plan<'_, Job, Output>) -> Result<R> + Send,
    mut take: impl FnMut(Output) -> Result<()>,
) -> Result<R>
where
    Job: Send,
    Output: Send,
    W: Worker<Job, Output>,
    R: Send,
{
    let Limits { threads, results_waiting } = limits;
    let (job_sender, job_receiver) = bounded::<(Job, Sender<Result<Output>>)>(1);
    let (order_sender, order_receiver) = bounded(threads.get() + 1);
    std::thread::scope(|scope| {
        for _ in 0..threads.get() {
            let jobs = job_receiver.clone();
            let worker = &worker;
            scope.spawn(move || serve(&jobs, worker, progress));
        }
        drop(job_receiver);
        let planner =
            scope.spawn(move || plan(&Plan { jobs: job_sender, order: order_sender, results_waiting, progress }));
        let taken = (|| {
            for step in &order_receiver {
                match step {
                    Step::Ready(output) => take(output)?,
                    Step::Coming(coming) => {
                        for output in coming {
                            take(output?)?;
                        }
                    }
                }
                progress.checkpoint()?;
            }
            Ok(())
        })();
        // Threads that still send find nobody and end.
        drop(order_receiver);
        let planned = planner
            .join()
            .unwrap_or_else(|_| Err(Error::new(crate::ErrorKind::Io, "a thread of the backup ended unexpectedly")));
        taken.and(planned)
    })
}

fn serve<Job, Output, W: Worker<Job, Output>>(
    jobs: &Receiver<(Job, Sender<Result<Output>>)>,
    make: &(impl Fn() -> Result<W> + Sync),
    progress: &dyn Progress,
) {
    let mut worker = make();
    for (job, results) in jobs {
        let done = match &mut worker {
            Ok(worker) => worker.work(job, &mut |output| {
                progress.checkpoint()?;
                results.send(Ok(output)).map_err(|_| Error::interrupted())
            }),
            Err(_) => Err(std::mem::replace(&mut worker, make()).err().unwrap_or_else(Error::interrupted)),
        };
        if let Err(error) = done
            && results.send(Err(error)).is_err()
        {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{ErrorKind, Recorder, Silent};

    struct Doubler;

    impl Worker<u64, u64> for Doubler {
        fn work(&mut self, job: u64, emit: &mut dyn FnMut(u64) -> Result<()>) -> Result<()> {
            if job == 999 {
                return Err(Error::new(ErrorKind::Damaged, "999"));
            }
            // Later jobs are faster, and some have more results than may wait.
            std::thread::sleep(Duration::from_micros(500 / (job + 1)));
            (0..job % 11).try_for_each(|_| emit(job * 2))
        }
    }

    fn limits() -> Limits {
        Limits::new(NonZeroUsize::new(3).unwrap(), 1 << 20)
    }

    #[test]
    fn the_order_is_the_plans() {
        let mut seen = Vec::new();
        run(
            limits(),
            &Silent,
            || Ok(Doubler),
            |plan| {
                (0..200).try_for_each(|job| {
                    plan.job(job)?;
                    plan.ready(job)
                })
            },
            |output| {
                seen.push(output);
                Ok(())
            },
        )
        .unwrap();
        let expected: Vec<u64> = (0..200)
            .flat_map(|job| std::iter::repeat_n(job * 2, usize::try_from(job % 11).unwrap()).chain([job]))
            .collect();
        assert_eq!(seen, expected);
    }

    #[test]
    fn an_error_anywhere_ends_everything_and_is_the_one_reported() {
        let worker =
            run(limits(), &Silent, || Ok(Doubler), |plan| (900..2000).try_for_each(|job| plan.job(job)), |_| Ok(()));
        assert_eq!(worker.unwrap_err().to_string(), "999");
        let planner = run(
            limits(),
            &Silent,
            || Ok(Doubler),
            |plan: &Plan<'_, u64, u64>| {
                plan.job(3)?;
                Err::<(), _>(Error::new(ErrorKind::Io, "planner"))
            },
            |_| Ok(()),
        );
        assert_eq!(planner.unwrap_err().to_string(), "planner");
        let taker = run(
            limits(),
            &Silent,
            || Ok(Doubler),
            |plan| (0..900).try_for_each(|job| plan.job(job)),
            |_| Err(Error::new(ErrorKind::Io, "taker")),
        );
        assert_eq!(taker.unwrap_err().to_string(), "taker");
        let maker = run(
            limits(),
            &Silent,
            || Err::<Doubler, _>(Error::new(ErrorKind::Io, "maker")),
            |plan| (0..900).try_for_each(|job| plan.job(job)),
            |_| Ok(()),
        );
        assert_eq!(maker.unwrap_err().to_string(), "maker");
    }

    #[test]
    fn cancelling_is_an_interruption() {
        let progress = Recorder::default();
        let cancelled = run(
            limits(),
            &progress,
            || Ok(Doubler),
            |plan| (0..900).try_for_each(|job| plan.job(job)),
            |output| {
                if output > 100 {
                    progress.cancel();
                }
                Ok(())
            },
        );
        assert_eq!(cancelled.unwrap_err().kind(), ErrorKind::Interrupted);
    }
}
