//! Progress on a terminal: a bar for each running task.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use zulip_backup_core::{Finding, Progress, Task, Unit};

use super::detail;
use crate::console::Console;
use crate::signals::Stop;

/// How often a bar is drawn although nothing is told, so that its clock goes on.
const TICK: Duration = Duration::from_millis(500);

/// Draws on standard error.
pub struct Bars {
    console: Console,
    stop: Stop,
    screen: MultiProgress,
    running: Mutex<Vec<(&'static str, ProgressBar)>>,
}

impl Bars {
    /// No bars yet.
    pub fn new(console: Console, stop: Stop) -> Self {
        Self { console, stop, screen: MultiProgress::new(), running: Mutex::default() }
    }

    fn with<T>(&self, work: impl FnOnce(&mut Vec<(&'static str, ProgressBar)>) -> T) -> T {
        work(&mut self.running.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Progress for Bars {
    fn begin(&self, task: Task) {
        let bar = self.screen.add(task.total.map_or_else(ProgressBar::no_length, ProgressBar::new));
        bar.set_style(style(task));
        bar.set_prefix(task.name);
        bar.enable_steady_tick(TICK);
        self.with(|bars| {
            bars.retain(|(name, _)| *name != task.name);
            bars.push((task.name, bar));
        });
    }

    fn advance(&self, task: &'static str, amount: u64) {
        self.with(|bars| {
            if let Some((_, bar)) = bars.iter().find(|(name, _)| *name == task) {
                bar.inc(amount);
            }
        });
    }

    fn end(&self, task: &'static str) {
        self.with(|bars| {
            if let Some(place) = bars.iter().position(|(name, _)| *name == task) {
                // What was estimated is known now; the line stays.
                let (_, bar) = bars.remove(place);
                bar.set_length(bar.position());
                bar.finish();
            }
        });
    }

    fn message(&self, text: &str) {
        // Without a terminal to draw on there is nobody to tell either.
        let _ = self.screen.println(text);
    }

    fn finding(&self, finding: &Finding) {
        if let Some(text) = detail(self.console, finding) {
            let _ = self.screen.println(text);
        }
    }

    fn is_cancelled(&self) -> bool {
        self.stop.is_asked()
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        // What a failure left unfinished must not stand there as if it went on.
        self.with(|bars| bars.drain(..).for_each(|(_, bar)| bar.abandon()));
    }
}

fn style(task: Task) -> ProgressStyle {
    // The templates are understood, which a test proves.
    ProgressStyle::with_template(template(task))
        .map_or_else(|_| ProgressStyle::default_bar(), |style| style.progress_chars("=> "))
}

fn template(task: Task) -> &'static str {
    match (task.unit, task.total) {
        (Unit::Bytes, Some(_)) => {
            "{prefix:<10} [{bar:28}] {binary_bytes:>10} of {binary_total_bytes:<10} {binary_bytes_per_sec:>12}  {eta} left"
        }
        (Unit::Bytes, None) => "{prefix:<10} {spinner} {binary_bytes:>10} {binary_bytes_per_sec:>12}  {elapsed}",
        (_, Some(_)) => "{prefix:<10} [{bar:28}] {human_pos:>10} of {human_len:<10} {per_sec:>12}  {eta} left",
        (_, None) => "{prefix:<10} {spinner} {human_pos:>10} {per_sec:>12}  {elapsed}",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_task_can_be_drawn() {
        for unit in [Unit::Bytes, Unit::Rows, Unit::Files, Unit::Steps] {
            for total in [None, Some(3)] {
                ProgressStyle::with_template(template(Task { name: "task", unit, total })).unwrap();
            }
        }
    }
}
