//! What is left to do of a deletion when its rows are gone: its files.
//!
//! Rows go first, because a row without its file is damage and a file without a row is not. Between the two a process can
//! be killed; so what has to be removed is written down before the rows are gone for good, beside the uploads. The next
//! command looks at it: with the organisation gone, it removes the files; with the organisation there, the rows are there.

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use crate::postgres::{ConnectOptions, Purpose, Reservation, column, error};
use crate::realm::delete::RealmFiles;
use crate::realm::{exists, search_path};
use crate::site::{Site, UploadsBackend};
use crate::uploads::{LocalFiles, Uploads};
use crate::{Error, ErrorKind, Finding, Result, fs};

/// The version of the journal's form.
const FORMAT: u16 = 1;

/// What it is kept for, as its name says.
const KEPT_FOR: &str = "delete";

const SUFFIX: &str = ".json";

/// A deletion whose rows are gone, or about to go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Journal {
    format: u16,
    /// The organisation's id.
    pub(super) realm_id: i64,
    /// Its `string_id`.
    pub(super) realm: String,
    /// Which database: files must not go because some other one has no such organisation.
    database: String,
    /// What has to be removed.
    files: RealmFiles,
}

/// Where journals lie: the directory of the uploads.
#[derive(Clone, Debug)]
pub(super) struct Place(Option<Utf8PathBuf>);

impl Place {
    /// The place of a server; none where its uploads are not known, not there or not in a directory.
    pub(super) fn of(site: &Site) -> Self {
        Self(match site.uploads().map(|known| &known.value) {
            Ok(UploadsBackend::Local(local)) if local.exists => Some(local.dir.clone()),
            _ => None,
        })
    }

    /// Writes down what has to be removed, on the disk when this returns.
    pub(super) fn write(
        &self,
        client: &mut impl postgres::GenericClient,
        realm: (i64, &str),
        files: &RealmFiles,
    ) -> Result<()> {
        let Some(directory) = &self.0 else { return Ok(()) };
        let journal = Journal {
            format: FORMAT,
            realm_id: realm.0,
            realm: realm.1.to_owned(),
            database: identity(client)?,
            files: files.clone(),
        };
        fs::write_json(&file(directory, realm.0), &journal)
    }

    /// Removes the journal of an organisation.
    pub(super) fn remove(&self, realm: i64) -> Result<()> {
        let Some(directory) = &self.0 else { return Ok(()) };
        fs::remove_tree(&file(directory, realm))?;
        fs::sync_directory(directory)
    }

    /// Brings deletions to their end that were stopped in between. What was done, and what could not be, comes back.
    pub(super) fn settle(&self, connection: &ConnectOptions) -> Result<Vec<Settled>> {
        let Some(directory) = &self.0 else { return Ok(Vec::new()) };
        let mut settled = Vec::new();
        let is_journal = |name: &String| fs::own_whose(name, KEPT_FOR).is_some_and(|whose| whose.ends_with(SUFFIX));
        for name in fs::list(directory)?.into_iter().filter(is_journal) {
            let path = directory.join(&name);
            let journal = match read(&path) {
                Ok(Some(journal)) => journal,
                Ok(None) => continue,
                Err(error) => {
                    let finding = Finding::warning("deletion-unfinished", path.as_str(), error.chain());
                    settled.push(Settled { realm_id: None, realm: String::new(), findings: vec![finding] });
                    continue;
                }
            };
            settled.extend(self.settle_one(connection, directory, &path, &journal)?);
        }
        Ok(settled)
    }

    fn settle_one(
        &self,
        connection: &ConnectOptions,
        directory: &Utf8Path,
        path: &Utf8Path,
        journal: &Journal,
    ) -> Result<Option<Settled>> {
        let application = format!("zulip-backup realm delete {}", journal.realm_id);
        // Whoever has the lock is at work on it.
        let _reservation = match Reservation::make(connection, &application, Purpose::Change(journal.realm_id)) {
            Ok(reservation) => reservation,
            Err(error) if error.kind() == ErrorKind::Locked => return Ok(None),
            Err(error) => return Err(error),
        };
        // Perhaps whoever had it has ended it meanwhile.
        if fs::symlink_metadata(path)?.is_none() {
            return Ok(None);
        }
        let mut client = connection.connect(&application)?;
        search_path(&mut client)?;
        let settled = |findings| Settled { realm_id: Some(journal.realm_id), realm: journal.realm.clone(), findings };
        if identity(&mut client)? != journal.database {
            let finding = Finding::warning(
                "deletion-unfinished",
                path.as_str(),
                "is of a deletion in another database: nothing was removed",
            )
            .with_hint("if that database is gone for good, remove the file; name the other one with --database-url");
            return Ok(Some(settled(vec![finding])));
        }
        if exists(&mut client, journal.realm_id)? {
            self.remove(journal.realm_id)?;
            return Ok(None);
        }
        let uploads = LocalFiles::new(directory);
        let uploads: &dyn Uploads = &uploads;
        let (count, mut findings) = journal.files.remove(uploads);
        if findings.is_empty() {
            self.remove(journal.realm_id)?;
        }
        let object = format!("{:?} (id {})", journal.realm, journal.realm_id);
        findings.insert(
            0,
            Finding::note(
                "deletion-finished",
                object,
                format!("was deleted before, and its files are gone now: {count}"),
            ),
        );
        Ok(Some(settled(findings)))
    }
}

/// A deletion that was stopped in between, and what became of it.
pub(super) struct Settled {
    pub(super) realm_id: Option<i64>,
    pub(super) realm: String,
    pub(super) findings: Vec<Finding>,
}

fn read(path: &Utf8Path) -> Result<Option<Journal>> {
    if fs::symlink_metadata(path)?.is_none() {
        return Ok(None);
    }
    let journal: Journal = serde_json::from_str(&fs::read_to_string(path)?).map_err(|error| {
        Error::new(ErrorKind::Damaged, format!("the journal {path} is not understood"))
            .with_path(path)
            .with_source(error)
    })?;
    if journal.format == FORMAT {
        return Ok(Some(journal));
    }
    let message = format!("the journal {path} has format {}, expected {FORMAT}", journal.format);
    Err(Error::new(ErrorKind::Incompatible, message).with_path(path))
}

/// What tells a database from all others, and from one that was made anew under the same number.
fn identity(client: &mut impl postgres::GenericClient) -> Result<String> {
    let query = "SELECT coalesce((SELECT min(uuid::text) FROM zerver_realm WHERE string_id = 'zulipinternal'), '')";
    let row = client.query_one(query, &[]).map_err(|failure| error("ask which server this is", failure))?;
    let internal: String = column(&row, 0)?;
    Ok(format!("{} {internal}", crate::postgres::identity(client)?))
}

fn file(directory: &Utf8Path, realm: i64) -> Utf8PathBuf {
    directory.join(fs::own_name(KEPT_FOR, realm) + SUFFIX)
}
