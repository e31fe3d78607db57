//! What the beginning of a picture says of it, without decoding it.
//!
//! Each format is read as upstream's library reads it: what that refuses is refused here, as far as the beginning shows it,
//! since there is no row in the database for it either.

mod gif;
mod heif;
mod jpeg;
mod png;
mod source;
mod tiff;
mod webp;

use std::io::{self, Read, Seek};

use image::metadata::Orientation;
use source::{Source, bad};

/// The formats that upstream decodes, whatever a file is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Gif,
    /// HEIC and AVIF.
    Heif,
    Jpeg,
    Png,
    Tiff,
    Webp,
}

/// What a picture's beginning says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub format: Format,
    /// In pixels, as it is stored: see `orientation`.
    pub width: u32,
    /// In pixels, as it is stored.
    pub height: u32,
    /// The frames of an animation, the pages of a TIFF, the pictures in a HEIC: at least 1.
    pub frames: u32,
    /// How it is turned to be shown.
    pub orientation: Orientation,
    /// How many pixels a decoder makes of each frame: of a GIF those of its screen, believed or not.
    pub decoded: u64,
}

impl Header {
    fn still(format: Format, width: u32, height: u32) -> Self {
        let decoded = u64::from(width) * u64::from(height);
        Self { format, width, height, frames: 1, orientation: Orientation::NoTransforms, decoded }
    }

    /// The width and height as it is shown.
    pub(super) fn shown(&self) -> (u32, u32) {
        match self.orientation {
            Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH => (self.height, self.width),
            _ => (self.width, self.height),
        }
    }

    /// The pixels of one frame.
    pub(super) fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }
}

/// Reads the header of a picture; `None` where it is none of a known format.
///
/// # Errors
/// `InvalidData` and `UnexpectedEof` where it is not what its first bytes say, and what the file answers.
pub(super) fn read(file: impl Read + Seek) -> io::Result<Option<Header>> {
    let mut source = Source::new(file)?;
    let Some(format) = format(&source.peek()?) else { return Ok(None) };
    let header = match format {
        Format::Gif => gif::read(&mut source),
        Format::Heif => heif::read(&mut source),
        Format::Jpeg => jpeg::read(&mut source),
        Format::Png => png::read(&mut source),
        Format::Tiff => tiff::read(&mut source),
        Format::Webp => webp::read(&mut source),
    }?;
    if header.width == 0 || header.height == 0 {
        return Err(bad("it has no pixels"));
    }
    Ok(Some(header))
}

/// The format that the first bytes tell.
fn format(first: &[u8]) -> Option<Format> {
    let at = |from: usize, to: usize| first.get(from..to).unwrap_or_default();
    if at(0, 3) == b"GIF" {
        return Some(Format::Gif);
    }
    if at(0, 2) == [0xff, 0xd8] {
        return Some(Format::Jpeg);
    }
    if at(0, 8) == png::SIGNATURE {
        return Some(Format::Png);
    }
    if at(0, 4) == b"RIFF" && at(8, 12) == b"WEBP" {
        return Some(Format::Webp);
    }
    if at(4, 8) == b"ftyp" && heif::BRANDS.iter().any(|brand| at(8, 12) == *brand) {
        return Some(Format::Heif);
    }
    let tiff = [*b"II*\0", *b"MM\0*", *b"II+\0", *b"MM\0+"];
    tiff.iter().any(|magic| at(0, 4) == *magic).then_some(Format::Tiff)
}
