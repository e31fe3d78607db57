//! Uploaded files, and the records of them.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;

use serde::Deserialize;

use crate::package::{Item, Listing, RowReader};
use crate::rows::Strict;
use crate::validate::facts::Facts;
use crate::{ErrorKind, Finding, Findings, Result};

/// The directories with files.
pub(super) const DIRECTORIES: [&str; 4] = ["uploads", "avatars", "emoji", "realm_icons"];

/// The records of one directory.
#[derive(Debug, Default)]
pub(crate) struct Records {
    pub(crate) count: u64,
    /// By path.
    pub(crate) by_path: HashMap<String, Record>,
}

/// A record, as far as local storage and S3 write the same keys.
#[derive(Debug, Deserialize)]
pub(crate) struct Record {
    pub(crate) path: String,
    pub(crate) s3_path: String,
    #[serde(default)]
    realm_id: Option<i64>,
    #[serde(default)]
    pub(crate) user_profile_id: Option<i64>,
    #[serde(default)]
    user_profile_email: Option<String>,
    #[serde(default)]
    #[serde(deserialize_with = "number")]
    pub(crate) size: Option<u64>,
    #[serde(default)]
    pub(crate) avatar_version: Option<i64>,
    /// Of an emoji.
    #[serde(default)]
    pub(crate) file_name: Option<String>,
}

impl Records {
    /// Reads `records.json` of a directory; of an export that a converter made, if `converted`.
    ///
    /// # Errors
    /// What the source answers. What is wrong with the file is a finding.
    pub(super) fn read(
        name: &str,
        content: &mut (dyn Read + Send),
        converted: bool,
        findings: &mut Findings,
    ) -> Result<Self> {
        let mut records = Self::default();
        match records.all(name, content, converted, findings) {
            Err(error) if error.kind() == ErrorKind::Damaged => {
                let text = error.to_string();
                let what = text.strip_prefix(name).unwrap_or(&text).trim_start_matches(", ");
                findings.push(Finding::error("json-invalid", name, format!("is not the JSON it has to be: {what}")));
            }
            Err(error) => return Err(error),
            Ok(()) => {}
        }
        Ok(records)
    }

    fn all(
        &mut self,
        name: &str,
        content: &mut (dyn Read + Send),
        converted: bool,
        findings: &mut Findings,
    ) -> Result<()> {
        use serde::de::DeserializeSeed;
        let mut reader = RowReader::new(name, content);
        let mut last = String::new();
        while let Some(item) = reader.next_item()? {
            let Item::Row(row) = item else { continue };
            let mut record: Record = row.parse()?;
            let mut duplicates = Vec::new();
            let strict = Strict(&mut duplicates).deserialize(&mut serde_json::Deserializer::from_slice(row.bytes));
            strict.map_err(|error| row.fault(&error))?;
            let object = format!("{name} {}", record.path);
            for key in duplicates {
                findings.push(Finding::error("key-duplicate", &object, format!("has the key {key} twice")));
            }
            if converted {
                record.relative(name);
            }
            if record.s3_path != record.path {
                let message = format!("path and s3_path differ: the other is {}", record.s3_path);
                findings.push(Finding::warning("record-differs", &object, message));
            }
            if record.path < last && !converted {
                findings.push(Finding::note("records-unsorted", &object, "comes behind a record with a later path"));
            }
            last.clone_from(&record.path);
            self.count += 1;
            // Converters give an emoji's aliases the file of the emoji.
            if self.by_path.insert(record.path.clone(), record).is_some() && !converted {
                findings.push(Finding::error("path-duplicate", object, "has more than one record"));
            }
        }
        Ok(())
    }
}

impl Record {
    /// Some converters write where the files lay then: what matters is where below the records' own directory.
    fn relative(&mut self, records: &str) {
        let Some((directory, _)) = records.split_once('/') else { return };
        for path in [&mut self.path, &mut self.s3_path] {
            if !path.starts_with('/') {
                continue;
            }
            // An emoji's own path has the word again further on, and so may have what is before: the organisation's id
            // comes next.
            let mark = format!("/{directory}/");
            let mut below = path.rmatch_indices(&mark).map(|(at, _)| &path[at + mark.len()..]);
            let of_realm = |below: &&str| {
                let realm = below.split_once('/').map_or("", |(realm, _)| realm);
                !realm.is_empty() && realm.bytes().all(|byte| byte.is_ascii_digit())
            };
            if let Some(below) = below.find(of_realm).map(str::to_owned) {
                *path = below;
            }
        }
    }
}

/// A number; what else stands there is none.
fn number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Ok(serde_json::Value::deserialize(deserializer)?.as_u64())
}

impl Records {
    /// The users that records name, one path for each.
    pub(super) fn owners(&self) -> impl Iterator<Item = (&str, i64)> {
        let mut first: BTreeMap<i64, &str> = BTreeMap::new();
        for record in self.by_path.values() {
            if let Some(user) = record.user_profile_id {
                let path = first.entry(user).or_insert(&record.path);
                *path = (*path).min(&record.path);
            }
        }
        first.into_iter().map(|(user, path)| (path, user))
    }

