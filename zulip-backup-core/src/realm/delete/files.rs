//! The files of an organisation.

use std::fmt;

use postgres::GenericClient;
use serde::{Deserialize, Serialize};

use crate::postgres::{column, error};
use crate::schema::Release;
use crate::uploads::{Store, Uploads};
use crate::{Finding, Result};

/// What a resumable upload leaves beside its file for good.
const SIDE_FILE: &str = ".info";

/// Where an organisation's files are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::realm) struct RealmFiles {
    /// The organisation's id: whole directories are named by it.
    realm: i64,
    /// Attachments of its that lie elsewhere, as `path_id`.
    elsewhere: Vec<String>,
}

/// How many files there are, or were removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FileCount {
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl RealmFiles {
    /// Asks the database.
    pub(super) fn of(client: &mut impl GenericClient, realm: i64) -> Result<Self> {
        let tables = ["zerver_attachment", "zerver_archivedattachment", "zerver_imageattachment"];
        let known = &Release::of_database(client)?.catalog;
        let of_realm = |table: &str| format!("SELECT path_id FROM {table} WHERE realm_id = $1::int8");
        let there = tables.into_iter().filter(|table| known.table(table).is_ok()).map(of_realm);
        let paths = there.collect::<Vec<_>>().join(" UNION ");
        let statement = format!(
            "SELECT path_id FROM ({paths}) f
             WHERE NOT starts_with(path_id, $1::int8 || '/')
               AND NOT EXISTS (SELECT FROM zerver_attachment a WHERE a.path_id = f.path_id AND a.realm_id <> $1::int8)
               AND NOT EXISTS (SELECT FROM zerver_archivedattachment a WHERE a.path_id = f.path_id AND a.realm_id <> $1::int8)
             ORDER BY 1"
        );
        let rows = client
            .query(&statement, &[&realm])
            .map_err(|failure| error("read the organisation's attachments", failure))?;
        Ok(Self { realm, elsewhere: rows.iter().map(|row| column(row, 0)).collect::<Result<_>>()? })
    }

    /// Attachments of others whose files lie in the organisation's directories.
    pub(super) fn conflicts(client: &mut impl GenericClient, realm: i64) -> Result<Vec<Finding>> {
        let mut findings = Vec::new();
        for table in ["zerver_attachment", "zerver_archivedattachment"] {
            let query = format!(
                "SELECT count(*), min(path_id) FROM {table}
                 WHERE realm_id <> $1::int8 AND starts_with(path_id, $1::int8 || '/')"
            );
            let row = client
                .query_one(&query, &[&realm])
                .map_err(|failure| error("read the attachments of others", failure))?;
            let count: i64 = column(&row, 0)?;
            if count > 0 {
                let first: String = column(&row, 1)?;
                let message =
                    format!("{count} rows of other organisations have their files among this one's; one is {first}");
                findings.push(Finding::error("foreign-file", table, message));
            }
        }
        Ok(findings)
    }

    fn keys(&self) -> Vec<(Store, String)> {
        let realm = self.realm;
        let mut keys = vec![
            (Store::Files, realm.to_string()),
            (Store::Files, format!("thumbnail/{realm}")),
            (Store::Avatars, realm.to_string()),
            (Store::Avatars, format!("exports/{realm}")),
        ];
        for path in &self.elsewhere {
            keys.push((Store::Files, path.clone()));
            keys.push((Store::Files, format!("{path}{SIDE_FILE}")));
            keys.push((Store::Files, format!("thumbnail/{path}")));
        }
        keys
    }

    /// Counts them. What cannot be looked at is not counted.
    pub(super) fn count(&self, uploads: &dyn Uploads) -> Result<FileCount> {
        let mut count = FileCount::default();
        for (store, key) in self.keys() {
            let (files, bytes) = uploads.measure(store, &key)?;
            count.files += files;
            count.bytes += bytes;
        }
        Ok(count)
    }

    /// Removes them. What could not be removed is a finding.
    pub(in crate::realm) fn remove(&self, uploads: &dyn Uploads) -> (FileCount, Vec<Finding>) {
        let (mut count, mut findings) = (FileCount::default(), Vec::new());
        for (store, key) in self.keys() {
            let removed =
                uploads.measure(store, &key).and_then(|measured| uploads.remove(store, &key).map(|()| measured));
            match removed {
                Ok((files, bytes)) => {
                    count.files += files;
                    count.bytes += bytes;
                }
                Err(error) => {
                    let finding = Finding::warning("file-not-removed", key, error.chain());
                    findings.push(finding.with_hint("no row refers to it any more: remove it by hand"));
                }
            }
        }
        (count, findings)
    }
}

impl fmt::Display for FileCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} files, {}", self.files, crate::units::bytes(self.bytes))
    }
}
