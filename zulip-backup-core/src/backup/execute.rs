//! Doing what the plan says.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::archive::{
    ArchiveWriter, DatabaseFacts, EntryKind, FORMAT_VERSION, Header, Manifest, MemberName, Owner, SnapshotFacts,
    TableFacts, ToolFacts, database_file, member,
};
use crate::backup::BackupPlan;
use crate::backup::cross_check::ExpectedFiles;
use crate::backup::files::{FileJob, FileWorker, Item};
use crate::backup::piece::{Done, Piece, Taker};
use crate::backup::report::{BackupReport, SectionReport};
use crate::backup::tables::{self, TableWorker, plan_rows, plan_tables};
use crate::backup::tree::{Tree, header};
use crate::codec::{Compression, FrameEncoder};
use crate::fs::{LockFile, Output, OwnerNames};
use crate::pipeline::{self, Limits, Plan};
use crate::postgres::dump::read_live_toc;
use crate::postgres::{Purpose, Snapshot, applied_migrations};
use crate::{Error, ErrorKind, Finding, Progress, Result, Task, fs};

/// What the server's lists show a connection of this process as.
pub(super) fn application() -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    // PostgreSQL cuts names at 63 bytes: the process's id must not be what is lost.
    let host: String = host.chars().take(30).collect();
    format!("zulip-backup pid {} on {host}", std::process::id())
}

impl BackupPlan {
    /// Makes the backup.
    ///
    /// # Errors
    /// `Locked` when another backup writes to the same directory or reads the same database, `Interrupted` when
    /// `progress` asks to stop, and what disk and database answer. Whatever happens, nothing lies under the output's name
    /// unless it is complete.
    pub fn execute(&self, progress: &dyn Progress) -> Result<BackupReport> {
        let begun = Instant::now();
        let created_at = jiff::Timestamp::now();
        let directory = fs::parent(&self.output);
        // One for each user: in a shared directory nobody is kept out by what somebody else left.
        let lock = format!(".zulip-backup.{}.lock", rustix::process::geteuid().as_raw());
        let _lock = LockFile::take(&directory.join(lock), "create")?;
        let output = Output::create(&self.output, self.replace)?;
        let writer = ArchiveWriter::new(member::ROOT, output.file()?, output.scratch()?, self.compression, self.level);
        let mut run = Run {
            plan: self,
            progress,
            taker: Taker::new(writer, progress),
            owners: OwnerNames::load(),
            mtime: u64::try_from(created_at.as_second()).unwrap_or(0),
            timings: Vec::new(),
        };
        for finding in &self.findings {
            run.taker.found(finding.clone());
        }
        // The snapshot first: its moment is the time of all generated members.
        let (database, expected) = match &self.connection {
            Some(_) => run.timed("database", |run| run.database(&output))?,
            None => {
                run.versions()?;
                (None, None)
            }
        };
        run.timed("settings", Run::settings)?;
        run.timed("uploads", |run| run.uploads(expected))?;
        let Run { taker, mtime, mut timings, .. } = run;
        let owner = Owner::this_process();
        let Taker { writer, findings, links, .. } = taker;
        let finishing = Instant::now();
        let (written, _file) = writer.finish(&owner, mtime, |sections, index| Manifest {
            format: FORMAT_VERSION,
            tool: ToolFacts { name: "zulip-backup".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
            created_at,
            compression: self.compression,
            level: self.level,
            source: self.source.clone(),
            database,
            sections,
            links,
            findings,
            varies: VARIES.iter().map(|&text| text.to_owned()).collect(),
            index,
        })?;
        progress.checkpoint()?;
        let path = output.publish()?;
        timings.push(SectionReport { name: "finish", seconds: finishing.elapsed().as_secs_f64() });
        let manifest = written.manifest;
        let tables = manifest.database.as_ref().map(|database| database.tables.as_slice()).unwrap_or_default();
        Ok(BackupReport {
            path,
            archive_bytes: written.archive_bytes,
            content_bytes: written.tar_bytes,
            manifest_sha256: written.manifest_sha256,
            tables: tables.len() as u64,
            rows: tables.iter().map(|table| table.rows).sum(),
            text_bytes: tables.iter().map(|table| table.bytes).sum(),
            sections: manifest.sections,
            findings: manifest.findings,
            timings,
            seconds: begun.elapsed().as_secs_f64(),
        })
    }
}

/// What two archives of the same snapshot and files may differ in.
const VARIES: [&str; 4] = [
    "created_at and the mtime of members that the backup makes (version files, database, manifest, index)",
    "the creation time inside database/toc.dat",
    "database.snapshot",
    "offsets and sizes in the index where the above compress differently",
];

impl BackupPlan {
    fn limits(&self) -> Limits {
        Limits::new(self.jobs, self.compression.frame_bytes())
    }
}

struct Run<'a> {
    plan: &'a BackupPlan,
    progress: &'a dyn Progress,
    taker: Taker<'a>,
    owners: OwnerNames,
    /// The time of members that the backup makes.
    mtime: u64,
    timings: Vec<SectionReport>,
}

