//! Frames that hold their content as it is, with a length known beforehand.
//!
//! Two uses: content that is compressed already, and the tar header of a member whose size is known only after its
//! content was written — such a header is written twice at the same place, so its frame must not change in length.

use crate::codec::Compression;

/// The longest stored block of RFC 1951.
const DEFLATE_BLOCK: usize = 65_535;
/// The longest raw block of RFC 8878.
const ZSTD_BLOCK: usize = 128 << 10;

/// A frame that holds `content` as it is.
pub fn stored_frame(compression: Compression, content: &[u8]) -> Vec<u8> {
    match compression {
        Compression::Gzip => gzip(content),
        Compression::Zstd => zstd(content),
    }
}

/// How long [`stored_frame`] is for `content_len` bytes.
pub fn stored_frame_len(compression: Compression, content_len: usize) -> usize {
    match compression {
        Compression::Gzip => 10 + 8 + content_len + 5 * content_len.div_ceil(DEFLATE_BLOCK).max(1),
        Compression::Zstd => 4 + 1 + 4 + content_len + 3 * content_len.div_ceil(ZSTD_BLOCK).max(1),
    }
}

/// RFC 1952 around stored blocks of RFC 1951 §3.2.4.
fn gzip(content: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(stored_frame_len(Compression::Gzip, content.len()));
    // No name, no time, unknown system: the same bytes for the same content.
    frame.extend_from_slice(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
    let mut rest = content;
    loop {
        let (block, after) = rest.split_at(rest.len().min(DEFLATE_BLOCK));
        rest = after;
        let last = rest.is_empty();
        frame.push(u8::from(last));
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        frame.extend_from_slice(&length.to_le_bytes());
        frame.extend_from_slice(&(!length).to_le_bytes());
        frame.extend_from_slice(block);
        if last {
            break;
        }
    }
    frame.extend_from_slice(&gzip_trailer(content));
    frame
}

/// The last eight bytes of a gzip member that holds `content`: CRC-32 and length modulo 2³².
pub(super) fn gzip_trailer(content: &[u8]) -> [u8; 8] {
    let mut crc = libdeflater::Crc::new();
    crc.update(content);
    let length = u32::try_from(content.len() as u64 & 0xffff_ffff).unwrap_or(0);
    let mut trailer = [0; 8];
    trailer[..4].copy_from_slice(&crc.sum().to_le_bytes());
    trailer[4..].copy_from_slice(&length.to_le_bytes());
    trailer
}

/// RFC 8878 §3.1.1: a single-segment frame with a four-byte content size, raw blocks and no checksum. What is inside
/// is proven by the manifest's digests.
fn zstd(content: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(stored_frame_len(Compression::Zstd, content.len()));
    frame.extend_from_slice(&0xFD2F_B528_u32.to_le_bytes());
    frame.push(0b1010_0000);
    frame.extend_from_slice(&u32::try_from(content.len()).unwrap_or(u32::MAX).to_le_bytes());
    let mut rest = content;
    loop {
        let (block, after) = rest.split_at(rest.len().min(ZSTD_BLOCK));
        rest = after;
        let last = rest.is_empty();
        let header = (u32::try_from(block.len()).unwrap_or(0) << 3) | u32::from(last);
        frame.extend_from_slice(&header.to_le_bytes()[..3]);
        frame.extend_from_slice(block);
        if last {
            break;
        }
    }
    frame
}
