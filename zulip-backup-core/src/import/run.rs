//! The import's transaction, from the first row to the last check.

use std::collections::BTreeSet;

use postgres::Client;

use crate::ids::Of;
use crate::import::aside::Aside;
use crate::import::clients::{self, NewClient};
use crate::import::conversion::{self, Conversion};
use crate::import::files::{self, Copied, FilePlan, Pictures};
use crate::import::ids::Ids;
use crate::import::load::{self, Loaded, Target};
use crate::import::making::Making;
use crate::import::messages::{self, Seen};
use crate::import::shared::Shared;
use crate::import::texts::{Names, OwnAttachments};
use crate::import::watch::Watch;
use crate::import::way::{self, Way};
use crate::import::{ImportPlan, Render, attachments, finish, huddles, recipients, render, verify};
use crate::package::{Compat, RowReader};
use crate::postgres::error;
use crate::progress::Stoppable;
use crate::rewrite::{Links, Rewriter, UnknownKind};
use crate::schema::RowList;
use crate::uploads::Staging;
use crate::validate::{Examined, Facts, Standing};
use crate::{Error, ErrorKind, Finding, Findings, Progress, Result, Task, Unit};

/// The task told to [`Progress`]: rows of everything but messages.
const ROWS_TASK: &str = "rows";

/// An import on its way: its transaction has begun, and it has its ids.
pub(super) struct Run<'a> {
    pub(super) plan: &'a ImportPlan,
    pub(super) realm: i64,
    pub(super) internal: bool,
    pub(super) ids: Ids,
    pub(super) new_clients: Vec<NewClient>,
    pub(super) staging: &'a dyn Staging,
    pub(super) render: Option<&'a dyn Render>,
    pub(super) progress: &'a dyn Progress,
}

/// What an import did.
pub(super) struct Outcome {
    pub(super) loaded: Vec<Loaded>,
    pub(super) findings: Findings,
    pub(super) internal: bool,
    pub(super) files: u64,
    pub(super) indexes_again: u64,
    pub(super) watch: Watch,
}

