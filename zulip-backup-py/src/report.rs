//! Reports, as Python sees them: typed attributes for what is asked most, `to_dict()` for all of it.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::PyDict;
use serde::Serialize;
use zulip_backup_core::{Findings, Severity, archive, backup};

use crate::errors::exception;
use crate::finding::Finding;

/// What `json.loads` makes of the JSON of `value`.
pub fn to_python<'py>(py: Python<'py>, value: &impl Serialize) -> PyResult<Bound<'py, PyAny>> {
    let text = serde_json::to_string(value)
        .map_err(|error| pyo3::exceptions::PyRuntimeError::new_err(format!("cannot be written as JSON: {error}")))?;
    py.import("json")?.call_method1("loads", (text,))
}

fn to_dict<'py>(py: Python<'py>, value: &impl Serialize) -> PyResult<Bound<'py, PyDict>> {
    Ok(to_python(py, value)?.cast_into()?)
}

fn listed(findings: &Findings) -> Vec<Finding> {
    findings.list.iter().cloned().map(Finding::from).collect()
}

/// The kebab-case name that an enum of the core has in JSON.
fn name(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// What a backup did.
#[pyclass(frozen, module = "zulip_backup")]
pub struct BackupReport(pub backup::BackupReport);

#[pymethods]
impl BackupReport {
    /// The archive.
    #[getter]
    fn path(&self) -> PathBuf {
        self.0.path.clone().into()
    }

    /// Size of the archive.
    #[getter]
    fn archive_bytes(&self) -> u64 {
        self.0.archive_bytes
    }

    /// Size of what is in it.
    #[getter]
    fn content_bytes(&self) -> u64 {
        self.0.content_bytes
    }

    /// SHA-256 of the manifest, which stands for the whole archive.
    #[getter]
    fn manifest_sha256(&self) -> String {
        self.0.manifest_sha256.to_string()
    }

    /// Tables of the dump.
    #[getter]
    fn tables(&self) -> u64 {
        self.0.tables
    }

    /// Rows of all tables.
    #[getter]
    fn rows(&self) -> u64 {
        self.0.rows
    }

    /// What was noticed.
    #[getter]
    fn findings(&self) -> Vec<Finding> {
        listed(&self.0.findings)
    }

    /// Whether something needs a person's look: any finding that is more than a note.
    #[getter]
    fn has_findings(&self) -> bool {
        self.0.has_findings()
    }

    /// What all took, in seconds.
    #[getter]
    fn seconds(&self) -> f64 {
        self.0.seconds
    }

    /// All of the report. Keys are added in later versions, never changed.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        to_dict(py, &self.0)
    }

    fn __str__(&self) -> String {
        self.0.to_string()
    }

    fn __repr__(&self) -> String {
        format!("<BackupReport {}: {} bytes>", self.0.path, self.0.archive_bytes)
    }
}

/// What an archive is, and what a restore of it needs.
#[pyclass(frozen, module = "zulip_backup")]
pub struct InspectReport(pub archive::InspectReport);

#[pymethods]
impl InspectReport {
    /// The archive.
    #[getter]
    fn path(&self) -> PathBuf {
        self.0.archive.clone().into()
    }

    /// How it can be read: "indexed" (made by zulip-backup) or "stream".
    #[getter]
    fn kind(&self) -> String {
        name(&self.0.kind)
    }

    /// "gzip" or "zstd".
    #[getter]
    fn compression(&self) -> String {
        name(&self.0.compression)
    }

    /// Size of the file.
    #[getter]
    fn archive_bytes(&self) -> u64 {
        self.0.archive_bytes
    }

    /// Version of the archive format; None for archives that zulip-backup did not make.
    #[getter]
    fn format(&self) -> Option<u16> {
        self.0.format
    }

    /// What made it, as far as that shows.
    #[getter]
    fn made_by(&self) -> &str {
        &self.0.made_by
    }

    /// When the backup was begun.
    #[getter]
    fn created_at(&self) -> Option<jiff::Timestamp> {
        self.0.created_at
    }

    /// ZULIP_VERSION of the server.
    #[getter]
    fn zulip_version(&self) -> &str {
        &self.0.zulip_version
    }

    /// The server's operating system: "debian 12".
    #[getter]
    fn os_version(&self) -> &str {
        &self.0.os_version
    }

    /// The database server's version as PostgreSQL's own integer: 150018 is 15.18.
    #[getter]
    fn postgres_version(&self) -> Option<i32> {
        self.0.postgres_version
    }

    /// EXTERNAL_HOST of the server.
    #[getter]
    fn external_host(&self) -> Option<&str> {
        self.0.external_host.as_deref()
    }

    /// Whether it is of a production server.
    #[getter]
    fn production(&self) -> bool {
        self.0.production
    }

    /// What was noticed when the backup was made, and what will be in the way of a restore.
    #[getter]
    fn findings(&self) -> Vec<Finding> {
        listed(&self.0.findings)
    }

    /// Whether something needs a person's look: any finding that is more than a note.
    #[getter]
    fn has_findings(&self) -> bool {
        self.0.findings.at_least(Severity::Warning) > 0
    }

    /// All of the report. Keys are added in later versions, never changed.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        to_dict(py, &self.0)
    }

    fn __str__(&self) -> String {
        self.0.to_string()
    }

    fn __repr__(&self) -> String {
        format!("<InspectReport {}: Zulip {}>", self.0.archive, self.0.zulip_version)
    }
}

/// What was read of an archive, and what was found.
#[pyclass(frozen, module = "zulip_backup")]
pub struct VerifyReport(pub archive::VerifyReport);

#[pymethods]
impl VerifyReport {
    /// The archive.
    #[getter]
    fn path(&self) -> PathBuf {
        self.0.archive.clone().into()
    }

    /// How it was read: "indexed" (made by zulip-backup) or "stream".
    #[getter]
    fn kind(&self) -> String {
        name(&self.0.kind)
    }

    /// How much was read: "quick" or "full".
    #[getter]
    fn depth(&self) -> String {
        name(&self.0.depth)
    }

    /// Size of the file.
    #[getter]
    fn archive_bytes(&self) -> u64 {
        self.0.archive_bytes
    }

    /// Members of the archive.
    #[getter]
    fn members(&self) -> u64 {
        self.0.members
    }

    /// Rows of all tables, as far as they were counted.
    #[getter]
    fn rows(&self) -> u64 {
        self.0.rows()
    }

    /// What was found.
    #[getter]
    fn findings(&self) -> Vec<Finding> {
        listed(&self.0.findings)
    }

    /// Whether the archive can be trusted as far as it was read: no finding is an error.
    #[getter]
    fn is_sound(&self) -> bool {
        self.0.is_sound()
    }

    /// Whether something needs a person's look: any finding that is more than a note.
    #[getter]
    fn has_findings(&self) -> bool {
        self.0.findings.at_least(Severity::Warning) > 0
    }

    /// What all took, in seconds.
    #[getter]
    fn seconds(&self) -> f64 {
        self.0.seconds
    }

    /// Raises DamagedError, with the findings as its reasons, when the archive is not sound.
    fn raise_if_damaged(&self, py: Python<'_>) -> PyResult<()> {
        self.0.clone().into_result().map(drop).map_err(|error| exception(py, &error))
    }

    /// All of the report. Keys are added in later versions, never changed.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        to_dict(py, &self.0)
    }

    fn __str__(&self) -> String {
        self.0.to_string()
    }

    fn __repr__(&self) -> String {
        let verdict = if self.is_sound() { "sound" } else { "damaged" };
        format!("<VerifyReport {}: {verdict}>", self.0.archive)
    }
}
