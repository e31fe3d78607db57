//! What a verb gives back.

use std::fmt::Display;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use serde::Serialize;
use zulip_backup_core::{Error, ErrorKind, Result};

/// A plan or report, as JSON and as the text that people read.
#[derive(Debug)]
pub struct Outcome {
    pub json: String,
    pub text: String,
}

impl Outcome {
    /// Of anything that the core gives back.
    ///
    /// # Errors
    /// `Io` where it has no JSON, which no test has seen.
    pub fn of(value: &(impl Serialize + Display)) -> Result<Self> {
        Ok(Self { json: json(value)?, text: value.to_string() })
    }

    /// Of a verb that found nothing to do.
    pub fn none() -> Self {
        Self { json: "null".to_owned(), text: String::new() }
    }
}

impl From<Outcome> for (String, String) {
    fn from(outcome: Outcome) -> Self {
        (outcome.json, outcome.text)
    }
}

fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|error| Error::new(ErrorKind::Io, "the result cannot be written as JSON").with_source(error))
}

/// What `json.loads` makes of the JSON of `value`.
pub fn to_python<'py>(py: Python<'py>, value: &impl Serialize) -> PyResult<Bound<'py, PyAny>> {
    let text = json(value).map_err(|error| PyRuntimeError::new_err(error.chain()))?;
    py.import("json")?.call_method1("loads", (text,))
}
