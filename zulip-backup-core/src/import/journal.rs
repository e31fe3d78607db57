//! What an import leaves on disk for the next command, should it die: a directory beside the uploads, with a file that
//! says which transaction it belongs to. The database knows how that ended.

use camino::{Utf8Path, Utf8PathBuf};
use postgres::Client;
use serde::{Deserialize, Serialize};

use crate::postgres::{column, error, identity};
use crate::uploads::Uploads;
use crate::{Error, ErrorKind, Finding, Findings, Result, fs, realm};

/// What the directories are kept for, as their names say.
const KEPT_FOR: &str = "import";

const FILE: &str = "import.json";
const LOCK: &str = ".lock";

/// The version of the file's form.
const FORMAT: u16 = 1;

/// An import on its way.
#[derive(Debug)]
pub(super) struct Journal {
    directory: Utf8PathBuf,
    lock: fs::LockFile,
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    format: u16,
    realm_id: i64,
    /// For people.
    subdomain: String,
    /// `pg_current_xact_id()` of the import's transaction.
    transaction: String,
    /// The database in which that number means something, and in which alone nobody else has the organisation's id.
    database: String,
}

impl Journal {
    /// The name of an organisation's directory.
    pub(super) fn name(realm: i64) -> String {
        fs::own_name(KEPT_FOR, realm)
    }

    /// Begins one in the directory of the staged files, which is there.
    pub(super) fn begin(uploads: &Utf8Path, client: &mut Client, realm: i64, subdomain: &str) -> Result<Self> {
        let directory = uploads.join(Self::name(realm));
        let lock = fs::LockFile::take(&directory.join(LOCK), "import")?;
        let failed = |failure| error("name the transaction", failure);
        let row = client.query_one("SELECT pg_current_xact_id()::text", &[]).map_err(failed)?;
        let entry = Entry {
            format: FORMAT,
            realm_id: realm,
            subdomain: subdomain.to_owned(),
            transaction: column(&row, 0)?,
            database: identity(client)?,
        };
        fs::write_json(&directory.join(FILE), &entry)?;
        Ok(Self { directory, lock })
    }

    /// It is over, and its files are where they belong.
    pub(super) fn end(self) -> Result<()> {
        drop(self.lock);
        fs::remove_tree(&self.directory)
    }
}

/// Finishes what imports left that are no more: of one whose transaction was committed the directory goes, of one that
/// was not, all files. What was done comes back. Those that still run are left alone, and with a warning those of which
/// it is not certain that they can go.
///
/// # Errors
/// What disk and database answer.
pub(super) fn settle(parent: &Utf8Path, uploads: &dyn Uploads, client: &mut Client) -> Result<Findings> {
    let mut findings = Findings::default();
    if !fs::is_dir(parent) {
        return Ok(findings);
    }
    for name in fs::list(parent)? {
        let Some(realm) = fs::own_whose(&name, KEPT_FOR).and_then(|id| id.parse::<i64>().ok()) else { continue };
        let directory = parent.join(&name);
        let Ok(_lock) = fs::LockFile::take(&directory.join(LOCK), "clean up") else { continue };
        let removed =
            |message: &str| Finding::note("import-settled", format!("files of organisation {realm}"), message);
        findings.push(match left(client, &directory.join(FILE), realm)? {
            Left::Unwritten => {
                // Files go to their places only when their journal is there.
                fs::remove_tree(&directory)?;
                removed("of an import that had hardly begun were removed")
            }
            Left::Aborted => {
                uploads.staged(realm, &name).discard()?;
                removed("of an import that did not end well were removed")
            }
            Left::Committed => {
                fs::remove_tree(&directory)?;
                let message = "was imported completely by a process that was ended just then";
                Finding::note("import-settled", format!("organisation {realm}"), message)
            }
            Left::Running => {
                let message = format!("the import of {directory} is still being ended by the server");
                return Err(Error::new(ErrorKind::Locked, message).with_hint("wait a moment"));
            }
            Left::Unsure(why) => {
                Finding::warning("import-unfinished", directory.as_str(), format!("{why}: nothing was removed"))
                    .with_hint("see whose files these are, and remove the directory when nobody needs them")
            }
        });
    }
    Ok(findings)
}

/// What a process left.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Left {
    /// It was ended before it wrote its journal.
    Unwritten,
    Committed,
    Aborted,
    Running,
    /// For this reason.
    Unsure(String),
}

fn left(client: &mut Client, path: &Utf8Path, id: i64) -> Result<Left> {
    let entry = match fs::symlink_metadata(path)? {
        Some(_) => serde_json::from_slice::<Entry>(&fs::read(path, 1 << 16)?),
        None => return Ok(Left::Unwritten),
    };
    let entry = match entry {
        Ok(entry) if entry.format == FORMAT && entry.realm_id == id => entry,
        Ok(Entry { format, realm_id, .. }) => {
            return Ok(Left::Unsure(format!(
                "its journal has format {format} and organisation {realm_id}, expected {FORMAT} and {id}"
            )));
        }
        Err(error) => return Ok(Left::Unsure(format!("its journal is not understood ({error})"))),
    };
    if entry.database != identity(client)? {
        return Ok(Left::Unsure("is of an import into another database".to_owned()));
    }
    let failed = |failure| error("ask how the import ended", failure);
    let status: Option<String> = match client.query_one("SELECT pg_xact_status($1::text::xid8)", &[&entry.transaction])
    {
        Ok(row) => column(&row, 0)?,
        // A number that the server has yet to reach: it was taken back to an earlier time.
        Err(failure) if failure.as_db_error().is_some() => None,
        Err(failure) => return Err(failed(failure)),
    };
    Ok(match (status.as_deref(), realm::exists(client, id)?) {
        (Some("in progress"), _) => Left::Running,
        // Without a status it is too long ago for the server to know. Where it is not there it was deleted since, and what
        // it had went with it.
        (Some("committed"), _) | (None, true) => Left::Committed,
        (Some("aborted") | None, false) => Left::Aborted,
        (Some(other), _) => {
            let message = format!("the server says {other:?} of its transaction, and has the organisation {id}");
            Left::Unsure(message)
        }
    })
}
