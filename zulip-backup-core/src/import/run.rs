//! The import's transaction, from the first row to the last check.

use std::collections::BTreeMap;
use std::time::Instant;

use postgres::Client;

use crate::import::aside::Aside;
use crate::import::clients::{self, NewClient};
use crate::import::conversion::{self, Conversion};
use crate::import::files::{self, Copied, FilePlan};
use crate::import::ids::Ids;
use crate::import::load::{self, Loaded, Target};
use crate::import::making::Making;
use crate::import::messages::{self, Seen};
use crate::import::shared::Shared;
use crate::import::texts::{Names, OwnAttachments};
use crate::import::way::{self, Way};
use crate::import::{ImportPlan, attachments, finish, huddles, verify};
use crate::package::{Compat, Go, RowReader};
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
    pub(super) progress: &'a dyn Progress,
}

/// What an import did.
pub(super) struct Outcome {
    pub(super) loaded: Vec<Loaded>,
    pub(super) findings: Findings,
    pub(super) internal: bool,
    pub(super) files: u64,
    pub(super) indexes_again: u64,
    pub(super) seconds: BTreeMap<&'static str, f64>,
}

impl Run<'_> {
    /// Writes all of it, and checks it.
    ///
    /// # Errors
    /// `Damaged` where what was written is not what the export holds, and what disk and database answer.
    pub(super) fn write(&self, client: &mut Client, mut findings: Findings) -> Result<Outcome> {
        let Examined { facts, records, .. } = &self.plan.examined;
        let mut watch = Watch::new();
        let ids = &self.ids;
        let listing = self.plan.package.listing()?;
        let (salt, compat) = (&self.plan.avatar_salt, self.plan.compat);
        let files = FilePlan::new(records, facts, listing, ids, self.realm, salt, compat)?;
        let aside = match self.plan.way {
            Way::FirstImport => Some(Aside::set(client, way::large(&self.plan.rows))?),
            Way::SharedServer { .. } => None,
        };
        let shared = match self.plan.way {
            Way::SharedServer { bulk_checks } => Some(Shared::begin(client, bulk_checks, ids)?),
            Way::FirstImport => None,
        };
        watch.lap("prepare");
        let conversion = Conversion::begin(client, facts)?;
        let names = Names { ids, realm: (self.plan.realm.id, self.realm), paths: &files.paths };
        let links = if self.plan.fix_links { Links::Fixed } else { Links::Strict };
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
            paths: &files.paths,
            group_hashes: huddles::hashes(facts, ids),
            default_owner: default_owner(facts),
            conversion: conversion.as_ref(),
        };
        if let Some(conversion) = &conversion {
            conversion.groups.write(client, self.realm)?;
        }
        let (mut loaded, seen, copied) = self.load(client, &making, &files, shared.as_ref())?;
        watch.lap("rows");
        finish::channels(client, ids, facts, &seen, !self.plan.realm.deactivated)?;
        attachments::images(client, self.realm, &copied.pictures)?;
        finish::pictures(client, self.realm, &copied)?;
        if aside.as_ref().is_some_and(Aside::queue_is_off) || shared.as_ref().is_some_and(Shared::queue_is_off) {
            finish::queue_for_search(client, ids)?;
        }
        conversion::complete(client, self.realm)?;
        if let Some(conversion) = &conversion {
            conversion.subscriptions(client, self.realm)?;
        }
        finish::creation(client, self.realm)?;
        if let Some(conversion) = &conversion {
            conversion.groups.add_members(client, self.realm)?;
        }
        finish::audit_log(client, self.realm, self.plan.realm.plan_type)?;
        if self.plan.compat == Compat::Fixed {
            finish::statistics(client, self.realm)?;
        }
        clients::write(client, &self.new_clients, &self.ids)?;
        watch.lap("finish");
        let mut indexes_again = 0;
        if let Some(shared) = shared {
            shared.end(client, self.progress)?;
        }
        // What is checked late is checked now: nothing may be open when keys are made.
        client
            .batch_execute("SET CONSTRAINTS ALL IMMEDIATE")
            .map_err(|failure| error("check the foreign keys", failure))?;
        if let Some(aside) = aside {
            indexes_again = aside.len();
            aside.restore(client, self.progress)?;
        }
        watch.lap("indexes and keys");
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
        Ok(Outcome {
            loaded,
            findings,
            internal: self.internal,
            files: copied.files,
            indexes_again,
            seconds: watch.laps,
        })
    }

    /// Rows through the connection, files beside it.
    fn load(
        &self,
        client: &mut Client,
        making: &Making<'_>,
        files: &FilePlan,
        shared: Option<&Shared>,
    ) -> Result<(Vec<Loaded>, Seen, Copied)> {
        let package = &self.plan.package;
        let jobs = self.plan.jobs;
        let total: u64 = self.plan.rows.values().sum();
        let messages = self.plan.examined.messages.len();
        self.progress.begin(Task { name: ROWS_TASK, unit: Unit::Rows, total: Some(total) });
        self.progress.begin(Task { name: messages::TASK, unit: Unit::Rows, total: Some(messages) });
        self.progress.begin(Task::bytes(files::TASK, None));
        let stop = Stoppable::new(self.progress);
        let outcome = std::thread::scope(|scope| {
            let copying = scope.spawn(|| {
                let copied = files.copy(package, self.staging, jobs.get(), &stop);
                if copied.is_err() {
                    stop.stop();
                }
                copied
            });
            let rows = self.rows(client, making, shared, &stop);
            if rows.is_err() {
                stop.stop();
            }
            let copied =
                copying.join().unwrap_or_else(|_| Err(Error::new(ErrorKind::Io, "the thread that copies files ended")));
            match (rows, copied) {
                // Who was stopped for the other's sake has nothing to say.
                (Err(error), Err(first)) if error.kind() == ErrorKind::Interrupted => Err(first),
                (Err(error), _) | (Ok(_), Err(error)) => Err(error),
                (Ok((loaded, seen)), Ok(copied)) => Ok((loaded, seen, copied)),
            }
        })?;
        self.progress.end(files::TASK);
        self.progress.end(messages::TASK);
        self.progress.end(ROWS_TASK);
        Ok(outcome)
    }

    fn rows(
        &self,
        client: &mut Client,
        making: &Making<'_>,
        shared: Option<&Shared>,
        progress: &dyn Progress,
    ) -> Result<(Vec<Loaded>, Seen)> {
        let Examined { schema, facts: Facts { converted, .. }, .. } = self.plan.examined;
        let package = &self.plan.package;
        let mut loaded = Vec::new();
        let files: [(&str, &[RowList]); 3] = [
            ("realm.json", &schema.files.realm),
            ("attachment.json", &schema.files.attachment),
            ("analytics.json", &schema.files.analytics),
        ];
        let mut lists = |client: &mut Client, name: &str, content: &mut (dyn std::io::Read + Send)| -> Result<()> {
            let Some((_, lists)) = files.iter().find(|(file, _)| *file == name) else { return Ok(()) };
            let targets = Target::of(schema, lists, converted)?;
            let mut reader = RowReader::new(name, content);
            loaded.extend(load::lists(client, &targets, making, &mut reader, ROWS_TASK, progress)?);
            Ok(())
        };
        if package.is_random_access() {
            for (name, _) in files {
                if package.listing()?.member(name).is_some() {
                    lists(client, name, &mut package.open_member(name)?)?;
                }
            }
        } else {
            let mut rest = files.len();
            package.visit(
                &mut |member, content| {
                    if files.iter().all(|(name, _)| *name != member.name) {
                        return Ok(Go::On);
                    }
                    lists(client, &member.name, content)?;
                    rest -= 1;
                    Ok(if rest == 0 { Go::Stop } else { Go::On })
                },
                &mut |_| progress.checkpoint(),
            )?;
        }
        if let Some(shared) = shared {
            shared.messages_follow(client)?;
        }
        let targets = Target::of(schema, &schema.files.messages, converted)?;
        let (of_messages, seen) = messages::load(client, package, making, &targets, self.plan.jobs, progress)?;
        loaded.extend(of_messages);
        loaded.extend(attachments::links(client, package, making)?);
        Ok((loaded, seen))
    }
}

/// How long each stretch took.
struct Watch {
    last: Instant,
    laps: BTreeMap<&'static str, f64>,
}

impl Watch {
    fn new() -> Self {
        Self { last: Instant::now(), laps: BTreeMap::new() }
    }

    fn lap(&mut self, name: &'static str) {
        self.laps.insert(name, self.last.elapsed().as_secs_f64());
        self.last = Instant::now();
    }
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
