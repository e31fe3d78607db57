//! Doing what the plan says.

use std::time::Instant;

use crate::archive::Archive;
use crate::fs::LockFile;
use crate::postgres::{Environment, Programs};
use crate::restore::admin::{self, Admin};
use crate::restore::database::{self, Dump, DumpFile, DumpKind, LoadOptions, LoadReport};
use crate::restore::journal::{Journal, Phase};
use crate::restore::plan::{RestorePlan, Step};
use crate::restore::report::{DatabaseReport, RestoreReport, StepReport, TreeReport};
use crate::restore::source::SourceKind;
use crate::restore::trees::TreeKind;
use crate::restore::{Preflighted, server, stage};
use crate::{Error, ErrorKind, Findings, Progress, Result, Task, fs};

/// The role's `search_path` where the archive does not say: upstream's `create-db.sql` sets it, and Zulip needs it.
const SEARCH_PATH: &str = "zulip, public";

impl Preflighted {
    /// Restores.
    ///
    /// Each step is in the journal before it is begun: after a failure, an interruption or a kill, the same command goes
    /// on, and `rollback` takes back.
    ///
    /// # Errors
    /// `Locked` when another restore runs, `Damaged` where what was loaded is not what the archive promised,
    /// `Interrupted`, and what server, disk and scripts answer. The message names the step.
    pub fn execute(self, progress: &dyn Progress) -> Result<RestoreReport> {
        let Self { plan, preflight } = self;
        let begun = Instant::now();
        fs::create_private_dirs(&plan.state_dir)?;
        let _lock = lock(&plan.state_dir, "restore")?;
        // Somebody may have been faster between the plan and the lock.
        if Journal::load(&plan.state_dir)? != plan.earlier.clone().or(plan.continues.then(|| plan.journal.clone())) {
            return Err(Error::new(ErrorKind::Locked, "another restore went on since this one was planned")
                .with_hint("plan again"));
        }
        if let Some(earlier) = &plan.earlier {
            discard(&plan, earlier)?;
        }
        let journal = plan.journal.clone();
        let mut findings = Findings::default();
        plan.findings.iter().chain(&preflight.findings).for_each(|finding| findings.push(finding.clone()));
        let mut run =
            Run { plan: &plan, progress, journal, findings, load: None, trees: Vec::new(), steps: Vec::new() };
        run.journal.save(&plan.state_dir)?;
        for planned in &plan.steps {
            run.step(&planned.step)?;
        }
        let switched = plan.switches();
        if switched {
            run.journal.phase = Phase::Done;
            run.journal.current = None;
            run.journal.save(&plan.state_dir)?;
        }
        Ok(run.report(switched, begun))
    }
}

fn no_server() -> Error {
    Error::new(ErrorKind::Postgres, "the database server is not known")
}

/// Keeps restores of one server apart.
pub(super) fn lock(directory: &camino::Utf8Path, doing: &str) -> Result<LockFile> {
    LockFile::take(&directory.join("restore.lock"), doing)
}

/// Removes what a restore left that was never switched.
fn discard(plan: &RestorePlan, earlier: &Journal) -> Result<()> {
    for tree in &earlier.trees {
        tree.discard()?;
    }
    if let Some(dump) = &earlier.dump_dir {
        fs::remove_tree(dump)?;
    }
    if let Some(database) = earlier.database.as_ref().filter(|database| !database.in_place) {
        let found;
        let admin = match &plan.admin {
            Some(admin) => admin,
            None => {
                found = Admin::find(&plan.site.database()?.value)?;
                &found
            }
        };
        admin::undo(admin, database, false, &crate::Silent)?;
    }
    Journal::remove(&plan.state_dir)
}

struct Run<'a> {
    plan: &'a RestorePlan,
    progress: &'a dyn Progress,
    journal: Journal,
    findings: Findings,
    load: Option<LoadReport>,
    trees: Vec<(TreeKind, stage::Staged)>,
    steps: Vec<StepReport>,
}

