//! A plan that Python holds.

use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;
use zulip_backup_core::{Error, ErrorKind, Progress, Result};

use crate::errors::exception;
use crate::outcome::Outcome;
use crate::work::{Relay, work};

/// Does what was planned; perhaps asking Python to render messages.
type Execute = Box<dyn FnOnce(&Relay<'_>, bool) -> Result<Outcome> + Send>;

/// Looks for what speaks against it.
type Check = Box<dyn Fn(&dyn Progress) -> Result<Outcome> + Send + Sync>;

/// What was planned, with what it takes to do it.
pub struct Planned {
    pub outcome: Outcome,
    pub check: Option<Check>,
    pub execute: Execute,
}

/// A plan. It can be executed once.
#[pyclass(frozen, module = "zulip_backup._native")]
pub struct Plan {
    outcome: Outcome,
    check: Option<Check>,
    execute: Mutex<Option<Execute>>,
    /// A child process has neither the plan's connections nor its threads.
    process: u32,
}

impl From<Planned> for Plan {
    fn from(planned: Planned) -> Self {
        let Planned { outcome, check, execute } = planned;
        Self { outcome, check, execute: Mutex::new(Some(execute)), process: std::process::id() }
    }
}

impl Plan {
    fn own(&self) -> Result<()> {
        let here = std::process::id();
        if self.process == here {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Usage, format!("the plan is of process {}, this is {here}", self.process))
            .with_hint("plan again in the child process"))
    }
}

#[pymethods]
impl Plan {
    /// The plan as JSON.
    #[getter]
    fn json(&self) -> &str {
        &self.outcome.json
    }

    /// The plan as people read it.
    #[getter]
    fn text(&self) -> &str {
        &self.outcome.text
    }

    /// Looks for what speaks against it: JSON and text. None where planning itself has looked.
    #[pyo3(signature = (progress=None))]
    fn check(&self, py: Python<'_>, progress: Option<Py<PyAny>>) -> PyResult<Option<(String, String)>> {
        self.own().map_err(|error| exception(py, &error))?;
        let Some(check) = &self.check else { return Ok(None) };
        work(py, progress, |relay| check(relay)).map(|outcome| Some(outcome.into()))
    }

    /// Does it: the report as JSON and text. A plan is executed once. With `renders`, the observer renders messages.
    #[pyo3(signature = (progress=None, renders=false))]
    fn execute(&self, py: Python<'_>, progress: Option<Py<PyAny>>, renders: bool) -> PyResult<(String, String)> {
        self.own().map_err(|error| exception(py, &error))?;
        let execute = self.execute.lock().unwrap_or_else(PoisonError::into_inner).take().ok_or_else(|| {
            let error = Error::new(ErrorKind::Usage, "the plan was executed already").with_hint("plan again");
            exception(py, &error)
        })?;
        work(py, progress, |relay| execute(relay, renders)).map(Outcome::into)
    }
}
