//! What is in a file.

use std::io::{self, Write};

use crate::copy::integer;
use crate::rng::{Domain, Rng};
use crate::text;

/// What kind of bytes a file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Csv,
    Log,
    Json,
    Jpeg,
    Png,
    Zip,
    Pdf,
    Ogg,
    Webp,
    Gzip,
    Unknown,
}

impl Kind {
    pub(crate) fn of(name: &str) -> Self {
        match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
            "txt" => Self::Text,
            "csv" => Self::Csv,
            "log" => Self::Log,
            "json" => Self::Json,
            "jpg" => Self::Jpeg,
            "png" => Self::Png,
            "zip" => Self::Zip,
            "pdf" => Self::Pdf,
            "ogg" => Self::Ogg,
            "webp" => Self::Webp,
            "gz" => Self::Gzip,
            _ => Self::Unknown,
        }
    }

    /// Whether Zulip shows it as an image.
    pub(crate) fn is_image(self) -> bool {
        matches!(self, Self::Jpeg | Self::Png)
    }

    fn magic(self) -> &'static [u8] {
        match self {
            Self::Jpeg => b"\xFF\xD8\xFF\xE0\x00\x10JFIF\x00\x01",
            Self::Png => b"\x89PNG\r\n\x1A\n\x00\x00\x00\x0DIHDR",
            Self::Zip => b"PK\x03\x04\x14\x00\x00\x00\x08\x00",
            Self::Pdf => b"%PDF-1.7\n%\xE2\xE3\xCF\xD3\n",
            Self::Ogg => b"OggS\x00\x02",
            Self::Webp => b"RIFF\x00\x10\x00\x00WEBPVP8 ",
            Self::Gzip => b"\x1F\x8B\x08\x00",
            Self::Text | Self::Csv | Self::Log | Self::Json | Self::Unknown => b"",
        }
    }

    fn compresses(self) -> bool {
        matches!(self, Self::Text | Self::Csv | Self::Log | Self::Json)
    }
}

/// The content type Zulip would store.
pub(crate) fn content_type(kind: Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::Text | Kind::Log => "text/plain",
        Kind::Csv => "text/csv",
        Kind::Json => "application/json",
        Kind::Jpeg => "image/jpeg",
        Kind::Png => "image/png",
        Kind::Zip => "application/zip",
        Kind::Pdf => "application/pdf",
        Kind::Ogg => "audio/ogg",
        Kind::Webp => "image/webp",
        Kind::Gzip => "application/gzip",
        Kind::Unknown => return None,
    })
}

/// Writes `size` bytes of the kind. The same seed and number give the same bytes.
pub(crate) fn write(out: &mut dyn Write, kind: Kind, seed: u64, number: u64, size: u64) -> io::Result<()> {
    const BLOCK: usize = 64 << 10;
    let mut rng = Rng::new(seed, Domain::FileBytes, number);
    let mut left = size;
    let mut block = Vec::with_capacity(BLOCK + 512);
    let mut line = 0;
    block.extend_from_slice(kind.magic());
    while left > 0 {
        let wanted = BLOCK.min(usize::try_from(left).unwrap_or(BLOCK));
        if kind.compresses() {
            while block.len() < wanted {
                push_line(&mut block, kind, &mut rng, line);
                line += 1;
            }
        } else {
            let start = block.len().min(wanted);
            block.resize(wanted.max(start), 0);
            rng.fill(&mut block[start..]);
        }
        out.write_all(&block[..wanted])?;
        block.clear();
        left -= wanted as u64;
    }
    Ok(())
}

/// One line of a text, table, log or JSON-lines file: different words and numbers in every line, as real ones have.
fn push_line(out: &mut Vec<u8>, kind: Kind, rng: &mut Rng, line: i64) {
    let bits = rng.u64();
    let number = (bits >> 44) as i64;
    match kind {
        Kind::Csv => {
            integer(out, line);
            out.push(b',');
            words(out, bits, 2);
            out.push(b',');
            integer(out, number);
            out.push(b',');
            words(out, rng.u64(), 4);
        }
        Kind::Log => {
            out.extend_from_slice(b"2025-03-31T");
            integer(out, 10 + line / 3600 % 14);
            out.extend_from_slice(b":00:00.");
            integer(out, number);
            out.extend_from_slice(if bits.trailing_zeros() >= 3 { b" WARN [" } else { b" INFO [" });
            words(out, bits >> 3, 1);
            out.extend_from_slice(b"] ");
            words(out, rng.u64(), 4);
            out.push(b' ');
            words(out, rng.u64(), 4);
        }
        Kind::Json => {
            out.extend_from_slice(b"{\"id\": ");
            integer(out, line);
            out.extend_from_slice(b", \"value\": ");
            integer(out, number);
            out.extend_from_slice(b", \"title\": \"");
            words(out, bits, 3);
            out.extend_from_slice(b"\", \"body\": \"");
            words(out, rng.u64(), 4);
            out.extend_from_slice(b"\"}");
        }
        _ => {
            words(out, bits, 4);
            for _ in 0..bits >> 61 {
                out.push(b' ');
                words(out, rng.u64(), 4);
            }
            out.push(b'.');
        }
    }
    out.push(b'\n');
}

fn words(out: &mut Vec<u8>, mut bits: u64, count: usize) {
    for index in 0..count {
        if index > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(text::word(bits).text.as_bytes());
        bits >>= 14;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_their_size_their_magic_and_the_same_bytes_again() {
        for kind in [Kind::Text, Kind::Csv, Kind::Log, Kind::Json, Kind::Png, Kind::Unknown] {
            for size in [0u64, 1, 15, 65_536, 65_537, 200_000] {
                let bytes = |seed| {
                    let mut out = Vec::new();
                    write(&mut out, kind, seed, 7, size).unwrap();
                    out
                };
                let first = bytes(1);
                assert_eq!(first.len() as u64, size, "{kind:?}");
                assert_eq!(first, bytes(1));
                assert!(size < 200 || first != bytes(2), "{kind:?} {size}");
                let magic = &kind.magic()[..kind.magic().len().min(first.len())];
                assert!(first.starts_with(magic));
            }
        }
    }
}
