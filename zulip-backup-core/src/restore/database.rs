//! A dump into a database: of one of our archives, or of any of PostgreSQL's own formats.
//!
//! Stands alone: it is given a connection to an empty database and fills it, for a restore as for a rehearsal.
//!
//! A dump in one of our archives is never unpacked. `pg_restore` gets a directory with nothing but the table of contents
//! and makes the tables; the rows go from the archive's frames straight into COPY on several connections, largest table
//! first, and where one table's rows are in, its keys and indexes are made while others are loaded; then `pg_restore -j`
//! makes foreign keys, triggers and all the rest.

mod analyze;
mod check;
mod dictionaries;
mod dump_file;
mod indexed;
mod indexes;
mod loader;
mod loading;
mod programs;
mod queue;
mod rows;
mod toc;

use std::time::Instant;

use serde::Serialize;

use crate::archive::IndexedArchive;
use crate::postgres::{ConnectOptions, Programs};
use crate::{Progress, Result, process};
pub(crate) use check::check;
pub(crate) use dictionaries::missing_dictionaries;
pub use dump_file::{DumpFile, DumpKind};
pub(crate) use indexed::DatabaseRuns;
pub(crate) use toc::main_owner;

/// How a dump is loaded.
#[derive(Clone, Debug, Default)]
pub(crate) struct LoadOptions {
    /// How many connections and processes; 0 for one per processor, but at least two.
    pub jobs: usize,
    /// The role that is to own what the dump's main owner owned; absent: the roles the dump names.
    pub owner: Option<String>,
    /// Whether text-search dictionaries whose files the server does not have, and the configurations made of them, are
    /// left out instead of being an error.
    pub leave_out_missing_dictionaries: bool,
}

/// What is loaded.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Dump<'a> {
    /// The dump in one of our archives.
    Indexed(&'a IndexedArchive),
    /// A dump on disk.
    File(&'a DumpFile),
}

/// What was loaded.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LoadReport {
    /// How the rows came in: `copy`, `pg_restore` or `psql`.
    pub method: String,
    /// Tables and the rows the server says it took in; empty where it was not asked.
    #[serde(skip)]
    pub(crate) rows: Vec<TableRows>,
    /// Bytes of COPY text; 0 where not counted.
    pub text_bytes: u64,
    /// What was left out on purpose.
    pub left_out: Vec<String>,
    /// What each part took, in seconds.
    pub seconds: Vec<(&'static str, f64)>,
}

/// Rows of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TableRows {
    pub(crate) schema: String,
    pub(crate) name: String,
    pub(crate) rows: u64,
}

/// Loads a dump into the empty database `target` and gathers statistics.
///
/// # Errors
/// `Damaged` where the dump is not whole, `Incompatible` where its format is not known, `Postgres` with the last words of
/// the program or the server, `Interrupted`. The database is then half full and of no use.
pub(crate) fn load(
    dump: Dump<'_>,
    target: &ConnectOptions,
    programs: &Programs,
    options: &LoadOptions,
    progress: &dyn Progress,
) -> Result<LoadReport> {
    let jobs = jobs(options.jobs);
    let mut report = match dump {
        Dump::Indexed(archive) => indexed::load(archive, target, programs, options, jobs, progress)?,
        Dump::File(file) => programs::load(file, target, programs, options, jobs, progress)?,
    };
    let begun = Instant::now();
    analyze::analyze(target, jobs, progress)?;
    report.seconds.push(("statistics", begun.elapsed().as_secs_f64()));
    Ok(report)
}

/// While one connection waits for the disk, another can work: two are better than one even on one processor.
fn jobs(asked: usize) -> usize {
    match asked {
        0 => process::processors().get().max(2),
        asked => asked,
    }
    .min(64)
}
