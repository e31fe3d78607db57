//! How far the running tasks are.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use zulip_backup_core::Task;

/// The running tasks.
#[derive(Debug, Default)]
pub struct Tally(Mutex<Vec<State>>);

/// How far one task is.
#[derive(Clone, Copy, Debug)]
pub struct State {
    /// The task.
    pub task: Task,
    /// What is done of it.
    pub done: u64,
    /// When it began.
    pub begun: Instant,
    shown: Instant,
}

impl State {
    /// How long it has been running.
    pub fn seconds(&self) -> f64 {
        self.begun.elapsed().as_secs_f64()
    }

    /// What is done in a second, and how many seconds the rest will take at that pace, where that can be said.
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    pub fn pace(&self) -> (f64, Option<f64>) {
        let rate = self.done as f64 / self.seconds().max(0.001);
        let left = self.task.total.map(|total| total.saturating_sub(self.done) as f64 / rate);
        (rate, left.filter(|left| left.is_finite()))
    }
}

impl Tally {
    /// A task begins; one of the same name that was never ended is forgotten.
    pub fn begin(&self, task: Task) {
        let now = Instant::now();
        self.with(|states| {
            states.retain(|state| state.task.name != task.name);
            states.push(State { task, done: 0, begun: now, shown: now });
        });
    }

    /// More is done. Answers how far the task is when it was last answered `interval` ago. What was never begun is not
    /// counted.
    pub fn advance(&self, name: &str, amount: u64, interval: Duration) -> Option<State> {
        self.with(|states| {
            let state = states.iter_mut().find(|state| state.task.name == name)?;
            state.done += amount;
            (state.shown.elapsed() >= interval).then(|| {
                state.shown = Instant::now();
                *state
            })
        })
    }

    /// A task is over. Answers how far it came.
    pub fn end(&self, name: &str) -> Option<State> {
        self.with(|states| {
            let place = states.iter().position(|state| state.task.name == name)?;
            Some(states.remove(place))
        })
    }

    fn with<T>(&self, work: impl FnOnce(&mut Vec<State>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counted_and_seldom_shown() {
        let tally = Tally::default();
        let hour = Duration::from_hours(1);
        tally.begin(Task::bytes("a", Some(10)));
        assert!(tally.advance("a", 4, hour).is_none());
        assert_eq!(tally.advance("a", 1, Duration::ZERO).unwrap().done, 5);
        assert!(tally.advance("never", 1, Duration::ZERO).is_none());
        let state = tally.end("a").unwrap();
        assert!(state.pace().0 > 0.0 && state.pace().1.is_some());
        assert!(tally.end("a").is_none());
    }
}
