//! What is read of a tarball again and again, kept in memory: every reading of such a file would otherwise be a reading of
//! all that lies before it.

use std::collections::HashMap;
use std::io::{Cursor, Read, Write};
use std::sync::Arc;

use crate::Result;
use crate::codec::{Compression, StreamDecoder};
use crate::package::message_file_number;

/// How many bytes are kept at most, packed. The files of an organisation with a million messages are packed to some ten
/// million; what does not fit is read from the tarball.
const MOST_BYTES: usize = 64 << 20;

/// How well they are packed: as fast as can be.
const LEVEL: i32 = 1;

/// Small files of a tarball, packed.
#[derive(Debug)]
pub(super) struct Shelf {
    files: HashMap<String, Arc<[u8]>>,
    room: usize,
}

impl Default for Shelf {
    fn default() -> Self {
        Self::with_room(MOST_BYTES)
    }
}

impl Shelf {
    fn with_room(room: usize) -> Self {
        Self { files: HashMap::new(), room }
    }

    /// Whether a file is one that is read again: rows of everything but messages, records of files, what is said of the
    /// export.
    pub(super) fn is_for(name: &str) -> bool {
        match name.split_once('/') {
            None => name.strip_suffix(".json").is_some() && message_file_number(name).is_none(),
            Some((_, below)) => below == "records.json",
        }
    }

    /// Keeps a file, where there is room for it.
    ///
    /// # Errors
    /// What reading it answers.
    pub(super) fn put(&mut self, name: &str, content: &mut dyn Read) -> std::io::Result<()> {
        let mut packer = zstd::stream::write::Encoder::new(Vec::new(), LEVEL)?;
        let mut buffer = vec![0; 64 << 10];
        loop {
            let read = content.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            packer.write_all(&buffer[..read])?;
            if packer.get_ref().len() > self.room {
                return Ok(());
            }
        }
        let packed = packer.finish()?;
        if let Some(room) = self.room.checked_sub(packed.len()) {
            self.room = room;
            self.files.insert(name.to_owned(), packed.into());
        }
        Ok(())
    }

    /// The content of a file that is kept.
    pub(super) fn open(&self, name: &str) -> Option<Result<impl Read + Send + use<>>> {
        let packed = Arc::clone(self.files.get(name)?);
        Some(StreamDecoder::new(Compression::Zstd, Cursor::new(packed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(shelf: &Shelf, name: &str) -> Option<Vec<u8>> {
        let mut content = Vec::new();
        shelf.open(name)?.unwrap().read_to_end(&mut content).unwrap();
        Some(content)
    }

    #[test]
    fn what_fits_is_kept_and_nothing_else() {
        let mut shelf = Shelf::with_room(1_000);
        // Of bytes by chance, which no packer makes smaller.
        let noise = |seed: u64, length| {
            use rand_xoshiro::Xoshiro256PlusPlus;
            use rand_xoshiro::rand_core::{Rng, SeedableRng};
            let mut bytes = vec![0; length];
            Xoshiro256PlusPlus::seed_from_u64(seed).fill_bytes(&mut bytes);
            bytes
        };
        let files = [("a", noise(1, 400)), ("b", noise(2, 700)), ("c", vec![b' '; 1 << 20]), ("d", noise(3, 1 << 20))];
        for (name, bytes) in &files {
            shelf.put(name, &mut bytes.as_slice()).unwrap();
        }
        let kept = files.iter().map(|(name, bytes)| content(&shelf, name).inspect(|kept| assert_eq!(kept, bytes)));
        assert_eq!(kept.map(|kept| kept.is_some()).collect::<Vec<_>>(), [true, false, true, false]);
    }

    #[test]
    fn messages_and_uploads_are_not_for_it() {
        let kept = ["realm.json", "stats.json", "uploads/records.json"];
        let not_kept = ["messages-000001.json", "uploads/2/ab/records.json", "uploads/2.json", "realm.txt"];
        assert!(kept.iter().all(|name| Shelf::is_for(name)) && !not_kept.iter().any(|name| Shelf::is_for(name)));
    }
}
