//! Doing what the plan says.

use std::time::Instant;

use camino::Utf8PathBuf;

use crate::codec::FrameEncoder;
use crate::export::collect::Collector;
use crate::export::destination::{ArchiveDestination, Destination, DirectoryDestination, Published};
use crate::export::files::{self, FileCopier, FileFinder, Way};
use crate::export::handout::Handout;
use crate::export::lists::Place;
use crate::export::losses::losses;
use crate::export::messages::{self, FILE_MESSAGES, Messages};
use crate::export::piece::{Cutter, Piece};
use crate::export::record::Record;
use crate::export::scope::{Found, Scope};
use crate::export::select::RealmFacts;
use crate::export::work::{Job, Shared, Worker};
use crate::export::{Compat, ExportPlan, ExportReport, Format, Kind};
use crate::pipeline::{self, Limits, Plan};
use crate::postgres::{Invitation, Purpose, Reservation, RowReader, Snapshot, column, error};
use crate::realm::{Deactivation, SELF_HOSTING_MIGRATION};
use crate::schema::{MigrationStatus, RowList};
use crate::{Error, ErrorKind, Progress, Result, Task, realm};

/// What the server's lists show a connection of this process as.
pub(super) const APPLICATION: &str = "zulip-backup export";

/// How much JSON the messages of one job may come to, on average: it waits in memory until its turn.
const JOB_BYTES: i64 = 12 << 20;

/// The most message files of one job: enough that the cost of a query itself is nothing.
const JOB_FILES: usize = 8;

impl ExportPlan {
    /// Makes the export.
    ///
    /// # Errors
    /// `Locked` when the same organisation is being exported, `Interrupted` when `progress` asks to stop, and what disk and
    /// database answer. Whatever happens, nothing lies under the output's name unless it is complete.
    pub fn execute(&self, progress: &dyn Progress) -> Result<ExportReport> {
        let begun = Instant::now();
        // First, so that nothing is written for an export that has to wait.
        let purpose = match &self.user {
            None => Purpose::Export(self.realm_id),
            Some(user) => Purpose::UserExport(user.id),
        };
        let reservation = Reservation::make(&self.connection, &self.application(), purpose)?;
        let mut client = self.connection.connect(&self.application())?;
        let search_path = realm::search_path(&mut client)?;
        let deactivation = if self.deactivate {
            Some(Deactivation::begin(&mut client, self.realm_id, SELF_HOSTING_MIGRATION)?)
        } else {
            None
        };
        let record = if self.record { Record::begin(&mut client, self) } else { Ok(None) };
        let exported = record.and_then(|record| match self.export(reservation, &search_path, progress) {
            Ok(exported) => Ok((exported, record)),
            Err(error) => Err(match record.map(|record| record.failed(&mut client)) {
                Some(Err(second)) => {
                    error.with_hint(format!("the export is still recorded as running: {}", second.chain()))
                }
                _ => error,
            }),
        });
        match (exported, deactivation) {
            (Ok(((collector, published), record)), deactivation) => {
                let complete =
                    |error: Error| error.with_hint(format!("the export itself is complete: {}", self.output));
                if let Some(record) = record {
                    let export_path = self.handout.as_ref().map(Handout::export_path);
                    record
                        .succeeded(&mut client, &collector.stats, published, export_path.as_deref())
                        .map_err(complete)?;
                }
                let ended = deactivation.map(|deactivation| deactivation.complete(&mut client));
                let ended_sessions = ended.transpose().map_err(complete)?;
                Ok(ExportReport::new(self, collector, published, ended_sessions, begun))
            }
            (Err(error), Some(deactivation)) => Err(match deactivation.undo(&mut client) {
                Ok(()) => error,
                Err(second) => error.with_hint(format!("the organisation is still deactivated: {}", second.chain())),
            }),
            (Err(error), None) => Err(error),
        }
    }

