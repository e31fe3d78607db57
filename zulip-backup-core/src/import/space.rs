//! What an import takes on the server's disks, and what is free there.

use camino::{Utf8Path, Utf8PathBuf};
use postgres::Client;

use crate::package::Package;
use crate::postgres::ConnectOptions;
use crate::{Finding, Result, fs};

/// What is written beside the files of the export: sizes of avatars, stills of emoji.
const PICTURES: u64 = 16 << 20;

/// Bytes in the database for two of a file with rows: 1.2 each with all indexes, as measured, and room for its log and for
/// sorting.
const DATABASE_FOR_TWO: u64 = 3;

/// What is needed, and what there is.
#[derive(Debug)]
pub(super) struct Space {
    uploads_dir: Utf8PathBuf,
    pub(super) uploads_bytes: u64,
    pub(super) uploads_free: u64,
    pub(super) database_bytes: u64,
    /// Where the database's disk can be looked at from here.
    pub(super) database_free: Option<u64>,
    data_directory: Option<String>,
}

impl Space {
    /// Estimates it.
    ///
    /// # Errors
    /// What the disk answers.
    pub(super) fn of(
        package: &Package,
        uploads_dir: &Utf8Path,
        connection: &ConnectOptions,
        client: &mut Client,
    ) -> Result<Self> {
        let (mut files, mut avatars, mut rows) = (0, 0, 0);
        for member in &package.listing()?.members {
            match member.name.split_once('/') {
                None => rows += member.size,
                Some((directory, _)) => {
                    files += member.size;
                    // Two more sizes of each.
                    avatars += if matches!(directory, "avatars" | "emoji") { member.size } else { 0 };
                }
            }
        }
        let data_directory = data_directory(connection, client);
        let database = data_directory.as_deref().map(Utf8Path::new).filter(|directory| fs::is_dir(directory));
        Ok(Self {
            uploads_dir: uploads_dir.to_owned(),
            uploads_bytes: files + avatars + PICTURES,
            uploads_free: fs::free_bytes(fs::existing_directory(uploads_dir))?,
            database_bytes: rows / 2 * DATABASE_FOR_TWO,
            database_free: database.and_then(|directory| fs::free_bytes(directory).ok()),
            data_directory,
        })
    }

    /// What does not suffice. Of the database it is a guess.
    pub(super) fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let message = |free: u64, what: &str, needed: u64| format!("has {free} bytes free, {what} may need {needed}");
        if self.uploads_free < self.uploads_bytes {
            let message = message(self.uploads_free, "the files", self.uploads_bytes);
            findings.push(Finding::error("space-low", self.uploads_dir.as_str(), message));
        }
        if let (Some(free), Some(directory)) = (self.database_free, &self.data_directory)
            && free < self.database_bytes
        {
            let message = message(free, "the rows", self.database_bytes);
            findings.push(Finding::warning("space-low", directory, message));
        }
        findings
    }
}

/// Where the server has its data, if it is on this machine and tells this role.
fn data_directory(connection: &ConnectOptions, client: &mut Client) -> Option<String> {
    if !connection.is_local() {
        return None;
    }
    client.query_one("SELECT current_setting('data_directory')", &[]).ok()?.try_get(0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Severity;

    #[test]
    fn what_is_too_little_is_told() {
        let space = |uploads_free, database_free| {
            let space = Space {
                uploads_dir: "/uploads".into(),
                uploads_bytes: 10,
                uploads_free,
                database_bytes: 20,
                database_free,
                data_directory: Some("/data".to_owned()),
            };
            space.findings().into_iter().map(|finding| (finding.severity, finding.object)).collect::<Vec<_>>()
        };
        assert_eq!(space(10, Some(20)), []);
        assert_eq!(space(10, None), []);
        let both = [(Severity::Error, "/uploads".to_owned()), (Severity::Warning, "/data".to_owned())];
        assert_eq!(space(9, Some(19)), both);
    }
}
