//! Attachments, avatars, emoji and icons, and `records.json` of each.

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::export::report::Stats;
use crate::export::scope::Scope;
use crate::postgres::RowReader;
use crate::{Error, ErrorKind, Finding, Progress, Result, Secret, fs};

/// Where a server's files are, and where they go.
pub(super) struct Files<'a> {
    pub(super) scope: &'a Scope<'a>,
    /// `LOCAL_UPLOADS_DIR`.
    pub(super) source: &'a Utf8Path,
    pub(super) target: &'a Utf8Path,
    /// What the paths of avatars are made with.
    pub(super) avatar_salt: &'a Secret,
    pub(super) progress: &'a dyn Progress,
}

/// What came of it.
#[derive(Default)]
pub(super) struct FilesReport {
    pub(super) files: u64,
    pub(super) bytes: u64,
    pub(super) findings: Vec<Finding>,
}

#[derive(Serialize)]
struct Upload {
    realm_id: i64,
    user_profile_id: i64,
    user_profile_email: String,
    s3_path: String,
    path: String,
    size: u64,
    last_modified: f64,
    content_type: Option<String>,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the keys of the file")]
struct Avatar {
    realm_id: i64,
    user_profile_id: i64,
    user_profile_email: String,
    avatar_version: i64,
    s3_path: String,
    path: String,
    size: u64,
    last_modified: f64,
    content_type: Option<String>,
}

#[derive(Serialize)]
struct Emoji {
    realm_id: i64,
    author: Option<i64>,
    path: String,
    s3_path: String,
    file_name: String,
    name: String,
    deactivated: bool,
}

#[derive(Serialize)]
struct Icon {
    realm_id: i64,
    path: String,
    s3_path: String,
}

impl Files<'_> {
    /// Copies all four directories.
    pub(super) fn copy(&self, reader: &mut RowReader, stats: &mut Stats) -> Result<FilesReport> {
        let mut report = FilesReport::default();
        stats.uploads = self.uploads(reader, &mut report)?;
        stats.avatars = self.avatars(reader, &mut report)?;
        stats.emoji = self.emoji(reader, &mut report)?;
        stats.realm_icons = self.icons(&mut report)?;
        Ok(report)
    }

    fn uploads(&self, reader: &mut RowReader, report: &mut FilesReport) -> Result<u64> {
        let realm = self.scope.realm;
        let query = format!(
            "COPY (SELECT t.owner_id, u.email, t.path_id,
                     (SELECT min(p.message_id) FROM zerver_attachment_messages p WHERE p.attachment_id = t.id)
                   FROM zerver_attachment t LEFT JOIN zerver_userprofile u ON u.id = t.owner_id
                   WHERE t.realm_id = {realm} AND (EXISTS (SELECT FROM zerver_attachment_messages p
                       WHERE p.attachment_id = t.id AND p.message_id IN ({}))
                     OR EXISTS (SELECT FROM zerver_attachment_scheduled_messages p JOIN zerver_scheduledmessage s
                       ON s.id = p.scheduledmessage_id WHERE p.attachment_id = t.id AND {}))
                   ORDER BY t.path_id COLLATE \"C\") TO STDOUT (FORMAT binary)",
            self.scope.message_ids(),
            self.scope.scheduled("s")
        );
        let mut records = Records::create(&self.target.join("uploads"))?;
        reader.copy_binary("read the attachments", &query, |row| {
            self.progress.checkpoint()?;
            let (owner, path) = (row.integer(0)?, text(row.bytes(2))?);
            let email = row.bytes(1).map_or_else(|| Ok(String::new()), |bytes| text(Some(bytes)))?;
            let Some(copied) = self.one(&Utf8Path::new("files").join(&path), &records.directory, &path, report)? else {
                let message = row
                    .integer(3)
                    .map_or_else(|_| "a message to be sent later".to_owned(), |id| format!("message {id}"));
                report.findings.push(
                    Finding::warning(
                        "missing-upload",
                        path,
                        format!("is not among the uploads, though {message} refers to it; its owner is user {owner}"),
                    )
                    .with_hint("the export has no record of it; the message keeps its link"),
                );
                return Ok(());
            };
            records.add(&Upload {
                realm_id: realm,
                user_profile_id: owner,
                user_profile_email: email,
                s3_path: path.clone(),
                path,
                size: copied.bytes,
                last_modified: seconds(copied.mtime),
                content_type: None,
            })
        })?;
        records.finish()
    }

