//! A JSON file in pieces of any size: what comes out is what a parser of the whole file sees, and nothing panics.
#![no_main]

use std::io::Read;

use serde_json::{Map, Value};
use zulip_backup_core::package::{Item, RowReader};

/// Gives so many bytes at a time.
struct Pieces<'a>(&'a [u8], usize);

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.1.min(self.0.len()).min(buffer.len());
        buffer[..length].copy_from_slice(&self.0[..length]);
        self.0 = &self.0[length..];
        Ok(length)
    }
}

fn read(bytes: &[u8], piece: usize) -> Option<Value> {
    let mut reader = RowReader::new("x.json", Pieces(bytes, piece));
    let mut file = Map::new();
    let (mut key, mut bare) = (String::new(), false);
    loop {
        match reader.next_item().ok()? {
            None => break,
            Some(Item::List(name)) => {
                key = name.to_owned();
                bare = key.is_empty() && file.is_empty() && bytes.trim_ascii_start().starts_with(b"[");
                file.insert(key.clone(), Value::Array(Vec::new()));
            }
            Some(Item::Row(row)) => {
                let row = row.parse().ok()?;
                file.get_mut(&key)?.as_array_mut()?.push(row);
            }
            Some(Item::Value(name, row)) => {
                let (name, row) = (name.to_owned(), row.parse().ok()?);
                file.insert(name, row);
            }
        }
    }
    if bare { file.remove("") } else { Some(Value::Object(file)) }
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let whole = read(bytes, usize::MAX);
    assert_eq!(read(bytes, 1), whole);
    assert_eq!(read(bytes, 7), whole);
    if let Ok(expected @ (Value::Object(_) | Value::Array(_))) = serde_json::from_slice::<Value>(bytes) {
        assert_eq!(whole, Some(expected));
    }
});
