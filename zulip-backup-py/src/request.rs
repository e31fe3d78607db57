//! What Python asks for, as the package writes it down: JSON with the core's own options.

use camino::Utf8PathBuf;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use zulip_backup_core::archive::{ExtractOptions, VerifyOptions};
use zulip_backup_core::backup::BackupOptions;
use zulip_backup_core::diff::DiffOptions;
use zulip_backup_core::drill::DrillOptions;
use zulip_backup_core::export::ExportOptions;
use zulip_backup_core::import::ImportOptions;
use zulip_backup_core::realm::deactivate::DeactivateOptions;
use zulip_backup_core::realm::rename::RenameOptions;
use zulip_backup_core::restore::{RestoreOptions, Source};
use zulip_backup_core::site::{Site, SiteOptions};
use zulip_backup_core::upgrade::UpgradeOptions;
use zulip_backup_core::validate::ValidateOptions;
use zulip_backup_core::{Error, ErrorKind, Result};

/// Something that is done at once.
#[derive(Debug, Deserialize)]
#[serde(tag = "verb", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Run {
    Inspect { archive: Utf8PathBuf },
    Summarize { export: Utf8PathBuf },
    Verify { archive: Utf8PathBuf, options: VerifyOptions },
    Extract { archive: Utf8PathBuf, directory: Utf8PathBuf, options: ExtractOptions },
    Drill { archive: Utf8PathBuf, options: DrillOptions },
    Validate { export: Utf8PathBuf, options: ValidateOptions },
    Diff { a: Utf8PathBuf, b: Utf8PathBuf, options: DiffOptions },
    Site { site: Server },
    RealmList { site: Server },
    RealmShow { site: Server, realm: String },
    FinishDeletion { site: Server, realm: String },
    CommitRestore { site: Server, options: RestoreOptions },
    RollbackRestore { site: Server, options: RestoreOptions },
}

/// Something that is planned first.
#[derive(Debug, Deserialize)]
#[serde(tag = "verb", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Plan {
    Create { site: Server, options: BackupOptions },
    Restore { site: Server, source: RestoreSource, options: RestoreOptions },
    Export { site: Server, options: ExportOptions },
    Import { site: Server, path: Utf8PathBuf, options: ImportOptions },
    Upgrade { path: Utf8PathBuf, options: UpgradeOptions },
    Deactivate { site: Server, options: DeactivateOptions },
    Reactivate { site: Server, realm: String },
    Rename { site: Server, options: RenameOptions },
    Delete { site: Server, realm: String },
}

/// Which server.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    options: SiteOptions,
    config: Option<Utf8PathBuf>,
    root: Option<Utf8PathBuf>,
}

impl Server {
    /// The server itself.
    ///
    /// # Errors
    /// Those of [`Site::builder`].
    pub fn open(self) -> Result<Site> {
        let options = SiteOptions { config: self.config, root: self.root, ..self.options };
        Site::builder().options(options).build()
    }
}

/// What a restore takes its parts from.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RestoreSource {
    archive: Option<Utf8PathBuf>,
    database: Option<Utf8PathBuf>,
    settings: Option<Utf8PathBuf>,
    uploads: Option<Utf8PathBuf>,
}

impl RestoreSource {
    /// The source itself.
    ///
    /// # Errors
    /// `Usage` where an archive is named beside parts, and those of [`Source`].
    pub fn open(&self) -> Result<Source> {
        let Self { archive, database, settings, uploads } = self;
        match archive {
            Some(_) if [database, settings, uploads].into_iter().any(Option::is_some) => {
                Err(Error::new(ErrorKind::Usage, "an archive is named, and parts beside it: expected one or the other"))
            }
            Some(archive) => Source::archive(archive),
            None => Source::parts(database.as_deref(), settings.as_deref(), uploads.as_deref()),
        }
    }
}

/// Reads a request.
///
/// # Errors
/// `Usage` for a value that an option cannot have.
pub fn read<T: DeserializeOwned>(json: &str) -> Result<T> {
    // Secrets are nowhere but in texts, and what serde says of a wrong text quotes it only where it has to be one of a few.
    serde_json::from_str(json).map_err(|error| Error::new(ErrorKind::Usage, format!("this cannot be asked: {error}")))
}