    pub(crate) fn in_order(&self) -> Vec<&Record> {
        let mut records: Vec<&Record> = self.by_path.values().collect();
        records.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        records
    }
}

/// Compares records and files.
pub(super) fn files(records: &HashMap<&'static str, Records>, listing: &Listing, converted: bool) -> Findings {
    let mut findings = Findings::default();
    for directory in DIRECTORIES {
        let Some(of) = records.get(directory) else { continue };
        for record in of.in_order() {
            let object = format!("{directory}/records.json {}", record.path);
            match listing.member(&format!("{directory}/{}", record.path)) {
                None => findings.push(Finding::error("record-without-file", object, "has no file in the export")),
                Some(file) => {
                    if let Some(size) = record.size.filter(|size| *size != file.size) {
                        let message = format!("the record says {size} bytes, the file has {}", file.size);
                        findings.push(size_differs(object, message, converted));
                    }
                }
            }
        }
        let own = format!("{directory}/records.json");
        for member in listing.below(directory).filter(|member| member.name != own) {
            let path = member.name.strip_prefix(directory).unwrap_or_default().trim_start_matches('/');
            if !of.by_path.contains_key(path) {
                let message = "has no record: nothing says whose it is, and no import reads it";
                findings.push(Finding::error("file-without-record", &member.name, message));
            }
        }
    }
    findings
}

/// A converter writes down what the other service told of a file, and keeps what that answered when it was asked for it:
/// for one that is gone, a page that says so.
fn size_differs(object: String, message: String, converted: bool) -> Finding {
    let code = "file-size-differs";
    if !converted {
        return Finding::error(code, object, message);
    }
    let hint = "the other service has lost it or did not let the converter have it: the file is imported as it is";
    Finding::warning(code, object, message).with_hint(hint)
}

/// Compares records, rows and files.
pub(super) fn check(records: &HashMap<&'static str, Records>, facts: &Facts, listing: &Listing) -> Findings {
    let mut findings = files(records, listing, facts.converted);
    for directory in DIRECTORIES {
        for record in records.get(directory).map(Records::in_order).unwrap_or_default() {
            one(directory, record, facts, listing, &mut findings);
        }
    }
    if let Some(uploads) = records.get("uploads") {
        let mut missing: Vec<_> =
            facts.attachments.iter().filter(|(path, _)| !uploads.by_path.contains_key(*path)).collect();
        missing.sort_unstable_by_key(|(_, attachment)| attachment.id);
        for (path, attachment) in missing {
            let object = format!("attachment.json zerver_attachment {}", attachment.id);
            let message = format!("its file uploads/{path} is not in the export");
            findings.push(
                Finding::warning("attachment-without-file", object, message)
                    .with_hint("the server had lost it already; messages keep their links"),
            );
        }
    }
    findings
}

fn one(directory: &str, record: &Record, facts: &Facts, listing: &Listing, findings: &mut Findings) {
    let object = format!("{directory}/records.json {}", record.path);
    let attachment = facts.attachments.get(&record.path).filter(|_| directory == "uploads");
    if let (Some(attachment), Some(file)) = (attachment, listing.member(&format!("{directory}/{}", record.path)))
        && u64::try_from(attachment.size) != Ok(file.size)
    {
        let message =
            format!("attachment {} says {} bytes, the file has {}", attachment.id, attachment.size, file.size);
        findings.push(size_differs(object.clone(), message, facts.converted));
    }
    let mut error = |code: &str, message: String| findings.push(Finding::error(code, &object, message));
    if let (Some(of), Some((realm, _))) = (record.realm_id, &facts.realm)
        && of != *realm
    {
        error("record-differs", format!("is of realm {of}, expected {realm}"));
    }
    if let Some(id) = record.user_profile_id {
        match facts.users.get(&id) {
            None => error(
                "dangling-reference",
                format!("user_profile_id refers to zerver_userprofile {id}, which is not in the export"),
            ),
            // Another address than the user's row shows is one that may be hidden.
            Some(user) if record.user_profile_email.as_ref().is_some_and(|email| *email != user.email) => {
                error("record-differs", format!("shows another address than the row of user {id}"));
            }
            Some(_) => {}
        }
    }
    if let Some(name) = record.file_name.as_ref().filter(|name| !facts.emoji_files.contains_key(*name))
        && directory == "emoji"
        && !facts.converted
    {
        error("record-differs", format!("is of the emoji's file {name:?}, which no row has"));
    }
    let known = match directory {
        "uploads" => facts.attachments.contains_key(&record.path),
        // Converters keep the file under the emoji's name, and say in the record how it is to be called.
        "emoji" if facts.converted && record.file_name.is_some() => {
            record.file_name.as_ref().is_some_and(|name| facts.emoji_files.contains_key(name))
        }
        "emoji" => record.path.rsplit('/').next().is_some_and(|name| {
            let name = name.strip_suffix(".original").unwrap_or(name);
            facts.emoji_files.contains_key(name)
        }),
        "avatars" => record.user_profile_id.is_some(),
        _ => true,
    };
    if !known {
        error("file-unjustified", "belongs to no row of the export".to_owned());
    }
}
