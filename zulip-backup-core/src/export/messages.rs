//! Messages, a thousand to a file, with what users have of them.

use crate::export::json::{self, Row};
use crate::export::lists::{self, Place};
use crate::export::piece::{Cutter, Emit, Piece};
use crate::export::scope::Scope;
use crate::export::select::{DEPTH, RealmFacts, Selection};
use crate::export::subject;
use crate::postgres::{BinaryRow, RowReader};
use crate::schema::{RowList, RowRule};
use crate::{Error, ErrorKind, Progress, Result};

/// Messages of a file.
pub(super) const FILE_MESSAGES: usize = 1000;

/// The task messages count for.
pub(super) const TASK: &str = "messages";

/// How many numbers of rows are held until they can be put in order: 4 MiB, for 130 users of each message of a file.
/// Where a file has more, the server puts them in order.
const HELD_NUMBERS: usize = 1 << 19;

/// The queries of the message files.
pub(super) struct Messages<'a> {
    message: Selection<'a>,
    message_key: String,
    /// What users have of them; a single user's export has it in the messages.
    users: Option<UserMessages<'a>>,
}

/// The query of what users have of messages.
struct UserMessages<'a> {
    selection: Selection<'a>,
    key: String,
    /// Which value of a row has the message's id.
    message_column: usize,
}

/// The files that one pair of queries is for.
pub(super) struct Stretch<'a> {
    /// Number of the first file, from 0.
    pub(super) first: usize,
    /// Ids of its messages, sorted.
    pub(super) ids: &'a [i64],
}

/// A file on its way. All files of a stretch are: their messages come first, and what users have of them afterwards.
struct MessageFile {
    text: Vec<u8>,
    /// What is ready and waits for its turn.
    waiting: Vec<Piece>,
    messages: u64,
    user_messages: u64,
}

/// The name of the file with this number, which counts from 0.
pub(super) fn file_name(number: usize) -> String {
    format!("messages-{:06}", number + 1)
}

impl<'a> Messages<'a> {
    pub(super) fn new(scope: &Scope<'a>, facts: &RealmFacts) -> Result<Self> {
        let find = |lists: &'static [RowList], rule: &RowRule| -> Result<&'static RowList> {
            lists
                .iter()
                .find(|list| list.rows == *rule)
                .ok_or_else(|| Error::new(ErrorKind::Damaged, "the declaration has no messages in its message files"))
        };
        let files = &scope.schema.files;
        if let Some(user) = scope.subject {
            let list = find(&files.user_messages, &RowRule::SubjectMessages)?;
            let mut message = Selection::new(scope, list, facts)?;
            subject::with_flags(&mut message, user);
            return Ok(Self { message, message_key: list.key.clone(), users: None });
        }
        let list = find(&files.messages, &RowRule::Messages)?;
        // Which of them, their ids tell.
        let message = Selection::whole(scope, list, facts, &format!("t.realm_id = {}", scope.realm))?;
        let users = find(&files.messages, &RowRule::UserMessages)?;
        let selection = Selection::new(scope, users, facts)?;
        let message_column = selection.position("message_id")?;
        let users = UserMessages { selection, key: users.key.clone(), message_column };
        Ok(Self { message, message_key: list.key.clone(), users: Some(users) })
    }

    /// Writes the files of a stretch.
    pub(super) fn write(
        &self,
        reader: &mut RowReader,
        cutter: &mut Cutter,
        stretch: &Stretch<'_>,
        progress: &dyn Progress,
        emit: Emit<'_>,
    ) -> Result<()> {
        let Stretch { first, ids } = *stretch;
        let mut files = self.messages(reader, cutter, ids)?;
        progress.checkpoint()?;
        let crowded = match &self.users {
            Some(users) => users.read(reader, cutter, ids, &mut files)?,
            None => Vec::new(),
        };
        for (at, mut file) in files.into_iter().enumerate() {
            let name = file_name(first + at);
            emit(Piece::begin(&name))?;
            std::mem::take(&mut file.waiting).into_iter().try_for_each(&mut *emit)?;
            let ids = &ids[at * FILE_MESSAGES..ids.len().min((at + 1) * FILE_MESSAGES)];
            if let Some(users) = &self.users {
                if crowded.contains(&at) {
                    users.in_servers_order(reader, cutter, ids, &mut file, &mut *emit)?;
                }
                lists::end(&mut file.text, file.user_messages, Place::behind_others(true));
                emit(Piece::Rows { file: name.clone(), list: users.key.clone(), rows: file.user_messages })?;
            }
            cutter.rest(&mut file.text, &mut *emit)?;
            emit(Piece::Rows { file: name, list: self.message_key.clone(), rows: file.messages })?;
            emit(Piece::End)?;
            progress.advance(TASK, ids.len() as u64);
        }
        Ok(())
    }

