//! Doing what the plan says.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Instant;

use postgres::Client;
use sha1::{Digest as _, Sha1};

use crate::ids::IdSet;
use crate::import::aside::Aside;
use crate::import::conversion::{self, Conversion};
use crate::import::files::{self, Copied, FilePlan};
use crate::import::ids::{Ids, Of};
use crate::import::journal::{self, Journal};
use crate::import::load::{self, Loaded, Target};
use crate::import::making::Making;
use crate::import::messages::{self, Seen};
use crate::import::plan::APPLICATION;
use crate::import::shared::{self, Shared};
use crate::import::texts::{Names, OwnAttachments};
use crate::import::way::{self, Way};
use crate::import::{ImportPlan, ImportReport, attachments, clients, finish, internal, verify};
use crate::package::{Go, RowReader};
use crate::postgres::{Purpose, column, error, lock_out_others};
use crate::rewrite::{Links, Rewriter, UnknownKind};
use crate::uploads::Staging;
use crate::validate::{Examined, Facts, Standing};
use crate::{Error, ErrorKind, Finding, Findings, Progress, Result, Task, Unit, realm};

/// The task told to [`Progress`]: rows of everything but messages.
const ROWS_TASK: &str = "rows";

/// What the import's session sets. Its statements may wait for locks for a while, but not for ever; the server looks
/// whether we still live, also while it makes an index; and a gibibyte of indexes is sorted faster with more memory than
/// a server's defaults give to one.
const SESSION: &str = "
    SET datestyle = ISO; SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET timezone = 'UTC';
    SET lock_timeout = '60s'; SET jit = off; SET maintenance_work_mem = '256MB'; SET client_min_messages = warning";

/// Tables whose rows are named by others, and whose new ids are therefore taken before, in this order.
const RESERVED: [Of; 10] = [
    Of::Realm,
    Of::Stream,
    Of::User,
    Of::UserGroup,
    Of::Recipient,
    Of::Huddle,
    Of::Emoji,
    Of::ProfileField,
    Of::ScheduledMessage,
    Of::Attachment,
];

impl ImportPlan {
    /// Imports: all of it, or nothing.
    ///
    /// # Errors
    /// `Locked` when another import runs, `Damaged` where the export is not what it was, `Interrupted`, and what disk and
    /// database answer. Whatever happens, the organisation is there whole or not at all.
    pub fn execute(&self, progress: &dyn Progress) -> Result<ImportReport> {
        let begun = Instant::now();
        let mut client = self.connection.connect(APPLICATION)?;
        realm::search_path(&mut client)?;
        let failed = |failure| error("prepare the connection", failure);
        client.batch_execute(SESSION).map_err(failed)?;
        // Since PostgreSQL 14.
        let _ = client.batch_execute("SET client_connection_check_interval = '2s'");
        lock_out_others(&mut client, Purpose::Import)?;
        let mut findings = Findings::default();
        findings.extend(journal::settle(&self.uploads_dir, &*self.uploads, &mut client)?);
        client.batch_execute("BEGIN").map_err(failed)?;
        let internal = internal::make_where_missing(&mut client)?;
        let (ids, new_clients) = self.reserve(&mut client, progress)?;
        let realm = ids.range(Of::Realm).map_or(0, |(realm, _)| realm);
        let staging = self.uploads.stage(realm, &Journal::name(realm))?;
        let journal = match Journal::begin(&self.uploads_dir, &mut client, realm, &self.subdomain) {
            Ok(journal) => journal,
            Err(error) => return Err(undone(&*staging, error)),
        };
        let run = Run { plan: self, realm, internal, ids, new_clients, staging: &*staging, progress };
        match run.all(&mut client, findings) {
            Ok(outcome) => {
                let mut outcome = outcome;
                if let Err(error) = journal.end() {
                    let message = format!("could not be removed after the import: {}", error.chain());
                    let left =
                        Finding::warning("import-unfinished", self.uploads_dir.join(Journal::name(realm)), message);
                    outcome.findings.push(left.with_hint("the next import removes it"));
                }
                analyze(&mut client, &outcome.loaded);
                let mut commands = Vec::new();
                self.caches.flush_into(&mut outcome.findings, &mut commands);
                Ok(ImportReport::new(self, realm, outcome, commands, begun))
            }
            // Whether it was committed nobody can say whose connection is lost: the next command finds out.
            Err((error, Fate::Unknown)) => Err(error.with_hint(format!(
                "the connection was lost while the import was being completed: `zulip-backup realm list` shows whether \
                 {:?} is there, all of it; the next import removes what is left of it otherwise",
                self.subdomain
            ))),
            Err((error, Fate::Nothing)) => {
                let _ = client.batch_execute("ROLLBACK");
                drop(journal);
                Err(undone(&*staging, error))
            }
        }
    }

    /// Takes new ids.
    fn reserve(&self, client: &mut Client, progress: &dyn Progress) -> Result<(Ids, Vec<clients::NewClient>)> {
        let mut ids = Ids::default();
        let Examined { facts, messages, .. } = &self.examined;
        for of in RESERVED {
            let old = facts.ids(of.table()).cloned().unwrap_or_default();
            // Bots that all organisations share are here already.
            let old = match of {
                Of::User => old.iter().filter(|id| !is_shared(facts, *id)).collect(),
                _ => old,
            };
            // Users are in two lists, and counted in the order of their ids.
            let order = if of == Of::User { None } else { facts.orders.get(of.table()) };
            ids.reserve(client, of, old, order)?;
        }
        let order = facts.sort_by_date.then(|| conversion::order_of_messages(&self.package, progress)).transpose()?;
        ids.reserve(client, Of::Message, messages.clone(), order.as_ref())?;
        shared::name_bots(client, &mut ids, facts)?;
        let new_clients = clients::name(client, &mut ids, facts)?;
        Ok((ids, new_clients))
    }
}

