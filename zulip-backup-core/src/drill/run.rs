//! Doing the rehearsal.

use std::io::Write;
use std::time::Instant;

use camino::{Utf8Path, Utf8PathBuf};

use crate::archive::{
    Archive, ExtractOptions, IndexedArchive, VerifyOptions, VerifyReport, extract, member, unpack_section, verify,
};
use crate::drill::certificate::{Certificate, Check, CheckOutcome};
use crate::drill::{DrillOptions, database, files};
use crate::fs::{Output, UnpackOptions, WorkDir};
use crate::postgres::{Cluster, ConnectOptions, Environment, Programs, ServerPrograms};
use crate::restore::database::{Dump, DumpFile, LoadOptions, load};
use crate::{Error, ErrorKind, Finding, Findings, Progress, Result, Secret, Severity, Task, fs};

/// The name the restored database has on the throw-away server.
const DATABASE: &str = "zulip";

/// What a restored database may take beside the size it had, for the logs of the load.
const DATABASE_MARGIN: u64 = 1 << 30;

/// Restores an archive into a throw-away server and a temporary directory and says whether it is a Zulip server.
///
/// The certificate is written whatever the outcome, and returned. A check that fails does not end the rehearsal: the
/// others are done as far as they can be.
///
/// # Errors
/// Only where no certificate could be made: the archive cannot be opened, there is no PostgreSQL on this machine, too
/// little space, `Interrupted`.
pub fn drill(archive: &Archive, options: &DrillOptions, progress: &dyn Progress) -> Result<Certificate> {
    let begun = Instant::now();
    let parent = match &options.work_dir {
        Some(path) => path.clone(),
        None => Utf8PathBuf::from_path_buf(std::env::temp_dir()).map_err(|path| {
            Error::new(ErrorKind::Config, format!("the temp directory {} is not UTF-8", path.display()))
        })?,
    };
    space(archive, &parent, options)?;
    let certificate_path =
        options.certificate.clone().unwrap_or_else(|| format!("{}.drill.json", archive.path()).into());
    let mut work = WorkDir::create(&parent, "zulip-backup-drill-", "drill")?;
    let mut run =
        Run { archive, options, progress, checks: Vec::new(), findings: Findings::default(), left_out: Vec::new() };
    progress.begin(Task::steps("drill", 4));
    let report = run.archive()?;
    progress.advance("drill", 1);
    let salt = run.settings(work.path())?;
    progress.advance("drill", 1);
    let uploads = run.uploads(work.path())?;
    progress.advance("drill", 1);
    let postgres_version = run.database(&parent, work.path(), report.as_ref(), uploads.as_deref(), salt.as_ref())?;
    progress.advance("drill", 1);
    progress.end("drill");
    if options.keep {
        work.keep();
        progress.message(&format!("the restored files stay in {}", work.path()));
    }
    let manifest = archive.manifest();
    let certificate = Certificate {
        format: Certificate::FORMAT,
        archive: archive.path().to_owned(),
        archive_bytes: archive.file_bytes(),
        manifest_sha256: match archive {
            Archive::Indexed(indexed) => Some(indexed.trailer().manifest_sha256),
            Archive::Stream(_) => None,
        },
        archive_created_at: manifest.map(|manifest| manifest.created_at),
        drilled_at: jiff::Timestamp::now(),
        hostname: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        postgres_version,
        passed: run.checks.iter().all(|check| check.outcome != CheckOutcome::Failed),
        checks: run.checks,
        left_out: run.left_out,
        findings: run.findings,
        seconds: begun.elapsed().as_secs_f64(),
    };
    write(&certificate, &certificate_path)?;
    Ok(certificate)
}

