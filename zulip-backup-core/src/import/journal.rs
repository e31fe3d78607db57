//! What an import leaves on disk for the next command, should it die: a directory beside the uploads, with a file that
//! says which transaction it belongs to. The database knows how that ended.

use camino::Utf8PathBuf;
use postgres::Client;
use serde::{Deserialize, Serialize};

use crate::postgres::{column, error};
use crate::site::UploadsBackend;
use crate::uploads::Uploads;
use crate::{Error, ErrorKind, Finding, Result, fs};

/// What the directories are called, with the organisation's id behind it.
const PREFIX: &str = ".zulip-backup-import-";

const FILE: &str = "import.json";
const LOCK: &str = ".lock";

/// An import on its way.
#[derive(Debug)]
pub(super) struct Journal {
    directory: Utf8PathBuf,
    lock: fs::LockFile,
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    realm_id: i64,
    subdomain: String,
    /// `pg_current_xact_id()` of the import's transaction.
    transaction: String,
    /// The system identifier of the server and the database, in which that number means something.
    database: String,
}

impl Journal {
    /// The name of an organisation's directory.
    pub(super) fn name(realm: i64) -> String {
        format!("{PREFIX}{realm}")
    }

    /// Begins one in the directory of the staged files, which is there.
    pub(super) fn begin(backend: &UploadsBackend, client: &mut Client, realm: i64, subdomain: &str) -> Result<Self> {
        let directory = uploads_dir(backend)?.join(Self::name(realm));
        let lock = fs::LockFile::take(&directory.join(LOCK), "import")?;
        let failed = |failure| error("name the transaction", failure);
        let row = client.query_one("SELECT pg_current_xact_id()::text", &[]).map_err(failed)?;
        let entry = Entry {
            realm_id: realm,
            subdomain: subdomain.to_owned(),
            transaction: column(&row, 0)?,
            database: identity(client)?,
        };
        let text = serde_json::to_vec_pretty(&entry)
            .map_err(|error| Error::new(ErrorKind::Io, "cannot write the journal").with_source(error))?;
        fs::write_atomically(&directory.join(FILE), &text)?;
        Ok(Self { directory, lock })
    }

    /// It is over, and its files are where they belong.
    pub(super) fn end(self) -> Result<()> {
        drop(self.lock);
        fs::remove_tree(&self.directory)
    }
}

fn uploads_dir(backend: &UploadsBackend) -> Result<&Utf8PathBuf> {
    match backend {
        UploadsBackend::Local(local) => Ok(&local.dir),
        UploadsBackend::S3(_) => Err(Error::new(ErrorKind::Incompatible, "uploads in S3 cannot be written yet")),
    }
}

/// Finishes what imports left that are no more: of one whose transaction was committed the directory goes, of any other
/// all files. What was done comes back. Those that still run are left alone.
///
/// # Errors
/// What disk and database answer.
pub(super) fn settle(backend: &UploadsBackend, uploads: &dyn Uploads, client: &mut Client) -> Result<Vec<Finding>> {
    let parent = uploads_dir(backend)?;
    let mut findings = Vec::new();
    if !fs::is_dir(parent) {
        return Ok(findings);
    }
    for name in fs::list(parent)? {
        let Some(realm) = name.strip_prefix(PREFIX).and_then(|id| id.parse::<i64>().ok()) else { continue };
        let directory = parent.join(&name);
        let Ok(_lock) = fs::LockFile::take(&directory.join(LOCK), "clean up") else { continue };
        let path = directory.join(FILE);
        let entry = match fs::symlink_metadata(&path)? {
            Some(_) => serde_json::from_slice::<Entry>(&fs::read(&path, 1 << 16)?).ok(),
            None => None,
        };
        match entry.as_ref().map(|entry| ended(client, entry)).transpose()? {
            Some(Ended::Running) => {
                return Err(Error::new(
                    ErrorKind::Locked,
                    format!("the import of {parent}/{name} is still being ended by the server"),
                )
                .with_hint("wait a moment"));
            }
            Some(Ended::Committed) => {
                fs::remove_tree(&directory)?;
                let message = "was imported completely by a process that was ended just then";
                findings.push(Finding::note("import-settled", format!("organisation {realm}"), message));
            }
            Some(Ended::Aborted) | None => {
                uploads.staged(realm, &name).discard()?;
                let message = "of an import that did not end well were removed";
                findings.push(Finding::note("import-settled", format!("files of organisation {realm}"), message));
            }
        }
    }
    Ok(findings)
}

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Committed,
    Aborted,
    Running,
}

fn ended(client: &mut Client, entry: &Entry) -> Result<Ended> {
    let failed = |failure| error("ask how the import ended", failure);
    if entry.database == identity(client)? {
        let status = client.query_one("SELECT pg_xact_status($1::text::xid8)", &[&entry.transaction]);
        match status.map_err(failed)?.get::<_, Option<&str>>(0) {
            Some("committed") => return Ok(Ended::Committed),
            Some("aborted") => return Ok(Ended::Aborted),
            Some(_) => return Ok(Ended::Running),
            // Too long ago for the server to know.
            None => {}
        }
    }
    let there = client
        .query_one(
            "SELECT EXISTS (SELECT FROM zerver_realm WHERE id = $1::int8 AND string_id = $2)",
            &[&entry.realm_id, &entry.subdomain],
        )
        .map_err(failed)?;
    Ok(if column(&there, 0)? { Ended::Committed } else { Ended::Aborted })
}

/// What tells this database from all others.
fn identity(client: &mut Client) -> Result<String> {
    let row = client
        .query_one(
            "SELECT (SELECT system_identifier FROM pg_control_system())::text || '/' || oid
             FROM pg_database WHERE datname = current_database()",
            &[],
        )
        .map_err(|failure| error("read the database's identity", failure))?;
    column(&row, 0)
}
