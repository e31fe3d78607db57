//! One moment of a database, seen by many connections.

use jiff::Timestamp;
use postgres::Client;

use crate::postgres::{ConnectOptions, RowReader, column, error};
use crate::{Error, ErrorKind, Result};

/// What a snapshot is for: two of the same purpose are kept apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A backup of the database.
    Backup,
    /// An export of the organisation with this id.
    Export(i64),
    /// An export of the user with this id.
    UserExport(i64),
    /// An import.
    Import,
    /// A change of the organisation with this id, which no export of it may run beside.
    Change(i64),
}

impl Purpose {
    /// Number of the advisory lock: `zulipbak` in ASCII, halved, or the organisation's or user's.
    fn lock(self) -> (i32, i32) {
        match self {
            Self::Backup => (0x7a75_6c69, 0x7062_616b),
            Self::Export(realm) | Self::Change(realm) => (0x7a75_6c65, i32::try_from(realm).unwrap_or(0)),
            Self::Import => (0x7a75_6c69, 0x696d_706f),
            Self::UserExport(user) => (0x7a75_6c75, i32::try_from(user).unwrap_or(0)),
        }
    }
}

impl std::fmt::Display for Purpose {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Backup => f.write_str("backup of this database"),
            Self::Import => f.write_str("import into this database"),
            Self::Export(_) => f.write_str("export of this organisation"),
            Self::UserExport(_) => f.write_str("export of this user"),
            Self::Change(_) => f.write_str("task on this organisation"),
        }
    }
}

/// What every session that reads rows sets, so that the text of a value depends on nothing but the value: what pg_dump
/// sets for the same reason.
///
/// And no query is compiled: on a million messages that took two thirds of an export's time.
const SESSION: &str = "
    SET datestyle = ISO; SET intervalstyle = POSTGRES; SET extra_float_digits = 3; SET bytea_output = hex;
    SET synchronize_seqscans = off; SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0;
    SET row_security = off; SET search_path = pg_catalog; SET quote_all_identifiers = off; SET timezone = 'UTC';
    SET lock_timeout = '60s'; SET jit = off";

/// A snapshot, held by a leading connection and shared with others. All see the same rows, whatever is written meanwhile.
pub struct Snapshot {
    leader: Client,
    options: ConnectOptions,
    application: String,
    id: String,
    facts: SnapshotState,
}

/// The right to take a snapshot for a purpose, which nobody else has meanwhile.
pub struct Reservation {
    leader: Client,
    options: ConnectOptions,
    application: String,
}

impl Reservation {
    /// Keeps others of the same purpose out.
    ///
    /// # Errors
    /// `Locked` when another of the same purpose runs, `Postgres` for what the server answers.
    pub fn make(options: &ConnectOptions, application: &str, purpose: Purpose) -> Result<Self> {
        let mut leader = options.connect(application)?;
        leader.batch_execute(SESSION).map_err(|failure| error("prepare the connection", failure))?;
        lock_out_others(&mut leader, purpose)?;
        Ok(Self { leader, options: options.clone(), application: application.to_owned() })
    }

    /// Takes the snapshot.
    ///
    /// # Errors
    /// What the server answers.
    pub fn take(self) -> Result<Snapshot> {
        Snapshot::begin(self)
    }
}

/// When and where a snapshot was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotState {
    /// The server's clock.
    pub taken_at: Timestamp,
    /// Write-ahead log position.
    pub lsn: Option<String>,
    /// Whether the server is a standby.
    pub standby: bool,
    /// libpq's integer version of the server.
    pub server_version: i32,
}

/// A table of the database, to be read in stretches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableSize {
    /// Pages of the main part, 8 KiB each as a rule.
    pub pages: u64,
    /// Bytes with the out-of-line values, without indexes.
    pub bytes: u64,
    /// Whether stretches of pages can be read on their own: an ordinary heap on PostgreSQL 14 or newer.
    pub by_page: bool,
}

impl Snapshot {
    /// Takes a snapshot and an ACCESS SHARE lock on every table: the weakest lock there is, which blocks nothing but
    /// changes of the schema.
    ///
    /// # Errors
    /// `Locked` when another of the same purpose runs, `Postgres` for what the server answers.
    pub fn take(options: &ConnectOptions, application: &str, purpose: Purpose) -> Result<Self> {
        Reservation::make(options, application, purpose)?.take()
    }