    fn export<'a>(
        &self,
        reservation: Reservation,
        search_path: &str,
        progress: &'a dyn Progress,
    ) -> Result<(Collector<'a>, Published)> {
        // Until the end of this, and of what is written.
        let _prepared = self.handout.as_ref().map(Handout::prepare).transpose()?;
        let mut snapshot = reservation.take()?;
        snapshot.leader().batch_execute(search_path).map_err(|failure| error("prepare the connection", failure))?;
        progress.message(&format!("snapshot taken at {}", snapshot.facts().taken_at));
        let nothing = Found::default();
        let scope = Scope {
            schema: &self.release().export,
            realm: self.realm_id,
            kind: self.kind,
            consent_message: self.consent.as_ref().map(|consent| consent.message_id),
            missing: &[],
            subject: self.user.as_ref().map(|user| user.id),
            found: &nothing,
        };
        let door = Door { invitation: snapshot.invitation(), search_path: search_path.to_owned() };
        let mut found = Found::default();
        let statement = format!("COPY ({} ORDER BY m.id) TO STDOUT (FORMAT binary)", scope.message_ids());
        door.join()?.copy_binary("read the ids of the messages", &statement, |row| {
            found.ids.push(row.integer(0)?);
            if row.bytes(1).is_some() {
                found.clients.insert(row.integer(1)?);
            }
            Ok(())
        })?;
        let scope = Scope { found: &found, ..scope };
        let (files_at_once, newest) = measure(&mut snapshot, &found.ids, self.realm_id)?;
        let (way, destination) = self.destination(&scope, newest)?;
        let mut collector = Collector::new(destination, progress);
        self.findings.iter().for_each(|finding| collector.found(finding.clone()));
        if self.kind == Kind::Full && self.user.is_none() {
            losses(snapshot.leader(), &scope)?.into_iter().for_each(|finding| collector.findings.push(finding));
        }
        let facts = self.facts();
        let run = Run { plan: self, door: &door, facts: &facts, files_at_once, way, progress };
        progress.begin(Task { name: messages::TASK, unit: crate::Unit::Rows, total: Some(found.ids.len() as u64) });
        progress.begin(Task::bytes(files::TASK, None));
        run.pipeline(&scope, &mut collector, |plan| run.plan_all(&scope, plan))?;
        progress.end(messages::TASK);
        progress.end(files::TASK);
        // Last, because which files are there is known only now.
        let missing = std::mem::take(&mut collector.missing);
        let attachments = match self.compat {
            Compat::Fixed => Scope { missing: &missing, ..scope },
            Compat::Strict if missing.is_empty() => scope,
            Compat::Strict => return Err(missing_in_strict(&collector)),
        };
        if self.user.is_none() {
            let lists = &attachments.schema.files.attachment;
            run.pipeline(&attachments, &mut collector, |plan| plan_lists(plan, "attachment", lists))?;
            self.write_rest(&mut snapshot, &attachments, &door, &mut collector)?;
        }
        let published = collector.publish(self)?;
        self.handout.as_ref().map_or(Ok(()), Handout::complete)?;
        Ok((collector, published))
    }

    /// The directory, or the one that the archive would be unpacked to where it lies.
    fn unpacked(&self) -> Utf8PathBuf {
        let (_, name) = Format::of(&self.output);
        let named = self.output.with_file_name(name);
        camino::absolute_utf8(&named).unwrap_or(named)
    }

    fn facts(&self) -> RealmFacts {
        RealmFacts {
            fake_domain: self.fake_domain.clone(),
            is_system_realm: self.is_system_realm,
            deactivated_here: self.deactivate,
            live: self.differences.clone(),
        }
    }

    fn destination(&self, scope: &Scope<'_>, newest: i64) -> Result<(Way, Box<dyn Destination>)> {
        Ok(match self.format {
            Format::Directory => {
                let directory = DirectoryDestination::create(&self.output)?;
                (Way::Directory(directory.target().to_owned()), Box::new(directory))
            }
            Format::Archive(compression) => {
                let archive = ArchiveDestination::create(&self.output, compression, scope.folders(), newest)?;
                (Way::Archive(archive.maker().clone()), Box::new(archive))
            }
        })
    }

    /// The small files that tell of the others.
    fn write_rest(
        &self,
        snapshot: &mut Snapshot,
        scope: &Scope<'_>,
        door: &Door,
        collector: &mut Collector<'_>,
    ) -> Result<()> {
        let (mut stats, exporter) = (collector.stats.clone(), scope.schema.exporter);
        if exporter.names_source {
            // Upstream counts the letters of the text.
            stats.rows.entry("realm".to_owned()).or_default().insert("import_source".to_owned(), ZULIP.len() as u64);
        }
        if exporter.counts_in_json {
            collector.json("stats.json", &stats)?;
        } else {
            collector.whole("stats.txt", stats.text(&self.unpacked()).as_bytes())?;
        }
        if self.kind == Kind::FullWithConsent && exporter.lists_consenting {
            let mut consenting: Vec<i64> = Vec::new();
            let statement =
                format!("COPY (SELECT id FROM ({}) c ORDER BY id) TO STDOUT (FORMAT binary)", scope.consenting());
            door.join()?.copy_binary("read who consents", &statement, |row| {
                consenting.push(row.integer(0)?);
                Ok(())
            })?;
            let text = serde_json::to_vec(&consenting)
                .map_err(|error| Error::new(ErrorKind::Io, "cannot write who consents").with_source(error))?;
            collector.whole("consented_user_ids.json", &text)?;
        }
        if exporter.tells_migrations {
            let migrations = MigrationStatus::read(snapshot.leader(), self.release(), &self.zulip_version)?;
            collector.json("migration_status.json", &migrations)?;
        }
        Ok(())
    }
}

/// How connections join the snapshot.
struct Door {
    invitation: Invitation,
    search_path: String,
}

