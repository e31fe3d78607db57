//! After a restore: back to what was there before, or for good.

use std::fmt;
use std::time::Instant;

use serde::Serialize;

use crate::restore::admin::{self, Admin};
use crate::restore::execute::{each_tree, lock};
use crate::restore::journal::{Journal, Phase, state_dir};
use crate::restore::plan::Step;
use crate::restore::report::StepReport;
use crate::restore::{RestoreOptions, server};
use crate::site::{Kind, Site};
use crate::units::seconds;
use crate::{Error, ErrorKind, Progress, Result, Task, fs};

/// A restore that is not over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pending {
    /// What is or was restored.
    pub source: String,
    /// When it was begun, UTC: `20250401120000`.
    pub begun: String,
    /// How far it is.
    pub phase: Phase,
    /// The steps that are done.
    pub done: Vec<String>,
    /// The step that was begun and not finished.
    pub interrupted: Option<String>,
    /// The database that is kept or made ready.
    pub databases: Vec<String>,
    /// The directories that are kept or made ready.
    pub paths: Vec<camino::Utf8PathBuf>,
}

/// What a commit or rollback did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EndReport {
    /// The restore it was about.
    pub source: String,
    /// Whether everything was put back; `false`: the former state was removed.
    pub rolled_back: bool,
    /// The steps and how long each took.
    pub steps: Vec<StepReport>,
    /// What it took, in seconds.
    pub seconds: f64,
}

impl fmt::Display for EndReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            writeln!(f, "{:<20} {}", step.name, seconds(step.seconds))?;
        }
        let what = if self.rolled_back { "the former state is back" } else { "the former state is removed" };
        write!(f, "restore of {}: {what}, in {}", self.source, seconds(self.seconds))
    }
}

/// The restore of this server that is not over, if there is one.
///
/// # Errors
/// Where the journal cannot be read or is not understood.
pub fn pending(site: &Site, options: &RestoreOptions) -> Result<Option<Pending>> {
    let journal = Journal::load(&state_dir(site, options))?;
    Ok(journal.map(|journal| Pending {
        source: journal.source,
        begun: journal.stamp,
        phase: journal.phase,
        done: journal.done,
        interrupted: journal.current,
        databases: journal.database.into_iter().flat_map(|database| [database.side, database.kept]).collect(),
        paths: journal.trees.into_iter().flat_map(|tree| [tree.staged, tree.kept]).collect(),
    }))
}

/// Puts back what was there before a restore, finished or not, and removes what it restored. An interrupted rollback goes
/// on when it is called again.
///
/// # Errors
/// `NotFound` where there is no restore, `Refused` where it emptied the database in place or is being committed, and what
/// server, disk and scripts answer.
pub fn rollback(site: &Site, options: &RestoreOptions, progress: &dyn Progress) -> Result<EndReport> {
    let (mut end, mut journal) = End::begin(site, options, "rollback", progress)?;
    if journal.phase == Phase::Committing {
        return Err(Error::new(
            ErrorKind::Refused,
            "the restore is being committed: what was there before is half removed",
        )
        .with_hint("run `restore --commit` again"));
    }
    if journal.database.as_ref().is_some_and(|database| database.in_place) && journal.was_begun("empty-database") {
        return Err(Error::new(ErrorKind::Refused, "the database was emptied in place: there is nothing to put back")
            .with_hint("run the same restore again to finish it, or restore another archive"));
    }
    let switched = journal.has_switched();
    let production = site.kind()?.value == Kind::Production;
    if switched && journal.phase != Phase::RollingBack {
        journal.phase = Phase::RollingBack;
    }
    journal.save(&end.directory)?;
    let restarts = switched && production && journal.was_begun("stop-server");
    if restarts {
        end.step("stop-server", |_, progress| server::stop(site, progress))?;
    }
    // The settings first: they say how to reach the database.
    for kind in journal.trees.iter().map(|tree| tree.kind).rev().collect::<Vec<_>>() {
        let name = match kind {
            crate::restore::trees::TreeKind::Settings => "undo-settings",
            crate::restore::trees::TreeKind::DevSecrets => "undo-dev-secrets",
            crate::restore::trees::TreeKind::Uploads => "undo-uploads",
        };
        end.step(name, |directory, _| each_tree(&mut journal, directory, kind, |tree, save| tree.undo(save)))?;
    }
    if let Some(database) = journal.database.as_ref().filter(|database| !database.in_place) {
        end.step("undo-database", |_, progress| {
            let admin = Admin::find(&site.database()?.value)?;
            admin::undo(&admin, database, journal.was_begun(Step::SWITCH_DATABASE), progress)
        })?;
    }
    if let Some(dump) = &journal.dump_dir {
        fs::remove_tree(dump)?;
    }
    if journal.was_begun("configure-rabbitmq") {
        end.step("configure-rabbitmq", |_, progress| server::configure_rabbitmq(site, progress))?;
    }
    if journal.was_begun("puppet-apply") {
        end.step("puppet-apply", |_, progress| server::puppet_apply(site, progress))?;
    }
    if restarts {
        end.step("restart-server", |_, progress| server::restart(site, progress))?;
    }
    if journal.was_begun(Step::SWITCH_DATABASE) {
        end.step("flush-memcached", |_, progress| server::flush_memcached(site, progress))?;
    }
    end.finish(&journal, true)
}

