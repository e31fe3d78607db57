//! What rows refer to.

use std::collections::{BTreeMap, HashMap};

use crate::rows::{Cell, RowParser};
use crate::{Finding, Findings};

/// References that Zulip's own exporter leaves open, and why that is no fault of an export.
const TOLERATED: [(&str, &str, &str); 7] = [
    ("zerver_onboardingusermessage", "message", "its rows are exported whether or not their messages are"),
    ("zerver_scheduledmessage", "delivered_message", "the message that was sent is exported only if others may see it"),
    ("zerver_scheduledmessage", "recipient", "groups with members of other organisations are left out"),
    ("zerver_realmexport", "acting_user", "the server's staff may start an export from another organisation"),
    ("zerver_realmauditlog", "modified_user", "actions on bots of the system are in the log"),
    ("analytics_usercount", "user", "bots of the system are counted"),
    ("zerver_muteduser", "muted_user", "bots of the system can be muted"),
];

/// Where a value is used: one row, and how many in all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Uses {
    pub(super) row: i64,
    pub(crate) count: u64,
}

/// Every value of a key with which rows refer to others. Memory grows with what is referred to, not with the rows.
#[derive(Debug, Default)]
pub(crate) struct Links {
    columns: BTreeMap<(String, String), Link>,
    /// The list that rows come of now, and its keys by their places.
    current: Option<(String, Vec<(usize, Link)>)>,
}

#[derive(Debug, Default)]
struct Link {
    key: String,
    target: String,
    values: HashMap<i64, Uses>,
}

/// Adds a use of `value` by `row`.
pub(super) fn count(values: &mut HashMap<i64, Uses>, value: i64, row: i64) {
    values.entry(value).or_insert(Uses { row, count: 0 }).count += 1;
}

impl Links {
    /// Notes what a row refers to.
    pub(super) fn row(&mut self, row: &RowParser<'_>, id: i64) {
        if self.current.as_ref().is_none_or(|(list, _)| *list != row.shape.list) {
            self.begin(row);
        }
        let Some((_, columns)) = &mut self.current else { return };
        for (at, link) in columns {
            match row.cell(*at) {
                Cell::Int(value) => count(&mut link.values, value, id),
                ids => row.ids_of(ids).iter().for_each(|&value| count(&mut link.values, value, id)),
            }
        }
    }

    fn begin(&mut self, row: &RowParser<'_>) {
        self.end();
        let list = &row.shape.list;
        let referring = row.shape.fields.iter().enumerate().filter_map(|(at, field)| {
            let target = field.references.clone()?;
            Some((at, Link { key: field.key.clone(), target, values: HashMap::new() }))
        });
        self.current = Some((list.clone(), referring.collect()));
    }

    /// The list that rows came of has ended.
    pub(super) fn end(&mut self) {
        let Some((list, columns)) = self.current.take() else { return };
        for (_, link) in columns {
            let known = self.columns.entry((list.clone(), link.key.clone())).or_default();
            known.target = link.target;
            for (value, uses) in link.values {
                known.values.entry(value).or_insert(Uses { count: 0, ..uses }).count += uses.count;
            }
        }
    }

    /// Notes a reference that is no foreign key.
    pub(super) fn add(&mut self, list: &str, key: &str, target: &str, value: i64, row: i64) {
        let link = self.columns.entry((list.to_owned(), key.to_owned())).or_default();
        target.clone_into(&mut link.target);
        count(&mut link.values, value, row);
    }

    /// The values of a key.
    pub(crate) fn values(&self, list: &str, key: &str) -> impl Iterator<Item = (i64, Uses)> {
        let link = self.columns.get(&(list.to_owned(), key.to_owned()));
        link.into_iter().flat_map(|link| link.values.iter().map(|(&value, &uses)| (value, uses)))
    }

    /// Every value that is named: list, key, the table it is an id of, the value, and a row that names it.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &str, &str, i64, i64)> {
        self.columns.iter().flat_map(|((list, key), link)| {
            let values = link.values.iter();
            values.map(|(&value, uses)| (list.as_str(), key.as_str(), link.target.as_str(), value, uses.row))
        })
    }

    /// Compares all with what there is: `exists` is asked for the id of a table's row.
    pub(super) fn check(&self, files: &dyn Fn(&str) -> String, exists: &dyn Fn(&str, i64) -> bool) -> Findings {
        let mut findings = Findings::default();
        for ((list, key), link) in &self.columns {
            let mut missing: Vec<(i64, Uses)> = link
                .values
                .iter()
                .filter(|(value, _)| !exists(&link.target, **value))
                .map(|(&value, &uses)| (value, uses))
                .collect();
            missing.sort_unstable_by_key(|(value, _)| *value);
            let tolerated = TOLERATED.iter().find(|(of, named, _)| of == list && named == key).map(|(.., why)| why);
            for (value, uses) in missing {
                let object = format!("{} {list} {}", files(list), uses.row);
                let others = match uses.count {
                    1 => String::new(),
                    count => format!(", as do {} other rows", count - 1),
                };
                let message = format!("{key} refers to {} {value}, which is not in the export{others}", link.target);
                findings.push(match tolerated {
                    Some(why) => Finding::note("reference-left-open", object, format!("{message}: {why}")),
                    None => Finding::error("dangling-reference", object, message),
                });
            }
        }
        findings
    }
}
