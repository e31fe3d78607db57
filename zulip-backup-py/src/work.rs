//! Running a verb: Python goes on meanwhile, sees the progress, and can stop it.
//!
//! The verb works on a thread of its own, and the calling thread waits for it without the GIL. That is what makes Ctrl-C
//! work: Python runs the handlers of signals on its main thread only, and a verb's calling thread may be waiting for its
//! workers for hours. It also means that the callable given as `progress` runs on the thread that gave it, one call after
//! the other, and that no worker ever waits for the GIL. What the verb has to ask Python is answered there too.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use serde_json::{Value, json};
use zulip_backup_core::import::{Render, Unrendered};
use zulip_backup_core::{Error, ErrorKind, Finding, Progress, Result, Task};

use crate::errors::exception;
use crate::outcome::to_python;

/// How long a signal or news of a task may wait.
const TICK: Duration = Duration::from_millis(100);

/// How many events may wait for a slow callable before the workers wait for it too: memory must not grow.
const QUEUE: usize = 256;

/// Does `verb`. An exception raised by a handler of a signal, or by `observer`, stops it and is raised once it has
/// cleaned up.
pub fn work<T: Send>(
    py: Python<'_>,
    observer: Option<Py<PyAny>>,
    verb: impl FnOnce(&Relay<'_>) -> Result<T> + Send,
) -> PyResult<T> {
    let cancelled = AtomicBool::new(false);
    let (outcome, stopped) = py.detach(|| {
        let tally = Mutex::default();
        thread::scope(|scope| {
            let (sender, events) = sync_channel(QUEUE);
            let relay = Relay { observed: observer.is_some(), events: sender, tally: &tally, cancelled: &cancelled };
            // The sender ends with the verb, however the verb ends, and so does the waiting.
            let worker = scope.spawn(move || verb(&relay));
            let mut caller = Caller { observer, tally: &tally, cancelled: &cancelled, stopped: None };
            caller.attend(&events);
            (worker.join(), caller.stopped)
        })
    });
    if let Some(stopped) = stopped {
        return Err(stopped);
    }
    // A signal that ended a program the verb had started is the reason for the verb's own error.
    py.check_signals()?;
    match outcome {
        Ok(outcome) => outcome.map_err(|error| exception(py, &error)),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// How far the tasks are that have begun, and whether that is news.
type Tally = Mutex<Vec<Running>>;

struct Running {
    task: Task,
    begun: Instant,
    done: u64,
    news: bool,
}

/// What the verb has to say.
enum News {
    Event(Value),
    /// What is asked, and where the answer is waited for: as JSON.
    Question(Value, SyncSender<String>),
}

/// The verb's side.
pub struct Relay<'a> {
    observed: bool,
    events: SyncSender<News>,
    tally: &'a Tally,
    cancelled: &'a AtomicBool,
}

impl Relay<'_> {
    fn send(&self, event: impl FnOnce() -> Value) {
        if self.observed {
            // The caller listens until the verb ends.
            let _ = self.events.send(News::Event(event()));
        }
    }

    /// Asks the observer something.
    fn ask(&self, question: Value) -> Result<String> {
        let (sender, answer) = sync_channel(1);
        let _ = self.events.send(News::Question(question, sender));
        // Whoever raises instead of answering stops the verb.
        answer.recv().map_err(|_| Error::new(ErrorKind::Interrupted, "what was asked of Python was not answered"))
    }

    fn with_tally<T>(&self, work: impl FnOnce(&mut Vec<Running>) -> T) -> T {
        work(&mut self.tally.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Render for Relay<'_> {
    fn render(&self, messages: &[Unrendered]) -> Result<Vec<Option<String>>> {
        let answer = self.ask(json!({ "render": messages }))?;
        serde_json::from_str(&answer).map_err(|error| {
            Error::new(ErrorKind::Usage, format!("what rendered messages is no list of texts: {error}"))
        })
    }
}

impl Progress for Relay<'_> {
    fn begin(&self, task: Task) {
        self.with_tally(|tasks| {
            tasks.retain(|running| running.task.name != task.name);
            tasks.push(Running { task, begun: Instant::now(), done: 0, news: false });
        });
        self.send(|| json!({ "event": "begin", "task": task.name, "unit": task.unit, "total": task.total }));
    }

    fn advance(&self, task: &'static str, amount: u64) {
        self.with_tally(|tasks| {
            if let Some(running) = tasks.iter_mut().find(|running| running.task.name == task) {
                running.done = running.done.saturating_add(amount);
                running.news = true;
            }
        });
    }

    fn end(&self, task: &'static str) {
        let ended = self.with_tally(|tasks| {
            let place = tasks.iter().position(|running| running.task.name == task)?;
            Some(tasks.swap_remove(place))
        });
        if let Some(ended) = ended {
            let seconds = ended.begun.elapsed().as_secs_f64();
            self.send(|| json!({ "event": "end", "task": task, "done": ended.done, "seconds": seconds }));
        }
    }

    fn message(&self, text: &str) {
        self.send(|| json!({ "event": "message", "text": text }));
    }

    fn finding(&self, finding: &Finding) {
        self.send(|| json!({ "event": "finding", "finding": finding }));
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}

/// Python's side.
struct Caller<'a> {
    observer: Option<Py<PyAny>>,
    tally: &'a Tally,
    cancelled: &'a AtomicBool,
    stopped: Option<PyErr>,
}

impl Caller<'_> {
    fn attend(&mut self, events: &Receiver<News>) {
        let mut next = Instant::now() + TICK;
        loop {
            match events.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(News::Event(event)) => self.tell(&event),
                Ok(News::Question(question, answer)) => self.answer(&question, &answer),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if Instant::now() >= next {
                self.tick();
                next = Instant::now() + TICK;
            }
        }
    }

    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "the method alone is not general enough in its lifetime"
    )]
    fn tick(&mut self) {
        if self.stopped.is_none()
            && let Err(raised) = Python::attach(|py| py.check_signals())
        {
            self.stop(raised);
        }
        // Who stops the work from another thread need not wait for news.
        self.call(|py, observer| observer.call_method0(py, "tick").map(drop));
        let news: Vec<Value> = self
            .tally
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter_mut()
            .filter_map(|running| {
                let step = || json!({ "event": "progress", "task": running.task.name, "done": running.done, "total": running.task.total });
                std::mem::take(&mut running.news).then(step)
            })
            .collect();
        for event in &news {
            self.tell(event);
        }
    }

    fn tell(&mut self, event: &Value) {
        self.call(|py, observer| observer.call1(py, (to_python(py, event)?,)).map(drop));
    }

    fn answer(&mut self, question: &Value, answer: &SyncSender<String>) {
        self.call(|py, observer| {
            let text: String = observer.call_method1(py, "answer", (to_python(py, question)?,))?.extract(py)?;
            // A verb that was stopped meanwhile does not wait for it.
            let _ = answer.send(text);
            Ok(())
        });
    }

    fn call(&mut self, with: impl FnOnce(Python<'_>, &Py<PyAny>) -> PyResult<()>) {
        let (Some(observer), None) = (&self.observer, &self.stopped) else { return };
        if let Err(raised) = Python::attach(|py| with(py, observer)) {
            self.stop(raised);
        }
    }

    fn stop(&mut self, raised: PyErr) {
        self.cancelled.store(true, Ordering::Relaxed);
        self.stopped = Some(raised);
    }
}
