//! COPY text, as it lies in a dump's data files.

use memchr::memmem;

use crate::{Error, ErrorKind, Result};

/// What pg_dump writes after the last row: the end marker and two empty lines.
pub const COPY_END: &[u8] = b"\\.\n\n\n";

/// Reads the content of a data file in pieces of any size: counts rows, finds where they end.
///
/// In COPY text a newline inside a value is written `\n`, so each newline byte ends a row.
#[derive(Clone, Debug, Default)]
pub struct CopyScanner {
    newlines: u64,
    bytes: u64,
    /// The last bytes seen: one byte more than the end marker, to see that it starts a line.
    tail: Vec<u8>,
    early_end: bool,
}

/// What a data file held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CopyFacts {
    /// Rows.
    pub rows: u64,
    /// Bytes of the rows, without the end marker.
    pub bytes: u64,
}

const KEEP: usize = COPY_END.len() + 1;

impl CopyScanner {
    /// A scanner that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a piece in.
    pub fn update(&mut self, piece: &[u8]) {
        self.newlines += memchr::memchr_iter(b'\n', piece).count() as u64;
        if !self.early_end {
            self.early_end = self.has_early_end(piece);
        }
        self.bytes += piece.len() as u64;
        if piece.len() >= KEEP {
            self.tail.clear();
            self.tail.extend_from_slice(&piece[piece.len() - KEEP..]);
        } else {
            self.tail.extend_from_slice(piece);
            let excess = self.tail.len().saturating_sub(KEEP);
            self.tail.drain(..excess);
        }
    }

    /// Whether an end marker line is followed by something that is not the end: COPY would stop there and lose rows.
    fn has_early_end(&self, piece: &[u8]) -> bool {
        // `\.` and a newline at the start of a line, then anything but a newline.
        let needle = b"\n\\.\n";
        let early = |text: &[u8]| {
            memmem::find_iter(text, needle).any(|at| text.get(at + needle.len()).is_some_and(|&next| next != b'\n'))
        };
        let mut seam = self.tail.clone();
        if self.bytes <= self.tail.len() as u64 {
            // The very start of the file counts as the start of a line.
            seam.insert(0, b'\n');
        }
        seam.extend_from_slice(&piece[..piece.len().min(KEEP)]);
        early(&seam) || early(piece)
    }

    /// What the file held; an error says how its end is wrong.
    pub fn finish(self) -> Result<CopyFacts> {
        let damaged = |what: &str| Error::new(ErrorKind::Damaged, what.to_owned());
        if self.early_end {
            return Err(damaged("has rows behind its end marker"));
        }
        let whole = self.bytes == COPY_END.len() as u64 && self.tail == COPY_END;
        let behind_rows = self.tail.len() == KEEP && self.tail[0] == b'\n' && &self.tail[1..] == COPY_END;
        if !whole && !behind_rows {
            return Err(damaged("does not end with the line \\. and two empty lines: rows are missing"));
        }
        Ok(CopyFacts { rows: self.newlines - 3, bytes: self.bytes - COPY_END.len() as u64 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(text: &[u8], piece: usize) -> Result<CopyFacts> {
        let mut scanner = CopyScanner::new();
        text.chunks(piece).for_each(|piece| scanner.update(piece));
        scanner.finish()
    }

    #[test]
    fn rows_are_counted_however_the_text_is_cut() {
        for piece in 1..12 {
            assert_eq!(scan(b"\\.\n\n\n", piece).unwrap(), CopyFacts { rows: 0, bytes: 0 });
            assert_eq!(scan(b"1\ta\\nb\n2\t\\N\n\\.\n\n\n", piece).unwrap(), CopyFacts { rows: 2, bytes: 12 });
            // A row of one empty column is an empty line.
            assert_eq!(scan(b"\n\n\\.\n\n\n", piece).unwrap().rows, 2);
        }
    }

    #[test]
    fn a_wrong_end_is_found_however_the_text_is_cut() {
        for text in [
            &b""[..],
            b"1\n",
            b"1\n\\.\n",
            b"1\n\\.\n\n",
            b"1\\.\n\n\n",
            b"1\n\\.\n2\n\\.\n\n\n",
            b"\\.\n2\n\\.\n\n\n",
            b"1\n\\.\n\n\nx",
        ] {
            for piece in 1..12 {
                assert!(scan(text, piece).is_err(), "{:?} in pieces of {piece}", text.escape_ascii().to_string());
            }
        }
    }
}
