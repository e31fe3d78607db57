//! An export in a few bytes for each row.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::sync::Mutex;

use serde::Deserialize;

use crate::codec::Digest;
use crate::diff::hash::hash;
use crate::package::{Item, Member, Package, RowReader, message_file_number, read_small};
use crate::{Error, ErrorKind, Progress, Result};

/// The task told to [`Progress`]: bytes of files, or of a tarball.
pub(super) const TASK: &str = "diff";
/// What all files with messages are called together.
pub(super) const MESSAGES: &str = "messages";
/// The longest of the small files that is read.
const SMALL: u64 = 64 << 20;

/// What is compared of an export.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// Id and hash of each row, sorted, by file and list; files with messages are one.
    pub(super) lists: BTreeMap<(String, String), Vec<(i64, u64)>>,
    /// Hashes of records by path, by directory.
    pub(super) records: BTreeMap<String, BTreeMap<String, u64>>,
    /// Digests of the other files.
    pub(super) files: BTreeMap<String, Digest>,
    /// `consented_user_ids.json`.
    pub(super) consented: Option<BTreeSet<i64>>,
    /// `migration_status.json`.
    pub(super) migrations: Option<Migrations>,
}

/// `migration_status.json`.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Migrations {
    #[serde(default)]
    pub(super) zulip_version: Option<String>,
    #[serde(default)]
    pub(super) migrations_by_app: BTreeMap<String, BTreeSet<String>>,
}

impl Index {
    /// Reads an export with `jobs` threads.
    pub(super) fn read(package: &Package, jobs: usize, progress: &dyn Progress) -> Result<Self> {
        let shared = Mutex::new(Self::default());
        package.for_each(
            jobs,
            &|_| true,
            &|member, content| {
                let one = Self::file(member, content)?;
                shared.lock().map_err(|_| broken())?.take(one);
                Ok(())
            },
            &|bytes| {
                progress.advance(TASK, bytes);
                progress.checkpoint()
            },
        )?;
        let mut index = shared.into_inner().map_err(|_| broken())?;
        index.lists.values_mut().for_each(|rows| rows.sort_unstable());
        check(package)?;
        Ok(index)
    }

    fn file(member: &Member, content: &mut (dyn Read + Send)) -> Result<Self> {
        let mut index = Self::default();
        let name = member.name.as_str();
        match name {
            "consented_user_ids.json" => index.consented = Some(parse(name, content)?),
            "migration_status.json" => index.migrations = Some(parse(name, content)?),
            // It counts the rows, which are compared themselves.
            "stats.json" | "stats.txt" => {}
            _ => match list_file(name) {
                Some(group) => index.rows(name, group, content)?,
                None => match name.strip_suffix("/records.json").filter(|directory| !directory.contains('/')) {
                    Some(directory) => index.record_rows(name, directory, content)?,
                    None => {
                        let digest = Digest::of_reader(content).map_err(|error| Error::io("read", name, error))?;
                        index.files.insert(name.to_owned(), digest);
                    }
                },
            },
        }
        Ok(index)
    }

    fn rows(&mut self, name: &str, group: &str, content: &mut (dyn Read + Send)) -> Result<()> {
        let mut reader = RowReader::new(name, content);
        let mut rows: Option<&mut Vec<(i64, u64)>> = None;
        let mut nameless = 0;
        while let Some(item) = reader.next_item()? {
            match item {
                Item::List(list) => rows = Some(self.lists.entry((group.to_owned(), list.to_owned())).or_default()),
                Item::Row(row) | Item::Value(_, row) => {
                    let hashed = hash(row.text()?).map_err(|error| row.fault(&error))?;
                    if let Some(rows) = &mut rows {
                        // A row without an id is told apart by its place, from -1 downwards.
                        nameless -= i64::from(hashed.id.is_none());
                        rows.push((hashed.id.unwrap_or(nameless), hashed.hash));
                    }
                }
            }
        }
        Ok(())
    }

    fn record_rows(&mut self, name: &str, directory: &str, content: &mut (dyn Read + Send)) -> Result<()> {
        #[derive(Deserialize)]
        struct Record {
            path: String,
        }
        let mut reader = RowReader::new(name, content);
        let records = self.records.entry(directory.to_owned()).or_default();
        while let Some(item) = reader.next_item()? {
            if let Item::Row(row) = item {
                let Record { path } = row.parse()?;
                let hashed = hash(row.text()?).map_err(|error| row.fault(&error))?;
                records.insert(path, hashed.hash);
            }
        }
        Ok(())
    }

    fn take(&mut self, other: Self) {
        let Self { lists, records, files, consented, migrations } = other;
        for (key, rows) in lists {
            self.lists.entry(key).or_default().extend(rows);
        }
        self.records.extend(records);
        self.files.extend(files);
        self.consented = self.consented.take().or(consented);
        self.migrations = self.migrations.take().or(migrations);
    }
}

/// Refuses what is no export. After a reading of it, this costs nothing.
pub(super) fn check(package: &Package) -> Result<()> {
    let listing = package.listing()?;
    if let Some(first) = listing.findings.list.first() {
        return Err(Error::new(ErrorKind::Damaged, format!("{} has what no export has: {first}", package.path()))
            .with_path(package.path())
            .with_reasons(listing.findings.list.clone()));
    }
    if listing.layout().is_none() {
        let message = format!("{} is no export: it has neither realm.json nor user.json", package.path());
        return Err(Error::new(ErrorKind::Damaged, message).with_path(package.path()));
    }
    Ok(())
}

/// What a file with lists of rows is called where it is compared.
pub(super) fn list_file(name: &str) -> Option<&str> {
    match name {
        "realm.json" | "user.json" | "attachment.json" | "analytics.json" => Some(name),
        _ => message_file_number(name).map(|_| MESSAGES),
    }
}

/// Reads a small file.
pub(super) fn parse<T: serde::de::DeserializeOwned>(name: &str, content: &mut (dyn Read + Send)) -> Result<T> {
    serde_json::from_slice(&read_small(name, content, SMALL)?).map_err(|error| {
        Error::new(ErrorKind::Damaged, format!("{name} is not the JSON it has to be"))
            .with_path(name)
            .with_source(error)
    })
}

/// For a lock that a thread left behind.
pub(super) fn broken() -> Error {
    Error::new(ErrorKind::Io, "a thread of the comparison ended unexpectedly")
}
