//! Progress for programs: JSON lines.

use std::time::Duration;

use serde_json::json;
use zulip_backup_core::{Finding, Progress, Task};

use super::tally::Tally;
use crate::console::{Console, event};
use crate::signals::Stop;

/// At most one `progress` event of a task in this time.
const INTERVAL: Duration = Duration::from_secs(1);

/// Writes an event for everything it is told. `docs/cli.md` describes them.
pub struct Events {
    console: Console,
    stop: Stop,
    with_tasks: bool,
    tally: Tally,
}

impl Events {
    /// With or without the events of tasks; messages and findings are always there.
    pub fn new(console: Console, stop: Stop, with_tasks: bool) -> Self {
        Self { console, stop, with_tasks, tally: Tally::default() }
    }
}

impl Progress for Events {
    fn begin(&self, task: Task) {
        if self.with_tasks {
            self.tally.begin(task);
            event("begin", &json!({ "task": task.name, "unit": task.unit, "total": task.total }));
        }
    }

    fn advance(&self, task: &'static str, amount: u64) {
        if let Some(state) = self.tally.advance(task, amount, INTERVAL) {
            event("progress", &json!({ "task": task, "done": state.done, "total": state.task.total }));
        }
    }

    fn end(&self, task: &'static str) {
        if let Some(state) = self.tally.end(task) {
            event("end", &json!({ "task": task, "done": state.done, "seconds": state.seconds() }));
        }
    }

    fn message(&self, text: &str) {
        event("message", &json!({ "text": text }));
    }

    fn finding(&self, finding: &Finding) {
        self.console.finding(finding);
    }

    fn is_cancelled(&self) -> bool {
        self.stop.is_asked()
    }
}
