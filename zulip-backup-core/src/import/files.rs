//! Uploaded files, avatars, emoji and icons: where each goes, and its way there.

mod names;
mod pictures;

use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::images::content_type_of;
use crate::import::attachments::Picture;
use crate::import::files::names::{base_name, sanitized};
use crate::package::{Compat, Listing, Member, Package};
use crate::schema::ExportSchema;
use crate::uploads::{AvatarName, Staging, Store};
use crate::validate::{Facts, Record, Records};
use crate::{Error, ErrorKind, Finding, Findings, Progress, Result, Secret, random};

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

/// What is made of pictures.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pictures {
    /// Whether it is written what is known of attached ones.
    pub(super) recorded: bool,
    /// Whether an emoji without original is taken for one.
    emoji: bool,
    /// Whether that is done only where its name says what it is.
    by_name: bool,
    /// Whether an emoji without original is as it is shown already: servers of the release export no others.
    emoji_are_shown: bool,
    /// Whether the names of avatars depend on their versions.
    versions_avatars: bool,
}

impl Pictures {
    /// What this importer makes of them; by default what the newest makes.
    pub(super) fn new(schema: &ExportSchema, compat: Compat) -> Self {
        let (importer, strict) = (schema.importer, compat == Compat::Strict);
        Self {
            recorded: importer.records_images || !strict,
            emoji: importer.makes_emoji || !strict,
            by_name: strict,
            emoji_are_shown: !importer.makes_emoji,
            versions_avatars: schema.exporter.versions_avatars,
        }
    }

    fn makes_emoji(self, file_name: &str) -> bool {
        self.emoji && (!self.by_name || content_type_of(file_name).is_some())
    }
}

/// Where a file goes, and what becomes of it.
#[derive(Clone, Debug)]
struct Target {
    store: Store,
    /// What follows the organisation's id in its name.
    key: String,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    /// Nothing but this file.
    Plain,
    /// An attachment, with its id, `path_id` and content type.
    Attachment { id: i64, path_id: String, content_type: String },
    /// What a user's avatar is made of: the user's new id, the name, and what of it the export has not.
    Avatar { user: i64, name: AvatarName, lacks: Lacks },
    /// What an emoji is made of: its file name, and what is shown.
    Emoji { file_name: String, shown: Shown },
}

/// What an export has not of an avatar, beside the middle size that none has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lacks {
    Nothing,
    Original,
    Small,
}

/// Where an emoji comes from as it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    /// The export has it beside its original.
    Exported,
    /// It is made of its original.
    Made,
    /// It is what the export has, which stands for its original too.
    Original,
}

/// What came of the files.
#[derive(Debug, Default)]
pub(super) struct Copied {
    /// How many were written, with those that were made.
    pub(super) files: u64,
    /// Attachments that are pictures.
    pub(super) pictures: Vec<Picture>,
    /// Users, by their new ids, whose avatars are no pictures.
    pub(super) bad_avatars: Vec<i64>,
    /// File names of emoji that are animated.
    pub(super) animated: Vec<String>,
    pub(super) findings: Findings,
}

impl FilePlan {
    /// Decides it for all records, and for attachments whose files the export has not.
    pub(super) fn new(
        records: &HashMap<&'static str, Records>,
        facts: &Facts,
        listing: &Listing,
        new_user: &dyn Fn(i64) -> Option<i64>,
        realm: i64,
        salt: &Secret,
        pictures: Pictures,
    ) -> Result<Self> {
        let mut plan = Self::default();
        let mut taken: HashMap<(Store, String), String> = HashMap::new();
        for (directory, records) in records {
            let records = records.in_order();
            let names: HashSet<&str> = records.iter().map(|record| record.s3_path.as_str()).collect();
            for record in records {
                let target = match *directory {
                    "uploads" => Some(plan.upload_of(record, facts, realm, pictures)?),
                    "avatars" => avatar(record, new_user, salt, &names, pictures),
                    "emoji" => Some(emoji(record, &names, pictures)),
                    _ => {
                        let key = format!("realm/{}", base_name(&record.path));
                        Some(Target { store: Store::Avatars, key, what: What::Plain })
                    }
                };
                let member = format!("{directory}/{}", record.path);
                if let Some(target) = target.filter(|_| listing.member(&member).is_some()) {
                    if let Some(other) = taken.insert((target.store, target.key.clone()), member.clone()) {
                        let message = format!("{other} and {member} would both be stored as {}", target.key);
                        return Err(Error::new(ErrorKind::Damaged, message));
                    }
                    plan.targets.insert(member, target);
                }
            }
        }
        for path in facts.attachments.keys() {
            plan.upload(path, realm)?;
        }
        Ok(plan)
    }