    fn begin(reservation: Reservation) -> Result<Self> {
        let Reservation { mut leader, options, application } = reservation;
        let failed = |failure| error("take a snapshot", failure);
        leader.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").map_err(failed)?;
        lock_tables(&mut leader)?;
        let row = leader
            .query_one(
                "SELECT pg_export_snapshot(), (extract(epoch from clock_timestamp()) * 1000000)::int8, pg_is_in_recovery(),
                        CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END::text,
                        current_setting('server_version_num')::int4",
                &[],
            )
            .map_err(failed)?;
        let taken_at = Timestamp::from_microsecond(column(&row, 1)?).map_err(|error| {
            Error::new(ErrorKind::Postgres, "the server's clock is out of range").with_source(error)
        })?;
        let facts = SnapshotState {
            taken_at,
            standby: column(&row, 2)?,
            lsn: column(&row, 3)?,
            server_version: column(&row, 4)?,
        };
        Ok(Self { id: column(&row, 0)?, leader, options, application, facts })
    }

    /// The name other sessions, and `pg_dump --snapshot`, know it by.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// When and where it was taken.
    pub fn facts(&self) -> &SnapshotState {
        &self.facts
    }

    /// The connection that holds the snapshot, for queries in it.
    pub fn leader(&mut self) -> &mut Client {
        &mut self.leader
    }

    /// How another connection joins; cheap to copy to a thread.
    pub fn invitation(&self) -> Invitation {
        Invitation { options: self.options.clone(), application: self.application.clone(), id: self.id.clone() }
    }

    /// The size of a table, by schema and name; `None` where there is no such table.
    pub fn table_size(&mut self, schema: &str, table: &str) -> Result<Option<TableSize>> {
        let row = self
            .leader
            .query_opt(
                "SELECT pg_relation_size(c.oid, 'main') / current_setting('block_size')::int8,
                        pg_table_size(c.oid), c.relkind = 'r' AND a.amname = 'heap'
                 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_am a ON a.oid = c.relam
                 WHERE n.nspname = $1 AND c.relname = $2",
                &[&schema, &table],
            )
            .map_err(|failure| error("read the size of a table", failure))?;
        let tid_ranges = self.facts.server_version >= 140_000;
        Ok(row.map(|row| TableSize {
            pages: u64::try_from(row.get::<_, i64>(0)).unwrap_or(0),
            bytes: u64::try_from(row.get::<_, i64>(1)).unwrap_or(0),
            by_page: row.get::<_, Option<bool>>(2).unwrap_or(false) && tid_ranges,
        }))
    }
}

/// What another connection needs to see the same snapshot.
#[derive(Clone, Debug)]
pub struct Invitation {
    options: ConnectOptions,
    application: String,
    id: String,
}

impl Invitation {
    /// One more connection in the snapshot, for reading rows. Valid while the leader lives.
    pub fn join(&self) -> Result<RowReader> {
        let mut reader = RowReader::connect(&self.options, &self.application)?;
        // The id is the server's own text, hexadecimal digits and dashes; quoted for form's sake.
        let statement = format!(
            "{SESSION}; BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET TRANSACTION SNAPSHOT '{}'",
            self.id.replace('\'', "''")
        );
        reader.batch_execute("join the snapshot", &statement)?;
        Ok(reader)
    }
}

pub(crate) fn lock_out_others(leader: &mut Client, purpose: Purpose) -> Result<()> {
    let failed = |failure| error("take the advisory lock", failure);
    let (high, low) = purpose.lock();
    let taken: bool = leader.query_one("SELECT pg_try_advisory_lock($1, $2)", &[&high, &low]).map_err(failed)?.get(0);
    if taken {
        return Ok(());
    }
    // The numbers are compared as oids, which is what pg_locks shows them as.
    let holder = leader
        .query_opt(
            "SELECT a.application_name || ', server process ' || a.pid
             FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
             WHERE l.locktype = 'advisory' AND l.granted AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
               AND l.classid::int8 = $1::int4::int8 AND l.objid::int8 = $2::int4::int8",
            &[&high, &low],
        )
        .map_err(failed)?
        .and_then(|row| row.get::<_, Option<String>>(0))
        .unwrap_or_else(|| "another session".to_owned());
    Err(Error::new(ErrorKind::Locked, format!("another {purpose} runs: {holder}"))
        .with_hint("wait until it is done, or end it"))
}

fn lock_tables(leader: &mut Client) -> Result<()> {
    let failed = |failure| error("lock the tables for reading", failure);
    // Tables only: the lock on a table a role may not read would fail, and so would its dump, with the same name.
    let tables = leader
        .query(
            "SELECT format('%I.%I', n.nspname, c.relname)
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relkind IN ('r', 'p') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
             ORDER BY 1",
            &[],
        )
        .map_err(failed)?;
    for group in tables.chunks(100) {
        let names: Vec<String> = group.iter().map(|row| row.get(0)).collect();
        leader.batch_execute(&format!("LOCK TABLE {} IN ACCESS SHARE MODE", names.join(", "))).map_err(failed)?;
    }
    Ok(())
}
