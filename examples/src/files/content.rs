//! What is in a file.

use std::io::{self, Write};
use std::sync::LazyLock;

use crate::copy::integer;
use crate::files::png;
use crate::rng::{Domain, Rng};
use crate::text::{self, Speech};

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
    if kind == Kind::Png && png::write(out, &mut rng, size)? {
        return Ok(());
    }
    let mut left = size;
    let mut block = Vec::with_capacity(BLOCK + 512);
    let mut lines = Lines::new(kind);
    block.extend_from_slice(kind.magic());
    while left > 0 {
        let wanted = BLOCK.min(usize::try_from(left).unwrap_or(BLOCK));
        if kind.compresses() {
            while block.len() < wanted {
                lines.push(&mut block, &mut rng);
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

/// What all files of a server are about: the same programs write its logs, the same customers stand in its tables.
struct Things {
    /// What programs say.
    events: Vec<String>,
    /// Who or what it is about: a name and an address.
    parties: Vec<String>,
}

static THINGS: LazyLock<Things> = LazyLock::new(|| {
    let mut rng = Rng::new(0, Domain::FileBytes, u64::MAX);
    let events = (0..2048).map(|_| text::sentence(&mut rng, 7)).collect();
    let mut party = || {
        let (name, place) = (text::phrase(&mut rng, 1), text::phrase(&mut rng, 1));
        format!("{name}.{place}@{}.example.com", text::phrase(&mut rng, 1))
    };
    Things { events, parties: (0..4096).map(|_| party()).collect() }
});

impl Things {
    fn event(&self, bits: u64) -> &[u8] {
        often(&self.events, bits)
    }

    fn party(&self, bits: u64) -> &[u8] {
        often(&self.parties, bits)
    }
}

/// One that 24 random bits draw, the first more often than the last.
fn often(things: &[String], bits: u64) -> &[u8] {
    let product = (bits & 0xFFF) * (bits >> 12 & 0xFFF);
    things[(product as usize * things.len()) >> 24].as_bytes()
}

/// The lines of a text, table, log or JSON-lines file: things that come again, and numbers that do not, as in real ones.
struct Lines {
    kind: Kind,
    speech: Speech,
    line: i64,
    /// Milliseconds since midnight.
    clock: i64,
}

impl Lines {
    fn new(kind: Kind) -> Self {
        Self { kind, speech: Speech::default(), line: 0, clock: 0 }
    }

    fn push(&mut self, out: &mut Vec<u8>, rng: &mut Rng) {
        let bits = rng.u64();
        let number = (bits >> 48) as i64;
        self.line += 1;
        match self.kind {
            Kind::Csv => {
                integer(out, self.line);
                out.push(b',');
                out.extend_from_slice(THINGS.party(bits));
                out.push(b',');
                integer(out, number);
                out.push(b',');
                out.extend_from_slice(THINGS.event(bits >> 24));
            }
            Kind::Log => {
                self.clock += number % 400;
                out.extend_from_slice(b"2025-03-31T");
                for (value, after) in [(self.clock / 3_600_000 % 24, b':'), (self.clock / 60_000 % 60, b':')] {
                    two_digits(out, value);
                    out.push(after);
                }
                two_digits(out, self.clock / 1000 % 60);
                out.push(b'.');
                integer(out, 100 + self.clock % 900);
                out.extend_from_slice(if number % 8 == 0 { b" WARN [" } else { b" INFO [" });
                out.extend_from_slice(THINGS.party(bits));
                out.extend_from_slice(b"] ");
                out.extend_from_slice(THINGS.event(bits >> 24));
            }
            Kind::Json => {
                out.extend_from_slice(b"{\"id\": ");
                integer(out, self.line);
                out.extend_from_slice(b", \"value\": ");
                integer(out, number);
                out.extend_from_slice(b", \"who\": \"");
                out.extend_from_slice(THINGS.party(bits));
                out.extend_from_slice(b"\", \"what\": \"");
                out.extend_from_slice(THINGS.event(bits >> 24));
                out.extend_from_slice(b"\"}");
            }
            _ => {
                for index in 0..4 + (bits >> 59) {
                    if index > 0 {
                        out.push(b' ');
                    }
                    out.extend_from_slice(self.speech.next(rng).text.as_bytes());
                }
                out.push(b'.');
            }
        }
        out.push(b'\n');
    }
}

fn two_digits(out: &mut Vec<u8>, value: i64) {
    if value < 10 {
        out.push(b'0');
    }
    integer(out, value);
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
