//! The sample server.

use std::io::{self, Write};
use std::path::Path;

use zulip_backup_core::schema::{Catalog, Release};

use crate::SampleOptions;
use crate::database::{self, Loaded};
use crate::deployment::{self, DatabaseAddress};
use crate::files::{self, Presence, UploadsReport};
use crate::tables;
use crate::world::World;

/// Why a sample server could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// The options contradict themselves or what is known about Zulip.
    #[error(transparent)]
    Options(#[from] zulip_backup_core::Error),
    /// PostgreSQL refused.
    #[error("{}", describe(.0))]
    Database(#[from] postgres::Error),
    /// A file could not be written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The server's own message: the driver's is only "db error".
fn describe(error: &postgres::Error) -> String {
    error.as_db_error().map_or_else(
        || error.to_string(),
        |error| format!("{}{}", error.message(), error.detail().map(|text| format!(" ({text})")).unwrap_or_default()),
    )
}

/// A Zulip server made of nothing but [`SampleOptions`]. Making this value makes the people and looks once at every
/// message's head (some 0.3 s for a million); rows and files are made when they are asked for, in bounded memory.
pub struct SampleServer {
    world: World,
}

impl SampleServer {
    /// Fails when the Zulip version's tables are not known, or there are fewer than 100 messages.
    pub fn new(options: &SampleOptions) -> Result<Self, SampleError> {
        let release = Release::for_version(&options.zulip_version)?;
        if !(100..=10_000_000).contains(&options.messages) {
            return Err(zulip_backup_core::Error::new(
                zulip_backup_core::ErrorKind::Usage,
                format!("a sample server has 100 to 10,000,000 messages, not {}", options.messages),
            )
            .into());
        }
        Ok(Self { world: World::new(options, release) })
    }

    /// What it was made of.
    pub fn options(&self) -> &SampleOptions {
        &self.world.options
    }

    /// The tables it has.
    pub fn catalog(&self) -> &'static Catalog {
        &self.world.release.catalog
    }

    /// Whether a table has no rows, as on any self-hosted server: billing, phone devices, the push bouncer.
    pub fn is_empty(table: &str) -> bool {
        tables::EMPTY_PREFIXES.iter().any(|prefix| table.starts_with(prefix))
    }

    /// Writes the rows of `table` as PostgreSQL's COPY text, all columns in the catalog's order, and gives their number.
    pub fn write_rows(&self, table: &str, out: &mut dyn Write) -> Result<u64, SampleError> {
        Ok(tables::write(&self.world, self.catalog().table(table)?, out)?)
    }

    /// Rows of `zerver_usermessage`, without making them.
    pub fn usermessages(&self) -> u64 {
        self.world.summary.usermessages
    }

    /// Creates and fills all tables in an empty database, over two connections: rows first, then keys, indexes, foreign
    /// keys and triggers, so that `PostgreSQL` itself has checked every constraint. Afterwards the sequences stand behind
    /// the highest ids, and the statistics are fresh.
    pub fn fill_database(
        &self,
        connect: &(dyn Fn() -> Result<postgres::Client, postgres::Error> + Sync),
    ) -> Result<Loaded, SampleError> {
        database::fill(self, connect)
    }

    /// Writes the uploads tree below `directory`, which is created.
    pub fn write_uploads(&self, directory: &Path) -> Result<UploadsReport, SampleError> {
        Ok(files::write_uploads(&self.world, directory)?)
    }

    /// Writes what a production host has beside the database and the uploads, below `root`: `etc/zulip`,
    /// `etc/os-release`, and a deployment whose scripts do nothing but note that they [were called](crate::calls).
    pub fn write_deployment(&self, root: &Path, database: &DatabaseAddress) -> Result<(), SampleError> {
        Ok(deployment::write(&self.world, root, database)?)
    }

    /// Paths below `files/` of the attachments that have a row but no file.
    pub fn missing_files(&self) -> Vec<&str> {
        self.paths(Presence::Missing)
    }

    /// Paths below `files/` of the files that have no row.
    pub fn orphan_files(&self) -> Vec<&str> {
        self.paths(Presence::Orphan)
    }

    fn paths(&self, presence: Presence) -> Vec<&str> {
        let entries = self.world.files.entries.iter();
        entries.filter(|entry| entry.presence == presence).map(|entry| entry.path_id.as_str()).collect()
    }
}