fn space(archive: &Archive, parent: &Utf8Path, options: &DrillOptions) -> Result<()> {
    let manifest = archive.manifest();
    let database = manifest.and_then(|manifest| manifest.database.as_ref()).map(|database| database.size_bytes);
    let uploads = manifest.and_then(|manifest| manifest.sections.get("uploads")).map(|uploads| uploads.bytes);
    // Of an archive without a manifest nothing is known before it is read: five times its size is what upstream's take.
    let needed = match manifest {
        Some(_) => database.unwrap_or(0) + uploads.unwrap_or(0) + DATABASE_MARGIN,
        None => archive.file_bytes().saturating_mul(5) + DATABASE_MARGIN,
    };
    let free = fs::free_bytes(parent)?;
    if free < needed && !options.ignore_space {
        return Err(Error::new(
            ErrorKind::Refused,
            format!("{parent} has {free} bytes free, the drill may need {needed}"),
        )
        .with_path(parent)
        .with_hint("name another place with --work-dir, or go on with --ignore-space"));
    }
    Ok(())
}

fn write(certificate: &Certificate, path: &Utf8Path) -> Result<()> {
    let mut json = serde_json::to_vec_pretty(certificate)
        .map_err(|error| Error::new(ErrorKind::Io, "cannot write the certificate").with_source(error))?;
    json.push(b'\n');
    let output = Output::create(path, true)?;
    output.file()?.write_all(&json).map_err(|error| Error::io("write", path, error))?;
    output.publish().map(|_| ())
}

struct Run<'a> {
    archive: &'a Archive,
    options: &'a DrillOptions,
    progress: &'a dyn Progress,
    checks: Vec<Check>,
    findings: Findings,
    left_out: Vec<String>,
}

