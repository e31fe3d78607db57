//! Progress for logs: a line now and then.

use std::time::Duration;

use zulip_backup_core::units::{bytes, seconds};
use zulip_backup_core::{Finding, Progress, Task, Unit};

use super::detail;
use super::tally::{State, Tally};
use crate::console::{Console, say};
use crate::signals::Stop;

/// At most one line of a running task in this time.
const INTERVAL: Duration = Duration::from_secs(10);

/// Writes a line when a task begins, when it ends, and every ten seconds between.
pub struct Lines {
    console: Console,
    stop: Stop,
    tally: Tally,
}

impl Lines {
    /// On standard error.
    pub fn new(console: Console, stop: Stop) -> Self {
        Self { console, stop, tally: Tally::default() }
    }
}

impl Progress for Lines {
    fn begin(&self, task: Task) {
        self.tally.begin(task);
        match task.total {
            Some(total) => say(&format!("{}: begun, {}", task.name, amount(task.unit, total))),
            None => say(&format!("{}: begun", task.name)),
        }
    }

    fn advance(&self, task: &'static str, done: u64) {
        if let Some(state) = self.tally.advance(task, done, INTERVAL) {
            say(&line(&state));
        }
    }

    fn end(&self, task: &'static str) {
        if let Some(state) = self.tally.end(task) {
            let done = amount(state.task.unit, state.done);
            say(&format!("{task}: done, {done} in {}", seconds(state.seconds())));
        }
    }

    fn message(&self, text: &str) {
        say(text);
    }

    fn finding(&self, finding: &Finding) {
        if let Some(text) = detail(self.console, finding) {
            say(&text);
        }
    }

    fn is_cancelled(&self) -> bool {
        self.stop.is_asked()
    }
}

fn line(state: &State) -> String {
    let unit = state.task.unit;
    let mut text = format!("{}: {}", state.task.name, amount(unit, state.done));
    if let Some(total) = state.task.total {
        text.push_str(&format!(" of {}", amount(unit, total)));
    }
    let (rate, left) = state.pace();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is not negative, and shown rounded"
    )]
    let rate = amount(unit, rate as u64);
    text.push_str(&format!(", {rate}/s"));
    if let Some(left) = left {
        text.push_str(&format!(", {} left", seconds(left)));
    }
    text
}

fn amount(unit: Unit, count: u64) -> String {
    match unit {
        Unit::Bytes => bytes(count),
        Unit::Rows => format!("{count} rows"),
        Unit::Files => format!("{count} files"),
        Unit::Steps => format!("{count} steps"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_amount_rate_and_rest() {
        let tally = Tally::default();
        tally.begin(Task::bytes("uploads", Some(4096)));
        std::thread::sleep(Duration::from_millis(20));
        let text = line(&tally.advance("uploads", 2048, Duration::ZERO).unwrap());
        assert!(text.starts_with("uploads: 2.00 KiB of 4.00 KiB, "), "{text}");
        assert!(text.contains("/s, ") && text.ends_with(" s left"), "{text}");
        assert_eq!(amount(Unit::Rows, 3), "3 rows");
    }
}
