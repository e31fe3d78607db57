//! Stopping work for more reasons than its caller's.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{Progress, Task};
use crate::Finding;

/// Tells somebody else, and can be stopped by itself: lets either of two threads stop the other.
pub(crate) struct Stoppable<'a> {
    progress: &'a dyn Progress,
    stopped: AtomicBool,
}

impl<'a> Stoppable<'a> {
    pub(crate) fn new(progress: &'a dyn Progress) -> Self {
        Self { progress, stopped: AtomicBool::new(false) }
    }

    /// From now on [`Progress::is_cancelled`] answers true.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}

impl Progress for Stoppable<'_> {
    fn begin(&self, task: Task) {
        self.progress.begin(task);
    }
    fn advance(&self, task: &'static str, amount: u64) {
        self.progress.advance(task, amount);
    }
    fn end(&self, task: &'static str) {
        self.progress.end(task);
    }
    fn message(&self, text: &str) {
        self.progress.message(text);
    }
    fn finding(&self, finding: &Finding) {
        self.progress.finding(finding);
    }
    fn is_cancelled(&self) -> bool {
        self.stopped.load(Ordering::Relaxed) || self.progress.is_cancelled()
    }
}
