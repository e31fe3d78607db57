//! How far a verb has come, told to whoever wants to know.

mod stoppable;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;
pub(crate) use stoppable::Stoppable;

use crate::{Error, Finding, Result};

/// What a task counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Table rows.
    Rows,
    /// Files.
    Files,
    /// Steps of a plan.
    Steps,
}

/// A stretch of work with a name, something to count and, where it is known, an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Task {
    /// A stable kebab-case name: `database`, `uploads`, `verify`.
    pub name: &'static str,
    /// What [`Progress::advance`] counts.
    pub unit: Unit,
    /// How much there is to do, where that is known before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

impl Task {
    /// A task that counts bytes.
    pub fn bytes(name: &'static str, total: Option<u64>) -> Self {
        Self { name, unit: Unit::Bytes, total }
    }

    /// A task that counts steps.
    pub fn steps(name: &'static str, total: u64) -> Self {
        Self { name, unit: Unit::Steps, total: Some(total) }
    }
}

/// Told by a verb what it does. Called from several threads; must not block for long.
///
/// It is also the way to stop a verb: when [`Progress::is_cancelled`] answers true, the verb stops at the next
/// border between two pieces of work, cleans up and returns [`ErrorKind::Interrupted`](crate::ErrorKind::Interrupted).
pub trait Progress: Sync {
    /// A task begins.
    fn begin(&self, _task: Task) {}
    /// `amount` more of the task's unit is done.
    fn advance(&self, _task: &'static str, _amount: u64) {}
    /// A task is complete.
    fn end(&self, _task: &'static str) {}
    /// One line about what happens now.
    fn message(&self, _text: &str) {}
    /// Something was noticed.
    fn finding(&self, _finding: &Finding) {}
    /// Whether the verb is asked to stop.
    fn is_cancelled(&self) -> bool {
        false
    }
}

impl dyn Progress + '_ {
    /// `Err` with [`ErrorKind::Interrupted`](crate::ErrorKind::Interrupted) once the verb is asked to stop.
    pub fn checkpoint(&self) -> Result<()> {
        if self.is_cancelled() { Err(Error::interrupted()) } else { Ok(()) }
    }
}

/// Tells nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {}

/// Keeps what it was told; for tests, and for callers that only want to see it afterwards.
#[derive(Debug, Default)]
pub struct Recorder {
    events: Mutex<Vec<Event>>,
    cancelled: AtomicBool,
}

/// One thing a [`Recorder`] was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A task began.
    Begin(Task),
    /// A task went on by that much.
    Advance(&'static str, u64),
    /// A task ended.
    End(&'static str),
    /// A line was said.
    Message(String),
    /// Something was noticed.
    Finding(Finding),
}

impl Recorder {
    /// From now on [`Progress::is_cancelled`] answers true.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// What was told so far.
    pub fn events(&self) -> Vec<Event> {
        self.events.lock().map(|events| events.clone()).unwrap_or_default()
    }

    fn push(&self, event: Event) {
        if let Ok(mut events) = self.events.lock() {
            events.push(event);
        }
    }
}

impl Progress for Recorder {
    fn begin(&self, task: Task) {
        self.push(Event::Begin(task));
    }
    fn advance(&self, task: &'static str, amount: u64) {
        self.push(Event::Advance(task, amount));
    }
    fn end(&self, task: &'static str) {
        self.push(Event::End(task));
    }
    fn message(&self, text: &str) {
        self.push(Event::Message(text.to_owned()));
    }
    fn finding(&self, finding: &Finding) {
        self.push(Event::Finding(finding.clone()));
    }
    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}
