//! Rows out of a JSON file of any size, one at a time.

use std::io::Read;

use serde::Deserialize;

use crate::package::scan::{Scan, Step};
use crate::{Error, ErrorKind, Result};

/// The longest row that is accepted unless said otherwise. Zulip's own limits allow a message of some 10 kB, and an
/// administrator can raise that a thousandfold.
const ROW_LIMIT: usize = 64 << 20;
/// How much is read at once.
const READ_BYTES: usize = 256 << 10;

/// Reads `{"list": [row, …], …}`, or a bare list of rows, from any source. Memory: the longest row.
///
/// A row's bytes are delimited, not checked: parsing them shows whether they are JSON. Everything between the rows is
/// checked here.
///
/// ```
/// use zulip_backup_core::package::{Item, RowReader};
///
/// let mut reader = RowReader::new("realm.json", &br#"{"zerver_client": [{"id": 1}, {"id": 2}]}"#[..]);
/// let mut rows = 0;
/// while let Some(item) = reader.next_item()? {
///     if let Item::Row(row) = item {
///         let client: serde_json::Value = row.parse()?;
///         rows += client["id"].as_i64().unwrap_or(0);
///     }
/// }
/// assert_eq!(rows, 3);
/// # Ok::<(), zulip_backup_core::Error>(())
/// ```
pub struct RowReader<R> {
    name: String,
    source: R,
    buffer: Vec<u8>,
    /// What of the buffer is yet to come.
    start: usize,
    end: usize,
    /// The place of the buffer's first byte.
    origin: Place,
    state: State,
    key: String,
    limit: usize,
}

/// A place in a file, as editors count it: from 1, columns in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Line.
    pub line: u64,
    /// Byte of the line.
    pub column: u64,
}

/// What a file holds, in order.
#[derive(Debug)]
pub enum Item<'a> {
    /// A list begins: its key, which is empty where the whole file is one list. Its rows follow.
    List(&'a str),
    /// A row of it.
    Row(Row<'a>),
    /// A key whose value is no list, with the value.
    Value(&'a str, Row<'a>),
}

/// The bytes of one row.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// The JSON of the row, without what stands before and behind it.
    pub bytes: &'a [u8],
    name: &'a str,
    before: &'a [u8],
    origin: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Start,
    /// In the object, before its first key or behind a value.
    Object {
        first: bool,
    },
    List {
        first: bool,
        bare: bool,
    },
    End,
}

impl Place {
    const START: Self = Self { line: 1, column: 1 };

    /// The place behind `bytes` that begin here.
    fn after(self, bytes: &[u8]) -> Self {
        let lines = memchr::memchr_iter(b'\n', bytes).count() as u64;
        match memchr::memrchr(b'\n', bytes) {
            Some(last) => Self { line: self.line + lines, column: (bytes.len() - last) as u64 },
            None => Self { line: self.line, column: self.column + bytes.len() as u64 },
        }
    }
}

impl<'a> Row<'a> {
    /// Where it begins.
    pub fn place(&self) -> Place {
        self.origin.after(self.before)
    }

    /// The row's bytes as text, which JSON has to be.
    ///
    /// # Errors
    /// `Damaged` with file, line and column where they are not UTF-8.
    pub fn text(&self) -> Result<&'a str> {
        std::str::from_utf8(self.bytes).map_err(|error| {
            let place = self.place().after(&self.bytes[..error.valid_up_to()]);
            fault(self.name, place, "what stands here is not UTF-8")
        })
    }

    /// The row as a type of the caller.
    ///
    /// # Errors
    /// `Damaged` with file, line and column where it is not of that type.
    pub fn parse<T: Deserialize<'a>>(&self) -> Result<T> {
        serde_json::from_slice(self.bytes).map_err(|error| self.fault(&error))
    }

    /// An error of parsing the row, with its place in the file.
    pub fn fault(&self, error: &serde_json::Error) -> Error {
        let Place { line, column } = self.place();
        let (lines, columns) = (error.line() as u64, error.column() as u64);
        // Its text ends with a place of its own, which is one in the row.
        let text = error.to_string();
        let text = text.split(" at line ").next().unwrap_or(&text);
        let place = match lines {
            0 | 1 => Place { line, column: column + columns.saturating_sub(1) },
            _ => Place { line: line + lines - 1, column: columns },
        };
        fault(self.name, place, text)
    }
}

fn fault(name: &str, Place { line, column }: Place, what: &str) -> Error {
    Error::new(ErrorKind::Damaged, format!("{name}, line {line}, column {column}: {what}")).with_path(name)
}

impl<R: Read> RowReader<R> {
    /// Of a file with this name, for errors to tell.
    pub fn new(name: impl Into<String>, source: R) -> Self {
        Self {
            name: name.into(),
            source,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            origin: Place::START,
            state: State::Start,
            key: String::new(),
            limit: ROW_LIMIT,
        }
    }

