//! Rows of `records.json`.

use crate::Result;
use crate::export::files::FileItem;
use crate::export::json::{self, Row};

/// What the row of an uploaded file says, but for its path, size and time.
#[derive(Debug)]
pub(in crate::export) enum Record {
    Upload {
        attachment: i64,
        owner: i64,
        /// Where its release says it.
        email: Option<String>,
        /// The first message that refers to it.
        message: Option<i64>,
    },
    Avatar {
        user: i64,
        /// Where its release says it.
        email: Option<String>,
        /// Where its release says it.
        version: Option<i64>,
        /// Whether there should be such a file: system bots of another organisation have none here.
        expected: bool,
    },
    Emoji {
        author: Option<i64>,
        file_name: String,
        name: String,
        deactivated: bool,
    },
    Icon,
}

impl FileItem {
    /// Its row of `records.json`.
    pub(super) fn row(&self, realm: i64, bytes: u64, modified: (i64, i64)) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        let mut row = Row::begin(&mut out, 1);
        row.number("realm_id", realm);
        match &self.record {
            Record::Upload { owner, email, .. } => {
                owned(&mut row, *owner, email.as_deref());
                self.stored(&mut row, bytes, modified)?;
            }
            Record::Avatar { user, email, version, .. } => {
                owned(&mut row, *user, email.as_deref());
                if let Some(version) = version {
                    row.number("avatar_version", *version);
                }
                self.stored(&mut row, bytes, modified)?;
            }
            Record::Emoji { author, file_name, name, deactivated } => {
                match author {
                    Some(author) => row.number("author", *author),
                    None => row.key("author").extend_from_slice(b"null"),
                }
                row.string("path", &self.path);
                row.string("s3_path", &self.path);
                row.string("file_name", file_name);
                row.string("name", name);
                row.key("deactivated").extend_from_slice(if *deactivated { b"true" } else { b"false" });
            }
            Record::Icon => {
                row.string("path", &self.path);
                row.string("s3_path", &self.path);
            }
        }
        row.end();
        Ok(out)
    }

    fn stored(&self, row: &mut Row<'_>, bytes: u64, modified: (i64, i64)) -> Result<()> {
        row.string("s3_path", &self.path);
        row.string("path", &self.path);
        row.number("size", i64::try_from(bytes).unwrap_or(i64::MAX));
        json::float(row.key("last_modified"), seconds(modified))?;
        row.key("content_type").extend_from_slice(b"null");
        Ok(())
    }
}

fn owned(row: &mut Row<'_>, user: i64, email: Option<&str>) {
    row.number("user_profile_id", user);
    if let Some(email) = email {
        row.string("user_profile_email", email);
    }
}

/// Seconds since 1970, as Python adds them up.
#[expect(clippy::cast_precision_loss, reason = "Python's own arithmetic")]
fn seconds((seconds, nanoseconds): (i64, i64)) -> f64 {
    seconds as f64 + 1e-9 * nanoseconds as f64
}
