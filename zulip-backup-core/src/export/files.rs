//! Uploaded files: which ones an export has, and how they get into it.

mod avatars;
mod copy;
mod record;

use crate::export::piece::{Folder, Piece};
use crate::export::scope::Scope;
use crate::export::work::Job;
use crate::pipeline::Plan;
use crate::postgres::{BinaryRow, RowReader};
use crate::uploads::{Store, Uploads};
use crate::{Error, ErrorKind, Finding, Result, Secret};

pub(super) use copy::{FileCopier, Way};
pub(super) use record::Record;

/// The task that uploaded files count for.
pub(super) const TASK: &str = "files";

/// How many files are one thread's work at a time.
const FILES_AT_ONCE: usize = 64;

/// An uploaded file that belongs into the export.
#[derive(Debug)]
pub(super) struct FileItem {
    pub(super) store: Store,
    /// Its key in the store.
    pub(super) key: String,
    /// Its path below the folder.
    pub(super) path: String,
    pub(super) record: Record,
    /// Whether the item before it is the same file: old servers have emoji that share one.
    pub(super) again: bool,
}

impl FileItem {
    /// What it means that the file is not there; `None` where nothing says that it should be.
    pub(super) fn missing(&self) -> Option<Finding> {
        let path = &self.path;
        let finding = match &self.record {
            Record::Upload { owner, message, .. } => {
                let place =
                    message.map_or_else(|| "a message to be sent later".to_owned(), |id| format!("message {id}"));
                let text = format!("is not among the uploads, though {place} refers to it; its owner is user {owner}");
                Finding::warning("missing-upload", path, text)
                    .with_hint("the export has neither its record nor its attachment; the message keeps its link")
            }
            Record::Emoji { name, .. } => {
                let text = format!("is not among the uploads, though the emoji :{name}: refers to it");
                Finding::warning("missing-emoji", path, text)
            }
            Record::Avatar { user, expected: true, .. } if path.ends_with(".original") => Finding::warning(
                "missing-avatar",
                path,
                format!("is not among the uploads, though user {user} has an avatar"),
            ),
            Record::Avatar { .. } | Record::Icon => return None,
        };
        Some(finding)
    }
}

/// Finds the files of an export.
pub(super) struct FileFinder<'a> {
    pub(super) scope: &'a Scope<'a>,
    pub(super) uploads: &'a dyn Uploads,
    /// What the paths of avatars are made with.
    pub(super) avatar_salt: &'a Secret,
}

/// Gathers files into jobs.
struct Jobs<'a, 'b> {
    plan: &'a Plan<'b, Job, Piece>,
    folder: Folder,
    items: Vec<FileItem>,
    /// Path of the last one.
    last: String,
}

impl Jobs<'_, '_> {
    fn add(&mut self, store: Store, key: String, path: String, record: Record) -> Result<()> {
        let again = self.last == path;
        self.last.clone_from(&path);
        self.items.push(FileItem { store, key, path, record, again });
        if self.items.len() < FILES_AT_ONCE { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> Result<()> {
        match std::mem::take(&mut self.items) {
            items if items.is_empty() => Ok(()),
            items => self.plan.job(Job::Files { folder: self.folder, items }),
        }
    }
}

impl FileFinder<'_> {
    /// Plans all folders.
    pub(super) fn plan(&self, reader: &mut RowReader, plan: &Plan<'_, Job, Piece>) -> Result<()> {
        for folder in self.scope.folders() {
            let mut jobs = Jobs { plan, folder, items: Vec::new(), last: String::new() };
            match folder {
                Folder::Uploads => self.uploads(reader, &mut jobs)?,
                Folder::Avatars => self.avatars(reader, &mut jobs)?,
                Folder::Emoji => self.emoji(reader, &mut jobs)?,
                Folder::RealmIcons => self.icons(&mut jobs)?,
            }
            jobs.flush()?;
            plan.ready(Piece::Records(folder))?;
        }
        Ok(())
    }

    fn uploads(&self, reader: &mut RowReader, jobs: &mut Jobs<'_, '_>) -> Result<()> {
        let query = format!(
            "COPY (SELECT t.id, t.owner_id, u.email, t.path_id,
                     ARRAY(SELECT p.message_id FROM zerver_attachment_messages p WHERE p.attachment_id = t.id ORDER BY 1)::text,
                     EXISTS (SELECT FROM zerver_attachment_scheduled_messages p JOIN zerver_scheduledmessage s
                       ON s.id = p.scheduledmessage_id WHERE p.attachment_id = t.id AND {})
                   FROM zerver_attachment t LEFT JOIN zerver_userprofile u ON u.id = t.owner_id
                   WHERE {} ORDER BY t.path_id COLLATE \"C\") TO STDOUT (FORMAT binary)",
            self.scope.scheduled("s"),
            self.scope.attachments("t")
        );
        let named = self.scope.schema.exporter.names_owners;
        reader.copy_binary("read the attachments", &query, |row| {
            let messages = text(row, 4)?;
            let mut ids = messages.trim_matches(['{', '}']).split(',').filter_map(|id| id.parse().ok());
            let message = ids.find(|id| self.scope.found.has(*id));
            if message.is_none() && !row.boolean(5)? && self.scope.subject.is_none() {
                return Ok(());
            }
            let key = text(row, 3)?;
            let record = Record::Upload {
                attachment: row.integer(0)?,
                owner: row.integer(1)?,
                email: named.then(|| row.bytes(2).map_or_else(|| Ok(String::new()), |_| text(row, 2))).transpose()?,
                message,
            };
            jobs.add(Store::Files, key.clone(), key, record)
        })
    }

    fn emoji(&self, reader: &mut RowReader, jobs: &mut Jobs<'_, '_>) -> Result<()> {
        let realm = self.scope.realm;
        let suffixes = if self.scope.schema.exporter.exports_emoji_originals { "(''), ('.original')" } else { "('')" };
        let query = format!(
            "COPY (SELECT t.author_id, t.file_name, t.name, t.deactivated, '{realm}/emoji/images/' || t.file_name || s.suffix
                   FROM zerver_realmemoji t, (VALUES {suffixes}) s (suffix)
                   WHERE {} AND t.file_name IS NOT NULL
                   ORDER BY (t.file_name || s.suffix) COLLATE \"C\", t.id) TO STDOUT (FORMAT binary)",
            self.scope.emoji("t")
        );
        reader.copy_binary("read the emoji", &query, |row| {
            let record = Record::Emoji {
                author: row.bytes(0).map(|_| row.integer(0)).transpose()?,
                file_name: text(row, 1)?,
                name: text(row, 2)?,
                deactivated: row.boolean(3)?,
            };
            let key = text(row, 4)?;
            jobs.add(Store::Avatars, key.clone(), key, record)
        })
    }

    fn icons(&self, jobs: &mut Jobs<'_, '_>) -> Result<()> {
        let realm = self.scope.realm;
        for key in self.uploads.list(Store::Avatars, &format!("{realm}/realm"))? {
            let path = format!("{realm}/{}", key.rsplit('/').next().unwrap_or(&key));
            jobs.add(Store::Avatars, key, path, Record::Icon)?;
        }
        Ok(())
    }
}

fn text(row: BinaryRow<'_>, index: usize) -> Result<String> {
    row.bytes(index)
        .and_then(|bytes| String::from_utf8(bytes.to_vec()).ok())
        .ok_or_else(|| Error::new(ErrorKind::Postgres, "the server sent no text where a text was asked for"))
}