    fn avatars(&self, reader: &mut RowReader, report: &mut FilesReport) -> Result<u64> {
        let realm = self.scope.realm;
        let query = format!(
            "COPY (SELECT t.id, t.email, t.avatar_version FROM zerver_userprofile t
                   WHERE t.avatar_source <> 'G' AND (t.id IN ({}) OR t.id IN ({})) ORDER BY t.id) TO STDOUT (FORMAT binary)",
            self.scope.users(),
            self.scope.cross_realm_bots()
        );
        let mut records = Records::create(&self.target.join("avatars"))?;
        // The order of the paths is that of a hash, which the database cannot know.
        let mut avatars = Vec::new();
        reader.copy_binary("read the users with avatars", &query, |row| {
            let (id, email, version) = (row.integer(0)?, text(row.bytes(1))?, row.integer(2)?);
            avatars.push((self.avatar_path(id, version), id, email, version));
            Ok(())
        })?;
        avatars.sort_unstable();
        for (base, user, email, version) in avatars {
            for extension in ["original", "png"] {
                self.progress.checkpoint()?;
                let path = format!("{base}.{extension}");
                let from = Utf8Path::new("avatars").join(&path);
                let Some(copied) = self.one(&from, &records.directory, &path, report)? else { continue };
                records.add(&Avatar {
                    realm_id: realm,
                    user_profile_id: user,
                    user_profile_email: email.clone(),
                    avatar_version: version,
                    s3_path: path.clone(),
                    path,
                    size: copied.bytes,
                    last_modified: seconds(copied.mtime),
                    content_type: None,
                })?;
            }
        }
        records.finish()
    }

    fn avatar_path(&self, user: i64, version: i64) -> String {
        let mut hash = Sha256::new();
        hash.update(format!("{user}:{version}:{}", self.avatar_salt.expose()));
        let digits: String = hash.finalize().iter().take(20).map(|byte| format!("{byte:02x}")).collect();
        format!("{}/{digits}", self.scope.realm)
    }

    fn emoji(&self, reader: &mut RowReader, report: &mut FilesReport) -> Result<u64> {
        let realm = self.scope.realm;
        let query = format!(
            "COPY (SELECT t.author_id, t.file_name, t.name, t.deactivated FROM zerver_realmemoji t
                   WHERE t.realm_id = {realm} AND t.file_name IS NOT NULL
                   ORDER BY t.file_name COLLATE \"C\", t.id) TO STDOUT (FORMAT binary)"
        );
        let mut records = Records::create(&self.target.join("emoji"))?;
        let mut pending: Vec<Emoji> = Vec::new();
        reader.copy_binary("read the emoji", &query, |row| {
            let author = row.bytes(0).map(|_| row.integer(0)).transpose()?;
            let (file_name, name, deactivated) = (text(row.bytes(1))?, text(row.bytes(2))?, row.boolean(3)?);
            for suffix in ["", ".original"] {
                let path = format!("{realm}/emoji/images/{file_name}{suffix}");
                let from = Utf8Path::new("avatars").join(&path);
                if self.one(&from, &records.directory, &path, report)?.is_none() {
                    let message = format!("is not among the uploads, though the emoji :{name}: refers to it");
                    report.findings.push(Finding::warning("missing-emoji", path, message));
                    continue;
                }
                pending.push(Emoji {
                    realm_id: realm,
                    author,
                    s3_path: path.clone(),
                    path,
                    file_name: file_name.clone(),
                    name: name.clone(),
                    deactivated,
                });
            }
            Ok(())
        })?;
        pending.sort_by(|a, b| a.path.cmp(&b.path));
        pending.iter().try_for_each(|record| records.add(record))?;
        records.finish()
    }

    fn icons(&self, report: &mut FilesReport) -> Result<u64> {
        let realm = self.scope.realm;
        let mut records = Records::create(&self.target.join("realm_icons"))?;
        let directory = Utf8PathBuf::from(format!("avatars/{realm}/realm"));
        let source = self.source.join(&directory);
        let mut names = if fs::is_dir(&source) { fs::list(&source)? } else { Vec::new() };
        names.sort_unstable();
        for name in names {
            let path = format!("{realm}/{name}");
            if self.one(&directory.join(&name), &records.directory, &path, report)?.is_some() {
                records.add(&Icon { realm_id: realm, path: path.clone(), s3_path: path })?;
            }
        }
        records.finish()
    }

    /// Copies the file `from` of the uploads to `path` in `directory`.
    fn one(
        &self,
        from: &Utf8Path,
        directory: &Utf8Path,
        path: &str,
        report: &mut FilesReport,
    ) -> Result<Option<fs::Copied>> {
        let plain = |path: &Utf8Path| path.components().all(|part| matches!(part, camino::Utf8Component::Normal(_)));
        if !plain(from) || !plain(Utf8Path::new(path)) {
            let message = "is no path below the uploads: a row of the database names it";
            report.findings.push(Finding::error("hostile-path", path, message));
            return Ok(None);
        }
        let copied = fs::copy_file(&self.source.join(from), &directory.join(path))?;
        if let Some(copied) = &copied {
            report.files += 1;
            report.bytes += copied.bytes;
        }
        Ok(copied)
    }
}

