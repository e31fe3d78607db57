//! Pictures that can be decoded, of any size in bytes.

use std::io::{self, Write};

use flate2::Crc;

use crate::rng::Rng;

/// Pixels on a side, one grey byte each.
const SIDE: u8 = 8;

/// Bytes of a picture without filling: signature, IHDR, IDAT, the filling's frame, IEND.
const LEAST: u64 = 8 + 25 + (12 + 83) + 12 + 12;

/// Writes a PNG of `size` bytes, most of them in a chunk that readers pass over; `false`, and nothing written, where so few
/// bytes hold no picture.
pub(crate) fn write(out: &mut dyn Write, rng: &mut Rng, size: u64) -> io::Result<bool> {
    let Some(filling) = size.checked_sub(LEAST).and_then(|bytes| u32::try_from(bytes).ok()) else { return Ok(false) };
    out.write_all(b"\x89PNG\r\n\x1A\n")?;
    chunk(out, *b"IHDR", &[0, 0, 0, SIDE, 0, 0, 0, SIDE, 8, 0, 0, 0, 0])?;
    chunk(out, *b"IDAT", &pixels(rng))?;
    out.write_all(&filling.to_be_bytes())?;
    let mut crc = Crc::new();
    let mut tagged = |out: &mut dyn Write, bytes: &[u8]| {
        crc.update(bytes);
        out.write_all(bytes)
    };
    // Neither critical nor public, and safe to copy.
    tagged(out, b"fiLl")?;
    let mut block = vec![0; 64 << 10];
    let mut left = filling as usize;
    while left > 0 {
        let bytes = left.min(block.len());
        rng.fill(&mut block[..bytes]);
        tagged(out, &block[..bytes])?;
        left -= bytes;
    }
    out.write_all(&crc.sum().to_be_bytes())?;
    chunk(out, *b"IEND", &[])?;
    Ok(true)
}

/// Rows of random pixels as zlib has them without compression.
fn pixels(rng: &mut Rng) -> Vec<u8> {
    let row = usize::from(SIDE) + 1;
    let mut rows = vec![0; row * usize::from(SIDE)];
    for row in rows.chunks_mut(row) {
        // The first byte says how the others are filtered: not at all.
        rng.fill(&mut row[1..]);
    }
    let length = u16::try_from(rows.len()).unwrap_or(0);
    let mut stream = vec![0x78, 0x01, 0x01];
    stream.extend_from_slice(&length.to_le_bytes());
    stream.extend_from_slice(&(!length).to_le_bytes());
    stream.extend_from_slice(&rows);
    let (mut a, mut b) = (1_u32, 0_u32);
    for byte in rows {
        a = (a + u32::from(byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    stream.extend_from_slice(&(b << 16 | a).to_be_bytes());
    stream
}

fn chunk(out: &mut dyn Write, name: [u8; 4], data: &[u8]) -> io::Result<()> {
    let mut crc = Crc::new();
    crc.update(&name);
    crc.update(data);
    out.write_all(&u32::try_from(data.len()).unwrap_or(0).to_be_bytes())?;
    out.write_all(&name)?;
    out.write_all(data)?;
    out.write_all(&crc.sum().to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Domain;

    #[test]
    fn pictures_have_their_size_and_are_pictures() {
        let mut rng = Rng::new(1, Domain::FileBytes, 1);
        for size in [LEAST, LEAST + 1, 5000, 200_000] {
            let mut bytes = Vec::new();
            assert!(write(&mut bytes, &mut rng, size).unwrap());
            assert_eq!(bytes.len() as u64, size);
            let made = zulip_backup_core::images::avatar(&bytes).unwrap();
            assert!(!made.default.is_empty());
        }
        assert!(!write(&mut Vec::new(), &mut rng, LEAST - 1).unwrap());
    }
}
