//! Doing what the plan says.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use camino::Utf8Path;
use serde::Serialize;

use crate::export::files::{Files, FilesReport};
use crate::export::messages::{self, FILE_MESSAGES, FILES_AT_ONCE, Messages};
use crate::export::migrations::MigrationStatus;
use crate::export::record::Record;
use crate::export::report::Stats;
use crate::export::scope::Scope;
use crate::export::select::{RealmFacts, Selection};
use crate::export::tables::TableFile;
use crate::export::{ExportPlan, ExportReport, Kind, realms};
use crate::fs::WorkDir;
use crate::postgres::{Invitation, Purpose, RowReader, Snapshot, quote_identifier};
use crate::schema::{ExportSchema, RowList};
use crate::{Error, ErrorKind, Findings, Progress, Result, Task, fs};

/// What the server's lists show a connection of this process as.
pub(super) const APPLICATION: &str = "zulip-backup export";

impl ExportPlan {
    /// Makes the export.
    ///
    /// # Errors
    /// `Locked` when the same organisation is being exported, `Interrupted` when `progress` asks to stop, and what disk and
    /// database answer. Whatever happens, nothing lies under the output's name unless it is complete.
    pub fn execute(&self, progress: &dyn Progress) -> Result<ExportReport> {
        let begun = Instant::now();
        let work = WorkDir::create(fs::parent(&self.output), ".zulip-export-", "export")?;
        let target = work.directory("export")?;
        let mut client = self.connection.connect(&self.application())?;
        let schema = realms::schema(&mut client)?;
        let search_path = format!("SET search_path = {}, pg_catalog", quote_identifier(&schema));
        client
            .batch_execute(&search_path)
            .map_err(|failure| crate::postgres::error("prepare the connection", failure))?;
        let record =
            if self.record { Some(Record::begin(&mut client, self.realm_id, self.kind, self.compat)?) } else { None };
        let exported = self.export(&target, &search_path, progress).and_then(|(stats, report)| {
            fs::move_new(&target, &self.output)?;
            Ok((stats, report))
        });
        match (exported, record) {
            (Ok((stats, report)), record) => {
                if let Some(record) = record {
                    record.succeeded(&mut client, &stats)?;
                }
                Ok(self.report(&stats, report, begun))
            }
            (Err(error), Some(record)) => match record.failed(&mut client) {
                Ok(()) => Err(error),
                Err(second) => {
                    let hint = format!("the export is still recorded as running: {}", second.chain());
                    Err(error.with_hint(hint))
                }
            },
            (Err(error), None) => Err(error),
        }
    }

    fn export(&self, target: &Utf8Path, search_path: &str, progress: &dyn Progress) -> Result<(Stats, FilesReport)> {
        let schema = ExportSchema::latest()?;
        let mut snapshot = Snapshot::take(&self.connection, &self.application(), Purpose::Export(self.realm_id))?;
        let failed = |failure| crate::postgres::error("prepare the connection", failure);
        snapshot.leader().batch_execute(search_path).map_err(failed)?;
        progress.message(&format!("snapshot taken at {}", snapshot.facts().taken_at));
        let scope = Scope { schema, realm: self.realm_id, kind: self.kind };
        let facts = RealmFacts {
            fake_domain: self.fake_domain.clone(),
            is_system_realm: self.is_system_realm,
            deactivated_here: false,
        };
        let invitation = snapshot.invitation();
        let mut reader = join(&invitation, search_path)?;
        let mut ids = Vec::new();
        let statement = format!("COPY ({} ORDER BY m.id) TO STDOUT (FORMAT binary)", scope.message_ids());
        reader.copy_binary("read the ids of the messages", &statement, |row| {
            ids.push(row.integer(0)?);
            Ok(())
        })?;
        let run = Run {
            scope: &scope,
            facts: &facts,
            messages: Messages::new(&scope, &facts)?,
            ids: &ids,
            files: Files { scope: &scope, source: &self.uploads, target, avatar_salt: &self.avatar_salt, progress },
            target,
            progress,
            next: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
            stats: Mutex::new(Stats::default()),
            report: Mutex::new(FilesReport::default()),
        };
        progress.begin(Task { name: messages::TASK, unit: crate::Unit::Rows, total: Some(ids.len() as u64) });
        run.all(self.jobs.get(), reader, &invitation, search_path)?;
        progress.end(messages::TASK);
        let stats = run.stats.into_inner().unwrap_or_default();
        let report = run.report.into_inner().unwrap_or_default();
        write_json(&target.join("stats.json"), &stats)?;
        if self.kind == Kind::FullWithConsent {
            let mut consenting = Vec::new();
            let statement =
                format!("COPY (SELECT id FROM ({}) c ORDER BY id) TO STDOUT (FORMAT binary)", scope.consenting());
            join(&invitation, search_path)?.copy_binary("read who consents", &statement, |row| {
                consenting.push(row.integer(0)?);
                Ok(())
            })?;
            let text = serde_json::to_vec(&consenting)
                .map_err(|error| Error::new(ErrorKind::Io, "cannot write who consents").with_source(error))?;
            fs::write_atomically(&target.join("consented_user_ids.json"), &text)?;
        }
        let migrations = MigrationStatus::read(snapshot.leader(), &self.zulip_version)?;
        write_json(&target.join("migration_status.json"), &migrations)?;
        fs::sync_directory(target)?;
        Ok((stats, report))
    }

