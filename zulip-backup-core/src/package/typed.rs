//! Rows as a type of the caller.

use std::io::Read;
use std::marker::PhantomData;

use serde::de::DeserializeOwned;

use crate::package::{Item, RowReader};
use crate::{Error, ErrorKind, Result};

/// The rows of one list of a file: see [`Package::rows`](crate::package::Package::rows). Holds one row at a time.
pub struct Rows<T> {
    reader: RowReader<Box<dyn Read + Send>>,
    list: String,
    state: State,
    row_type: PhantomData<fn() -> T>,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Before,
    Inside,
    After,
}

impl<T: DeserializeOwned> Rows<T> {
    pub(super) fn new(reader: RowReader<Box<dyn Read + Send>>, list: &str) -> Self {
        Self { reader, list: list.to_owned(), state: State::Before, row_type: PhantomData }
    }

    fn advance(&mut self) -> Result<Option<T>> {
        loop {
            match self.reader.next_item()? {
                Some(Item::List(key)) => {
                    self.state = match self.state {
                        State::Before if key == self.list => State::Inside,
                        State::Before => State::Before,
                        // What is behind the list is nothing to its reader.
                        State::Inside | State::After => return Ok(None),
                    };
                }
                Some(Item::Row(row)) if self.state == State::Inside => return row.parse().map(Some),
                Some(Item::Row(_) | Item::Value(..)) => {}
                None if self.state == State::Before => {
                    let message = format!("{} has no list {}", self.reader.name(), self.list);
                    return Err(Error::new(ErrorKind::NotFound, message).with_path(self.reader.name()));
                }
                None => return Ok(None),
            }
        }
    }
}

impl<T: DeserializeOwned> Iterator for Rows<T> {
    type Item = Result<T>;

    /// The next row. Ends behind the first error.
    fn next(&mut self) -> Option<Result<T>> {
        if self.state == State::After {
            return None;
        }
        let next = self.advance().transpose();
        if !matches!(next, Some(Ok(_))) {
            self.state = State::After;
        }
        next
    }
}