    /// The messages of all files, and the beginning of what follows them.
    fn messages(&self, reader: &mut RowReader, cutter: &mut Cutter, ids: &[i64]) -> Result<Vec<MessageFile>> {
        let mut files: Vec<MessageFile> = Vec::new();
        for _ in 0..ids.len().div_ceil(FILE_MESSAGES) {
            let mut text = Vec::new();
            lists::begin(&mut text, &self.message_key, true);
            files.push(MessageFile { text, waiting: Vec::new(), messages: 0, user_messages: 0 });
        }
        let (Some(&low), Some(&high)) = (ids.first(), ids.last()) else { return Ok(files) };
        let mut place = Places { ids, next: 0 };
        let statement = self.message.between("id", low, high, "id");
        reader.copy_binary("read the messages", &statement, |row| {
            let Some(at) = place.of(row.integer(0)?) else { return Ok(()) };
            let file = &mut files[at / FILE_MESSAGES];
            if file.messages > 0 {
                file.text.push(b',');
            }
            file.messages += 1;
            self.message.write(&mut file.text, row)?;
            file.cut(cutter)
        })?;
        for file in &mut files {
            lists::end(&mut file.text, file.messages, Place::behind_others(self.users.is_none()));
            if let Some(users) = &self.users {
                lists::begin(&mut file.text, &users.key, false);
            }
        }
        Ok(files)
    }
}

impl UserMessages<'_> {
    /// What users have of the messages of all files. Which files have too many rows to be put in order here comes back.
    fn read(
        &self,
        reader: &mut RowReader,
        cutter: &mut Cutter,
        ids: &[i64],
        files: &mut [MessageFile],
    ) -> Result<Vec<usize>> {
        let (Some(&low), Some(&high)) = (ids.first(), ids.last()) else { return Ok(Vec::new()) };
        let columns = self.selection.columns();
        let mut held = Vec::new();
        let (mut crowded, mut current) = (Vec::new(), 0);
        let mut place = Places { ids, next: 0 };
        let statement = self.selection.between("message_id", low, high, "message_id");
        reader.copy_binary("read what users have of the messages", &statement, |row| {
            let Some(at) = place.of(row.integer(self.message_column)?) else { return Ok(()) };
            let at = at / FILE_MESSAGES;
            if at != current {
                self.in_order(&mut held, &mut files[current], cutter)?;
                current = at;
            }
            if crowded.last() == Some(&at) {
                return Ok(());
            }
            if held.len() + columns > HELD_NUMBERS {
                held.clear();
                crowded.push(at);
                return Ok(());
            }
            (0..columns).try_for_each(|column| row.integer(column).map(|number| held.push(number)))
        })?;
        if let Some(file) = files.get_mut(current) {
            self.in_order(&mut held, file, cutter)?;
        }
        Ok(crowded)
    }

    /// Rows of one file, all numbers, which came by message and are written by id.
    fn in_order(&self, held: &mut Vec<i64>, file: &mut MessageFile, cutter: &mut Cutter) -> Result<()> {
        let columns = self.selection.columns();
        let mut order: Vec<(i64, usize)> =
            held.chunks_exact(columns).enumerate().map(|(at, row)| (row[0], at)).collect();
        order.sort_unstable();
        for (_, at) in order {
            self.write(file, &held[at * columns..][..columns]);
            file.cut(cutter)?;
        }
        held.clear();
        Ok(())
    }

    fn write(&self, file: &mut MessageFile, values: &[i64]) {
        if file.user_messages > 0 {
            file.text.push(b',');
        }
        file.user_messages += 1;
        let mut row = Row::begin(&mut file.text, DEPTH - 1);
        for (column, value) in values.iter().enumerate() {
            json::number(row.prefixed(self.selection.prefix(column)), *value);
        }
        row.end();
    }

    /// The same rows of a file with very many of them: the server sorts, on its disk if need be.
    fn in_servers_order(
        &self,
        reader: &mut RowReader,
        cutter: &mut Cutter,
        ids: &[i64],
        file: &mut MessageFile,
        emit: Emit<'_>,
    ) -> Result<()> {
        let (Some(&low), Some(&high)) = (ids.first(), ids.last()) else { return Ok(()) };
        let statement = self.selection.between("message_id", low, high, "id");
        let mut values = Vec::new();
        let mut each = |row: BinaryRow<'_>| {
            if ids.binary_search(&row.integer(self.message_column)?).is_err() {
                return Ok(());
            }
            values.clear();
            for column in 0..self.selection.columns() {
                values.push(row.integer(column)?);
            }
            self.write(file, &values);
            cutter.cut(&mut file.text, &mut *emit)
        };
        reader.copy_binary("read what users have of the messages", &statement, &mut each)
    }
}

impl MessageFile {
    fn cut(&mut self, cutter: &mut Cutter) -> Result<()> {
        let waiting = &mut self.waiting;
        cutter.cut(&mut self.text, &mut |piece| {
            waiting.push(piece);
            Ok(())
        })
    }
}

/// Finds rows that come in order among the ids of a stretch. What is not exported is passed over.
struct Places<'a> {
    ids: &'a [i64],
    next: usize,
}

impl Places<'_> {
    fn of(&mut self, id: i64) -> Option<usize> {
        while self.ids.get(self.next).is_some_and(|&wanted| wanted < id) {
            self.next += 1;
        }
        (self.ids.get(self.next) == Some(&id)).then_some(self.next)
    }
}
