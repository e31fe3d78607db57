//! Rows into the archive: every table of the snapshot, in stretches, over several connections.

use crate::archive::{Block, Header, Owner, TableFacts, database_file};
use crate::backup::piece::{Done, Piece};
use crate::codec::{Compression, FrameEncoder, stored_frame};
use crate::pipeline::{Plan, Worker};
use crate::postgres::dump::{COPY_END, Toc, TocEntry};
use crate::postgres::{Invitation, RowReader, Snapshot};
use crate::{Error, ErrorKind, Result};

/// How much of a table one stretch takes, in bytes on the server's disk: small enough that the threads share the largest
/// table evenly, large enough that the statement's own cost is nothing.
const STRETCH_BYTES: u64 = 8 << 20;

/// The task rows count for, in bytes of tables on the server's disk.
pub(super) const TASK: &str = "database";

/// One stretch of one table.
#[derive(Debug)]
pub(super) struct TableJob {
    /// `COPY … TO STDOUT`.
    statement: String,
    table: String,
    /// What it is on the server's disk, for the progress.
    disk_bytes: u64,
}

/// One thread with its connection in the snapshot.
pub(super) struct TableWorker {
    rows: RowReader,
    encoder: FrameEncoder,
    compression: Compression,
}

impl TableWorker {
    pub(super) fn new(invitation: &Invitation, compression: Compression, level: i32) -> Result<Self> {
        Ok(Self { rows: invitation.join()?, encoder: FrameEncoder::new(compression, level)?, compression })
    }
}

impl Worker<TableJob, Piece> for TableWorker {
    fn work(&mut self, job: TableJob, emit: &mut dyn FnMut(Piece) -> Result<()>) -> Result<()> {
        let TableWorker { rows, encoder, compression } = self;
        let doing = format!("read the rows of {}", job.table);
        let frame_bytes = compression.frame_bytes();
        let mut text = Vec::with_capacity(frame_bytes);
        rows.copy(&doing, &job.statement, |mut row| {
            while text.len() + row.len() >= frame_bytes {
                let (fits, rest) = row.split_at(frame_bytes - text.len());
                text.extend_from_slice(fits);
                let full = std::mem::replace(&mut text, Vec::with_capacity(frame_bytes));
                emit(block(full, encoder, *compression, Done::default())?)?;
                row = rest;
            }
            text.extend_from_slice(row);
            Ok(())
        })?;
        emit(block(text, encoder, *compression, Done { task: TASK, amount: job.disk_bytes })?)
    }
}

/// A stretch of COPY text as a stretch of a data file.
///
/// In a `.tar.gz` the file is a `.dat.gz`, as upstream's: each block is a gzip member of its own in it, and the outer
/// frame stores it. In a `.tar.zst` it is a `.dat`, compressed by the outer frame.
fn block(text: Vec<u8>, encoder: &mut FrameEncoder, compression: Compression, done: Done) -> Result<Piece> {
    let frame = if text.is_empty() { Vec::new() } else { encoder.frame(&text)? };
    let (rows, text_bytes) = (memchr::memchr_iter(b'\n', &text).count() as u64, text.len() as u64);
    let block = match compression {
        Compression::Gzip => Block { content: frame, frame: None },
        Compression::Zstd => Block { content: text, frame: Some(frame) },
    };
    Ok(Piece::Content { block, rows, text_bytes, done })
}

/// What a data file ends with.
fn end_block(compression: Compression) -> Piece {
    let content = match compression {
        Compression::Gzip => stored_frame(Compression::Gzip, COPY_END),
        Compression::Zstd => COPY_END.to_vec(),
    };
    Piece::Content { block: Block { content, frame: None }, rows: 0, text_bytes: 0, done: Done::default() }
}

/// A table of the dump and how it will be read.
#[derive(Debug)]
pub(super) struct PlannedTable {
    pub(super) facts: TableFacts,
    jobs: Vec<TableJob>,
}

impl PlannedTable {
    /// What it takes on the server's disk.
    pub(super) fn disk_bytes(&self) -> u64 {
        self.jobs.iter().map(|job| job.disk_bytes).sum()
    }
}

/// Plans every table of the table of contents.
///
/// # Errors
/// `Incompatible` when an entry has data that is not the rows of a table, or whose statement is not understood.
pub(super) fn plan_tables(toc: &Toc, snapshot: &mut Snapshot, compression: Compression) -> Result<Vec<PlannedTable>> {
    toc.entries.iter().filter(|entry| entry.has_data).map(|entry| plan_table(entry, snapshot, compression)).collect()
}