impl Run<'_> {
    /// Writes all of it, and checks it.
    ///
    /// # Errors
    /// `Damaged` where what was written is not what the export holds, and what disk and database answer.
    pub(super) fn write(&self, client: &mut Client, mut findings: Findings) -> Result<Outcome> {
        let Examined { release, facts, records, .. } = &self.plan.examined;
        let mut watch = Watch::new();
        let ids = &self.ids;
        let listing = self.plan.package.listing()?;
        let (salt, pictures) = (&self.plan.avatar_salt, Pictures::new(&release.export, self.plan.compat));
        let files =
            FilePlan::new(records, facts, listing, &|user| ids.get(Of::User, user), self.realm, salt, pictures)?;
        let aside = match self.plan.way {
            Way::FirstImport => Some(Aside::set(client, way::large(&self.plan.rows))?),
            Way::SharedServer { .. } => None,
        };
        let shared = match self.plan.way {
            Way::SharedServer { bulk_checks } => Some(Shared::begin(client, bulk_checks, ids)?),
            Way::FirstImport => None,
        };
        watch.lap("prepare");
        let conversion = Conversion::begin(client, self.plan.examined.release, facts)?;
        let names = Names { ids, realm: (self.plan.realm.id, self.realm), paths: &files.paths };
        let links = if self.plan.fix_links { Links::Fixed } else { Links::Strict };
        let (importer, strict) = (release.export.importer, self.plan.compat == Compat::Strict);
        let making = Making {
            rewriter: Rewriter::new(&names, links),
            own: OwnAttachments::read(&self.plan.package, links)?,
            links,
            ids,
            facts,
            realm: self.realm,
            compat: self.plan.compat,
            subdomain: &self.plan.subdomain,
            keep_name: self.plan.keep_name,
            trust_server_powers: self.plan.trust_server_powers,
            links_by_attachment: importer.links_by_attachment,
            maps_edit_history: importer.maps_edit_history || !strict,
            drops_bot_counts: importer.drops_bot_counts || !strict,
            pictures,
            paths: &files.paths,
            group_hashes: huddles::hashes(facts, ids),
            default_owner: default_owner(facts),
            conversion: conversion.as_ref(),
        };
        let ((mut loaded, indexes_again), copied) =
            self.beside_files(&files, |stop| self.rows_and_keys(client, &making, aside, shared, stop, &mut watch))?;
        watch.lap("wait for files");
        attachments::images(client, release, self.realm, &copied.pictures)?;
        finish::pictures(client, self.realm, &copied)?;
        verify::check(client, &self.plan.examined, ids, self.realm, &loaded)?;
        watch.lap("verify");
        loaded.sort_by(|a, b| a.table.cmp(&b.table));
        findings.extend(copied.findings);
        findings.extend(unknown(&making.rewriter));
        if conversion.is_some() {
            findings.extend(conversion::unrendered(client, self.realm)?);
        }
        for Loaded { list, left_out, .. } in loaded.iter().filter(|loaded| loaded.left_out > 0) {
            let message = format!("{left_out} rows name what the export has not, and are left out");
            findings.push(Finding::note("rows-left-out", list, message));
        }
        Ok(Outcome { loaded, findings, internal: self.internal, files: copied.files, indexes_again, watch })
    }

    /// Does something while files are copied. Either stops the other when it fails.
    fn beside_files<T>(&self, files: &FilePlan, work: impl FnOnce(&dyn Progress) -> Result<T>) -> Result<(T, Copied)> {
        let (package, jobs) = (&self.plan.package, self.plan.jobs.get());
        self.progress.begin(Task::bytes(files::TASK, None));
        let stop = Stoppable::new(self.progress);
        let outcome = std::thread::scope(|scope| {
            let copying = scope.spawn(|| {
                let copied = files.copy(package, self.staging, jobs, &stop);
                // Much of it is on its way to the disk already, and the rest goes there while indexes are made.
                let copied = copied.and_then(|copied| self.staging.flush().map(|()| copied));
                if copied.is_err() {
                    stop.stop();
                }
                copied
            });
            let done = work(&stop);
            if done.is_err() {
                stop.stop();
            }
            let copied =
                copying.join().unwrap_or_else(|_| Err(Error::new(ErrorKind::Io, "the thread that copies files ended")));
            match (done, copied) {
                // Who was stopped for the other's sake has nothing to say.
                (Err(error), Err(first)) if error.kind() == ErrorKind::Interrupted => Err(first),
                (Err(error), _) | (Ok(_), Err(error)) => Err(error),
                (Ok(done), Ok(copied)) => Ok((done, copied)),
            }
        })?;
        self.progress.end(files::TASK);
        Ok(outcome)
    }

    /// All that needs the connection and no file. How many indexes and keys were made again comes back too.
    fn rows_and_keys(
        &self,
        client: &mut Client,
        making: &Making<'_>,
        aside: Option<Aside>,
        shared: Option<Shared>,
        progress: &dyn Progress,
        watch: &mut Watch,
    ) -> Result<(Vec<Loaded>, u64)> {
        let (ids, conversion) = (making.ids, making.conversion);
        if let Some(conversion) = conversion {
            conversion.groups.write(client, self.realm)?;
        }
        let total: u64 = self.plan.rows.values().sum();
        let messages = self.plan.examined.messages.len();
        progress.begin(Task { name: ROWS_TASK, unit: Unit::Rows, total: Some(total) });
        progress.begin(Task { name: messages::TASK, unit: Unit::Rows, total: Some(messages) });
        let (loaded, seen) = self.rows(client, making, shared.as_ref(), progress)?;
        progress.end(messages::TASK);
        progress.end(ROWS_TASK);
        watch.lap("rows");
        if let Some(render) = self.render {
            render::messages(client, self.realm, render, progress)?;
            watch.lap("render");
        }
        finish::channels(client, self.plan, ids, &seen)?;
        if aside.as_ref().is_some_and(Aside::queue_is_off) || shared.as_ref().is_some_and(Shared::queue_is_off) {
            finish::queue_for_search(client, ids)?;
        }
        conversion::complete(client, self.plan.examined.release, self.realm)?;
        if let Some(conversion) = conversion {
            conversion.subscriptions(client, self.realm)?;
        }
        finish::creation(client, self.realm)?;
        if let Some(conversion) = conversion {
            conversion.groups.add_members(client, self.realm)?;
        }
        let Examined { release, facts, .. } = &self.plan.examined;
        finish::subscribers(client, release, self.realm)?;
        finish::audit_log(client, self.realm, self.plan.realm.plan_type, facts.source.as_deref())?;
        if self.plan.compat == Compat::Fixed {
            finish::statistics(client, self.realm)?;
        }
        clients::write(client, &self.new_clients, ids)?;
        watch.lap("finish");
        if let Some(shared) = shared {
            shared.end(client, progress)?;
        }
        // What is checked late is checked now: nothing may be open when keys are made.
        client
            .batch_execute("SET CONSTRAINTS ALL IMMEDIATE")
            .map_err(|failure| error("check the foreign keys", failure))?;
        let mut indexes_again = 0;
        if let Some(aside) = aside {
            indexes_again = aside.len();
            aside.restore(client, progress)?;
        }
        watch.lap("indexes and keys");
        // Beside others it waits until all is done: who else looks after a table would stand in the way.
        if self.plan.way == Way::FirstImport {
            analyze(client, &loaded)?;
        }
        watch.lap("analyze");
        Ok((loaded, indexes_again))
    }

    fn rows(
        &self,
        client: &mut Client,
        making: &Making<'_>,
        shared: Option<&Shared>,
        progress: &dyn Progress,
    ) -> Result<(Vec<Loaded>, Seen)> {
        let Examined { release, facts: Facts { converted, .. }, .. } = self.plan.examined;
        let lists = &release.export.files;
        let package = &self.plan.package;
        let mut loaded = Vec::new();
        let files: [(&str, &[RowList]); 3] = [
            ("realm.json", &lists.realm),
            ("attachment.json", &lists.attachment),
            ("analytics.json", &lists.analytics),
        ];
        for (name, of_file) in files {
            if package.listing()?.member(name).is_some() {
                progress.checkpoint()?;
                let targets = Target::of(release, of_file, converted)?;
                let mut reader = RowReader::new(name, package.open_member(name)?);
                loaded.extend(load::lists(client, &targets, making, &mut reader, ROWS_TASK, progress)?);
            }
        }
        recipients::make(client, making.facts, making.ids)?;
        if let Some(shared) = shared {
            shared.messages_follow(client, !self.new_clients.is_empty())?;
        }
        let targets = Target::of(release, &lists.messages, converted)?;
        let (of_messages, seen) =
            messages::load(client, package, making, &targets, self.plan.jobs, shared.is_some(), progress)?;
        loaded.extend(of_messages);
        loaded.extend(attachments::links(client, package, making)?);
        Ok((loaded, seen))
    }
}