impl Run<'_> {
    fn timed<R>(&mut self, name: &'static str, part: impl FnOnce(&mut Self) -> Result<R>) -> Result<R> {
        let begun = Instant::now();
        let result = part(self)?;
        self.timings.push(SectionReport { name, seconds: begun.elapsed().as_secs_f64() });
        Ok(result)
    }

    fn encoder(&self) -> Result<FrameEncoder> {
        FrameEncoder::new(self.plan.compression, self.plan.level)
    }

    fn versions(&mut self) -> Result<()> {
        let source = &self.plan.source;
        let mut zulip = source.zulip_version.clone();
        if let Some(describe) = &source.zulip_git_describe {
            zulip.push('\n');
            zulip.push_str(describe);
        }
        let mut encoder = self.encoder()?;
        for (name, text) in [
            (member::ZULIP_VERSION, zulip),
            (member::OS_VERSION, source.os_version.clone()),
            (member::POSTGRES_VERSION, source.postgres_version.to_string()),
        ] {
            let header = Header::generated(name, 0o644, self.mtime, &Owner::this_process())?;
            self.taker.writer.small(&mut encoder, header, format!("{text}\n").as_bytes())?;
        }
        Ok(())
    }

    fn database(&mut self, output: &Output) -> Result<(Option<DatabaseFacts>, Option<ExpectedFiles>)> {
        let (Some(connection), Some(planned)) = (&self.plan.connection, &self.plan.database) else {
            return Ok((None, None));
        };
        let mut snapshot = Snapshot::take(connection, &application(), Purpose::Backup)?;
        self.mtime = u64::try_from(snapshot.facts().taken_at.as_second()).unwrap_or(self.mtime);
        self.versions()?;
        self.progress.message(&format!("snapshot of {} taken at {}", planned.connection, snapshot.facts().taken_at));
        let mut toc = read_live_toc(&planned.pg_dump, connection, snapshot.id())?;
        let gzip = self.plan.compression == Compression::Gzip;
        toc.set_gzip(gzip);
        let owner = Owner::this_process();
        let mut encoder = self.encoder()?;
        let mut directory = Header::generated(member::DATABASE, 0o700, self.mtime, &owner)?;
        directory.kind = EntryKind::Directory;
        self.taker.writer.small(&mut encoder, directory, &[])?;
        self.whole(&mut encoder, &database_file("toc.dat"), &toc.write_directory(), &owner)?;
        let planned_tables = plan_tables(&toc, &mut snapshot, self.plan.compression)?;
        let mut facts: Vec<TableFacts> = planned_tables.iter().map(|table| table.facts.clone()).collect();
        let total = planned_tables.iter().map(tables::PlannedTable::disk_bytes).sum();
        let invitation = snapshot.invitation();
        let (compression, level, mtime) = (self.plan.compression, self.plan.level, self.mtime);
        self.taker.counted.clear();
        self.progress.begin(Task::bytes(tables::TASK, Some(total)));
        pipeline::run(
            self.plan.limits(),
            self.progress,
            || TableWorker::new(&invitation, compression, level),
            |plan| plan_rows(planned_tables, plan, compression, &owner, mtime),
            |piece| self.taker.take(piece),
        )?;
        self.progress.end(tables::TASK);
        if facts.len() != self.taker.counted.len() {
            return Err(Error::new(
                ErrorKind::Io,
                format!("{} tables were planned, {} were written", facts.len(), self.taker.counted.len()),
            ));
        }
        for (table, (rows, bytes)) in facts.iter_mut().zip(&self.taker.counted) {
            (table.rows, table.bytes) = (*rows, *bytes);
        }
        let database = database_facts(&mut snapshot, &toc, facts)?;
        let expected = match &self.plan.uploads {
            Some(_) => {
                let salt = self.plan.avatar_salt.as_ref();
                match ExpectedFiles::collect(snapshot.leader(), salt, output.scratch()?) {
                    Ok(expected) => Some(expected),
                    Err(error) => {
                        self.taker.found(Finding::warning(
                            "cross-check-skipped",
                            "uploads",
                            format!("the database could not be compared with the files: {}", error.chain()),
                        ));
                        None
                    }
                }
            }
            None => None,
        };
        // Held no longer than needed: it keeps the server from cleaning up.
        drop(snapshot);
        Ok((Some(database), expected))
    }

    /// A member made here, of any size, in frames of the usual size.
    fn whole(&mut self, encoder: &mut FrameEncoder, name: &str, content: &[u8], owner: &Owner) -> Result<()> {
        let header = Header::generated(name, 0o600, self.mtime, owner)?;
        self.taker.take(Piece::Begin(header))?;
        for content in content.chunks(self.plan.compression.frame_bytes()) {
            let block = crate::archive::Block { content: content.to_vec(), frame: Some(encoder.frame(content)?) };
            self.taker.take(Piece::Content { block, rows: 0, text_bytes: 0, done: Done::default() })?;
        }
        self.taker.take(Piece::End)
    }

    fn settings(&mut self) -> Result<()> {
        let plan = self.plan;
        if let Some(root) = &plan.settings_dir {
            let tree = Tree {
                root,
                member: member::SETTINGS,
                task: "settings",
                required: true,
                compression: plan.compression,
            };
            return self.files(None, |jobs, owners| tree.plan(jobs, owners, |_, _| Ok(())));
        }
        if let Some(file) = &plan.dev_secrets {
            let metadata = fs::metadata(file)?
                .ok_or_else(|| Error::new(ErrorKind::NotFound, format!("there is no {file}")).with_path(file))?;
            let name = format!("{}/{}", member::ZPROJECT, file.file_name().unwrap_or("dev-secrets.conf"));
            let name = MemberName::try_from(name.as_str())
                .map_err(|bad| Error::new(ErrorKind::Usage, format!("the member name {name} {bad}")))?;
            return self.files(None, |jobs, owners| {
                let header = header(name, EntryKind::File, &metadata, owners);
                let path = file.as_std_path().to_owned();
                jobs.job(FileJob::Small(vec![Item { path, header, task: "settings", required: true }]))
            });
        }
        Ok(())
    }

    fn uploads(&mut self, expected: Option<ExpectedFiles>) -> Result<()> {
        let plan = self.plan;
        let Some(uploads) = &plan.uploads else { return Ok(()) };
        let mut check = None;
        if let Some(mut expected) = expected {
            for finding in expected.findings.drain(..) {
                self.taker.found(finding);
            }
            check = Some(expected.compare()?);
        }
        let tree = Tree {
            root: &uploads.dir,
            member: member::UPLOADS,
            task: "uploads",
            required: false,
            compression: plan.compression,
        };
        self.files(Some(Task::bytes("uploads", Some(uploads.bytes))), |jobs, owners| {
            tree.plan(jobs, owners, |path, found| match &mut check {
                Some(check) => check.file(path, found),
                None => Ok(()),
            })?;
            match check.take() {
                Some(check) => check.finish(&|finding| jobs.ready(Piece::Found(finding))),
                None => Ok(()),
            }
        })
    }

    fn files(
        &mut self,
        task: Option<Task>,
        plan: impl FnOnce(&Plan<'_, FileJob, Piece>, &mut OwnerNames) -> Result<()> + Send,
    ) -> Result<()> {
        let (compression, level) = (self.plan.compression, self.plan.level);
        let owners = &mut self.owners;
        let taker = &mut self.taker;
        if let Some(task) = task {
            self.progress.begin(task);
        }
        pipeline::run(
            self.plan.limits(),
            self.progress,
            || FileWorker::new(compression, level),
            |jobs| plan(jobs, owners),
            |piece| taker.take(piece),
        )?;
        if let Some(task) = task {
            self.progress.end(task.name);
        }
        Ok(())
    }
}

