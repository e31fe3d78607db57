//! An export in a few bytes for each list: sums of rows, and what is no row.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::Result;
use crate::codec::Digest;
use crate::diff::hash::mix;
use crate::diff::index::{MESSAGES, Migrations, TASK, broken, list_file, parse};
use crate::diff::renumbered::entries::Entries;
use crate::diff::renumbered::files::Record;
use crate::diff::renumbered::row::{Identity, Plan, Row, Side};
use crate::package::{Item, Member, Package, RowReader};
use crate::{Error, Progress};

/// File and key of a list; files with messages are one.
pub(super) type List = (String, String);

/// In how many sums the rows of a list of messages, and of any other list, are put together.
const SUMS: [usize; 2] = [1 << 18, 1 << 12];

/// The rows of a list.
#[derive(Debug)]
pub(super) enum Rows {
    /// Sums of the rows by their identities: rows are looked at again where two sums differ. However many there are.
    Sums(Box<[AtomicU64]>),
    /// Hashes by id, where their order tells who is who.
    Places(Mutex<Vec<(i64, u64)>>),
}

impl Rows {
    fn new(list: &List, plan: &Plan) -> Self {
        match plan.identity {
            Identity::Place => Self::Places(Mutex::default()),
            _ => {
                let count = SUMS[usize::from(list.0 != MESSAGES)];
                Self::Sums((0..count).map(|_| AtomicU64::new(0)).collect())
            }
        }
    }

    fn add(&self, row: &Row) {
        match self {
            Self::Sums(sums) => {
                if let Some(sum) = sums.get(bucket(row.identity, sums.len())) {
                    sum.fetch_add(mix(row.identity, row.hash), Ordering::Relaxed);
                }
            }
            Self::Places(rows) => {
                if let Ok(mut rows) = rows.lock() {
                    rows.push((row.id, row.hash));
                }
            }
        }
    }
}

/// In which of `count` sums a row is, by its identity.
pub(super) fn bucket(identity: u64, count: usize) -> usize {
    usize::try_from(mix(40, identity) % (count as u64)).unwrap_or(0)
}

/// What is compared of an export.
#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) lists: BTreeMap<List, Arc<Rows>>,
    /// By directory.
    pub(super) records: BTreeMap<String, Vec<Record>>,
    /// Digests of files that have no rows.
    pub(super) files: BTreeMap<String, Digest>,
    pub(super) consented: Option<BTreeSet<i64>>,
    pub(super) migrations: Option<Migrations>,
}

impl Index {
    /// Reads an export with `jobs` threads.
    pub(super) fn read(
        package: &Package,
        side: &Side<'_>,
        plans: &[Plan],
        jobs: usize,
        progress: &dyn Progress,
    ) -> Result<Self> {
        let shared = Mutex::new(Self::default());
        package.for_each(
            jobs,
            &|_| true,
            &|member, content| Self::file(&shared, side, plans, member, content),
            &|bytes| {
                progress.advance(TASK, bytes);
                progress.checkpoint()
            },
        )?;
        shared.into_inner().map_err(|_| broken())
    }

    fn file(
        shared: &Mutex<Self>,
        side: &Side<'_>,
        plans: &[Plan],
        member: &Member,
        content: &mut (dyn Read + Send),
    ) -> Result<()> {
        let name = member.name.as_str();
        let lock = || shared.lock().map_err(|_| broken());
        match name {
            "consented_user_ids.json" => {
                let consented = parse(name, content)?;
                lock()?.consented = Some(consented);
            }
            "migration_status.json" => {
                let migrations = parse(name, content)?;
                lock()?.migrations = Some(migrations);
            }
            // It counts the rows, which are compared themselves.
            "stats.json" | "stats.txt" => {}
            _ => match (list_file(name), name.strip_suffix("/records.json")) {
                (Some(file), _) => {
                    let mut rows: Option<Arc<Rows>> = None;
                    return for_each_row(plans, name, content, &mut |plan, row, place| {
                        if place == -1 || rows.is_none() {
                            let list = (file.to_owned(), plan.key.clone());
                            let made = || Arc::new(Rows::new(&list, plan));
                            rows = Some(Arc::clone(lock()?.lists.entry(list.clone()).or_insert_with(made)));
                        }
                        if let (Some(rows), Some(row)) = (&rows, side.row(plan, row, place)) {
                            rows.add(&row);
                        }
                        Ok(())
                    });
                }
                (None, Some(directory)) if !directory.contains('/') => {
                    let records = Record::all(name, content)?;
                    lock()?.records.entry(directory.to_owned()).or_default().extend(records);
                }
                _ => {
                    let digest = Digest::of_reader(content).map_err(|error| Error::io("read", name, error))?;
                    lock()?.files.insert(name.to_owned(), digest);
                }
            },
        }
        Ok(())
    }
}

/// What is done with a row: how its list is compared, and its place in the file's list, from -1 downwards.
pub(super) type Each<'a> = dyn FnMut(&Plan, &Entries<'_>, i64) -> Result<()> + 'a;

/// Reads the rows of a file.
pub(super) fn for_each_row(
    plans: &[Plan],
    name: &str,
    content: &mut (dyn Read + Send),
    each: &mut Each<'_>,
) -> Result<()> {
    let mut reader = RowReader::new(name, content);
    let mut unknown = Plan::unknown("");
    let (mut known, mut place) = (None, 0);
    while let Some(item) = reader.next_item()? {
        match item {
            Item::List(key) => {
                known = plans.iter().find(|plan| plan.key == key);
                if known.is_none() {
                    unknown = Plan::unknown(key);
                }
                place = 0;
            }
            Item::Row(row) => {
                place -= 1;
                each(known.unwrap_or(&unknown), &row.parse()?, place)?;
            }
            Item::Value(..) => {}
        }
    }
    Ok(())
}