/// `records.json` on its way: a list, written as it grows.
struct Records {
    directory: Utf8PathBuf,
    path: Utf8PathBuf,
    out: std::io::BufWriter<std::fs::File>,
    count: u64,
}

impl Records {
    fn create(directory: &Utf8Path) -> Result<Self> {
        fs::create_private_dirs(directory)?;
        let path = directory.join("records.json");
        let out = std::io::BufWriter::new(fs::create_new(&path)?);
        Ok(Self { directory: directory.to_owned(), path, out, count: 0 })
    }

    fn add(&mut self, record: &impl Serialize) -> Result<()> {
        let mut text = Vec::new();
        text.extend_from_slice(if self.count == 0 { b"[\n  " } else { b",\n  " });
        let mut serializer = serde_json::Serializer::pretty(&mut text);
        record.serialize(&mut serializer).map_err(|error| self.failed(error.into()))?;
        // One level deeper than it was written; no string has a line end in it.
        let text = text.split(|byte| *byte == b'\n').enumerate();
        for (at, line) in text {
            if at > 0 {
                self.write(b"\n")?;
            }
            if at > 1 {
                self.write(b"  ")?;
            }
            self.write(line)?;
        }
        self.count += 1;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        std::io::Write::write_all(&mut self.out, bytes).map_err(|error| self.failed(error))
    }

    fn finish(mut self) -> Result<u64> {
        self.write(if self.count == 0 { b"[]" } else { b"\n]" })?;
        std::io::Write::flush(&mut self.out).map_err(|error| self.failed(error))?;
        self.out.get_ref().sync_all().map_err(|error| self.failed(error))?;
        Ok(self.count)
    }

    fn failed(&self, error: std::io::Error) -> Error {
        Error::io("write", &self.path, error)
    }
}

/// Seconds since 1970, as Python adds them up.
#[expect(clippy::cast_precision_loss, reason = "Python's own arithmetic")]
fn seconds((seconds, nanoseconds): (i64, i64)) -> f64 {
    seconds as f64 + 1e-9 * nanoseconds as f64
}

fn text(bytes: Option<&[u8]>) -> Result<String> {
    bytes
        .and_then(|bytes| String::from_utf8(bytes.to_vec()).ok())
        .ok_or_else(|| Error::new(ErrorKind::Postgres, "the server sent no text where a text was asked for"))
}