impl Run<'_> {
    /// Does one check. It fails where it answers with an error or finds one; only an interruption ends the rehearsal.
    fn check<R>(
        &mut self,
        name: &str,
        work: impl FnOnce(&mut dyn FnMut(Finding)) -> Result<(String, R)>,
    ) -> Result<Option<R>> {
        let begun = Instant::now();
        let errors = self.findings.at_least(Severity::Error);
        let progress = self.progress;
        let findings = &mut self.findings;
        let mut found = |finding: Finding| {
            progress.finding(&finding);
            findings.push(finding);
        };
        let (detail, result) = match work(&mut found) {
            Ok((detail, result)) => (detail, Some(result)),
            Err(error) if error.kind() == ErrorKind::Interrupted => return Err(error),
            Err(error) => {
                error.reasons().iter().cloned().for_each(&mut found);
                found(Finding::error("check-failed", name, error.chain()));
                (error.to_string(), None)
            }
        };
        let failed = self.findings.at_least(Severity::Error) > errors;
        let outcome = if failed { CheckOutcome::Failed } else { CheckOutcome::Passed };
        self.checks.push(Check { name: name.to_owned(), outcome, detail, seconds: begun.elapsed().as_secs_f64() });
        Ok(result)
    }

    fn skip(&mut self, name: &str, detail: &str) {
        let outcome = CheckOutcome::Skipped;
        self.checks.push(Check { name: name.to_owned(), outcome, detail: detail.to_owned(), seconds: 0.0 });
    }

    fn archive(&mut self) -> Result<Option<VerifyReport>> {
        let (archive, progress) = (self.archive, self.progress);
        let jobs = self.options.jobs;
        self.check("archive", |found| {
            let report = verify(archive, &VerifyOptions::default().jobs(jobs), progress)?;
            report.findings.list.iter().cloned().for_each(found);
            let detail =
                format!("{} members, {} rows in {} tables", report.members, report.rows(), report.tables.len());
            Ok((detail, report))
        })
    }

    /// Unpacks a directory of the archive below `work/zulip-backup/`.
    fn unpack(&self, name: &str, work: &Utf8Path) -> Result<Utf8PathBuf> {
        let target = work.join(name);
        match self.archive {
            Archive::Indexed(archive) => {
                let options = UnpackOptions::default().sync(fs::Sync::Never);
                unpack_section(archive, name, &target, options, self.options.jobs, self.progress)?.into_result()?;
            }
            Archive::Stream(_) => {
                let options =
                    ExtractOptions::default().member(name).unpack(UnpackOptions::default().sync(fs::Sync::Never));
                match extract(self.archive, &options, work, self.progress) {
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    result => {
                        result?.into_result()?;
                    }
                }
            }
        }
        Ok(target)
    }

    fn settings(&mut self, work: &Utf8Path) -> Result<Option<Secret>> {
        let production = self.unpack(member::SETTINGS, work);
        let development = self.unpack(member::ZPROJECT, work);
        let root = work.join(member::ROOT);
        let facts = self.check("settings", |found| {
            production.and(development)?;
            let facts = files::settings(&root, found);
            let detail = facts.as_ref().map_or_else(String::new, |facts| facts.detail.clone());
            Ok((detail, facts))
        })?;
        let Some(Some(facts)) = facts else {
            if matches!(facts, Some(None)) {
                self.checks.pop();
                self.skip("settings", "the archive has none");
            }
            return Ok(None);
        };
        Ok(facts.avatar_salt)
    }

    fn uploads(&mut self, work: &Utf8Path) -> Result<Option<Utf8PathBuf>> {
        let unpacked = self.unpack(member::UPLOADS, work);
        let detail = match self.archive {
            Archive::Indexed(_) => "unpacked, every digest right",
            Archive::Stream(_) => "unpacked; the archive has no digests",
        };
        let path = self.check("uploads", |_| Ok((detail.to_owned(), unpacked?)))?;
        let Some(path) = path else { return Ok(None) };
        let empty = fs::metadata(&path)?.is_none() || fs::list(&path)?.is_empty();
        if empty {
            self.checks.pop();
            self.skip("uploads", "the archive has none");
            return Ok(None);
        }
        Ok(Some(path))
    }

    fn database(
        &mut self,
        parent: &Utf8Path,
        work: &Utf8Path,
        report: Option<&VerifyReport>,
        uploads: Option<&Utf8Path>,
        salt: Option<&Secret>,
    ) -> Result<Option<String>> {
        let tables = report.map(|report| report.tables.clone()).unwrap_or_default();
        let manifest = self.archive.manifest().and_then(|manifest| manifest.database.as_ref());
        if tables.is_empty() && manifest.is_none() {
            self.skip("database", "the archive has none");
            return Ok(None);
        }
        let dump_directory = match self.archive {
            Archive::Indexed(_) => None,
            Archive::Stream(_) => Some(self.unpack(member::DATABASE, work)?),
        };
        let cluster = self.server(parent, dump_directory.as_deref())?;
        let options = cluster.connect_options(DATABASE);
        let (archive, progress, jobs) = (self.archive, self.progress, self.options.jobs);
        let mut left_out = Vec::new();
        let mut server_version = None;
        let loaded = self.check("database", |_| {
            let owner = manifest.map_or("zulip", |database| database.owner.as_str());
            cluster.create_database(DATABASE, owner)?;
            let mut client = options.connect("zulip-backup drill")?;
            server_version = crate::postgres::DatabaseFacts::read(&mut client).ok().map(|facts| facts.server_version);
            let file = dump_directory.as_deref().map(DumpFile::recognise).transpose()?;
            let dump = match (archive, &file) {
                (Archive::Indexed(indexed), _) => Dump::Indexed(indexed),
                (Archive::Stream(_), Some(file)) => Dump::File(file),
                (Archive::Stream(_), None) => return Err(Error::new(ErrorKind::NotFound, "the archive has no dump")),
            };
            let programs = Programs::for_server(server_version_num(&options)?, &Environment::current())?;
            let load_options = LoadOptions { jobs, owner: None, leave_out_missing_dictionaries: true };
            let loaded = load(dump, &options, &programs, &load_options, progress)?;
            left_out.clone_from(&loaded.left_out);
            Ok((format!("loaded by {}", loaded.method), ()))
        })?;
        self.left_out = left_out;
        if loaded.is_none() {
            return Ok(server_version);
        }
        let mut client = options.connect("zulip-backup drill")?;
        self.check("rows", |found| {
            let mut total = 0;
            for table in &tables {
                let name = format!("{}.{}", quoted(&table.schema), quoted(&table.name));
                let query = format!("SELECT count(*) FROM ONLY {name}");
                let row = client
                    .query_one(query.as_str(), &[])
                    .map_err(|failure| crate::postgres::error("count the rows", failure))?;
                let rows: i64 = crate::postgres::column(&row, 0)?;
                let rows = rows.cast_unsigned();
                total += rows;
                if let Some(expected) = table.rows_expected.or(table.rows_found).filter(|expected| *expected != rows) {
                    found(Finding::error("rows-differ", name, format!("has {rows} rows, the archive has {expected}")));
                }
            }
            Ok((format!("{total} rows in {} tables", tables.len()), ()))
        })?;
        self.check("foreign-keys", |found| {
            let count = database::foreign_keys(&mut client, found)?;
            Ok((format!("{count} keys, every row looked up"), ()))
        })?;
        self.check("sequences", |found| {
            let count = database::sequences(&mut client, found)?;
            Ok((format!("{count} beyond their columns' largest value"), ()))
        })?;
        self.check("migrations", |found| {
            let count = database::migrations(&mut client, manifest.map(|database| &database.migrations), found)?;
            Ok((format!("{count} applied"), ()))
        })?;
        match uploads {
            Some(directory) => {
                self.check("attachments", |found| {
                    let count = files::uploads(&mut client, directory, salt, work, found)?;
                    Ok((format!("{count} files against the rows that refer to them"), ()))
                })?;
            }
            None => self.skip("attachments", "there are no uploads to compare with"),
        }
        Ok(server_version)
    }

    /// A throw-away server of the major version the archive needs, or of the next newer one at hand.
    fn server(&mut self, parent: &Utf8Path, dump_directory: Option<&Utf8Path>) -> Result<Cluster> {
        let wanted = match self.archive {
            Archive::Indexed(archive) => wanted_major(archive),
            Archive::Stream(_) => {
                let toc = dump_directory.map(|path| path.join("toc.dat")).filter(|path| fs::is_file(path));
                let toc = toc.map(|path| fs::open(&path)).transpose()?;
                let toc = toc.and_then(|file| crate::postgres::dump::Toc::read(std::io::BufReader::new(file)).ok());
                toc.and_then(|toc| toc.server_major())
            }
        };
        let programs = ServerPrograms::find(wanted, &Environment::current())?;
        if let Some(wanted) = wanted
            && programs.major() != wanted
        {
            let finding = Finding::warning(
                "postgres-major-differs",
                "PostgreSQL",
                format!("the dump is of {wanted}, this machine has {}: rehearsed with that", programs.major()),
            )
            .with_hint(format!("install postgresql-{wanted} for an exact rehearsal"));
            self.progress.finding(&finding);
            self.findings.push(finding);
        }
        let memory = "256MB";
        Cluster::builder()
            .programs(programs)
            .parent(parent)
            .setting("shared_buffers", memory)
            .setting("max_wal_size", "4GB")
            .setting("maintenance_work_mem", memory)
            .start()
    }
}

fn wanted_major(archive: &IndexedArchive) -> Option<u32> {
    u32::try_from(archive.manifest().source.postgres_version / 10_000).ok()
}

fn server_version_num(options: &ConnectOptions) -> Result<i32> {
    let mut client = options.connect("zulip-backup drill")?;
    Ok(crate::postgres::DatabaseFacts::read(&mut client)?.server_version_num)
}

fn quoted(name: &str) -> String {
    crate::postgres::quote_identifier(name)
}
