//! Findings, as Python sees them.

use pyo3::prelude::*;
use zulip_backup_core::{Finding as CoreFinding, Severity};

/// One thing noticed about one object.
#[pyclass(frozen, eq, module = "zulip_backup")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding(CoreFinding);

impl From<CoreFinding> for Finding {
    fn from(finding: CoreFinding) -> Self {
        Self(finding)
    }
}

#[pymethods]
impl Finding {
    /// What was noticed: a stable kebab-case word.
    #[getter]
    fn code(&self) -> &str {
        &self.0.code
    }

    /// How much it matters: "note", "warning" or "error".
    #[getter]
    fn severity(&self) -> &'static str {
        match self.0.severity {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }

    /// The member, path, table, key or setting it is about.
    #[getter]
    fn object(&self) -> &str {
        &self.0.object
    }

    /// One sentence without the object's name in front.
    #[getter]
    fn message(&self) -> &str {
        &self.0.message
    }

    /// What the reader can do about it.
    #[getter]
    fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    fn __str__(&self) -> String {
        self.0.to_string()
    }

    fn __repr__(&self) -> String {
        format!("<Finding {}: {}>", self.severity(), self.0)
    }
}
