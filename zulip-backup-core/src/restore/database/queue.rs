//! Work that becomes possible by other work.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Work for several threads: the heaviest first, and more of it whenever a piece is done.
pub(super) struct Queue<Work> {
    state: Mutex<State<Work>>,
    changed: Condvar,
}

struct State<Work> {
    /// By weight, the heaviest last.
    ready: Vec<(u64, Work)>,
    /// Pieces that threads are at: each may make more ready.
    running: usize,
    stopped: bool,
}

impl<Work> Queue<Work> {
    pub(super) fn new(mut ready: Vec<(u64, Work)>) -> Self {
        ready.sort_by_key(|&(weight, _)| weight);
        Self { state: Mutex::new(State { ready, running: 0, stopped: false }), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State<Work>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The heaviest piece; waits while others may make more. `None` when all is done or has been stopped.
    pub(super) fn take(&self) -> Option<(Work, Running<'_, Work>)> {
        let mut state = self.state();
        loop {
            if state.stopped {
                return None;
            }
            if let Some((_, work)) = state.ready.pop() {
                state.running += 1;
                return Some((work, Running { queue: self }));
            }
            if state.running == 0 {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Nothing more is handed out.
    pub(super) fn stop(&self) {
        self.state().stopped = true;
        self.changed.notify_all();
    }

    /// Waits a little, or until something changes. Whether there is still something to do or being done.
    pub(super) fn is_busy(&self, patience: Duration) -> bool {
        let over = |state: &State<Work>| state.running == 0 && (state.stopped || state.ready.is_empty());
        let state = self.state();
        if over(&state) {
            return false;
        }
        let (state, _) = self.changed.wait_timeout(state, patience).unwrap_or_else(PoisonError::into_inner);
        !over(&state)
    }
}

/// A piece being worked at; dropped when that is over, however it ended.
pub(super) struct Running<'a, Work> {
    queue: &'a Queue<Work>,
}

impl<Work> Running<'_, Work> {
    /// It is done, and made `more` possible.
    pub(super) fn done(self, more: impl IntoIterator<Item = (u64, Work)>) {
        let mut state = self.queue.state();
        state.ready.extend(more);
        state.ready.sort_by_key(|&(weight, _)| weight);
    }
}

impl<Work> Drop for Running<'_, Work> {
    fn drop(&mut self) {
        self.queue.state().running -= 1;
        self.queue.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heaviest_first_and_what_it_makes_possible_is_waited_for() {
        let queue = Queue::new(vec![(1, "light"), (5, "heavy")]);
        let (heavy, first) = queue.take().unwrap();
        let (light, second) = queue.take().unwrap();
        assert_eq!((heavy, light), ("heavy", "light"));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| queue.take().map(|(work, _)| work));
            first.done([(1, "more")]);
            assert_eq!(waiting.join().unwrap(), Some("more"));
        });
        assert!(queue.is_busy(Duration::ZERO));
        drop(second);
        assert!(!queue.is_busy(Duration::from_mins(1)));
        assert!(queue.take().is_none());
    }

    #[test]
    fn stopping_wakes_those_who_wait() {
        let queue = Queue::new(vec![(1, 1)]);
        let running = queue.take();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| queue.take().is_none());
            queue.stop();
            assert!(waiting.join().unwrap());
        });
        drop(running);
    }
}