    fn upload_of(&mut self, record: &Record, facts: &Facts, realm: i64, pictures: Pictures) -> Result<Target> {
        let key = self.upload(&record.s3_path, realm)?;
        let attachment = facts.attachments.get(&record.s3_path).filter(|_| pictures.recorded);
        let what = attachment.map_or(What::Plain, |attachment| What::Attachment {
            id: attachment.id,
            path_id: format!("{realm}/{key}"),
            content_type: attachment.content_type.clone().unwrap_or_default(),
        });
        Ok(Target { store: Store::Files, key, what })
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

    /// Puts all files where they go, and what is made of pictures beside them, from `jobs` threads.
    ///
    /// # Errors
    /// `Damaged` for a tarball that is damaged, `Interrupted`, and what the stores answer.
    pub(super) fn copy(
        &self,
        package: &Package,
        staging: &dyn Staging,
        jobs: usize,
        progress: &dyn Progress,
    ) -> Result<Copied> {
        let copied = Mutex::new(Copied::default());
        let done = AtomicUsize::new(0);
        package.for_each(
            jobs,
            &|name| self.targets.contains_key(name),
            &|member, content: &mut (dyn Read + Send)| {
                let Some(target) = self.targets.get(&member.name) else { return Ok(()) };
                let one = target.copy(member, content, staging)?;
                progress.advance(TASK, member.size);
                done.fetch_add(1, Ordering::Relaxed);
                copied.lock().unwrap_or_else(PoisonError::into_inner).add(one);
                Ok(())
            },
            &|_| progress.checkpoint(),
        )?;
        let done = done.into_inner();
        if done != self.targets.len() {
            let message = format!("{done} files were copied, the export had {}: it has changed", self.targets.len());
            return Err(Error::new(ErrorKind::Damaged, message));
        }
        let mut copied = copied.into_inner().unwrap_or_else(PoisonError::into_inner);
        // Threads come to them in any order.
        copied.pictures.sort_by_key(|picture| picture.attachment);
        copied.bad_avatars.sort_unstable();
        copied.animated.sort_unstable();
        Ok(copied)
    }
}

impl Copied {
    fn add(&mut self, other: Self) {
        self.files += other.files;
        self.pictures.extend(other.pictures);
        self.bad_avatars.extend(other.bad_avatars);
        self.animated.extend(other.animated);
        self.findings.extend(other.findings);
    }

    fn noticed(&mut self, code: &str, member: &Member, message: String) {
        self.findings.push(Finding::warning(code, &member.name, message));
    }
}

/// An avatar's name depends on its owner's new id and on this server's salt. Of an export out of S3 there is the original
/// alone; of one without originals what there is serves as one.
fn avatar(
    record: &Record,
    new_user: &dyn Fn(i64) -> Option<i64>,
    salt: &Secret,
    names: &HashSet<&str>,
    pictures: Pictures,
) -> Option<Target> {
    let user = new_user(record.user_profile_id?)?;
    let version = pictures.versions_avatars.then(|| record.avatar_version.unwrap_or(1));
    let name = AvatarName::new(user, version, salt);
    let base = record.s3_path.strip_suffix(".original").or_else(|| record.s3_path.strip_suffix(".png"));
    let base = base.unwrap_or(&record.s3_path);
    let original = record.s3_path.ends_with(".original");
    let (ending, what) = if original {
        let small = names.contains(format!("{base}.png").as_str());
        ("original", What::Avatar { user, name, lacks: if small { Lacks::Nothing } else { Lacks::Small } })
    } else if names.contains(format!("{base}.original").as_str()) {
        ("png", What::Plain)
    } else {
        ("png", What::Avatar { user, name, lacks: Lacks::Original })
    };
    Some(Target { store: Store::Avatars, key: format!("{name}.{ending}"), what })
}

/// An emoji's original, or the file as it is shown.
fn emoji(record: &Record, names: &HashSet<&str>, pictures: Pictures) -> Target {
    let of_path = base_name(&record.s3_path);
    let shown_name = of_path.strip_suffix(".original").unwrap_or(of_path);
    let file_name = base_name(record.file_name.as_deref().unwrap_or(shown_name)).to_owned();
    let base = record.s3_path.strip_suffix(".original");
    let (key, what) = match base {
        Some(base) => {
            let shown = if names.contains(base) { Shown::Exported } else { Shown::Made };
            (format!("emoji/images/{file_name}.original"), What::Emoji { file_name, shown })
        }
        None if names.contains(format!("{}.original", record.s3_path).as_str()) => {
            (format!("emoji/images/{file_name}"), What::Plain)
        }
        None if !pictures.makes_emoji(&file_name) => (format!("emoji/images/{file_name}"), What::Plain),
        // Alone, it is the original of itself.
        None => {
            let shown = if pictures.emoji_are_shown { Shown::Original } else { Shown::Made };
            (format!("emoji/images/{file_name}.original"), What::Emoji { file_name, shown })
        }
    };
    Target { store: Store::Avatars, key, what }
}