/// Tells the server what its tables are like now: the last checks are faster for it, and so are the organisation's first
/// users. The server does the same by itself within minutes.
///
/// # Errors
/// What the database answers; nothing depends on it.
pub(super) fn analyze(client: &mut Client, loaded: &[Loaded]) -> Result<()> {
    let written = loaded.iter().filter(|loaded| loaded.rows > 0);
    let tables: BTreeSet<&str> = written.map(|loaded| loaded.table.as_str()).collect();
    for table in tables {
        client
            .batch_execute(&format!("ANALYZE {table}"))
            .map_err(|failure| error("count what tables hold", failure))?;
    }
    Ok(())
}

/// What texts name and the export has not.
fn unknown(rewriter: &Rewriter<'_>) -> Findings {
    let mut findings = Findings::default();
    for unknown in rewriter.unknown() {
        let what = match unknown.kind {
            UnknownKind::User => "users",
            UnknownKind::Stream => "channels",
            UnknownKind::UserGroup => "groups",
            UnknownKind::Message => "messages",
            UnknownKind::Upload => "uploads",
            UnknownKind::Value => "what is no id",
        };
        let example = unknown.example.map(|id| format!(", as {id}")).unwrap_or_default();
        let message =
            format!("name {what} that the export has not, {} times{example}: left as they are", unknown.count);
        findings.push(Finding::note("text-names-unknown", "texts of messages", message));
    }
    findings
}

/// The oldest active owner.
fn default_owner(facts: &Facts) -> Option<i64> {
    const OWNER: i64 = 100;
    let owners =
        facts.users.iter().filter(|(_, user)| user.role == OWNER && user.is_active && user.standing != Standing::Bot);
    owners.map(|(&id, _)| id).min()
}
