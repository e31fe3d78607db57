//! A file of lists of rows.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};

use camino::{Utf8Path, Utf8PathBuf};

use crate::export::json;
use crate::export::select::Selection;
use crate::postgres::RowReader;
use crate::{Error, Progress, Result, fs};

/// A file on its way: one object whose values are lists of objects.
pub(super) struct TableFile {
    path: Utf8PathBuf,
    out: BufWriter<File>,
    /// What is not in `out` yet.
    pub(super) buffer: Vec<u8>,
    rows: u64,
    counts: BTreeMap<String, u64>,
}

/// How much is gathered before it is written.
const BUFFER_BYTES: usize = 128 << 10;

impl TableFile {
    pub(super) fn create(path: &Utf8Path) -> Result<Self> {
        let out = BufWriter::with_capacity(0, fs::create_new(path)?);
        Ok(Self { path: path.to_owned(), out, buffer: b"{".to_vec(), rows: 0, counts: BTreeMap::new() })
    }

    /// Begins the list `key`.
    pub(super) fn begin(&mut self, key: &str) {
        if !self.counts.is_empty() {
            self.buffer.push(b',');
        }
        json::line(&mut self.buffer, 1);
        json::string(&mut self.buffer, key.as_bytes());
        self.buffer.extend_from_slice(b": [");
        self.rows = 0;
        self.counts.insert(key.to_owned(), 0);
    }

    /// Writes one row into the list.
    pub(super) fn row(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Result<()>) -> Result<()> {
        if self.rows > 0 {
            self.buffer.push(b',');
        }
        self.rows += 1;
        write(&mut self.buffer)?;
        if self.buffer.len() >= BUFFER_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    /// Ends the list.
    pub(super) fn end(&mut self, key: &str) {
        if self.rows > 0 {
            json::line(&mut self.buffer, 1);
        }
        self.buffer.push(b']');
        self.counts.insert(key.to_owned(), self.rows);
    }

    fn flush(&mut self) -> Result<()> {
        self.out.write_all(&self.buffer).map_err(|error| Error::io("write", &self.path, error))?;
        self.buffer.clear();
        Ok(())
    }

    /// Ends the file; how many rows each list has comes back.
    pub(super) fn finish(mut self) -> Result<BTreeMap<String, u64>> {
        self.buffer.extend_from_slice(b"\n}");
        self.flush()?;
        self.out.flush().map_err(|error| Error::io("write", &self.path, error))?;
        self.out.get_ref().sync_all().map_err(|error| Error::io("write", &self.path, error))?;
        Ok(self.counts)
    }

    /// A whole list out of the database.
    pub(super) fn section(
        &mut self,
        reader: &mut RowReader,
        key: &str,
        selection: &Selection,
        progress: &dyn Progress,
    ) -> Result<()> {
        self.begin(key);
        let mut rows = 0_u64;
        reader.copy_binary(&format!("read the rows of {key}"), &selection.statement(), |row| {
            rows += 1;
            if rows.is_multiple_of(1024) {
                progress.checkpoint()?;
            }
            self.row(|out| selection.write(out, row))
        })?;
        self.end(key);
        Ok(())
    }
}
