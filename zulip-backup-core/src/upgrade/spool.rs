//! The lists of a file on their way: rows come in the order of the old release, and go in that of the new one.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};

use camino::Utf8Path;

use crate::fs::{self, WorkDir};
use crate::upgrade::row::RawRow;
use crate::{Error, Result};

/// Rows by their lists, on disk.
pub(super) struct Spool {
    work: WorkDir,
    lists: HashMap<String, Spooled>,
    /// Rows that are made, by list, in the order of their ids.
    made: BTreeMap<String, VecDeque<RawRow>>,
}

struct Spooled {
    file: BufWriter<File>,
    rows: u64,
}

impl Spool {
    /// A place in `directory`.
    pub(super) fn create(directory: &Utf8Path) -> Result<Self> {
        let work = WorkDir::create(directory, "rows-", "upgrade")?;
        Ok(Self { work, lists: HashMap::new(), made: BTreeMap::new() })
    }

    /// Takes rows that belong between those that will come.
    pub(super) fn made(&mut self, rows: Vec<(String, RawRow)>) {
        for (list, row) in rows {
            self.made.entry(list).or_default().push_back(row);
        }
        for rows in self.made.values_mut() {
            rows.make_contiguous().sort_by_key(RawRow::id);
        }
    }

    /// Takes the next row of a list.
    pub(super) fn row(&mut self, list: &str, row: &RawRow) -> Result<()> {
        let before = |made: &RawRow| made.id() < row.id();
        while self.made.get(list).and_then(VecDeque::front).is_some_and(before) {
            let Some(made) = self.made.get_mut(list).and_then(VecDeque::pop_front) else { break };
            self.write(list, &made)?;
        }
        self.write(list, row)
    }

    /// Takes the made rows of which none came behind.
    pub(super) fn rest(&mut self) -> Result<()> {
        for (list, rows) in std::mem::take(&mut self.made) {
            rows.iter().try_for_each(|row| self.write(&list, row))?;
        }
        Ok(())
    }

    fn write(&mut self, list: &str, row: &RawRow) -> Result<()> {
        if !self.lists.contains_key(list) {
            let file = BufWriter::new(fs::create_new(&self.work.path().join(list))?);
            self.lists.insert(list.to_owned(), Spooled { file, rows: 0 });
        }
        let Some(spooled) = self.lists.get_mut(list) else { return Ok(()) };
        let mut text = Vec::new();
        if spooled.rows > 0 {
            text.push(b',');
        }
        row.write(&mut text);
        spooled.rows += 1;
        spooled.file.write_all(&text).map_err(|error| Error::io("write", self.work.path().join(list), error))
    }

    /// The rows of a list as text, piece by piece, and how many they are.
    pub(super) fn read(&mut self, list: &str, piece: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<u64> {
        let Some(Spooled { file, rows }) = self.lists.remove(list) else { return Ok(0) };
        let path = self.work.path().join(list);
        let failed = |error| Error::io("read", &path, error);
        let written = file.into_inner().map_err(|error| failed(error.into_error()))?;
        drop(written);
        let mut file = fs::open(&path)?;
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        let mut buffer = vec![0; 1 << 20];
        loop {
            let length = file.read(&mut buffer).map_err(failed)?;
            if length == 0 {
                return Ok(rows);
            }
            piece(&buffer[..length])?;
        }
    }
}
