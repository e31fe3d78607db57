//! JPEG: the segments before the first scan.

use std::io::{self, Read, Seek};

use image::metadata::Orientation;

use super::source::{Source, bad};
use super::{Format, Header, tiff};

/// The most that upstream's library takes of either side, in pixels.
const MAX_SIDE: u16 = 65_500;

pub(super) fn read<R: Read + Seek>(source: &mut Source<R>) -> io::Result<Header> {
    source.skip(2)?;
    let mut size = None;
    let mut orientation: Option<Orientation> = None;
    loop {
        // What lies between segments is skipped: so does upstream.
        source.skip_past(0xff)?;
        let mut marker = source.byte()?;
        while marker == 0xff {
            source.skip(0)?;
            marker = source.byte()?;
        }
        match marker {
            // No segment: a byte of data, and marks without content.
            0 | 1 | 0xd0..=0xd8 => continue,
            0xd9 => return Err(bad("it ends before its pixels")),
            _ => {}
        }
        let length = source.big16()?;
        let Some(length) = length.checked_sub(2).map(u64::from) else { return Err(bad("a segment has no length")) };
        let end = source.position() + length;
        match marker {
            // Baseline, extended and progressive; the two with arithmetic coding.
            0xc0 | 0xc1 | 0xc2 | 0xc9 | 0xca => {
                let (precision, height, width) = (source.byte()?, source.big16()?, source.big16()?);
                if precision != 8 || width == 0 || height == 0 || width > MAX_SIDE || height > MAX_SIDE {
                    return Err(bad("its pixels are of an unknown kind"));
                }
                size = Some((u32::from(width), u32::from(height)));
            }
            0xc3 | 0xc5..=0xc8 | 0xcb | 0xcd..=0xcf => return Err(bad("its pixels are coded in an unknown way")),
            // The first Exif data count.
            0xe1 if length >= 6 && orientation.is_none() && &source.bytes()? == b"Exif\0\0" => {
                orientation = Some(tiff::orientation(&source.vec(length - 6, u64::from(u16::MAX))?));
            }
            0xda => {
                source.skip(length)?;
                let Some((width, height)) = size else { return Err(bad("its pixels have no size")) };
                let header = Header::still(Format::Jpeg, width, height);
                return Ok(Header { orientation: orientation.unwrap_or(Orientation::NoTransforms), ..header });
            }
            _ => {}
        }
        source.seek(end)?;
    }
}
