//! The text inside a `.dat.gz` file of a dump.

use std::io::Write;

use flate2::write::MultiGzDecoder;
use memchr::memmem;

use crate::postgres::dump::copy_text::CopyScanner;

/// The largest inner member that is decompressed in one go. Ours hold 1 MiB.
const MAX_WHOLE_BYTES: usize = 8 << 20;
/// How many places are tried for the end of an inner member before the slow way is taken: three random bytes look like
/// a gzip header once in 16 MiB.
const MAX_TRIES: usize = 4;

/// Decompresses a `.dat.gz` in pieces and scans its text.
///
/// Our archives hold many small gzip members, whole ones in each piece: these are decompressed in one go each, with
/// libdeflate, at twice the speed of a stream. Everything else goes through a stream decoder.
pub(super) struct InnerGzip {
    whole: libdeflater::Decompressor,
    buffer: Vec<u8>,
    scanner: CopyScanner,
    /// Once a piece did not end with a whole member, the rest of the file goes this way.
    stream: Option<Box<MultiGzDecoder<Scan>>>,
    rest: u64,
    empty: bool,
}

impl InnerGzip {
    /// `limit`: the most text there may honestly be.
    pub(super) fn new(limit: u64) -> Self {
        Self {
            whole: libdeflater::Decompressor::new(),
            buffer: Vec::new(),
            scanner: CopyScanner::new(),
            stream: None,
            rest: limit,
            empty: true,
        }
    }

    pub(super) fn update(&mut self, piece: &[u8]) -> std::io::Result<()> {
        self.empty &= piece.is_empty();
        let mut rest = piece;
        if self.stream.is_none() {
            while let Some(length) = self.leading_member(rest) {
                self.scanner.update(&self.buffer);
                self.rest = self.rest.checked_sub(self.buffer.len() as u64).ok_or_else(bomb)?;
                rest = &rest[length..];
            }
        }
        if rest.is_empty() {
            return Ok(());
        }
        let stream = self.stream.get_or_insert_with(|| {
            let scan = Scan { scanner: std::mem::take(&mut self.scanner), rest: self.rest };
            Box::new(MultiGzDecoder::new(scan))
        });
        stream.write_all(rest)
    }

    /// Decompresses the gzip member at the start of `bytes` into the buffer, if all of it is there, and tells how long
    /// it is compressed.
    fn leading_member(&mut self, bytes: &[u8]) -> Option<usize> {
        const HEADER: &[u8] = b"\x1f\x8b\x08";
        if !bytes.starts_with(HEADER) {
            return None;
        }
        let next = memmem::find_iter(&bytes[1..], HEADER).map(|at| at + 1);
        next.take(MAX_TRIES).chain([bytes.len()]).find(|&end| self.is_member(&bytes[..end]))
    }

    /// Whether `bytes` are exactly one gzip member; its text is then in the buffer.
    fn is_member(&mut self, bytes: &[u8]) -> bool {
        let Some((_, trailer)) = bytes.split_last_chunk::<8>() else { return false };
        let [c0, c1, c2, c3, s0, s1, s2, s3] = *trailer;
        let size = usize::try_from(u32::from_le_bytes([s0, s1, s2, s3])).unwrap_or(usize::MAX);
        if size > MAX_WHOLE_BYTES {
            return false;
        }
        self.buffer.resize(size, 0);
        if self.whole.gzip_decompress(bytes, &mut self.buffer) != Ok(size) {
            return false;
        }
        // libdeflate stops behind the first member's end: is that the end of `bytes`?
        let mut crc = libdeflater::Crc::new();
        crc.update(&self.buffer);
        crc.sum() == u32::from_le_bytes([c0, c1, c2, c3])
    }

    /// The scanner, which has seen all of the text.
    pub(super) fn finish(self) -> std::io::Result<CopyScanner> {
        if self.empty {
            return Err(std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "it is empty"));
        }
        match self.stream {
            None => Ok(self.scanner),
            Some(mut stream) => {
                stream.try_finish()?;
                let scan = stream.get_mut();
                Ok(std::mem::take(&mut scan.scanner))
            }
        }
    }
}

/// Where the stream decoder puts the text.
struct Scan {
    scanner: CopyScanner,
    rest: u64,
}

impl Write for Scan {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        self.rest = self.rest.checked_sub(text.len() as u64).ok_or_else(bomb)?;
        self.scanner.update(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn bomb() -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, "it holds more than any dump: a decompression bomb")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Compression, FrameEncoder};

    fn scan(pieces: &[&[u8]]) -> std::io::Result<u64> {
        let mut inner = InnerGzip::new(1 << 30);
        for piece in pieces {
            inner.update(piece)?;
        }
        inner.finish()?.finish().map(|facts| facts.rows).map_err(std::io::Error::other)
    }

    #[test]
    fn members_are_read_however_they_are_cut() {
        let mut encoder = FrameEncoder::new(Compression::Gzip, 6).unwrap();
        let first = encoder.frame(&b"1\tsome text\n".repeat(1000)).unwrap();
        let second = encoder.frame(b"2\tx\n\\.\n\n\n").unwrap();
        let all = [first.clone(), second.clone()].concat();
        assert_eq!(scan(&[&first, &second]).unwrap(), 1001);
        assert_eq!(scan(&[&all]).unwrap(), 1001);
        for cut in 1..all.len() {
            assert_eq!(scan(&[&all[..cut], &all[cut..]]).unwrap(), 1001, "cut at {cut}");
            assert!(scan(&[&all[..cut]]).is_err(), "cut off at {cut}");
        }
        assert!(scan(&[&all, b"x"]).is_err());
        assert!(scan(&[]).is_err());
    }

    #[test]
    fn a_bomb_ends_early() {
        let bomb = FrameEncoder::new(Compression::Gzip, 6).unwrap().frame(&vec![b'\n'; 4 << 20]).unwrap();
        let mut inner = InnerGzip::new(1 << 20);
        assert!(inner.update(&bomb).is_err());
        let mut inner = InnerGzip::new(1 << 20);
        assert!(bomb.chunks(100).any(|piece| inner.update(piece).is_err()));
    }
}
