//! PNG: the first chunk, and Exif data before the pixels. Animated ones are still pictures to upstream.

use std::io::{self, Read, Seek};

use flate2::Crc;

use super::source::{Source, bad};
use super::{Format, Header, tiff};

pub(super) const SIGNATURE: [u8; 8] = [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n'];

/// Exif data are larger only where they hold a picture of their own.
const MAX_EXIF: u64 = 64 << 10;

pub(super) fn read<R: Read + Seek>(source: &mut Source<R>) -> io::Result<Header> {
    source.skip(SIGNATURE.len() as u64)?;
    let first: [u8; 21] = source.bytes()?;
    let mut crc = Crc::new();
    crc.update(&first[4..]);
    if first[..8] != *b"\0\0\0\x0dIHDR" || source.big32()? != crc.sum() {
        return Err(bad("it has no IHDR chunk"));
    }
    let number = |from: usize| u32::from_be_bytes([first[from], first[from + 1], first[from + 2], first[from + 3]]);
    let mut header = Header::still(Format::Png, number(8), number(12));
    let known = match (first[17], first[16]) {
        (0, 1 | 2 | 4 | 8 | 16) | (3, 1 | 2 | 4 | 8) | (2 | 4 | 6, 8 | 16) => true,
        (..) => false,
    };
    if !known || first[18] != 0 || first[19] != 0 || first[20] > 1 {
        return Err(bad("its pixels are of an unknown kind"));
    }
    loop {
        let length = u64::from(source.big32()?);
        match &source.bytes()? {
            b"IDAT" => return Ok(header),
            b"IEND" => return Err(bad("it has no IDAT chunk")),
            b"eXIf" if length <= MAX_EXIF => {
                header.orientation = tiff::orientation(&source.vec(length, MAX_EXIF)?);
                source.skip(4)?;
            }
            _ => source.skip(length + 4)?,
        }
    }
}
