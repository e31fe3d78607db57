//! WebP: the chunks of the file, all of which must be there.

use std::io::{self, ErrorKind, Read, Seek};

use super::source::{Source, bad};
use super::{Format, Header, tiff};

const ANIMATED: u8 = 0x02;
const WITH_EXIF: u8 = 0x08;

/// Exif data are larger only where they hold a picture of their own.
const MAX_EXIF: u64 = 64 << 10;

pub(super) fn read<R: Read + Seek>(source: &mut Source<R>) -> io::Result<Header> {
    source.skip(4)?;
    let end = u64::from(source.little32()?) + 8;
    source.skip(4)?;
    if end > source.length() {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    let (kind, length) = chunk(source)?;
    if &kind != b"VP8X" {
        let (width, height) = frame(source, kind)?;
        return Ok(Header::still(Format::Webp, width, height));
    }
    let after = source.position() + length + (length & 1);
    let flags = source.byte()?;
    source.skip(3)?;
    let mut header = Header::still(Format::Webp, source.little24()? + 1, source.little24()? + 1);
    header.frames = 0;
    source.seek(after)?;
    while source.position() + 8 <= end {
        let (kind, length) = chunk(source)?;
        let after = source.position() + length + (length & 1);
        match &kind {
            b"VP8 " | b"VP8L" if flags & ANIMATED == 0 => {
                // A picture that is no animation fills it.
                if frame(source, kind)? != (header.width, header.height) {
                    return Err(bad("its picture is of another size than it"));
                }
                header.frames = 1;
            }
            b"ANMF" if flags & ANIMATED != 0 => header.frames = header.frames.saturating_add(1),
            b"EXIF" if flags & WITH_EXIF != 0 && length <= MAX_EXIF => {
                let exif = source.vec(length, MAX_EXIF)?;
                header.orientation = tiff::orientation(exif.strip_prefix(b"Exif\0\0").unwrap_or(&exif));
            }
            _ => {}
        }
        if after >= source.length() {
            break;
        }
        source.seek(after)?;
    }
    if header.frames == 0 { Err(bad("it has no frames")) } else { Ok(header) }
}

/// The beginning of a chunk: what it is, and how many bytes follow.
fn chunk<R: Read + Seek>(source: &mut Source<R>) -> io::Result<([u8; 4], u64)> {
    Ok((source.bytes()?, u64::from(source.little32()?)))
}

/// The width and height of a coded picture, in pixels.
fn frame<R: Read + Seek>(source: &mut Source<R>, kind: [u8; 4]) -> io::Result<(u32, u32)> {
    match &kind {
        b"VP8 " => {
            let [_, _, _, a, b, c] = source.bytes()?;
            if [a, b, c] != [0x9d, 0x01, 0x2a] {
                return Err(bad("its picture does not begin as one"));
            }
            // The upper two bits are for scaling, which no decoder does.
            Ok((u32::from(source.little16()? & 0x3fff), u32::from(source.little16()? & 0x3fff)))
        }
        b"VP8L" => {
            if source.byte()? != 0x2f {
                return Err(bad("its picture does not begin as one"));
            }
            let sides = source.little32()?;
            Ok(((sides & 0x3fff) + 1, (sides >> 14 & 0x3fff) + 1))
        }
        _ => Err(bad("it does not begin with a picture")),
    }
}
