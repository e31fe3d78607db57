//! Filling a database.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Mutex;
use std::time::Instant;

use postgres::{Client, Error};
use serde::Serialize;
use zulip_backup_core::schema::{Section, Table};

use crate::server::{SampleError, SampleServer};

/// The tables that take nearly all of the time, longest first; everything else is handed out after them.
const LARGE: [&str; 3] = ["zerver_message", "zerver_usermessage", "zerver_reaction"];

/// Rows of one table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TableRows {
    /// Table.
    pub table: String,
    /// Rows.
    pub rows: u64,
}

/// What was put into the database, and how long it took.
#[derive(Clone, Debug, Serialize)]
pub struct Loaded {
    /// Rows by table, sorted by name.
    pub tables: Vec<TableRows>,
    /// Seconds until all rows were in.
    pub copy_seconds: f64,
    /// Seconds for keys, indexes, foreign keys and statistics.
    pub index_seconds: f64,
}

impl Loaded {
    /// Rows of all tables.
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.rows).sum()
    }
}

type Connect<'a> = &'a (dyn Fn() -> Result<Client, Error> + Sync);

pub(crate) fn fill(sample: &SampleServer, connect: Connect<'_>) -> Result<Loaded, SampleError> {
    let start = Instant::now();
    let ddl = sample.catalog().ddl();
    let mut client = session(connect)?;
    for sql in ddl.pre_data() {
        client.batch_execute(sql)?;
    }

    let mut tables: Vec<&Table> =
        sample.catalog().tables.iter().filter(|table| !SampleServer::is_empty(&table.name)).collect();
    tables.sort_by_key(|table| large_first(&table.name));
    let rows = Mutex::new(BTreeMap::new());
    in_two(connect, &mut client, &tables, &|client, table| {
        let written = copy(sample, client, table)?;
        if let Ok(mut rows) = rows.lock() {
            rows.insert(table.name.clone(), written);
        }
        Ok(())
    })?;
    let copy_seconds = start.elapsed().as_secs_f64();

    let start = Instant::now();
    for section in [Section::Keys, Section::Indexes] {
        let mut jobs: Vec<(&str, Vec<&str>)> = Vec::new();
        for statement in ddl.section(section) {
            let table = statement.table.as_deref().unwrap_or_default();
            match jobs.last_mut() {
                // Adding a key locks its table, so the keys of one table are one job; two indexes of one table can be
                // built at the same time.
                Some((last, sql)) if *last == table && section == Section::Keys => sql.push(&statement.sql),
                _ => jobs.push((table, vec![&statement.sql])),
            }
        }
        jobs.sort_by_key(|(table, _)| large_first(table));
        in_two(connect, &mut client, &jobs, &|client, (_, sql)| Ok(client.batch_execute(&sql.join(";\n"))?))?;
    }
    // Foreign keys lock both tables, so they come one after the other.
    for section in [Section::ForeignKeys, Section::Triggers] {
        for job in ddl.section(section) {
            client.batch_execute(&job.sql)?;
        }
    }
    for table in &sample.catalog().tables {
        set_sequence(&mut client, table)?;
    }
    client.batch_execute("ANALYZE")?;
    let rows = rows.into_inner().unwrap_or_default();
    Ok(Loaded {
        tables: rows.into_iter().map(|(table, rows)| TableRows { table, rows }).collect(),
        copy_seconds,
        index_seconds: start.elapsed().as_secs_f64(),
    })
}

fn large_first(table: &str) -> usize {
    LARGE.iter().position(|large| *large == table).unwrap_or(LARGE.len())
}

fn session(connect: Connect<'_>) -> Result<Client, Error> {
    let mut client = connect()?;
    client.batch_execute(
        "SET search_path = zulip, public; SET timezone = 'UTC'; SET synchronous_commit = off;
         SET maintenance_work_mem = '256MB'; SET max_parallel_maintenance_workers = 0;
         -- As on a Zulip server, all belongs to the role that owns the database, whoever makes it.
         SELECT set_config('role', owner.rolname, false)
         FROM pg_database JOIN pg_roles owner ON owner.oid = datdba
         WHERE datname = current_database() AND pg_has_role(current_user, owner.oid, 'MEMBER')",
    )?;
    Ok(client)
}

/// Does all jobs, in their order, on two connections.
fn in_two<J: Sync>(
    connect: Connect<'_>,
    client: &mut Client,
    jobs: &[J],
    work: &(dyn Fn(&mut Client, &J) -> Result<(), SampleError> + Sync),
) -> Result<(), SampleError> {
    let next = Mutex::new(jobs.iter());
    let run = |client: &mut Client| loop {
        let Some(job) = next.lock().ok().and_then(|mut jobs| jobs.next()) else { return Ok(()) };
        work(client, job)?;
    };
    std::thread::scope(|scope| {
        let second = scope.spawn(|| run(&mut session(connect)?));
        let first = run(client);
        first.and(second.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

fn copy(sample: &SampleServer, client: &mut Client, table: &Table) -> Result<u64, SampleError> {
    let mut transaction = client.transaction()?;
    // FREEZE wants the table to be truncated in the same transaction. It saves writing every page a second time, by
    // whoever reads it first.
    transaction.batch_execute(&format!("TRUNCATE zulip.{}", table.name))?;
    let mut writer = transaction.copy_in(&format!("COPY zulip.{} FROM STDIN (FREEZE)", table.name))?;
    let rows = sample.write_rows(&table.name, &mut writer)?;
    writer.flush()?;
    writer.finish()?;
    transaction.commit()?;
    Ok(rows)
}

/// Puts the table's sequence behind its highest id, as Zulip's own would stand.
fn set_sequence(client: &mut Client, table: &Table) -> Result<(), SampleError> {
    let Some(column) = table.sequence_column() else { return Ok(()) };
    let (name, column) = (&table.name, &column.name);
    client.batch_execute(&format!(
        "SELECT setval(pg_get_serial_sequence('zulip.{name}', '{column}'), max({column})) FROM zulip.{name}
         HAVING max({column}) IS NOT NULL"
    ))?;
    Ok(())
}
