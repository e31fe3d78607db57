//! The verbs, as Python calls them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use camino::Utf8PathBuf;
use pyo3::prelude::*;
use zulip_backup_core::archive::{self, Archive, Depth, VerifyOptions};
use zulip_backup_core::backup::{self, BackupOptions};
use zulip_backup_core::site::{Site, SiteOptions};
use zulip_backup_core::{Error, ErrorKind, Result, Secret};

use crate::errors::exception;
use crate::report::{BackupReport, InspectReport, VerifyReport};
use crate::run::run;

/// Tell what an archive is, what is in it and what a restore of it needs.
#[pyfunction]
#[pyo3(signature = (path, *, progress=None))]
pub fn inspect(py: Python<'_>, path: PathBuf, progress: Option<Py<PyAny>>) -> PyResult<InspectReport> {
    let path = utf8("path", path).map_err(|error| exception(py, &error))?;
    run(py, progress, |progress| archive::inspect(&Archive::open(&path)?, progress)).map(InspectReport)
}

/// Prove an archive and name all damage that can be found.
#[pyfunction]
#[pyo3(signature = (path, *, quick=false, jobs=None, progress=None))]
pub fn verify(
    py: Python<'_>,
    path: PathBuf,
    quick: bool,
    jobs: Option<usize>,
    progress: Option<Py<PyAny>>,
) -> PyResult<VerifyReport> {
    let named = utf8("path", path).and_then(|path| Ok((path, at_least_one(jobs)?)));
    let (path, jobs) = named.map_err(|error| exception(py, &error))?;
    let depth = if quick { Depth::Quick } else { Depth::Full };
    let options = VerifyOptions::default().depth(depth).jobs(jobs.unwrap_or(0));
    run(py, progress, |progress| archive::verify(&Archive::open(&path)?, &options, progress)).map(VerifyReport)
}

/// Back the server up into one archive.
#[pyfunction]
#[pyo3(signature = (
    *,
    output=None,
    deployment=None,
    settings_dir=None,
    secrets_file=None,
    uploads_dir=None,
    database_url=None,
    settings=None,
    config=None,
    root=None,
    skip_db=false,
    skip_uploads=false,
    compression=None,
    level=None,
    jobs=None,
    force=false,
    ignore_space=false,
    progress=None,
))]
#[expect(clippy::too_many_arguments, clippy::fn_params_excessive_bools, reason = "keyword arguments in Python")]
pub fn create(
    py: Python<'_>,
    output: Option<PathBuf>,
    deployment: Option<PathBuf>,
    settings_dir: Option<PathBuf>,
    secrets_file: Option<PathBuf>,
    uploads_dir: Option<PathBuf>,
    database_url: Option<String>,
    settings: Option<BTreeMap<String, String>>,
    config: Option<PathBuf>,
    root: Option<PathBuf>,
    skip_db: bool,
    skip_uploads: bool,
    compression: Option<&str>,
    level: Option<i32>,
    jobs: Option<usize>,
    force: bool,
    ignore_space: bool,
    progress: Option<Py<PyAny>>,
) -> PyResult<BackupReport> {
    let options = || -> Result<(SiteOptions, BackupOptions)> {
        let path = |name, path: Option<PathBuf>| path.map(|path| utf8(name, path)).transpose();
        let site = SiteOptions {
            deployment: path("deployment", deployment)?,
            settings_dir: path("settings_dir", settings_dir)?,
            secrets_file: path("secrets_file", secrets_file)?,
            uploads_dir: path("uploads_dir", uploads_dir)?,
            database_url: database_url.map(Secret::new),
            settings: settings.unwrap_or_default(),
            config: path("config", config)?,
            root: path("root", root)?,
            ..SiteOptions::default()
        };
        let backup = BackupOptions {
            output: path("output", output)?,
            force,
            skip_db,
            skip_uploads,
            compression: compression.map(str::parse).transpose()?,
            level,
            jobs: at_least_one(jobs)?,
            ignore_space,
        };
        Ok((site, backup))
    };
    let (site, backup) = options().map_err(|error| exception(py, &error))?;
    run(py, progress, |progress| {
        let site = Site::builder().options(site).build()?;
        backup::plan(&site, &backup, progress)?.execute(progress)
    })
    .map(BackupReport)
}

fn utf8(name: &str, path: PathBuf) -> Result<Utf8PathBuf> {
    Utf8PathBuf::from_path_buf(path)
        .map_err(|path| Error::new(ErrorKind::Usage, format!("{name} is not UTF-8 text: {}", path.display())))
}

fn at_least_one(jobs: Option<usize>) -> Result<Option<usize>> {
    match jobs {
        Some(0) => Err(Error::new(ErrorKind::Usage, "jobs is 0: expected 1 or more")
            .with_hint("leave it out for one job per processor")),
        jobs => Ok(jobs),
    }
}
