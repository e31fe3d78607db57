//! The bytes of a data file into COPY: decompressed, without the end marker, counted.

use std::io::{self, Write};

use flate2::write::MultiGzDecoder;

use crate::Result;
use crate::postgres::dump::{COPY_END, CopyFacts, CopyScanner};

/// The largest gzip member that is decompressed in one go. Ours hold 1 MiB of text.
const MAX_WHOLE_BYTES: usize = 8 << 20;

/// Takes the text of a data file in pieces and hands it on without the end marker.
pub(super) struct Rows<W> {
    out: W,
    /// The last bytes, which may be the end marker.
    held: Vec<u8>,
    scanner: CopyScanner,
    /// Text that may still come: a small archive must not fill a disk.
    rest: u64,
}

impl<W: Write> Rows<W> {
    pub(super) fn new(out: W, limit: u64) -> Self {
        Self { out, held: Vec::new(), scanner: CopyScanner::new(), rest: limit }
    }

    /// What was handed on; an error when the text does not end as a data file does.
    pub(super) fn finish(self) -> Result<(W, CopyFacts)> {
        Ok((self.out, self.scanner.finish()?))
    }
}

impl<W: Write> Write for Rows<W> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.rest = self.rest.checked_sub(piece.len() as u64).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, "the text is larger than any honest archive of this size holds")
        })?;
        self.scanner.update(piece);
        let ready = (self.held.len() + piece.len()).saturating_sub(COPY_END.len());
        let of_held = ready.min(self.held.len());
        let (now, keep) = piece.split_at(ready - of_held);
        self.out.write_all(&self.held[..of_held])?;
        self.held.drain(..of_held);
        self.out.write_all(now)?;
        self.held.extend_from_slice(keep);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A data file's bytes on their way to its rows.
pub(super) enum Content<W: Write> {
    /// As they are.
    Plain(Rows<W>),
    /// gzip members, one in each piece: what our archives hold.
    Whole { rows: Rows<W>, decoder: Box<libdeflater::Decompressor>, text: Vec<u8> },
    /// gzip, cut anywhere.
    Stream(Box<MultiGzDecoder<Rows<W>>>),
    /// Only in between.
    Moving,
}

impl<W: Write> Content<W> {
    pub(super) fn new(rows: Rows<W>, gzip: bool) -> Self {
        if gzip {
            Self::Whole { rows, decoder: Box::new(libdeflater::Decompressor::new()), text: Vec::new() }
        } else {
            Self::Plain(rows)
        }
    }

    pub(super) fn update(&mut self, piece: &[u8]) -> io::Result<()> {
        match std::mem::replace(self, Self::Moving) {
            Self::Plain(mut rows) => {
                rows.write_all(piece)?;
                *self = Self::Plain(rows);
            }
            Self::Whole { mut rows, mut decoder, mut text } => {
                if whole_member(&mut decoder, piece, &mut text) {
                    rows.write_all(&text)?;
                    *self = Self::Whole { rows, decoder, text };
                } else {
                    let mut stream = Box::new(MultiGzDecoder::new(rows));
                    stream.write_all(piece)?;
                    *self = Self::Stream(stream);
                }
            }
            Self::Stream(mut stream) => {
                stream.write_all(piece)?;
                *self = Self::Stream(stream);
            }
            Self::Moving => return Err(io::Error::other("an earlier piece failed")),
        }
        Ok(())
    }

    pub(super) fn finish(self) -> io::Result<Rows<W>> {
        match self {
            Self::Plain(rows) | Self::Whole { rows, .. } => Ok(rows),
            Self::Stream(stream) => stream.finish(),
            Self::Moving => Err(io::Error::other("an earlier piece failed")),
        }
    }
}

/// Whether `piece` is exactly one gzip member; its text is then in `text`. libdeflate does this at twice the speed of a
/// stream.
fn whole_member(decoder: &mut libdeflater::Decompressor, piece: &[u8], text: &mut Vec<u8>) -> bool {
    let Some((_, trailer)) = piece.split_last_chunk::<8>() else { return false };
    let [c0, c1, c2, c3, s0, s1, s2, s3] = *trailer;
    let size = usize::try_from(u32::from_le_bytes([s0, s1, s2, s3])).unwrap_or(usize::MAX);
    if size > MAX_WHOLE_BYTES {
        return false;
    }
    text.resize(size, 0);
    if decoder.gzip_decompress(piece, text) != Ok(size) {
        return false;
    }
    // libdeflate stops behind the first member; that it is the only one is told by the checksum at the end.
    let mut crc = libdeflater::Crc::new();
    crc.update(text);
    crc.sum() == u32::from_le_bytes([c0, c1, c2, c3])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn rows_come_out_without_the_end_marker_however_the_bytes_are_cut() {
        let (one, two) = (b"1\ta\n2\t\\N\n".as_slice(), b"3\t\\.x\n\\.\n\n\n".as_slice());
        let members = [zip(one), zip(two)];
        let all = members.concat();
        let cuts = (1..all.len()).map(|size| all.chunks(size).map(<[u8]>::to_vec).collect::<Vec<_>>());
        for pieces in cuts.chain([members.to_vec(), vec![[zip(one), zip(one)].concat(), zip(two)]]) {
            let mut content = Content::new(Rows::new(Vec::new(), 1000), true);
            for piece in &pieces {
                content.update(piece).unwrap();
            }
            let (text, facts) = content.finish().unwrap().finish().unwrap();
            assert!(text.ends_with(b"2\t\\N\n3\t\\.x\n"), "{}", text.escape_ascii());
            assert_eq!(facts.bytes, text.len() as u64);
        }
    }

    #[test]
    fn a_cut_or_swollen_file_is_an_error() {
        let mut content = Content::new(Rows::new(Vec::new(), 1000), false);
        content.update(b"1\n").unwrap();
        assert!(content.finish().unwrap().finish().is_err());
        let mut content = Content::new(Rows::new(Vec::new(), 3), true);
        assert!(content.update(&zip(b"1\n2\n\\.\n\n\n")).is_err());
        assert!(content.update(b"more").is_err() && content.finish().is_err());
    }
}
