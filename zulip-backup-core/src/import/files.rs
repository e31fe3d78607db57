//! Uploaded files, avatars, emoji and icons: where each goes, and its way there.

use std::collections::HashMap;
use std::io::Read;

use crate::import::attachments::Picture;
use crate::import::ids::{Ids, Of};
use crate::import::random;
use crate::package::{Listing, Package};
use crate::uploads::{AvatarName, Staging, Store};
use crate::validate::{Facts, Record, Records};
use crate::{Progress, Result, Secret};

/// The task told to [`Progress`]: bytes of files.
pub(super) const TASK: &str = "files";

/// Where the files of an export go.
#[derive(Debug, Default)]
pub(super) struct FilePlan {
    /// By the names of the export's files.
    targets: HashMap<String, Target>,
    /// `path_id` of attachments by the export's.
    pub(super) paths: HashMap<String, String>,
}

/// Where a file goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) store: Store,
    /// What follows the organisation's id in its name.
    pub(super) key: String,
}

impl FilePlan {
    /// Decides it for all records, and for attachments whose files the export has not.
    pub(super) fn new(
        records: &HashMap<&'static str, Records>,
        facts: &Facts,
        listing: &Listing,
        ids: &Ids,
        realm: i64,
        salt: &Secret,
    ) -> Result<Self> {
        let mut plan = Self::default();
        for (directory, records) in records {
            for record in records.in_order() {
                let target = match *directory {
                    "uploads" => Some(Target { store: Store::Files, key: plan.upload(&record.s3_path, realm)? }),
                    "avatars" => avatar(record, ids, salt).map(|key| Target { store: Store::Avatars, key }),
                    "emoji" => Some(Target { store: Store::Avatars, key: emoji(record) }),
                    _ => Some(Target { store: Store::Avatars, key: format!("realm/{}", base_name(&record.path)) }),
                };
                let member = format!("{directory}/{}", record.path);
                if let Some(target) = target.filter(|_| listing.member(&member).is_some()) {
                    plan.targets.insert(member, target);
                }
            }
        }
        for path in facts.attachments.keys() {
            plan.upload(path, realm)?;
        }
        Ok(plan)
    }

    /// A new place for an attachment: as Zulip makes them, with a part that nobody can guess.
    fn upload(&mut self, old: &str, realm: i64) -> Result<String> {
        if let Some(known) = self.paths.get(old) {
            return Ok(known.split_once('/').map(|(_, key)| key.to_owned()).unwrap_or_default());
        }
        let key = format!("{:x}/{}/{}", random::byte()?, random::url_safe(24)?, sanitized(base_name(old)));
        self.paths.insert(old.to_owned(), format!("{realm}/{key}"));
        Ok(key)
    }

    /// How many files there are.
    pub(super) fn len(&self) -> usize {
        self.targets.len()
    }

    /// Puts all files where they go, from `jobs` threads.
    ///
    /// # Errors
    /// `Damaged` for a tarball that is damaged, `Interrupted`, and what the stores answer.
    pub(super) fn copy(
        &self,
        package: &Package,
        staging: &dyn Staging,
        jobs: usize,
        progress: &dyn Progress,
    ) -> Result<Vec<Picture>> {
        package.for_each(
            jobs,
            &|name| self.targets.contains_key(name),
            &|member, content: &mut (dyn Read + Send)| {
                if let Some(Target { store, key }) = self.targets.get(&member.name) {
                    let bytes = staging.put(*store, key, content)?;
                    progress.advance(TASK, bytes);
                }
                Ok(())
            },
            &|_| progress.checkpoint(),
        )?;
        Ok(Vec::new())
    }
}

/// An avatar's name depends on its owner's new id and on this server's salt.
fn avatar(record: &Record, ids: &Ids, salt: &Secret) -> Option<String> {
    let user = ids.get(Of::User, record.user_profile_id?)?;
    let name = AvatarName::new(user, record.avatar_version.unwrap_or(1), salt);
    let ending = if record.s3_path.ends_with(".original") { "original" } else { "png" };
    Some(format!("{name}.{ending}"))
}

fn emoji(record: &Record) -> String {
    let name = record.file_name.as_deref().unwrap_or_else(|| {
        let name = base_name(&record.path);
        name.strip_suffix(".original").unwrap_or(name)
    });
    let ending = if record.path.ends_with(".original") { ".original" } else { "" };
    format!("emoji/images/{}{ending}", base_name(name))
}

fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// A file's name as Zulip makes it safe: letters, digits, `_`, `.` and `-`; runs of space and hyphens are one hyphen.
/// Zulip also brings characters into their compatibility form, which the names in an export have been through.
fn sanitized(name: &str) -> String {
    let kept: String = name
        .chars()
        .filter(|letter| letter.is_alphanumeric() || letter.is_whitespace() || matches!(letter, '_' | '.' | '-'))
        .collect();
    let mut safe = String::with_capacity(kept.len());
    for letter in kept.trim().chars() {
        if !letter.is_whitespace() && letter != '-' {
            safe.push(letter);
        } else if !safe.ends_with('-') {
            safe.push('-');
        }
    }
    match safe.as_str() {
        "" | "." | ".." => "uploaded-file".to_owned(),
        _ => safe,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe() {
        for (name, safe) in [
            ("with spaces  1.pdf", "with-spaces-1.pdf"),
            ("ünïcode-näme-.txt", "ünïcode-näme-.txt"),
            ("a/../b", "a..b"),
            ("..", "uploaded-file"),
            ("\0\u{7}", "uploaded-file"),
            ("a - b", "a-b"),
            ("? x", "x"),
            ("報告 (1).txt", "報告-1.txt"),
        ] {
            assert_eq!(sanitized(name), safe);
        }
    }
}