/// Removes what was there before a restore that is done: the old database, settings and uploads.
///
/// # Errors
/// `NotFound` where there is no restore, `Refused` where it is not done, and what server and disk answer.
pub fn commit(site: &Site, options: &RestoreOptions, progress: &dyn Progress) -> Result<EndReport> {
    let (mut end, mut journal) = End::begin(site, options, "commit", progress)?;
    if !matches!(journal.phase, Phase::Done | Phase::Committing) {
        let message = format!("the restore of {} is not done", journal.source);
        return Err(Error::new(ErrorKind::Refused, message)
            .with_hint("finish it by the same command, or take it back with `restore --rollback`"));
    }
    journal.phase = Phase::Committing;
    journal.save(&end.directory)?;
    if let Some(database) = journal.database.as_ref().filter(|database| !database.in_place) {
        end.step("drop-old-database", |_, _| {
            let admin = Admin::find(&site.database()?.value)?;
            admin::drop_database(&mut admin.connect()?, &database.kept)
        })?;
    }
    for tree in &journal.trees {
        end.step("remove-old-files", |_, _| tree.commit())?;
    }
    end.finish(&journal, false)
}

struct End<'a> {
    directory: camino::Utf8PathBuf,
    progress: &'a dyn Progress,
    steps: Vec<StepReport>,
    begun: Instant,
    _lock: crate::fs::LockFile,
}

impl<'a> End<'a> {
    fn begin(
        site: &Site,
        options: &RestoreOptions,
        doing: &str,
        progress: &'a dyn Progress,
    ) -> Result<(Self, Journal)> {
        let directory = state_dir(site, options);
        let none = || {
            Error::new(ErrorKind::NotFound, format!("there is no restore to {doing}: {directory} has no journal"))
                .with_path(&directory)
        };
        if !fs::is_dir(&directory) {
            return Err(none());
        }
        let lock = lock(&directory, doing)?;
        let journal = Journal::load(&directory)?.ok_or_else(none)?;
        Ok((Self { directory, progress, steps: Vec::new(), begun: Instant::now(), _lock: lock }, journal))
    }

    fn step(
        &mut self,
        name: &'static str,
        work: impl FnOnce(&camino::Utf8Path, &dyn Progress) -> Result<()>,
    ) -> Result<()> {
        let begun = Instant::now();
        self.progress.begin(Task::steps(name, 1));
        work(&self.directory, self.progress)?;
        self.progress.end(name);
        self.steps.push(StepReport { name: name.to_owned(), seconds: begun.elapsed().as_secs_f64() });
        Ok(())
    }

    fn finish(self, journal: &Journal, rolled_back: bool) -> Result<EndReport> {
        Journal::remove(&self.directory)?;
        Ok(EndReport {
            source: journal.source.clone(),
            rolled_back,
            steps: self.steps,
            seconds: self.begun.elapsed().as_secs_f64(),
        })
    }
}
