//! Uploaded files, avatars, emoji and icons, and the records of them: by whose they are, since their names change.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use serde_json::{Map, Value};

use crate::Result;
use crate::diff::renumbered::index::Index;
use crate::diff::renumbered::learn::Known;
use crate::diff::renumbered::rules::{MADE_PICTURES, NOT_COMPARED};
use crate::diff::report::{Difference, Excerpt, NameDifference};
use crate::ids::Of;
use crate::package::{Item, RowReader};

/// What a file is in both exports, however it is named.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    /// An attachment, by its number.
    Attachment(u64),
    /// A user's avatar, by the user's number, and its ending.
    Avatar(u64, String),
    /// An emoji or an icon, by its name without the organisation's.
    Named(String),
    /// Anything else, by its whole name.
    Other(String),
}

/// A record, as far as local storage and S3 may both write it.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Record {
    path: String,
    #[serde(default)]
    user_profile_id: Option<i64>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

/// What is compared of records, where both have it: the rest says where a file lay and when it was written.
const KEYS: [&str; 6] = ["size", "user_profile_email", "avatar_version", "file_name", "name", "deactivated"];

impl Record {
    /// Reads `records.json` of a directory.
    pub(super) fn all(name: &str, content: &mut (dyn Read + Send)) -> Result<Vec<Self>> {
        let mut reader = RowReader::new(name, content);
        let mut records = Vec::new();
        while let Some(item) = reader.next_item()? {
            if let Item::Row(row) = item {
                let mut record: Self = row.parse()?;
                record.others.retain(|key, _| KEYS.contains(&key.as_str()));
                records.push(record);
            }
        }
        Ok(records)
    }

    fn role(&self, directory: &str, known: &Known) -> Role {
        let other = || Role::Other(self.path.clone());
        match directory {
            "uploads" => {
                let number = known.attachments.get(&self.path).and_then(|id| known.numbers.of(Of::Attachment, *id));
                number.map_or_else(other, Role::Attachment)
            }
            "avatars" => {
                let user = self.user_profile_id.and_then(|id| known.numbers.of(Of::User, id));
                user.map_or_else(other, |user| Role::Avatar(user, ending(&self.path).to_owned()))
            }
            "emoji" | "realm_icons" => Role::Named(base(&self.path).to_owned()),
            _ => other(),
        }
    }

    fn is_like(&self, other: &Self, known: [&Known; 2]) -> bool {
        let owner = |record: &Self, known: &Known| record.user_profile_id.map(|id| known.numbers.of(Of::User, id));
        let owners = (owner(self, known[0]), owner(other, known[1]));
        let same_owner = owners.0 == owners.1 || owners.0.is_none() || owners.1.is_none();
        same_owner && self.others.iter().all(|(key, value)| other.others.get(key).is_none_or(|other| other == value))
    }
}

/// What follows the last `/`.
fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// What follows the last full stop of a name; nothing where there is none.
fn ending(path: &str) -> &str {
    base(path).rsplit_once('.').map_or("", |(_, ending)| ending)
}

/// Names with what lies there, by what they are.
type Roles<T> = BTreeMap<Role, (String, T)>;

/// What differs.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) records: Vec<NameDifference>,
    pub(super) files: Vec<NameDifference>,
    /// How many were not compared, of each export, by their places in [`NOT_COMPARED`].
    pub(super) not_compared: Vec<(usize, [u64; 2])>,
}

/// Compares records and files of two exports.
pub(super) fn compare(indexes: &[Index; 2], known: [&Known; 2], limit: usize) -> Found {
    let mut result = Found::default();
    let directories: BTreeSet<&String> = indexes.iter().flat_map(|index| index.records.keys()).collect();
    let mut roles: [BTreeMap<String, Role>; 2] = Default::default();
    for directory in directories {
        let mut records: [Roles<&Record>; 2] = Default::default();
        for side in 0..2 {
            for record in indexes[side].records.get(directory).into_iter().flatten() {
                let role = record.role(directory, known[side]);
                roles[side].insert(format!("{directory}/{}", record.path), role.clone());
                records[side].insert(role, (record.path.clone(), record));
            }
        }
        made_pictures(directory, &mut records, None);
        let like = |a: &&Record, b: &&Record| a.is_like(b, known);
        result.records.extend(names(directory, &records, like, limit));
    }
    let mut files: [BTreeMap<String, Roles<_>>; 2] = Default::default();
    for side in 0..2 {
        for (name, digest) in &indexes[side].files {
            let (directory, rest) = name.split_once('/').unwrap_or((".", name));
            let role = roles[side].get(name).cloned().unwrap_or_else(|| Role::Other(rest.to_owned()));
            files[side].entry(directory.to_owned()).or_default().insert(role, (rest.to_owned(), digest));
        }
    }
    let directories: BTreeSet<String> = files.iter().flat_map(|files| files.keys().cloned()).collect();
    for directory in directories {
        let mut of = [0, 1].map(|side| files[side].remove(&directory).unwrap_or_default());
        made_pictures(&directory, &mut of, Some(&mut result.not_compared));
        result.files.extend(names(&directory, &of, |a, b| a == b, limit));
    }
    result
}

/// Leaves out pictures that only one has, where both have the original that they are made from. The files among them are
/// counted.
fn made_pictures<T>(directory: &str, of: &mut [Roles<T>; 2], count: Option<&mut Vec<(usize, [u64; 2])>>) {
    let original = |role: &Role| match role {
        Role::Avatar(user, ending) if ending == "png" => Some(Role::Avatar(*user, "original".to_owned())),
        Role::Named(name) if directory == "emoji" && !name.ends_with(".original") => {
            Some(Role::Named(format!("{name}.original")))
        }
        _ => None,
    };
    let mut left_out = [0; 2];
    for side in 0..2 {
        let has_original =
            |role: &Role| original(role).is_some_and(|original| of.iter().all(|files| files.contains_key(&original)));
        let made = of[side].keys().filter(|role| !of[1 - side].contains_key(*role) && has_original(role));
        let made: Vec<Role> = made.cloned().collect();
        left_out[side] = made.len() as u64;
        for role in &made {
            of[side].remove(role);
        }
    }
    let rule = NOT_COMPARED.iter().position(|rule| rule.table == directory && rule.why == MADE_PICTURES);
    if let (Some(count), Some(rule)) = (count, rule) {
        count.push((rule, left_out));
    }
}

fn names<T>(
    directory: &str,
    of: &[Roles<T>; 2],
    same: impl Fn(&T, &T) -> bool,
    limit: usize,
) -> Option<NameDifference> {
    let mut found =
        NameDifference { directory: directory.to_owned(), names: Difference::default(), changed: Excerpt::default() };
    let [a, b] = of;
    for (role, (name, one)) in a {
        match b.get(role) {
            None => found.names.only_in_a.push(limit, name.clone()),
            Some((_, other)) if same(one, other) => {}
            Some((name_b, _)) if name_b == name => found.changed.push(limit, name.clone()),
            Some((name_b, _)) => found.changed.push(limit, format!("{name} and {name_b}")),
        }
    }
    let only_in_b = b.iter().filter(|(role, _)| !a.contains_key(role));
    only_in_b.for_each(|(_, (name, _))| found.names.only_in_b.push(limit, name.clone()));
    (!found.names.is_empty() || found.changed.count > 0).then_some(found)
}
