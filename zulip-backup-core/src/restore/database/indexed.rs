//! The dump of one of our archives, from its frames into the database.

use std::collections::BTreeMap;
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use postgres::Client;

use super::rows::{Content, Rows};
use super::{LoadOptions, LoadReport, TableRows, programs, toc};
use crate::archive::{
    Frame, IndexedArchive, Member, Part, Run, RunReader, Section, Visit, Walker, database_file, member,
};
use crate::postgres::dump::{CopyFacts, Toc, TocEntry};
use crate::postgres::{ConnectOptions, Programs, error};
use crate::restore::APPLICATION;
use crate::{Error, ErrorKind, Progress, Result, Task};

/// The task told to [`Progress`]: bytes of the archive's file.
const TASK: &str = "load rows";

/// A stretch with several tables is decompressed once and kept, up to this much.
const SHARED_BYTES: u64 = 4 << 20;

/// Where the dump lies in an archive.
pub(crate) struct DatabaseRuns {
    runs: Vec<Run>,
}

impl DatabaseRuns {
    /// Reads the index up to the end of the dump; what follows, the uploads, is most of it.
    pub(crate) fn read(archive: &IndexedArchive) -> Result<Self> {
        let mut runs = Vec::new();
        for run in RunReader::new(archive.index()?) {
            let run = run?;
            let of_database = |member: &Member| Section::of(&member.name) == Some(Section::Database);
            if run.members.iter().any(of_database) {
                runs.push(run);
            } else if !runs.is_empty() {
                break;
            }
        }
        Ok(Self { runs })
    }

    /// The table of contents.
    ///
    /// # Errors
    /// `NotFound` where the archive has no database, `Damaged` where it cannot be read.
    pub(crate) fn toc(&self, archive: &IndexedArchive) -> Result<Toc> {
        let found = self.runs.iter().find_map(|run| {
            let at = run.members.iter().position(|found| found.name.as_bytes() == member::TOC.as_bytes())?;
            Some((run, at))
        });
        let (run, at) = found.ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("{} has no database", archive.path())).with_path(archive.path())
        })?;
        let mut kept = Keep { wanted: vec![at], run, bytes: BTreeMap::new() };
        Walker::new(archive)?.walk(run, &mut kept, TASK, &crate::Silent)?;
        Toc::read(kept.bytes.remove(&at).unwrap_or_default().as_slice())
    }
}

/// Work for one connection: one large table, or the small ones of one stretch.
struct Job<'a> {
    run: &'a Run,
    /// Places in the run, and what is loaded from them.
    tables: Vec<(usize, &'a TocEntry)>,
    bytes: u64,
}

pub(super) fn load(
    archive: &IndexedArchive,
    target: &ConnectOptions,
    programs: &Programs,
    options: &LoadOptions,
    jobs: usize,
    progress: &dyn Progress,
) -> Result<LoadReport> {
    let mut report = LoadReport { method: "copy".to_owned(), ..LoadReport::default() };
    let database = DatabaseRuns::read(archive)?;
    let mut contents = database.toc(archive)?;
    let foreign = contents.entries.iter().find(|entry| {
        entry.section == 3 && !(entry.is("TABLE DATA") && entry.copy_stmt.is_some()) && !entry.is("SEQUENCE SET")
    });
    if let Some(entry) = foreign {
        let what = format!("the dump has the entry {}, which no backup of ours has", toc::shown(entry));
        return Err(Error::new(ErrorKind::Incompatible, what)
            .with_hint("extract zulip-backup/database and restore it with --database"));
    }
    let prepared = programs::Prepared::new(&mut contents, None, target, options)?;
    report.left_out.clone_from(&prepared.left_out);
    let mut timed = |name, begun: Instant| report.seconds.push((name, begun.elapsed().as_secs_f64()));

    let begun = Instant::now();
    prepared.pg_restore(programs, target, &["--section=pre-data"], jobs, progress)?;
    timed("tables", begun);

    let begun = Instant::now();
    let work = plan(archive, &database, &contents)?;
    progress.begin(Task::bytes(TASK, Some(work.iter().map(|job| job.bytes).sum())));
    let loaded = load_rows(archive, work, target, jobs, progress)?;
    set_sequences(&contents, target)?;
    progress.end(TASK);
    timed("rows", begun);

    let begun = Instant::now();
    let threads = format!("--jobs={jobs}");
    prepared.pg_restore(programs, target, &["--section=post-data", &threads], jobs, progress)?;
    timed("indexes", begun);
    for (table, facts) in loaded {
        report.text_bytes += facts.bytes;
        report.rows.push(table);
    }
    Ok(report)
}

