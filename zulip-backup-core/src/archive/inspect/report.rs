//! What an inspection tells.

use std::collections::BTreeMap;
use std::fmt;

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

use crate::Findings;
use crate::archive::{ArchiveKind, SectionFacts};
use crate::codec::Compression;
use crate::schema::Fitting;
use crate::units::bytes;

/// What an archive is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InspectReport {
    /// The archive.
    pub archive: Utf8PathBuf,
    /// How it can be read.
    pub kind: ArchiveKind,
    /// How it is compressed.
    pub compression: Compression,
    /// Size of the file.
    pub archive_bytes: u64,
    /// Version of the archive format; absent for archives that are not ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<u16>,
    /// What made it, as far as that shows.
    pub made_by: String,
    /// When it was begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<jiff::Timestamp>,
    /// `ZULIP_VERSION` of the server.
    pub zulip_version: String,
    /// `git describe` of its deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zulip_git_describe: Option<String>,
    /// `debian 12`.
    pub os_version: String,
    /// libpq's integer for the database server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postgres_version: Option<i32>,
    /// Host name of the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// `EXTERNAL_HOST`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_host: Option<String>,
    /// Whether it is of a production server (`settings/`) or a development one (`zproject/`).
    pub production: bool,
    /// What each section holds.
    pub sections: BTreeMap<String, SectionFacts>,
    /// The database, where it is in the archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<DatabaseSummary>,
    /// The secrets, by name only.
    pub secrets: Secrets,
    /// What a restore needs.
    pub needs: Needs,
    /// Which Zulip its tables fit, by its migrations; absent where those could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fits: Option<Fitting>,
    /// What was noticed when the backup was made, and what will be in the way of a restore.
    pub findings: Findings,
}

/// The database in an archive.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DatabaseSummary {
    /// Its name on the server.
    pub name: String,
    /// Version text of the server.
    pub server_version: String,
    /// Version text of the `pg_dump` that wrote the table of contents.
    pub dump_version: String,
    /// Tables with data.
    pub tables: u64,
    /// Rows of all tables; absent where nothing says without reading them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// The moment all tables show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot_at: Option<jiff::Timestamp>,
    /// Size on disk with indexes on the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// Applied migrations, `app: [names]`; empty where they could not be read.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub migrations: BTreeMap<String, Vec<String>>,
}

/// Which secrets an archive holds. Their values are not read into a report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secrets {
    /// The member they are in; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// Names of the keys.
    pub keys: Vec<String>,
}

/// What a restore needs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Needs {
    /// The Zulip version of the target, exactly; upgrades come after.
    pub zulip_version: String,
    /// The oldest major of the PostgreSQL server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postgres_major: Option<u32>,
    /// The oldest major of `pg_restore`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pg_restore_major: Option<u32>,
    /// The operating system it was taken from; another may do.
    pub os_version: String,
    /// Extensions the server must have, with their versions where known.
    pub extensions: BTreeMap<String, Option<String>>,
    /// Files the server must have in its `tsearch_data` directory.
    pub dictionary_files: Vec<String>,
    /// Bytes the database will take; where no size is known, its compressed bytes.
    pub database_bytes: u64,
    /// Bytes the uploads will take.
    pub uploads_bytes: u64,
}

impl fmt::Display for InspectReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            ArchiveKind::Indexed => "with index",
            ArchiveKind::Stream => "without index",
        };
        writeln!(f, "{}: {}, {}, {kind}", self.archive, self.compression, bytes(self.archive_bytes))?;
        writeln!(f, "made by      {}", self.made_by)?;
        if let Some(at) = self.created_at {
            writeln!(f, "made at      {at:.0}")?;
        }
        let server = if self.production { "production" } else { "development" };
        writeln!(f, "server       {server}, Zulip {}, {}", self.zulip_version, self.os_version)?;
        if let Some(host) = self.external_host.as_ref().or(self.hostname.as_ref()) {
            writeln!(f, "host         {host}")?;
        }
        for (name, facts) in &self.sections {
            writeln!(f, "{name:12} {} files, {}", facts.files, bytes(facts.bytes))?;
        }
        if let Some(database) = &self.database {
            write!(f, "dump         {} tables", database.tables)?;
            if let Some(rows) = database.rows {
                write!(f, ", {rows} rows")?;
            }
            writeln!(f, ", server {}, pg_dump {}", database.server_version, database.dump_version)?;
            let migrations: usize = database.migrations.values().map(Vec::len).sum();
            if migrations > 0 {
                writeln!(f, "migrations   {migrations}")?;
            }
        }
        match &self.secrets.member {
            Some(member) => writeln!(f, "secrets      {} keys in {member}", self.secrets.keys.len())?,
            None => writeln!(f, "secrets      none")?,
        }
        write!(f, "to restore   Zulip {}", self.needs.zulip_version)?;
        if let Some(major) = self.needs.postgres_major {
            write!(f, ", PostgreSQL {major} or newer")?;
        }
        if let Some(major) = self.needs.pg_restore_major {
            write!(f, ", pg_restore {major} or newer")?;
        }
        let space = self.needs.database_bytes.saturating_add(self.needs.uploads_bytes);
        writeln!(f, ", {} of space", bytes(space))?;
        for name in self.needs.extensions.keys().filter(|name| *name != "plpgsql") {
            writeln!(f, "             extension {name}")?;
        }
        for name in &self.needs.dictionary_files {
            writeln!(f, "             tsearch_data/{name}")?;
        }
        if let Some(fits) = &self.fits {
            writeln!(f, "its tables   {fits}")?;
        }
        for finding in &self.findings.list {
            writeln!(f, "{finding}")?;
            if let Some(hint) = &finding.hint {
                writeln!(f, "    {hint}")?;
            }
        }
        Ok(())
    }
}