impl Run<'_> {
    fn step(&mut self, step: &Step) -> Result<()> {
        let begun = Instant::now();
        let name = step.name();
        self.progress.checkpoint()?;
        self.journal.current = Some(name.to_owned());
        if self.touches_server(step) {
            self.journal.phase = Phase::Switching;
        }
        self.journal.save(&self.plan.state_dir)?;
        self.progress.begin(Task::steps(name, 1));
        self.run(step).map_err(|error| self.failed(name, error))?;
        self.journal.done.push(name.to_owned());
        self.journal.current = None;
        self.journal.save(&self.plan.state_dir)?;
        self.progress.advance(name, 1);
        self.progress.end(name);
        self.steps.push(StepReport { name: name.to_owned(), seconds: begun.elapsed().as_secs_f64() });
        Ok(())
    }

    fn touches_server(&self, step: &Step) -> bool {
        match step {
            Step::Unpack { .. } | Step::Stage { .. } | Step::CreateDatabase { .. } => false,
            Step::LoadDatabase { .. } | Step::CheckDatabase { .. } => self.plan.options.in_place,
            _ => true,
        }
    }

    fn failed(&self, name: &str, error: Error) -> Error {
        let state = if self.journal.has_switched() {
            "repair the cause and run the same command again, or take everything back with `restore --rollback`"
        } else {
            "nothing the server uses was touched; repair the cause and run the same command again"
        };
        let hint = error.hint().map_or_else(|| state.to_owned(), |hint| format!("{hint}; then: {state}"));
        let (kind, reasons) = (error.kind(), error.reasons().to_vec());
        Error::new(kind, format!("the step {name} failed: {error}"))
            .with_hint(hint)
            .with_reasons(reasons)
            .with_source(error)
    }

    fn run(&mut self, step: &Step) -> Result<()> {
        let plan = self.plan;
        match step {
            Step::Unpack { .. } => {
                if let SourceKind::Archive(Archive::Stream(archive)) = &*plan.source.kind {
                    let found = stage::unpack(plan, archive, &self.journal.trees, self.progress)?;
                    for finding in found {
                        self.findings.push(finding);
                    }
                }
                Ok(())
            }
            Step::Stage { tree, .. } => self.stage(*tree),
            Step::CreateDatabase { .. } => {
                let admin = self.admin()?;
                let search_path = plan.contents.search_path.as_deref().unwrap_or(SEARCH_PATH);
                let mut client = admin.connect()?;
                let Some(database) = &mut self.journal.database else { return Ok(()) };
                admin::create(&mut client, database, plan.contents.locale.as_ref(), search_path)
            }
            Step::LoadDatabase { database } => self.load(database),
            Step::CheckDatabase { database } => {
                let load = self.load.get_or_insert_default();
                let target = plan.admin.as_ref().map(|admin| admin.to(database));
                let expected = plan.contents.tables.as_deref().unwrap_or_default();
                target.map_or(Ok(()), |target| database::check(&target, expected, load, self.progress))
            }
            Step::EmptyDatabase { .. } => match &self.journal.database {
                Some(database) => admin::empty(self.admin()?, database),
                None => Ok(()),
            },
            Step::SwitchDatabase { .. } => match &self.journal.database {
                Some(database) => admin::switch(self.admin()?, database, self.progress),
                None => Ok(()),
            },
            Step::Switch { tree, .. } => {
                let directory = &plan.state_dir;
                let journal = &mut self.journal;
                each_tree(journal, directory, *tree, |tree, save| tree.switch(save))
            }
            Step::StopServer => server::stop(&plan.site, self.progress),
            Step::GenerateSecrets => server::generate_secrets(&plan.site, self.progress),
            Step::ConfigureRabbitmq => server::configure_rabbitmq(&plan.site, self.progress),
            Step::PuppetApply => server::puppet_apply(&plan.site, self.progress),
            Step::RestartServer => server::restart(&plan.site, self.progress),
            Step::FlushMemcached => server::flush_memcached(&plan.site, self.progress),
        }
    }

    fn admin(&self) -> Result<&Admin> {
        self.plan.admin.as_ref().ok_or_else(no_server)
    }

    fn stage(&mut self, kind: TreeKind) -> Result<()> {
        let Some(tree) = self.journal.trees.iter_mut().find(|tree| tree.kind == kind) else { return Ok(()) };
        let mut staged = stage::stage(self.plan, tree, self.progress)?;
        for finding in staged.findings.drain(..) {
            self.progress.finding(&finding);
            self.findings.push(finding);
        }
        self.trees.push((kind, staged));
        Ok(())
    }

    fn load(&mut self, name: &str) -> Result<()> {
        let plan = self.plan;
        let admin = plan.admin.as_ref().ok_or_else(no_server)?;
        let unpacked =
            self.journal.dump_dir.as_ref().map(|dump| DumpFile { path: dump.clone(), kind: DumpKind::Directory });
        let dump = match &unpacked {
            Some(dump) => Dump::File(dump),
            None => plan.source.dump().ok_or_else(|| Error::new(ErrorKind::NotFound, "there is no dump to load"))?,
        };
        let programs = Programs::for_server(admin.server_version_num, &Environment::current())?;
        let options = LoadOptions {
            jobs: plan.options.jobs.unwrap_or(0),
            owner: self.journal.database.as_ref().map(|database| database.owner.clone()),
            leave_out_missing_dictionaries: plan.options.leave_out_missing_dictionaries,
        };
        // A load that was interrupted left something: the database beside is made anew, the one in place emptied again.
        if let Some(database) = self.journal.database.as_mut().filter(|_| plan.journal.was_begun("load-database")) {
            if database.in_place {
                admin::empty(admin, database)?;
            } else {
                let search_path = plan.contents.search_path.as_deref().unwrap_or(SEARCH_PATH);
                admin::create(&mut admin.connect()?, database, plan.contents.locale.as_ref(), search_path)?;
            }
        }
        self.load = Some(database::load(dump, &admin.to(name), &programs, &options, self.progress)?);
        if let Some(dump) = &self.journal.dump_dir {
            fs::remove_tree(dump)?;
        }
        Ok(())
    }

    fn report(self, switched: bool, begun: Instant) -> RestoreReport {
        let Self { plan, journal, findings, load, trees, steps, .. } = self;
        let database = journal.database.as_ref().map(|moved| {
            let load = load.unwrap_or_default();
            DatabaseReport {
                name: if switched { moved.name.clone() } else { moved.side.clone() },
                kept: (switched && moved.existed && !moved.in_place).then(|| moved.kept.clone()),
                tables: load.rows.len() as u64,
                rows: load.rows.iter().map(|table| table.rows).sum(),
                load,
            }
        });
        let report = |tree: &crate::restore::trees::TreeMove| {
            let staged = trees.iter().find(|(kind, _)| *kind == tree.kind).map(|(_, staged)| staged);
            TreeReport {
                tree: tree.kind,
                target: if switched { tree.target.clone() } else { tree.staged.clone() },
                kept: (switched && tree.existed).then(|| tree.kept.clone()),
                files: staged.map_or(0, |staged| staged.files),
                bytes: staged.map_or(0, |staged| staged.bytes),
                not_in_source: staged.map_or(0, |staged| staged.not_in_source),
                not_in_source_first: staged.map(|staged| staged.not_in_source_first.clone()).unwrap_or_default(),
            }
        };
        let next = if switched {
            vec![
                "look at the server; then `zulip-backup restore --commit` removes what was there before".to_owned(),
                "or `zulip-backup restore --rollback` puts it back".to_owned(),
            ]
        } else {
            vec![
                "the same command without --only-stage switches".to_owned(),
                "or `zulip-backup restore --rollback` removes what was made ready".to_owned(),
            ]
        };
        RestoreReport {
            source: plan.source.to_string(),
            continued: plan.continues,
            switched,
            steps,
            database,
            trees: journal.trees.iter().map(report).collect(),
            findings,
            next,
            seconds: begun.elapsed().as_secs_f64(),
        }
    }
}

/// Does something to one tree of a journal that must be saved in between.
pub(super) fn each_tree(
    journal: &mut Journal,
    directory: &camino::Utf8Path,
    kind: TreeKind,
    change: impl FnOnce(
        &mut crate::restore::trees::TreeMove,
        &mut dyn FnMut(&crate::restore::trees::TreeMove) -> Result<()>,
    ) -> Result<()>,
) -> Result<()> {
    let Some(at) = journal.trees.iter().position(|tree| tree.kind == kind) else { return Ok(()) };
    let mut tree = journal.trees[at].clone();
    let changed = change(&mut tree, &mut |now| {
        journal.trees[at] = now.clone();
        journal.save(directory)
    });
    journal.trees[at] = tree;
    changed
}
