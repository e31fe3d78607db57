//! One connection that loads rows and makes indexes.

use std::collections::BTreeMap;
use std::io;

use postgres::Client;

use super::rows::{Content, Rows};
use super::{TableRows, toc};
use crate::archive::{Frame, Member, Part, Run, Visit, Walker};
use crate::postgres::dump::{CopyFacts, TocEntry};
use crate::postgres::error;
use crate::{Error, ErrorKind, Progress, Result};

/// The task told to [`Progress`]: bytes of the archive's file.
pub(super) const TASK: &str = "load rows";

/// Work for one connection: one large table, or the small ones of one stretch.
pub(super) struct Job<'a> {
    pub(super) run: &'a Run,
    /// Places in the run, and what is loaded from them.
    pub(super) tables: Vec<(usize, &'a TocEntry)>,
    pub(super) bytes: u64,
}

/// One thread with its connection.
pub(super) struct Loader<'a> {
    pub(super) client: Client,
    pub(super) walker: Walker<'a>,
    pub(super) limit: u64,
    pub(super) progress: &'a dyn Progress,
}

impl Loader<'_> {
    /// Makes a key or an index.
    pub(super) fn make(&mut self, entry: &TocEntry) -> Result<()> {
        self.client
            .batch_execute(entry.defn.as_deref().unwrap_or_default())
            .map_err(|failure| error(&format!("make {}", toc::shown(entry)), failure))
    }

    pub(super) fn load(&mut self, job: &Job<'_>) -> Result<Vec<(TableRows, CopyFacts)>> {
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
pub(super) struct Keep<'a> {
    pub(super) wanted: Vec<usize>,
    pub(super) run: &'a Run,
    pub(super) bytes: BTreeMap<usize, Vec<u8>>,
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