/// What is to be loaded, the largest last: it is taken from the end.
fn plan<'a>(archive: &IndexedArchive, database: &'a DatabaseRuns, contents: &'a Toc) -> Result<Vec<Job<'a>>> {
    let mut entries: BTreeMap<String, &TocEntry> = BTreeMap::new();
    for entry in contents.tables() {
        let file = entry.file.clone().unwrap_or_else(|| format!("{}.dat", entry.dump_id));
        entries.insert(database_file(&file), entry);
    }
    let mut jobs = Vec::new();
    for run in &database.runs {
        let mut tables = Vec::new();
        for (at, found) in run.members.iter().enumerate() {
            let Some(name) = found.name.as_str() else { continue };
            if let Some(entry) = entries.remove(name.strip_suffix(".gz").unwrap_or(name)) {
                tables.push((at, entry));
            }
        }
        let bytes = run.frames.iter().map(|frame| frame.archive_bytes).sum();
        let content: u64 = tables.iter().map(|&(at, _)| run.members[at].size).sum();
        if content <= SHARED_BYTES && !tables.is_empty() {
            jobs.push(Job { run, tables, bytes });
        } else {
            // The walk reads only the frames a table lies in, so that sharing a run costs one frame at its border.
            jobs.extend(tables.into_iter().map(|table| Job {
                run,
                bytes: run.members[table.0].size,
                tables: vec![table],
            }));
        }
    }
    if let Some((file, _)) = entries.first_key_value() {
        return Err(Error::new(ErrorKind::Damaged, format!("{} has no {file}, which its dump names", archive.path()))
            .with_path(archive.path()));
    }
    jobs.sort_by_key(|job| job.bytes);
    Ok(jobs)
}

fn load_rows(
    archive: &IndexedArchive,
    work: Vec<Job<'_>>,
    target: &ConnectOptions,
    jobs: usize,
    progress: &dyn Progress,
) -> Result<Vec<(TableRows, CopyFacts)>> {
    let limit = archive.file_bytes().saturating_mul(1100).saturating_add(64 << 20);
    let jobs = jobs.min(work.len());
    let work = Mutex::new(work);
    let done = Mutex::new(Vec::new());
    let failed = AtomicBool::new(false);
    let thread = || {
        let mut loader = Loader { client: connect(target)?, walker: Walker::new(archive)?, limit, progress };
        while !failed.load(Ordering::Relaxed) {
            let Some(job) = work.lock().ok().and_then(|mut work| work.pop()) else { break };
            let loaded = loader.load(&job).inspect_err(|_| failed.store(true, Ordering::Relaxed))?;
            if let Ok(mut done) = done.lock() {
                done.extend(loaded);
            }
        }
        Ok::<_, Error>(())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..jobs).map(|_| scope.spawn(thread)).collect();
        let mut result = Ok(());
        for thread in threads {
            let ended = thread.join().unwrap_or_else(|_| Err(Error::interrupted()));
            result = result.and(ended);
        }
        result
    })?;
    Ok(done.into_inner().unwrap_or_default())
}

