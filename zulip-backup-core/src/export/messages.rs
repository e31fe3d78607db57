//! Messages, a thousand to a file, with what users have of them.

use std::collections::BTreeMap;

use camino::Utf8Path;

use crate::export::json;
use crate::export::scope::Scope;
use crate::export::select::{DEPTH, RealmFacts, Selection};
use crate::export::tables::TableFile;
use crate::postgres::RowReader;
use crate::schema::{RowList, RowRule};
use crate::{Error, ErrorKind, Progress, Result};

/// Messages of a file.
pub(super) const FILE_MESSAGES: usize = 1000;

/// Files that are read by one pair of queries: enough that the queries' own cost is nothing.
pub(super) const FILES_AT_ONCE: usize = 8;

/// The task messages count for.
pub(super) const TASK: &str = "messages";

/// The queries of the message files.
pub(super) struct Messages {
    message: Selection,
    message_key: String,
    user_message: Selection,
    user_message_key: String,
}

/// The name of the file with this number, which counts from 0.
pub(super) fn file_name(number: usize) -> String {
    format!("messages-{:06}", number + 1)
}

impl Messages {
    pub(super) fn new(scope: &Scope<'_>, facts: &RealmFacts) -> Result<Self> {
        let find =
            |rule: &RowRule| -> Result<&RowList> {
                scope.schema.files.messages.iter().find(|section| section.rows == *rule).ok_or_else(|| {
                    Error::new(ErrorKind::Damaged, "the declaration has no messages in its message files")
                })
            };
        let (message, user_message) = (find(&RowRule::Messages)?, find(&RowRule::UserMessages)?);
        Ok(Self {
            message: Selection::whole(scope, message, facts, &format!("t.realm_id = {}", scope.realm))?,
            message_key: message.key.clone(),
            user_message: Selection::new(scope, user_message, facts)?,
            user_message_key: user_message.key.clone(),
        })
    }

    /// Writes the files from number `first` on of the messages `ids`, which are sorted. How many rows they have comes back
    /// by file.
    pub(super) fn write(
        &self,
        reader: &mut RowReader,
        directory: &Utf8Path,
        first: usize,
        ids: &[i64],
        progress: &dyn Progress,
    ) -> Result<Vec<(String, BTreeMap<String, u64>)>> {
        let (Some(&low), Some(&high)) = (ids.first(), ids.last()) else { return Ok(Vec::new()) };
        let mut files = Vec::new();
        for number in 0..ids.len().div_ceil(FILE_MESSAGES) {
            let name = file_name(first + number);
            let mut file = TableFile::create(&directory.join(format!("{name}.json")))?;
            file.begin(&self.message_key);
            files.push((name, file));
        }
        let mut next = 0;
        let statement = self.message.between("id", low, high, "id");
        reader.copy_binary("read the messages", &statement, |row| {
            let id = row.integer(0)?;
            // Both are in order: a message of the range that is not exported is passed over.
            while ids.get(next).is_some_and(|&wanted| wanted < id) {
                next += 1;
            }
            if ids.get(next) != Some(&id) {
                return Ok(());
            }
            files[next / FILE_MESSAGES].1.row(|out| self.message.write(out, row))
        })?;
        for (_, file) in &mut files {
            file.end(&self.message_key);
            file.begin(&self.user_message_key);
        }
        progress.checkpoint()?;
        let mut rows =
            UserMessages { selection: &self.user_message, columns: self.user_message.columns(), rows: Vec::new() };
        let (mut at, mut next) = (0, 0);
        let statement = self.user_message.between("message_id", low, high, "message_id");
        let message_column = self.user_message.position("message_id")?;
        reader.copy_binary("read what users have of the messages", &statement, |row| {
            let message = row.integer(message_column)?;
            while ids.get(next).is_some_and(|&wanted| wanted < message) {
                next += 1;
            }
            if ids.get(next) != Some(&message) {
                return Ok(());
            }
            if next / FILE_MESSAGES != at {
                rows.flush(&mut files[at].1)?;
                at = next / FILE_MESSAGES;
            }
            for column in 0..rows.columns {
                rows.rows.push(row.integer(column)?);
            }
            Ok(())
        })?;
        rows.flush(&mut files[at].1)?;
        files
            .into_iter()
            .map(|(name, mut file)| {
                file.end(&self.user_message_key);
                progress.advance(TASK, FILE_MESSAGES as u64);
                Ok((name, file.finish()?))
            })
            .collect()
    }
}

/// Rows of one file, all numbers, which come by message and are written by id.
struct UserMessages<'a> {
    selection: &'a Selection,
    columns: usize,
    /// The values of row after row.
    rows: Vec<i64>,
}

impl UserMessages<'_> {
    fn flush(&mut self, file: &mut TableFile) -> Result<()> {
        let mut order: Vec<(i64, usize)> =
            self.rows.chunks_exact(self.columns).enumerate().map(|(at, row)| (row[0], at)).collect();
        order.sort_unstable();
        for (_, at) in order {
            let values = &self.rows[at * self.columns..][..self.columns];
            file.row(|out| {
                json::line(out, DEPTH - 1);
                out.push(b'{');
                for (column, value) in values.iter().enumerate() {
                    if column > 0 {
                        out.push(b',');
                    }
                    out.extend_from_slice(self.selection.prefix(column));
                    json::number(out, *value);
                }
                json::line(out, DEPTH - 1);
                out.push(b'}');
                Ok(())
            })?;
        }
        self.rows.clear();
        Ok(())
    }
}