impl Door {
    fn join(&self) -> Result<RowReader> {
        let mut reader = self.invitation.join()?;
        reader.batch_execute("prepare the connection", &self.search_path)?;
        Ok(reader)
    }
}

/// An export on its way.
struct Run<'a> {
    plan: &'a ExportPlan,
    door: &'a Door,
    facts: &'a RealmFacts,
    files_at_once: usize,
    way: Way,
    progress: &'a dyn Progress,
}

impl Run<'_> {
    /// Does the planned jobs on all threads, and hands what comes of them to the collector.
    fn pipeline(
        &self,
        scope: &Scope<'_>,
        collector: &mut Collector<'_>,
        plan: impl FnOnce(&Plan<'_, Job, Piece>) -> Result<()> + Send,
    ) -> Result<()> {
        let copier = FileCopier {
            uploads: &*self.plan.uploads,
            realm: self.plan.realm_id,
            way: self.way.clone(),
            progress: self.progress,
        };
        let shared = Shared {
            scope,
            facts: self.facts,
            messages: &Messages::new(scope, self.facts)?,
            copier: &copier,
            progress: self.progress,
        };
        let encoder = || match self.plan.format {
            Format::Directory => Ok(None),
            Format::Archive(compression) => FrameEncoder::new(compression, compression.default_level()).map(Some),
        };
        let block_bytes = Cutter::new(encoder()?).block_bytes();
        pipeline::run(
            Limits::new(self.plan.jobs, block_bytes),
            self.progress,
            || Ok(Worker { shared: &shared, reader: self.door.join()?, cutter: Cutter::new(encoder()?) }),
            plan,
            |piece| collector.take(piece),
        )
    }

    fn plan_all(&self, scope: &Scope<'_>, plan: &Plan<'_, Job, Piece>) -> Result<()> {
        let files = &scope.schema.files;
        if scope.subject.is_some() {
            plan_lists(plan, "user", &files.user)?;
        } else {
            let source = scope.schema.exporter.names_source.then_some(("import_source", ZULIP));
            plan_file(plan, "realm", &files.realm, source)?;
            plan_lists(plan, "analytics", &files.analytics)?;
        }
        let step = self.files_at_once * FILE_MESSAGES;
        for start in (0..scope.found.ids.len()).step_by(step) {
            let ids = start..scope.found.ids.len().min(start + step);
            plan.job(Job::Messages { first: start / FILE_MESSAGES, ids })?;
        }
        let finder = FileFinder { scope, uploads: &*self.plan.uploads, avatar_salt: &self.plan.avatar_salt };
        finder.plan(&mut self.door.join()?, plan)
    }
}

/// What an export of a Zulip server says its data is of.
pub(crate) const ZULIP: &str = "zulip";

/// Each list of a file is a job of its own.
fn plan_lists(plan: &Plan<'_, Job, Piece>, file: &'static str, lists: &'static [RowList]) -> Result<()> {
    plan_file(plan, file, lists, None)
}

/// The same with a key and a text behind the lists.
fn plan_file(
    plan: &Plan<'_, Job, Piece>,
    file: &'static str,
    lists: &'static [RowList],
    then: Option<(&'static str, &'static str)>,
) -> Result<()> {
    lists.iter().enumerate().try_for_each(|(at, list)| {
        let place = Place { first: at == 0, last: at + 1 == lists.len(), then };
        plan.job(Job::List { file, list, place })
    })
}

/// How many message files fit into a job, and when the newest exported message was sent, in seconds since 1970, or the
/// organisation was made where there is none.
fn measure(snapshot: &mut Snapshot, ids: &[i64], realm: i64) -> Result<(usize, i64)> {
    let row = snapshot
        .leader()
        .query_one(
            "SELECT (SELECT pg_table_size(oid) / greatest(reltuples, 1)::int8 FROM pg_class
                     WHERE oid = 'zerver_message'::regclass),
                    floor(extract(epoch FROM coalesce((SELECT date_sent FROM zerver_message WHERE id = $1::int8),
                                                      (SELECT date_created FROM zerver_realm WHERE id = $2::int8))))::int8",
            &[&ids.last().copied().unwrap_or(0), &realm],
        )
        .map_err(|failure| error("look at the messages", failure))?;
    // Keys, escapes and what users have of a message: about as much again as its row.
    let message_bytes = 2 * column::<i64>(&row, 0)?.clamp(1, JOB_BYTES);
    let messages = usize::try_from(JOB_BYTES / message_bytes).unwrap_or(0);
    Ok(((messages / FILE_MESSAGES).clamp(1, JOB_FILES), column(&row, 1)?))
}

fn missing_in_strict(collector: &Collector<'_>) -> Error {
    Error::new(ErrorKind::NotFound, "uploaded files are missing, and upstream's exporter stops there")
        .with_reasons(collector.findings.list.clone())
        .with_hint("without --compat strict they are left out and reported")
}