    fn report(&self, stats: &Stats, files: FilesReport, begun: Instant) -> ExportReport {
        let rows = |file: &str, key: &str| stats.rows.get(file).and_then(|rows| rows.get(key)).copied().unwrap_or(0);
        let of_messages = stats.rows.iter().filter(|(file, _)| file.starts_with("messages-"));
        let mut findings = Findings::default();
        files.findings.into_iter().for_each(|finding| findings.push(finding));
        ExportReport {
            path: self.output.clone(),
            realm: self.realm.clone(),
            messages: of_messages.map(|(file, _)| rows(file, "zerver_message")).sum(),
            users: rows("realm", "zerver_userprofile"),
            files: files.files,
            files_bytes: files.bytes,
            findings,
            seconds: begun.elapsed().as_secs_f64(),
        }
    }
}

/// What the threads share.
struct Run<'a> {
    scope: &'a Scope<'a>,
    facts: &'a RealmFacts,
    messages: Messages,
    ids: &'a [i64],
    files: Files<'a>,
    target: &'a Utf8Path,
    progress: &'a dyn Progress,
    next: AtomicUsize,
    stopped: AtomicBool,
    stats: Mutex<Stats>,
    report: Mutex<FilesReport>,
}

/// Pieces of work that are no message files.
const SINGLE: usize = 4;

impl Run<'_> {
    fn all(&self, threads: usize, reader: RowReader, invitation: &Invitation, search_path: &str) -> Result<()> {
        let thread = |reader: Option<RowReader>| {
            let mut reader = reader.map_or_else(|| join(invitation, search_path), Ok)?;
            let pieces = SINGLE + self.ids.len().div_ceil(FILE_MESSAGES * FILES_AT_ONCE);
            while !self.stopped.load(Ordering::Relaxed) {
                let piece = self.next.fetch_add(1, Ordering::Relaxed);
                if piece >= pieces {
                    break;
                }
                self.progress.checkpoint().and_then(|()| self.piece(piece, &mut reader)).inspect_err(|_| {
                    self.stopped.store(true, Ordering::Relaxed);
                })?;
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(|| thread(None))).collect();
            let mut result = thread(Some(reader));
            for other in others {
                let ended = other.join().unwrap_or_else(|_| Err(Error::interrupted()));
                result = result.and(ended);
            }
            result
        })
    }

    fn piece(&self, piece: usize, reader: &mut RowReader) -> Result<()> {
        let files = &self.scope.schema.files;
        match piece {
            0 => self.tables("realm", &files.realm, reader),
            1 => self.tables("attachment", &files.attachment, reader),
            2 => self.tables("analytics", &files.analytics, reader),
            3 => {
                let mut stats = Stats::default();
                let report = self.files.copy(reader, &mut stats)?;
                let mut all = self.stats.lock().map_err(|_| broken())?;
                (all.uploads, all.avatars) = (stats.uploads, stats.avatars);
                (all.emoji, all.realm_icons) = (stats.emoji, stats.realm_icons);
                *self.report.lock().map_err(|_| broken())? = report;
                Ok(())
            }
            piece => {
                let first = (piece - SINGLE) * FILES_AT_ONCE;
                let ids = &self.ids[first * FILE_MESSAGES..];
                let ids = &ids[..ids.len().min(FILES_AT_ONCE * FILE_MESSAGES)];
                let written = self.messages.write(reader, self.target, first, ids, self.progress)?;
                self.stats.lock().map_err(|_| broken())?.rows.extend(written);
                Ok(())
            }
        }
    }

    fn tables(&self, name: &str, sections: &[RowList], reader: &mut RowReader) -> Result<()> {
        let mut file = TableFile::create(&self.target.join(format!("{name}.json")))?;
        for section in sections {
            let selection = Selection::new(self.scope, section, self.facts)?;
            file.section(reader, &section.key, &selection, self.progress)?;
        }
        let counts = file.finish()?;
        self.stats.lock().map_err(|_| broken())?.rows.insert(name.to_owned(), counts);
        Ok(())
    }
}

fn join(invitation: &Invitation, search_path: &str) -> Result<RowReader> {
    let mut reader = invitation.join()?;
    reader.batch_execute("prepare the connection", search_path)?;
    Ok(reader)
}

fn broken() -> Error {
    Error::new(ErrorKind::Io, "a thread of the export ended unexpectedly")
}

fn write_json(path: &Utf8Path, value: &impl Serialize) -> Result<()> {
    let json = serde_json::to_vec_pretty(value)
        .map_err(|error| Error::new(ErrorKind::Io, format!("cannot write {path}")).with_source(error))?;
    fs::write_atomically(path, &json)
}