fn connect(target: &ConnectOptions) -> Result<Client> {
    let mut client = target.connect(APPLICATION)?;
    client
        .batch_execute(
            "SET synchronous_commit = off; SET client_encoding = 'UTF8'; SET statement_timeout = 0;
             SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET row_security = off;
             SELECT pg_catalog.set_config('search_path', '', false)",
        )
        .map_err(|failure| error("prepare a connection for loading", failure))?;
    Ok(client)
}

/// One thread with its connection.
struct Loader<'a> {
    client: Client,
    walker: Walker<'a>,
    limit: u64,
    progress: &'a dyn Progress,
}

impl Loader<'_> {
    fn load(&mut self, job: &Job<'_>) -> Result<Vec<(TableRows, CopyFacts)>> {
        if let [(at, entry)] = job.tables[..] {
            return Ok(vec![self.large(job.run, at, entry)?]);
        }
        let wanted = job.tables.iter().map(|&(at, _)| at).collect();
        let mut kept = Keep { wanted, run: job.run, bytes: BTreeMap::new() };
        self.walker.walk(job.run, &mut kept, TASK, self.progress)?;
        let mut loaded = Vec::new();
        for &(at, entry) in &job.tables {
            let bytes = kept.bytes.remove(&at).unwrap_or_default();
            let gzip = is_gzip(&job.run.members[at]);
            loaded.push(self.copy(entry, |content, _, _| content.update(&bytes).map_err(Into::into), gzip)?);
        }
        Ok(loaded)
    }

    fn large(&mut self, run: &Run, at: usize, entry: &TocEntry) -> Result<(TableRows, CopyFacts)> {
        let gzip = is_gzip(&run.members[at]);
        let table = entry.tag.as_deref().unwrap_or_default();
        self.copy(
            entry,
            |content, walker, progress| {
                walker.walk(run, &mut Feed { at, run, content, table }, TASK, progress).map_err(Fault::Ours)
            },
            gzip,
        )
    }

    /// One COPY in a transaction of its own. The table is emptied in it, so that its rows can be written frozen: nobody has
    /// to rewrite every page later, and at `wal_level = minimal` they do not go through the log either.
    fn copy(
        &mut self,
        entry: &TocEntry,
        feed: impl FnOnce(&mut Content<postgres::CopyInWriter<'_>>, &mut Walker<'_>, &dyn Progress) -> Result<(), Fault>,
        gzip: bool,
    ) -> Result<(TableRows, CopyFacts)> {
        let (schema, name) = (entry.namespace.clone().unwrap_or_default(), entry.tag.clone().unwrap_or_default());
        let doing = format!("load the rows of {schema}.{name}");
        let failed = |failure| error(&doing, failure);
        let statement = entry.copy_stmt.as_deref().unwrap_or_default().trim().trim_end_matches(';');
        let table = statement.strip_prefix("COPY ").and_then(|_| statement.strip_suffix("FROM stdin"));
        let Some(statement) = table.map(|_| format!("{statement} WITH (FREEZE)")) else {
            return Err(Error::new(
                ErrorKind::Damaged,
                format!("cannot {doing}: the dump has no COPY statement for it"),
            ));
        };
        let mut transaction = self.client.transaction().map_err(failed)?;
        let quoted =
            format!("{}.{}", crate::postgres::quote_identifier(&schema), crate::postgres::quote_identifier(&name));
        transaction.batch_execute(&format!("TRUNCATE ONLY {quoted}")).map_err(failed)?;
        let writer = transaction.copy_in(statement.as_str()).map_err(failed)?;
        let mut content = Content::new(Rows::new(writer, self.limit), gzip);
        let fed = feed(&mut content, &mut self.walker, self.progress);
        fed.map_err(|fault| fault.explain(&doing))?;
        let rows = content.finish().map_err(|fault| Fault::from(fault).explain(&doing))?;
        let (writer, facts) = rows.finish().map_err(|fault| Fault::Ours(fault).explain(&doing))?;
        let count = writer.finish().map_err(failed)?;
        if count != facts.rows {
            let message = format!("{schema}.{name}: {} rows were sent, the server took {count}", facts.rows);
            return Err(Error::new(ErrorKind::Damaged, message));
        }
        transaction.commit().map_err(failed)?;
        Ok((TableRows { schema, name, rows: count }, facts))
    }
}

