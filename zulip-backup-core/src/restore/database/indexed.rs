//! The dump of one of our archives, from its frames into the database.

use std::collections::BTreeMap;
use std::time::Instant;

use super::loader::{Job, Keep, TASK};
use super::loading::Loading;
use super::{LoadOptions, LoadReport, indexes, programs, toc};
use crate::archive::{IndexedArchive, Member, Run, RunReader, Section, Walker, database_file, member};
use crate::postgres::dump::{Toc, TocEntry};
use crate::postgres::{ConnectOptions, Programs, error};
use crate::restore::APPLICATION;
use crate::{Error, ErrorKind, Progress, Result, Task};

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
    let indexes = indexes::take(&mut contents);
    let prepared = programs::Prepared::new(&mut contents, None, target, options)?;
    report.left_out.clone_from(&prepared.left_out);
    let mut timed = |name, begun: Instant| report.seconds.push((name, begun.elapsed().as_secs_f64()));

    let begun = Instant::now();
    prepared.pg_restore(programs, target, &["--section=pre-data"], jobs, progress)?;
    timed("tables", begun);

    let begun = Instant::now();
    let work = plan(archive, &database, &contents)?;
    progress.begin(Task::bytes(TASK, Some(work.iter().map(|job| job.bytes).sum())));
    let loaded = Loading { archive, contents: &contents, target, jobs, progress }.run(work, &indexes)?;
    set_sequences(&contents, target)?;
    progress.end(TASK);
    timed("rows and indexes", begun);

    let begun = Instant::now();
    let threads = format!("--jobs={jobs}");
    prepared.pg_restore(programs, target, &["--section=post-data", &threads], jobs, progress)?;
    timed("constraints", begun);
    for (table, facts) in loaded {
        report.text_bytes += facts.bytes;
        report.rows.push(table);
    }
    Ok(report)
}

/// What is to be loaded.
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
    Ok(jobs)
}

/// `SEQUENCE SET` entries, which belong to the data and are SQL.
fn set_sequences(contents: &Toc, target: &ConnectOptions) -> Result<()> {
    let mut client = target.connect(APPLICATION)?;
    for entry in contents.entries.iter().filter(|entry| entry.is("SEQUENCE SET")) {
        client
            .batch_execute(entry.defn.as_deref().unwrap_or_default())
            .map_err(|failure| error(&format!("set the sequence {}", toc::shown(entry)), failure))?;
    }
    Ok(())
}
