//! Rows on their way through the releases.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde_json::Value;

use crate::schema::{ByValue, Release, TableStep};
use crate::upgrade::row::RawRow;
use crate::upgrade::special::Special;
use crate::{Error, ErrorKind, Result};

/// The list of the bots that all organisations share, of which little is said.
pub(super) const BOTS: &str = "zerver_userprofile_crossrealm";

/// Takes a row: the list it is in, and the row.
pub(super) type Emit<'e> = &'e mut dyn FnMut(&str, RawRow) -> Result<()>;

/// The steps from one release to another.
pub(super) struct Steps<'a> {
    /// The releases after the first, in order.
    pub(super) releases: Vec<&'static Release>,
    pub(super) special: Special<'a>,
    /// How many rows said something that is lost, by step, table and key.
    pub(super) lost: RefCell<Vec<BTreeMap<String, u64>>>,
    /// How many rows are left out, by step and list.
    pub(super) dropped: RefCell<Vec<BTreeMap<String, u64>>>,
}

impl<'a> Steps<'a> {
    pub(super) fn new(releases: Vec<&'static Release>, special: Special<'a>) -> Self {
        let none = vec![BTreeMap::new(); releases.len()];
        Self { releases, special, lost: none.clone().into(), dropped: none.into() }
    }

    /// The release that is the aim.
    pub(super) fn to(&self) -> Result<&'static Release> {
        self.releases.last().copied().ok_or_else(|| Error::new(ErrorKind::Usage, "there is no step to take"))
    }

    /// Takes a row through the steps behind the first `done`. What comes of it is given to `emit`.
    ///
    /// # Errors
    /// `Incompatible` for a value of which no step knows what becomes of it, `Damaged` for a row that is none.
    pub(super) fn row(&self, done: usize, list: &str, mut row: RawRow, emit: Emit<'_>) -> Result<()> {
        let id = row.id();
        let in_row = |error: Error| Error::new(error.kind(), format!("{list} {id}: {}", error.chain()));
        for (at, release) in self.releases.iter().enumerate().skip(done) {
            let mut more = Vec::new();
            let stays = self.special.row(release, list, &mut row, &mut more).map_err(in_row)?;
            for (list, row) in more {
                self.row(at + 1, list, row, emit)?;
            }
            if !stays {
                *self.dropped.borrow_mut()[at].entry(list.to_owned()).or_default() += 1;
                return Ok(());
            }
            if let Some(step) = release.upgrade.tables.get(table_of(list)).filter(|_| list != BOTS) {
                self.declared(at, list, step, &mut row).map_err(in_row)?;
            }
        }
        let row = in_order(self.to()?, list, row).map_err(in_row)?;
        emit(list, row)
    }

    fn declared(&self, at: usize, list: &str, step: &TableStep, row: &mut RawRow) -> Result<()> {
        let mut new: Vec<(&String, String)> = Vec::new();
        let old = |key: &String| row.get(key).map(str::to_owned).ok_or_else(|| missing(key));
        for (key, of) in step.renamed.iter().chain(&step.copied) {
            new.push((key, old(of)?));
        }
        for (key, value) in step.defaulted.iter().chain(&step.reset) {
            new.push((key, value.to_string()));
        }
        for (key, by) in &step.derived {
            new.push((key, chosen(row, by)?.to_string()));
        }
        for (key, group) in &step.groups {
            new.push((key, self.special.group(group)?.to_string()));
        }
        for (key, by) in &step.groups_by {
            new.push((key, self.special.group(chosen(row, by)?)?.to_string()));
        }
        for (key, names) in &step.replaced {
            if let Some(value) = names.get(&plain(&old(key)?)) {
                new.push((key, value.to_string()));
            }
        }
        for key in &step.lost {
            if says_something(&old(key)?) {
                let what = format!("{}.{key}", table_of(list));
                *self.lost.borrow_mut()[at].entry(what).or_default() += 1;
            }
        }
        for key in step.gone() {
            row.remove(key);
        }
        for (key, json) in new {
            row.set(key, json);
        }
        Ok(())
    }
}

/// Puts a row's keys into the order that they have in a list of a release.
pub(super) fn in_order(release: &'static Release, list: &str, row: RawRow) -> Result<RawRow> {
    if list == BOTS {
        return row.in_order(["email", "id", "recipient_id"].into_iter());
    }
    let fields = &release.export.table(table_of(list))?.fields;
    row.in_order(fields.iter().map(|field| field.key.as_str()))
}

/// The table that a list's rows are of.
pub(super) fn table_of(list: &str) -> &str {
    if list.starts_with("zerver_userprofile_") { "zerver_userprofile" } else { list }
}

/// The value that follows from another.
fn chosen<'b, T>(row: &RawRow, by: &'b ByValue<T>) -> Result<&'b T> {
    let found = row.get(&by.of).ok_or_else(|| missing(&by.of))?;
    by.is.get(&plain(found)).or(by.otherwise.as_ref()).ok_or_else(|| {
        let message = format!("{} is {found}, and nothing is known of what becomes of that", by.of);
        Error::new(ErrorKind::Incompatible, message)
    })
}

fn missing(key: &str) -> Error {
    Error::new(ErrorKind::Damaged, format!("has no key {key}"))
}

/// A text without its quotes, or any other value as it stands.
fn plain(json: &str) -> String {
    match serde_json::from_str(json) {
        Ok(Value::String(text)) => text,
        _ => json.to_owned(),
    }
}

/// Whether a value is more than nothing.
fn says_something(json: &str) -> bool {
    !matches!(json, "null" | "false" | "\"\"" | "[]" | "{}" | "\"[]\"" | "0")
}