fn is_gzip(member: &Member) -> bool {
    member.name.as_bytes().ends_with(b".gz")
}

/// Why feeding a COPY failed.
enum Fault {
    Io(io::Error),
    Ours(Error),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Fault {
    /// The server's own words, where it was the server.
    fn explain(self, doing: &str) -> Error {
        match self {
            Self::Ours(error) if error.kind() == ErrorKind::Damaged => {
                let message = format!("cannot {doing}: the data file {error}");
                Error::new(ErrorKind::Damaged, message).with_hint("use another copy of the archive")
            }
            Self::Ours(error) => error,
            Self::Io(fault) => {
                let shown = fault.to_string();
                match fault.into_inner().map(<dyn std::error::Error + Send + Sync>::downcast::<postgres::Error>) {
                    Some(Ok(server)) => error(doing, *server),
                    _ => Error::new(ErrorKind::Damaged, format!("cannot {doing}: its data file is damaged: {shown}"))
                        .with_hint("use another copy of the archive"),
                }
            }
        }
    }
}

/// Keeps the contents of some members.
struct Keep<'a> {
    wanted: Vec<usize>,
    run: &'a Run,
    bytes: BTreeMap<usize, Vec<u8>>,
}

fn place(run: &Run, member: &Member) -> usize {
    run.members.partition_point(|other| other.tar_offset < member.tar_offset)
}

impl Visit for Keep<'_> {
    fn wants(&mut self, member: &Member) -> bool {
        self.wanted.contains(&place(self.run, member))
    }

    fn piece(&mut self, member: &Member, part: Part, bytes: &[u8]) -> Result<()> {
        if part == Part::Content {
            self.bytes.entry(place(self.run, member)).or_default().extend_from_slice(bytes);
        }
        Ok(())
    }

    fn damaged(&mut self, _frame: &Frame, error: &Error) -> Result<()> {
        Err(spoiled(error))
    }

    fn end(&mut self, _member: &Member, _whole: bool) -> Result<()> {
        Ok(())
    }
}

/// Hands the content of one member on.
struct Feed<'a, W: io::Write> {
    at: usize,
    run: &'a Run,
    content: &'a mut Content<W>,
    /// The name of the table, for errors.
    table: &'a str,
}

impl<W: io::Write> Visit for Feed<'_, W> {
    fn wants(&mut self, member: &Member) -> bool {
        place(self.run, member) == self.at
    }

    fn piece(&mut self, _member: &Member, part: Part, bytes: &[u8]) -> Result<()> {
        if part == Part::Content {
            self.content
                .update(bytes)
                .map_err(|fault| Fault::Io(fault).explain(&format!("load the rows of {}", self.table)))?;
        }
        Ok(())
    }

    fn damaged(&mut self, _frame: &Frame, error: &Error) -> Result<()> {
        Err(spoiled(error))
    }

    fn end(&mut self, _member: &Member, _whole: bool) -> Result<()> {
        Ok(())
    }
}

fn spoiled(error: &Error) -> Error {
    Error::new(ErrorKind::Io, error.chain()).with_hint("the archive was sound when it was verified: check its disk")
}

/// `SEQUENCE SET` entries, which belong to the data and are SQL.
fn set_sequences(contents: &Toc, target: &ConnectOptions) -> Result<()> {
    let mut client = connect(target)?;
    for entry in contents.entries.iter().filter(|entry| entry.is("SEQUENCE SET")) {
        client
            .batch_execute(entry.defn.as_deref().unwrap_or_default())
            .map_err(|failure| error(&format!("set the sequence {}", toc::shown(entry)), failure))?;
    }
    Ok(())
}