fn plan_table(entry: &TocEntry, snapshot: &mut Snapshot, compression: Compression) -> Result<PlannedTable> {
    let strange = |what: &str| {
        Error::new(
            ErrorKind::Incompatible,
            format!(
                "the dump has the entry {} {} {what}",
                entry.desc.as_deref().unwrap_or("?"),
                entry.tag.as_deref().unwrap_or("?")
            ),
        )
    };
    let (Some(schema), Some(name)) = (&entry.namespace, &entry.tag) else { return Err(strange("without a name")) };
    if !entry.is("TABLE DATA") {
        return Err(strange("whose data is no table's"));
    }
    let statement = entry.copy_stmt.as_deref().ok_or_else(|| strange("without a COPY statement"))?;
    let (table, columns) = split_copy(statement).ok_or_else(|| strange("with a COPY statement of another form"))?;
    let size = snapshot.table_size(schema, name)?.ok_or_else(|| strange("of a table that is not there"))?;
    let shown = format!("{schema}.{name}");
    let job = |statement: String, disk_bytes: u64| TableJob { statement, table: shown.clone(), disk_bytes };
    let mut jobs = Vec::new();
    if size.pages == 0 && size.by_page {
        // Nothing can be visible in a table without pages.
    } else if !size.by_page || columns.is_empty() || size.bytes <= STRETCH_BYTES {
        let list = if columns.is_empty() { String::new() } else { format!(" ({columns})") };
        jobs.push(job(format!("COPY {table}{list} TO STDOUT"), size.bytes));
    } else {
        let page_bytes = (size.bytes / size.pages).max(1);
        let step = (STRETCH_BYTES / page_bytes).max(1);
        let mut start = 0;
        while start < size.pages {
            let end = (start + step).min(size.pages);
            // The last stretch is open: pages added since hold nothing of the snapshot, but reading them costs little
            // and asks for no proof.
            let upper = if end == size.pages { String::new() } else { format!(" AND ctid < '({end},0)'") };
            let statement =
                format!("COPY (SELECT {columns} FROM ONLY {table} WHERE ctid >= '({start},0)'{upper}) TO STDOUT");
            jobs.push(job(statement, (end - start) * page_bytes));
            start = end;
        }
    }
    let extension = match compression {
        Compression::Gzip => "dat.gz",
        Compression::Zstd => "dat",
    };
    let file = format!("{}.{extension}", entry.dump_id);
    let facts = TableFacts { schema: schema.clone(), name: name.clone(), file, rows: 0, bytes: 0 };
    Ok(PlannedTable { facts, jobs })
}

/// Hands the planned tables to the threads.
pub(super) fn plan_rows(
    tables: Vec<PlannedTable>,
    plan: &Plan<'_, TableJob, Piece>,
    compression: Compression,
    owner: &Owner,
    mtime: u64,
) -> Result<()> {
    for table in tables {
        let header = Header::generated(&database_file(&table.facts.file), 0o600, mtime, owner)?;
        plan.ready(Piece::Begin(header))?;
        for job in table.jobs {
            plan.job(job)?;
        }
        plan.ready(end_block(compression))?;
        plan.ready(Piece::End)?;
    }
    Ok(())
}

/// The table and the list of columns in pg_dump's `COPY schema.table (a, b) FROM stdin;`, quoted as they stand.
fn split_copy(statement: &str) -> Option<(&str, &str)> {
    let rest = statement.strip_prefix("COPY ")?.trim_end().strip_suffix(" FROM stdin;")?;
    let mut quoted = false;
    let end = rest
        .bytes()
        .position(|byte| {
            quoted ^= byte == b'"';
            byte == b' ' && !quoted
        })
        .unwrap_or(rest.len());
    let (table, columns) = rest.split_at(end);
    let columns = columns.trim();
    if columns.is_empty() {
        return Some((table, ""));
    }
    Some((table, columns.strip_prefix('(')?.strip_suffix(')')?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_statement_of_pg_dump_is_taken_apart() {
        assert_eq!(split_copy("COPY zulip.t (id, \"order\") FROM stdin;\n"), Some(("zulip.t", "id, \"order\"")));
        assert_eq!(
            split_copy("COPY \"a b\".\"c\"\" (d\" (\"e)\") FROM stdin;\n"),
            Some(("\"a b\".\"c\"\" (d\"", "\"e)\""))
        );
        assert_eq!(split_copy("COPY zulip.t  FROM stdin;\n"), Some(("zulip.t", "")));
        assert_eq!(split_copy("COPY zulip.t (id) FROM stdin WITH x;\n"), None);
        assert_eq!(split_copy("SELECT 1"), None);
    }
}