    /// Refuses rows longer than so many bytes; else 64 MiB.
    pub fn row_limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// The file's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The next list, row or value; `None` at the file's end.
    ///
    /// # Errors
    /// `Damaged` with file, line and column where the file is cut off or is not such a file, and what its source answers.
    /// After an error nothing more can be read.
    pub fn next_item(&mut self) -> Result<Option<Item<'_>>> {
        let length = match self.state {
            State::Start => {
                let bare = match self.next_byte()? {
                    Some(b'{') => false,
                    Some(b'[') => true,
                    found => return Err(self.unexpected("{ or [", found)),
                };
                self.start += 1;
                if !bare {
                    self.state = State::Object { first: true };
                    return self.next_item();
                }
                self.state = State::List { first: true, bare };
                return Ok(Some(Item::List(&self.key)));
            }
            State::Object { first } => match self.next_byte()? {
                Some(b'}') => {
                    self.start += 1;
                    return self.finish();
                }
                Some(b',') if !first => {
                    self.start += 1;
                    return self.member();
                }
                Some(b'"') if first => return self.member(),
                found if first => return Err(self.unexpected("a key or }", found)),
                found => return Err(self.unexpected(", or }", found)),
            },
            State::List { first, bare } => {
                match self.next_byte()? {
                    Some(b']') => {
                        self.start += 1;
                        if bare {
                            return self.finish();
                        }
                        self.state = State::Object { first: false };
                        return self.next_item();
                    }
                    Some(b',') if !first => self.start += 1,
                    Some(_) if first => {}
                    found if first => return Err(self.unexpected("a row or ]", found)),
                    found => return Err(self.unexpected(", or ]", found)),
                }
                self.state = State::List { first: false, bare };
                self.value()?
            }
            State::End => return Ok(None),
        };
        let begin = self.start;
        self.start += length;
        Ok(Some(Item::Row(self.row(begin, length))))
    }

    /// A key and what follows it.
    fn member(&mut self) -> Result<Option<Item<'_>>> {
        match self.next_byte()? {
            Some(b'"') => {}
            found => return Err(self.unexpected("a key", found)),
        }
        let length = self.value()?;
        let key = self.row(self.start, length).parse::<String>()?;
        self.key = key;
        self.start += length;
        match self.next_byte()? {
            Some(b':') => self.start += 1,
            found => return Err(self.unexpected(":", found)),
        }
        if self.next_byte()? == Some(b'[') {
            self.start += 1;
            self.state = State::List { first: true, bare: false };
            return Ok(Some(Item::List(&self.key)));
        }
        self.state = State::Object { first: false };
        let length = self.value()?;
        let begin = self.start;
        self.start += length;
        Ok(Some(Item::Value(&self.key, self.row(begin, length))))
    }

    /// Nothing but white space may follow.
    fn finish(&mut self) -> Result<Option<Item<'_>>> {
        self.state = State::End;
        match self.next_byte()? {
            None => Ok(None),
            found => Err(self.unexpected("the file's end", found)),
        }
    }

    fn row(&self, begin: usize, length: usize) -> Row<'_> {
        Row {
            bytes: &self.buffer[begin..begin + length],
            name: &self.name,
            before: &self.buffer[..begin],
            origin: self.origin,
        }
    }

    /// The length of the value that comes next. Its bytes are in the buffer then.
    fn value(&mut self) -> Result<usize> {
        let nested = match self.next_byte()? {
            Some(b'"' | b'{' | b'[') => true,
            Some(b't' | b'f' | b'n' | b'-' | b'0'..=b'9') => false,
            found => return Err(self.unexpected("a value", found)),
        };
        let (mut scan, mut at) = (Scan::default(), 0);
        loop {
            let bytes = &self.buffer[self.start..self.end];
            let step = if nested { scan.nested(bytes, at) } else { Scan::plain(bytes, at) };
            match step {
                Step::Ends(length) if length <= self.limit => return Ok(length),
                Step::GoesOn(next) if next <= self.limit => at = next,
                Step::Ends(_) | Step::GoesOn(_) => {
                    let what = format!("the row is longer than {} bytes", self.limit);
                    return Err(fault(&self.name, self.place(), &what));
                }
            }
            if !self.fill()? {
                return Err(self.unexpected("the rest of a row", None));
            }
        }
    }

    /// The next byte that is no white space, left in its place.
    fn next_byte(&mut self) -> Result<Option<u8>> {
        loop {
            let space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
            match self.buffer[self.start..self.end].iter().position(|byte| !space(byte)) {
                Some(found) => {
                    self.start += found;
                    return Ok(Some(self.buffer[self.start]));
                }
                None => self.start = self.end,
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    /// Reads more, behind what is yet to come; `false` at the end of the source.
    fn fill(&mut self) -> Result<bool> {
        if self.start > 0 {
            self.origin = self.origin.after(&self.buffer[..self.start]);
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.buffer.len() - self.end < READ_BYTES {
            let grown = (self.buffer.len() * 2).max(2 * READ_BYTES);
            self.buffer.resize(grown, 0);
        }
        loop {
            match self.source.read(&mut self.buffer[self.end..]) {
                Ok(read) => {
                    self.end += read;
                    return Ok(read > 0);
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::io("read", &self.name, error)),
            }
        }
    }

    fn place(&self) -> Place {
        self.origin.after(&self.buffer[..self.start])
    }

    fn unexpected(&self, expected: &str, found: Option<u8>) -> Error {
        let what = match found {
            Some(byte) => format!("expected {expected}, found {:?}", char::from(byte)),
            None => format!("expected {expected}, found the file's end"),
        };
        let place = if found.is_some() { self.place() } else { self.origin.after(&self.buffer[..self.end]) };
        fault(&self.name, place, &what)
    }
}

#[cfg(test)]
mod tests;