fn is_shared(facts: &Facts, user: i64) -> bool {
    facts.users.get(&user).is_some_and(|user| user.standing == Standing::Bot)
}

/// How many ids are taken from each sequence.
pub(super) fn reserved(examined: &Examined) -> BTreeMap<String, u64> {
    let mut reserved: BTreeMap<String, u64> = RESERVED
        .iter()
        .map(|of| (of.table().to_owned(), examined.facts.ids(of.table()).map_or(0, IdSet::len)))
        .collect();
    reserved.insert(Of::Message.table().to_owned(), examined.messages.len());
    reserved
}

/// Removes what was staged.
fn undone(staging: &dyn Staging, error: Error) -> Error {
    match staging.discard() {
        Ok(()) => error,
        Err(second) => error.with_hint(format!("its files are removed by the next import: {}", second.chain())),
    }
}

/// What is known of an import that failed.
enum Fate {
    /// Nothing of it is there.
    Nothing,
    /// The server was asked to commit, and did not answer.
    Unknown,
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

/// An import on its way.
struct Run<'a> {
    plan: &'a ImportPlan,
    realm: i64,
    internal: bool,
    ids: Ids,
    new_clients: Vec<clients::NewClient>,
    staging: &'a dyn Staging,
    progress: &'a dyn Progress,
}

impl Run<'_> {
    fn all(&self, client: &mut Client, findings: Findings) -> Result<Outcome, (Error, Fate)> {
        let nothing = |error| (error, Fate::Nothing);
        let outcome = self.write(client, findings).map_err(nothing)?;
        // Files without rows are invisible, rows without files are not: the files come first.
        self.staging.switch().map_err(nothing)?;
        self.progress.checkpoint().map_err(nothing)?;
        client.batch_execute("COMMIT").map_err(|failure| {
            let answered = failure.as_db_error().is_some();
            (error("commit the import", failure), if answered { Fate::Nothing } else { Fate::Unknown })
        })?;
        // A transaction that has failed before ends with COMMIT too, and without a word.
        self.is_there(client).map_err(|error| (error, Fate::Unknown))?;
        Ok(outcome)
    }

    fn is_there(&self, client: &mut Client) -> Result<()> {
        let failed = |failure| error("look for the imported organisation", failure);
        let row = client.query_one("SELECT EXISTS (SELECT FROM zerver_realm WHERE id = $1::int8)", &[&self.realm]);
        if column(&row.map_err(failed)?, 0)? {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Postgres, "the server has undone the import instead of completing it"))
    }

    fn write(&self, client: &mut Client, mut findings: Findings) -> Result<Outcome> {
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
            group_hashes: group_hashes(facts, ids),
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
        if self.plan.compat == crate::package::Compat::Fixed {
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
        let stop = Stop { progress: self.progress, stopped: std::sync::atomic::AtomicBool::new(false) };
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
        let files: [(&str, &[crate::schema::RowList]); 3] = [
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

/// Tells the server what the new rows are like, which makes it fast with them; nothing depends on it.
fn analyze(client: &mut Client, loaded: &[Loaded]) {
    let written = loaded.iter().filter(|loaded| loaded.rows > 0);
    let tables: BTreeSet<&str> = written.map(|loaded| loaded.table.as_str()).collect();
    for table in tables {
        let _ = client.batch_execute(&format!("ANALYZE {table}"));
    }
}

/// Lets either of two threads stop the other.
struct Stop<'a> {
    progress: &'a dyn Progress,
    stopped: std::sync::atomic::AtomicBool,
}

impl Stop<'_> {
    fn stop(&self) {
        self.stopped.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}

impl Progress for Stop<'_> {
    fn begin(&self, task: Task) {
        self.progress.begin(task);
    }
    fn advance(&self, task: &'static str, amount: u64) {
        self.progress.advance(task, amount);
    }
    fn end(&self, task: &'static str) {
        self.progress.end(task);
    }
    fn message(&self, text: &str) {
        self.progress.message(text);
    }
    fn finding(&self, finding: &Finding) {
        self.progress.finding(finding);
    }
    fn is_cancelled(&self) -> bool {
        self.stopped.load(std::sync::atomic::Ordering::Relaxed) || self.progress.is_cancelled()
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

/// What tells a direct-message group from all others: its members, by their new ids. By the groups' old ids.
fn group_hashes(facts: &Facts, ids: &Ids) -> HashMap<i64, String> {
    let mut members: HashMap<i64, Vec<i64>> = HashMap::new();
    for &(recipient, user) in &facts.members {
        if let Some(new) = ids.get(Of::User, user) {
            members.entry(recipient).or_default().push(new);
        }
    }
    let hash = |recipient: &i64| {
        let mut of = members.get(recipient).cloned().unwrap_or_default();
        of.sort_unstable();
        of.dedup();
        group_hash(&of)
    };
    facts.groups.iter().map(|(&group, recipient)| (group, hash(recipient))).collect()
}

/// `zerver_huddle.huddle_hash` of members in order: SHA-1 of their ids with commas between.
pub(super) fn group_hash(members: &[i64]) -> String {
    let text: Vec<String> = members.iter().map(ToString::to_string).collect();
    Sha1::digest(text.join(",")).iter().map(|byte| format!("{byte:02x}")).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_groups_hash_is_of_numbers_in_order() {
        // printf 9,10,100 | sha1sum
        assert_eq!(group_hash(&[9, 10, 100]), "49b9a1aae10e83169777d5fd541ca1bafca90ad6");
    }
}
