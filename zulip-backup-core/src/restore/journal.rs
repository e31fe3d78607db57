//! What a restore has done, on disk before it does more: so that whoever comes after a kill knows where it stood.

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use crate::restore::RestoreOptions;
use crate::restore::trees::TreeMove;
use crate::site::Site;
use crate::{Error, ErrorKind, Result, fs};

/// The version of the journal's form.
const FORMAT: u16 = 1;

/// How far a restore is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Everything that was done lies beside what the server uses.
    Staging,
    /// The server is being changed.
    Switching,
    /// All is done; what was there before is kept until `commit` or `rollback`.
    Done,
    /// It is being taken back.
    RollingBack,
    /// What was there before is being removed.
    Committing,
}

/// The database's part of a restore.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct DatabaseMove {
    /// The name the server uses.
    pub(super) name: String,
    /// The name under which the dump is loaded.
    pub(super) side: String,
    /// The name under which the old one is kept.
    pub(super) kept: String,
    /// The role that owns it.
    pub(super) owner: String,
    /// Whether there was one.
    pub(super) existed: bool,
    /// Whether it is loaded into the old one.
    pub(super) in_place: bool,
    /// Whether the role's `search_path` was set, where it had none.
    #[serde(default)]
    pub(super) search_path_set: bool,
}

/// The journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Journal {
    format: u16,
    pub(super) phase: Phase,
    /// When it began, as it stands in names.
    pub(super) stamp: String,
    /// What is restored, for people.
    pub(super) source: String,
    /// What is restored, for comparison.
    pub(super) identity: String,
    pub(super) options: RestoreOptions,
    pub(super) database: Option<DatabaseMove>,
    pub(super) trees: Vec<TreeMove>,
    /// Where the dump of an archive without an index is unpacked.
    pub(super) dump_dir: Option<Utf8PathBuf>,
    /// Steps that are done, in order.
    pub(super) done: Vec<String>,
    /// The step that was begun last.
    pub(super) current: Option<String>,
}

impl Journal {
    pub(super) fn new(source: String, identity: String, options: &RestoreOptions) -> Self {
        let stamp = jiff::Timestamp::now().strftime("%Y%m%d%H%M%S").to_string();
        Self {
            format: FORMAT,
            phase: Phase::Staging,
            stamp,
            source,
            identity,
            options: options.essence(),
            database: None,
            trees: Vec::new(),
            dump_dir: None,
            done: Vec::new(),
            current: None,
        }
    }

    /// The journal in a directory, where there is one.
    pub(super) fn load(directory: &Utf8Path) -> Result<Option<Self>> {
        let path = file(directory);
        if fs::symlink_metadata(&path)?.is_none() {
            return Ok(None);
        }
        let text = fs::read_to_string(&path)?;
        let journal: Self = serde_json::from_str(&text).map_err(|error| {
            Error::new(ErrorKind::Damaged, format!("the journal {path} is not understood"))
                .with_path(&path)
                .with_source(error)
                .with_hint(
                    "it was written by another version of this program, or damaged: do not remove it before you \
                    know which database and directories are the right ones",
                )
        })?;
        if journal.format != FORMAT {
            let message = format!("the journal {path} has format {}, expected {FORMAT}", journal.format);
            return Err(Error::new(ErrorKind::Incompatible, message)
                .with_path(path)
                .with_hint("use the version of this program that began the restore"));
        }
        Ok(Some(journal))
    }

    /// Writes it, complete or not at all, and on the disk when this returns.
    pub(super) fn save(&self, directory: &Utf8Path) -> Result<()> {
        fs::write_json(&file(directory), self)
    }

    /// Removes it.
    pub(super) fn remove(directory: &Utf8Path) -> Result<()> {
        fs::remove_tree(&file(directory))?;
        fs::sync_directory(directory)
    }

    pub(super) fn is_done(&self, step: &str) -> bool {
        self.done.iter().any(|done| done == step)
    }

    /// Whether a step was begun, finished or not.
    pub(super) fn was_begun(&self, step: &str) -> bool {
        self.is_done(step) || self.current.as_deref() == Some(step)
    }

    /// Whether the server itself was touched.
    pub(super) fn has_switched(&self) -> bool {
        self.phase != Phase::Staging
    }
}

fn file(directory: &Utf8Path) -> Utf8PathBuf {
    directory.join("restore-journal.json")
}

/// Where journal and lock are.
pub(super) fn state_dir(site: &Site, options: &RestoreOptions) -> Utf8PathBuf {
    options.state_dir.clone().unwrap_or_else(|| site.host_path("/var/lib/zulip-backup"))
}
