//! Rows and indexes on several connections.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::TableRows;
use super::indexes::{self, TableIndexes};
use super::loader::{Job, Loader};
use super::programs::INDEX_MEMORY;
use super::queue::Queue;
use crate::archive::{IndexedArchive, Walker};
use crate::codec::most_bytes;
use crate::postgres::dump::{CopyFacts, Toc, TocEntry};
use crate::postgres::{ConnectOptions, column, error};
use crate::restore::APPLICATION;
use crate::{Error, Progress, Result};

/// Added to the weight of rows, so that no index goes before them: what is loaded late is indexed later still.
const ROWS_FIRST: u64 = 1 << 62;

/// How often a restore that is to be interrupted is noticed while indexes are made.
const PATIENCE: Duration = Duration::from_millis(100);

/// A piece of work for one connection.
enum Work<'a> {
    /// Rows of one large table, or of several small ones.
    Rows(Job<'a>),
    /// The keys of a table whose rows are in, so many bytes of them.
    Keys(u64, &'a TableIndexes),
    /// One of its indexes.
    Index(&'a TocEntry),
}

/// Loading rows and making indexes on several connections.
pub(super) struct Loading<'a> {
    pub(super) archive: &'a IndexedArchive,
    pub(super) contents: &'a Toc,
    pub(super) target: &'a ConnectOptions,
    pub(super) jobs: usize,
    pub(super) progress: &'a dyn Progress,
}

impl Loading<'_> {
    pub(super) fn run(
        &self,
        jobs: Vec<Job<'_>>,
        indexes: &BTreeMap<i64, TableIndexes>,
    ) -> Result<Vec<(TableRows, CopyFacts)>> {
        let work = jobs.into_iter().map(|job| (job.bytes.saturating_add(ROWS_FIRST), Work::Rows(job)));
        let queue = Queue::new(work.collect());
        let tables = self.contents.entries.iter().filter(|entry| indexes::is_table(entry));
        let tables: BTreeSet<i64> = tables.map(|entry| entry.dump_id).collect();
        let loaded = Mutex::new(Vec::new());
        let backends = Mutex::new(Vec::new());
        let thread = || self.work(&queue, indexes, &tables, &loaded, &backends).inspect_err(|_| queue.stop());
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..self.jobs).map(|_| scope.spawn(thread)).collect();
            // A connection that makes an index hears nothing else: it is ended from outside.
            while queue.is_busy(PATIENCE) {
                if self.progress.is_cancelled() {
                    queue.stop();
                    self.end(&backends)?;
                    break;
                }
            }
            let mut result = Ok(());
            for thread in threads {
                let ended = thread.join().unwrap_or_else(|_| Err(Error::interrupted()));
                result = result.and(ended);
            }
            self.progress.checkpoint().and(result)
        })?;
        Ok(loaded.into_inner().unwrap_or_default())
    }

    fn work<'a>(
        &self,
        queue: &Queue<Work<'a>>,
        indexes: &'a BTreeMap<i64, TableIndexes>,
        tables: &BTreeSet<i64>,
        loaded: &Mutex<Vec<(TableRows, CopyFacts)>>,
        backends: &Mutex<Vec<i32>>,
    ) -> Result<()> {
        let mut loader = self.loader(backends)?;
        while let Some((work, running)) = queue.take() {
            self.progress.checkpoint()?;
            let mut more = Vec::new();
            match work {
                Work::Rows(job) => {
                    let rows = loader.load(&job)?;
                    for (&(_, entry), (_, facts)) in job.tables.iter().zip(&rows) {
                        let made = indexes::table_of(entry, tables).and_then(|table| indexes.get(&table));
                        more.extend(made.map(|made| (facts.bytes, Work::Keys(facts.bytes, made))));
                    }
                    loaded.lock().unwrap_or_else(PoisonError::into_inner).extend(rows);
                }
                Work::Keys(bytes, made) => {
                    made.keys.iter().try_for_each(|entry| loader.make(entry))?;
                    more.extend(made.indexes.iter().map(|entry| (indexes::weight(entry, bytes), Work::Index(entry))));
                }
                Work::Index(entry) => loader.make(entry)?,
            }
            running.done(more);
        }
        Ok(())
    }

    fn loader(&self, backends: &Mutex<Vec<i32>>) -> Result<Loader<'_>> {
        let mut client = self.target.connect(APPLICATION)?;
        let prepared = |failure| error("prepare a connection for loading", failure);
        // What pg_restore sets, the dump's own settings included.
        client
            .batch_execute(&format!(
                "SET synchronous_commit = off; SET client_encoding = 'UTF8'; SET statement_timeout = 0;
                 SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET row_security = off;
                 SET maintenance_work_mem = '{INDEX_MEMORY}'; SET max_parallel_maintenance_workers = 0;
                 SET default_tablespace = ''; SELECT pg_catalog.set_config('search_path', '', false)"
            ))
            .map_err(prepared)?;
        for entry in self.contents.entries.iter().filter(|entry| entry.is("STDSTRINGS")) {
            client.batch_execute(entry.defn.as_deref().unwrap_or_default()).map_err(prepared)?;
        }
        let backend = client.query_one("SELECT pg_backend_pid()", &[]).map_err(prepared)?;
        backends.lock().unwrap_or_else(PoisonError::into_inner).push(column(&backend, 0)?);
        let limit = most_bytes(self.archive.file_bytes());
        Ok(Loader { client, walker: Walker::new(self.archive)?, limit, progress: self.progress })
    }

    /// Ends the connections, whatever they are at.
    fn end(&self, backends: &Mutex<Vec<i32>>) -> Result<()> {
        let backends = backends.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut client = self.target.connect(APPLICATION)?;
        client
            .execute("SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) AS pid", &[&backends])
            .map(|_| ())
            .map_err(|failure| error("end the connections that load", failure))
    }
}