fn database_facts(
    snapshot: &mut Snapshot,
    toc: &crate::postgres::dump::Toc,
    tables: Vec<TableFacts>,
) -> Result<DatabaseFacts> {
    let state = snapshot.facts().clone();
    let facts = crate::postgres::DatabaseFacts::read(snapshot.leader())?;
    let mut migrations = BTreeMap::<String, Vec<String>>::new();
    for (app, name) in applied_migrations(snapshot.leader())? {
        migrations.entry(app).or_default().push(name);
    }
    Ok(DatabaseFacts {
        name: facts.database,
        owner: facts.owner,
        snapshot: SnapshotFacts { taken_at: state.taken_at, lsn: state.lsn, standby: state.standby },
        server_version: facts.server_version,
        dump_version: toc.dump_version.clone().unwrap_or_default(),
        method: "copy".to_owned(),
        encoding: facts.encoding,
        collate: facts.collate,
        ctype: facts.ctype,
        extensions: facts.extensions.into_iter().map(|extension| (extension.name, extension.version)).collect(),
        dictionary_files: facts
            .text_search_dictionaries
            .into_iter()
            .filter(|dictionary| !dictionary.files.is_empty())
            .map(|dictionary| (dictionary.name, dictionary.files))
            .collect(),
        search_path: facts.owner_search_path,
        size_bytes: facts.size_bytes,
        migrations,
        tables,
    })
}
