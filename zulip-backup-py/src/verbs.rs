//! The verbs, as the package calls them.

use pyo3::prelude::*;
use zulip_backup_core::archive::{self, Archive};
use zulip_backup_core::import::Render;
use zulip_backup_core::realm::{deactivate, delete, reactivate, rename};
use zulip_backup_core::{Progress, Result, backup, diff, drill, export, import, realm, restore, upgrade, validate};

use crate::errors::exception;
use crate::outcome::Outcome;
use crate::plan::{Plan, Planned};
use crate::request;
use crate::work::work;

/// Does what a request asks for: the report as JSON and as the text that people read.
#[pyfunction]
#[pyo3(signature = (request, progress=None))]
pub fn run(py: Python<'_>, request: &str, progress: Option<Py<PyAny>>) -> PyResult<(String, String)> {
    let request = request::read(request).map_err(|error| exception(py, &error))?;
    work(py, progress, |relay| report(request, relay)).map(Outcome::into)
}

/// Plans what a request asks for.
#[pyfunction]
#[pyo3(signature = (request, progress=None))]
pub fn plan(py: Python<'_>, request: &str, progress: Option<Py<PyAny>>) -> PyResult<Plan> {
    let request = request::read(request).map_err(|error| exception(py, &error))?;
    work(py, progress, |relay| planned(request, relay)).map(Plan::from)
}

fn report(request: request::Run, progress: &dyn Progress) -> Result<Outcome> {
    use request::Run;
    match request {
        Run::Inspect { archive } => Outcome::of(&archive::inspect(&Archive::open(&archive)?, progress)?),
        Run::Summarize { export } => Outcome::of(&validate::summarize(&export, progress)?),
        Run::Verify { archive, options } => {
            Outcome::of(&archive::verify(&Archive::open(&archive)?, &options, progress)?)
        }
        Run::Extract { archive, directory, options } => {
            Outcome::of(&archive::extract(&Archive::open(&archive)?, &options, &directory, progress)?)
        }
        Run::Drill { archive, options } => Outcome::of(&drill::drill(&Archive::open(&archive)?, &options, progress)?),
        Run::Validate { export, options } => Outcome::of(&validate::validate(&export, &options, progress)?),
        Run::Diff { a, b, options } => Outcome::of(&diff::diff(&a, &b, &options, progress)?),
        Run::Site { site } => Outcome::of(&site.open()?.report()),
        Run::RealmList { site } => Outcome::of(&realm::list(&site.open()?)?),
        Run::RealmShow { site, realm } => Outcome::of(&realm::show(&site.open()?, &realm)?),
        Run::FinishDeletion { site, realm } => match delete::finish(&site.open()?, &realm)? {
            Some(report) => Outcome::of(&report),
            None => Ok(Outcome::none()),
        },
        Run::CommitRestore { site, options } => Outcome::of(&restore::commit(&site.open()?, &options, progress)?),
        Run::RollbackRestore { site, options } => Outcome::of(&restore::rollback(&site.open()?, &options, progress)?),
    }
}

/// A plan whose own looking has found all that speaks against it.
macro_rules! planned {
    ($plan:expr) => {{
        let plan = $plan;
        Ok(Planned {
            outcome: Outcome::of(&plan)?,
            check: None,
            execute: Box::new(move |relay, _| Outcome::of(&plan.execute(relay)?)),
        })
    }};
}

fn planned(request: request::Plan, progress: &dyn Progress) -> Result<Planned> {
    use request::Plan;
    match request {
        Plan::Create { site, options } => planned!(backup::plan(&site.open()?, &options, progress)?),
        Plan::Restore { site, source, options } => {
            let plan = restore::plan(&source.open()?, &site.open()?, &options, progress)?;
            let outcome = Outcome::of(&plan)?;
            let checked = plan.clone();
            Ok(Planned {
                outcome,
                check: Some(Box::new(move |progress| Outcome::of(&checked.check(progress)?))),
                execute: Box::new(move |relay, _| Outcome::of(&plan.preflight(relay)?.execute(relay)?)),
            })
        }
        Plan::Export { site, options } => planned!(export::plan(&site.open()?, &options)?),
        Plan::Import { site, path, options } => {
            let plan = import::plan(&site.open()?, &path, &options, progress)?;
            Ok(Planned {
                outcome: Outcome::of(&plan)?,
                check: None,
                execute: Box::new(move |relay, renders| {
                    let render = renders.then_some(relay as &dyn Render);
                    Outcome::of(&plan.execute_with(render, relay)?)
                }),
            })
        }
        Plan::Upgrade { path, options } => planned!(upgrade::plan(&path, &options, progress)?),
        Plan::Deactivate { site, options } => planned!(deactivate::plan(&site.open()?, &options)?),
        Plan::Reactivate { site, realm } => planned!(reactivate::plan(&site.open()?, &realm)?),
        Plan::Rename { site, options } => planned!(rename::plan(&site.open()?, &options)?),
        Plan::Delete { site, realm } => planned!(delete::plan(&site.open()?, &realm)?),
    }
}
