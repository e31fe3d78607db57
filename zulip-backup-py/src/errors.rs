//! The one place where an error of the core becomes an exception.

use pyo3::exceptions::{PyKeyboardInterrupt, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as ValueError, StrDeserializer};
use zulip_backup_core::{Error, ErrorKind};

use crate::outcome::to_python;

/// Where the exceptions are defined: in Python, where a class with typed attributes takes no trick.
const MODULE: &str = "zulip_backup._exceptions";

/// The exception's name for a kind of error; absent where Python has its own.
fn class_name(kind: ErrorKind) -> Option<&'static str> {
    Some(match kind {
        ErrorKind::Usage => "UsageError",
        ErrorKind::Incompatible => "IncompatibleError",
        ErrorKind::Refused => "RefusedError",
        ErrorKind::Damaged => "DamagedError",
        ErrorKind::Locked => "LockedError",
        ErrorKind::Postgres => "PostgresError",
        ErrorKind::Store => "StoreError",
        ErrorKind::Io => "IoError",
        ErrorKind::NotFound => "NotFoundError",
        ErrorKind::Config => "ConfigError",
        ErrorKind::Interrupted => return None,
        // The enum may grow; the core's version is pinned to this crate's, and a test walks all kinds there are.
        _ => "ZulipBackupError",
    })
}

fn class(py: Python<'_>, kind: ErrorKind) -> PyResult<Bound<'_, PyType>> {
    match class_name(kind) {
        Some(name) => Ok(py.import(MODULE)?.getattr(name)?.cast_into()?),
        None => Ok(py.get_type::<PyKeyboardInterrupt>()),
    }
}

/// The exception for an error of the core.
pub fn exception(py: Python<'_>, error: &Error) -> PyErr {
    build(py, error).unwrap_or_else(|failure| failure)
}

fn build(py: Python<'_>, error: &Error) -> PyResult<PyErr> {
    let kind = error.kind();
    let class = class(py, kind)?;
    if class_name(kind).is_none() {
        return Ok(PyErr::from_value(class.call0()?));
    }
    let attributes = PyDict::new(py);
    attributes.set_item("kind", kind.name())?;
    attributes.set_item("exit_code", kind.exit_code())?;
    attributes.set_item("path", error.path().map(camino::Utf8Path::as_std_path))?;
    attributes.set_item("hint", error.hint())?;
    attributes.set_item("reasons", to_python(py, &error.reasons())?)?;
    Ok(PyErr::from_value(class.call((error.chain(),), Some(&attributes))?))
}

/// The exception class for the kind of error with this name. For the test that walks all kinds.
///
/// Raises ValueError, naming all kinds, when there is none of that name.
#[pyfunction]
#[pyo3(name = "_exception_class")]
pub fn exception_class<'py>(py: Python<'py>, kind: &str) -> PyResult<Bound<'py, PyType>> {
    let name: StrDeserializer<'_, ValueError> = kind.into_deserializer();
    let kind = ErrorKind::deserialize(name).map_err(|error| PyValueError::new_err(error.to_string()))?;
    class(py, kind)
}
