//! What a comparison found.

mod shown;

use std::collections::BTreeMap;
use std::fmt;

use camino::Utf8PathBuf;
use serde::Serialize;
use serde_json::Value;

use crate::diff::NotCompared;
use crate::units::seconds;

/// What differs between two exports. Its JSON is stable: keys are added, never changed.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct DiffReport {
    /// The first export.
    pub a: Utf8PathBuf,
    /// The second one.
    pub b: Utf8PathBuf,
    /// Lists of rows that differ, by file and list.
    pub lists: Vec<ListDifference>,
    /// Directories whose records differ, by path.
    pub records: Vec<NameDifference>,
    /// Directories whose files differ; those beside the directories under `.`.
    pub files: Vec<NameDifference>,
    /// Who consents, where that differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consented: Option<Difference<i64>>,
    /// Lines of migrations that only one has, by app.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub migrations: BTreeMap<String, Difference<String>>,
    /// The Zulip versions, where they differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zulip_versions: Option<(Option<String>, Option<String>)>,
    /// What was not compared, since an import changes it by right: only where ids may differ.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_compared: Vec<LeftOut>,
    /// What it took, in seconds.
    pub seconds: f64,
}

/// What was not compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// The table, or the directory of files.
    pub table: &'static str,
    /// The key; or, in words, which rows or files.
    pub what: &'static str,
    /// Why.
    pub why: &'static str,
    /// How many values, rows or files of the first export.
    pub in_a: u64,
    /// How many of the second.
    pub in_b: u64,
    #[serde(skip)]
    is_key: bool,
}

/// Some of many.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Excerpt<T> {
    /// How many there are.
    pub count: u64,
    /// The first of them, as many as were asked for.
    pub first: Vec<T>,
}

/// What only one of two has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference<T> {
    /// Only in the first.
    pub only_in_a: Excerpt<T>,
    /// Only in the second.
    pub only_in_b: Excerpt<T>,
}

/// How a list of rows differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListDifference {
    /// The file; `messages` for all files with messages together.
    pub file: String,
    /// The list.
    pub list: String,
    /// Ids that only one has. Rows without an id have numbers below zero.
    #[serde(flatten)]
    pub ids: Difference<i64>,
    /// Rows with other values.
    pub changed: Excerpt<ChangedRow>,
}

/// A row with other values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChangedRow {
    /// Its id.
    pub id: i64,
    /// Its id in the second export, where ids may differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_b: Option<i64>,
    /// The keys whose values differ, or that only one has.
    pub keys: Vec<String>,
    /// The same with both values, where ids may differ.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<ChangedValue>,
}

/// A value that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChangedValue {
    /// The key.
    pub key: String,
    /// The first export's value; null where it has none, and for secrets.
    pub a: Option<Value>,
    /// The second one's.
    pub b: Option<Value>,
}

/// How records or files differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NameDifference {
    /// The directory.
    pub directory: String,
    /// Names that only one has.
    #[serde(flatten)]
    pub names: Difference<String>,
    /// Names whose content differs.
    pub changed: Excerpt<String>,
}

impl<T> Default for Excerpt<T> {
    fn default() -> Self {
        Self { count: 0, first: Vec::new() }
    }
}

impl<T> Default for Difference<T> {
    fn default() -> Self {
        Self { only_in_a: Excerpt::default(), only_in_b: Excerpt::default() }
    }
}

impl<T> Excerpt<T> {
    /// Takes one more in; its name only while there are fewer than `limit`.
    pub(super) fn push(&mut self, limit: usize, one: T) {
        self.count += 1;
        if self.first.len() < limit {
            self.first.push(one);
        }
    }
}

impl ChangedRow {
    /// A row of which no more is known yet.
    pub(super) fn of(id: i64) -> Self {
        Self { id, id_b: None, keys: Vec::new(), values: Vec::new() }
    }
}

impl LeftOut {
    /// By a rule, so many of each export.
    pub(super) fn new(rule: &NotCompared, [in_a, in_b]: [u64; 2]) -> Self {
        let NotCompared { table, what, why, is_key, .. } = *rule;
        Self { table, what, why, in_a, in_b, is_key }
    }
}

impl<T> Difference<T> {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.only_in_a.count == 0 && self.only_in_b.count == 0
    }
}

impl DiffReport {
    /// Whether nothing differs.
    pub fn is_same(&self) -> bool {
        self.lists.is_empty()
            && self.records.is_empty()
            && self.files.is_empty()
            && self.consented.is_none()
            && self.migrations.is_empty()
            && self.zulip_versions.is_none()
    }
}

impl<T: fmt::Display> fmt::Display for Excerpt<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.count)?;
        for (at, one) in self.first.iter().enumerate() {
            f.write_str(if at == 0 { ": " } else { ", " })?;
            one.fmt(f)?;
        }
        if self.count > self.first.len() as u64 && !self.first.is_empty() {
            f.write_str(", …")?;
        }
        Ok(())
    }
}

/// The lines of one thing that differs.
fn lines<T: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    what: &str,
    ids: &Difference<T>,
    changed: Option<&dyn fmt::Display>,
) -> fmt::Result {
    writeln!(f, "{what}")?;
    if ids.only_in_a.count > 0 {
        writeln!(f, "  only in a  {}", ids.only_in_a)?;
    }
    if ids.only_in_b.count > 0 {
        writeln!(f, "  only in b  {}", ids.only_in_b)?;
    }
    changed.map_or(Ok(()), |changed| writeln!(f, "  changed    {changed}"))
}

impl fmt::Display for DiffReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((a, b)) = &self.zulip_versions {
            let shown = |version: &Option<String>| version.clone().unwrap_or_else(|| "?".to_owned());
            writeln!(f, "Zulip version: {} and {}", shown(a), shown(b))?;
        }
        for (app, difference) in &self.migrations {
            lines(f, &format!("migrations of {app}"), difference, None)?;
        }
        if let Some(consented) = &self.consented {
            lines(f, "consented_user_ids.json", consented, None)?;
        }
        for list in &self.lists {
            let rows = list.changed.first.iter().any(|row| row.id_b.is_some());
            let changed = Some(&list.changed as &dyn fmt::Display).filter(|_| list.changed.count > 0 && !rows);
            lines(f, &format!("{} {}", list.file, list.list), &list.ids, changed)?;
            if rows {
                writeln!(f, "  changed    {}", list.changed.count)?;
                list.changed.first.iter().try_for_each(|row| writeln!(f, "    {row}"))?;
            }
        }
        for (names, what) in [(&self.records, "records of"), (&self.files, "files in")] {
            for difference in names {
                let changed = Some(&difference.changed as &dyn fmt::Display).filter(|_| difference.changed.count > 0);
                lines(f, &format!("{what} {}", difference.directory), &difference.names, changed)?;
            }
        }
        if !self.not_compared.is_empty() {
            let (keys, others): (Vec<&LeftOut>, Vec<_>) = self.not_compared.iter().partition(|one| one.is_key);
            let sum = |of: fn(&LeftOut) -> u64| others.iter().copied().map(of).sum::<u64>();
            let (a, b) = (sum(|one| one.in_a), sum(|one| one.in_b));
            writeln!(
                f,
                "not compared, since an import changes it: {} keys; rows and files: {a} of a, {b} of b",
                keys.len()
            )?;
        }
        let outcome = if self.is_same() { "the same" } else { "different" };
        write!(f, "{} and {}: {outcome}, compared in {}", self.a, self.b, seconds(self.seconds))
    }
}
