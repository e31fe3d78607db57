//! The table of migrations in a dump that is read front to back.

use std::collections::BTreeMap;
use std::io::Read;

use crate::Result;
use crate::archive::inspect::{dump, take};
use crate::postgres::dump::toc::Toc;

/// Files of the dump that may be the table of migrations are kept until the table of contents tells which it is: it can
/// stand anywhere in the directory. The table takes 5 KB compressed.
const MAX_KEPT_FILE_BYTES: u64 = 128 << 10;
const MAX_KEPT_BYTES: u64 = 8 << 20;
/// The most text that is taken from one of them.
const MAX_TEXT_BYTES: u64 = 8 << 20;

/// The files that may be it.
#[derive(Debug, Default)]
pub(crate) struct MigrationsTable {
    kept: BTreeMap<String, Vec<u8>>,
    kept_bytes: u64,
}

impl MigrationsTable {
    /// Takes in a file of the dump, by its name below `database/`, if it may be the table.
    ///
    /// # Errors
    /// `Damaged` where the archive cannot be read.
    pub(crate) fn see(&mut self, file: &[u8], size: u64, content: &mut dyn Read, toc: Option<&Toc>) -> Result<()> {
        if self.may_be(file, size, toc) {
            self.kept_bytes += size;
            self.kept.insert(String::from_utf8_lossy(file).into_owned(), take(content, MAX_KEPT_FILE_BYTES)?);
        }
        Ok(())
    }

    fn may_be(&self, file: &[u8], size: u64, toc: Option<&Toc>) -> bool {
        if size > MAX_KEPT_FILE_BYTES || self.kept_bytes + size > MAX_KEPT_BYTES {
            return false;
        }
        match toc.map(|toc| dump::migrations_entry(toc).and_then(|entry| entry.file.as_deref())) {
            None => true,
            Some(None) => false,
            Some(Some(named)) => file == named.as_bytes() || file.strip_suffix(b".gz") == Some(named.as_bytes()),
        }
    }

    /// The applied migrations, `app: [names]`, where their table was kept and can be read.
    pub(crate) fn read(&self, toc: &Toc) -> BTreeMap<String, Vec<String>> {
        let Some(entry) = dump::migrations_entry(toc) else { return BTreeMap::new() };
        let Some(file) = entry.file.as_deref() else { return BTreeMap::new() };
        let text = match (self.kept.get(file), self.kept.get(&format!("{file}.gz"))) {
            (Some(text), _) => text.clone(),
            (None, Some(compressed)) => {
                let mut text = Vec::new();
                let decoder = flate2::read::MultiGzDecoder::new(&compressed[..]);
                if decoder.take(MAX_TEXT_BYTES).read_to_end(&mut text).is_err() {
                    return BTreeMap::new();
                }
                text
            }
            (None, None) => return BTreeMap::new(),
        };
        dump::migrations(entry, &text)
    }
}
