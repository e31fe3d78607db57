//! The last bytes of an archive: where its manifest is.

use crate::codec::{Compression, Digest};
use crate::{Error, ErrorKind, Result};

/// The version of the archive format this code writes. Every version ever written stays readable.
pub const FORMAT_VERSION: u16 = 1;

/// How long the trailer is, whatever the compression.
pub const TRAILER_BYTES: usize = 76;

/// The payload: magic, version, manifest's frame offset and length, manifest's SHA-256.
const PAYLOAD_BYTES: usize = 52;
const MAGIC: [u8; 2] = *b"ZB";

/// Where the manifest is and what its content must be.
///
/// On disk it is a gzip member that holds nothing, with the payload in its extra field (RFC 1952 §2.3.1.1, subfield
/// `ZB`), or a zstd skippable frame (RFC 8878 §3.1.2): other tools read over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trailer {
    /// Version of the archive format.
    pub format: u16,
    /// Where the manifest's frame starts in the file.
    pub manifest_offset: u64,
    /// How long the manifest's frame is in the file.
    pub manifest_bytes: u64,
    /// SHA-256 of the manifest's content.
    pub manifest_sha256: Digest,
}

impl Trailer {
    /// The trailer's bytes.
    pub fn encode(&self, compression: Compression) -> [u8; TRAILER_BYTES] {
        let mut payload = [0; PAYLOAD_BYTES];
        payload[..2].copy_from_slice(&MAGIC);
        payload[2..4].copy_from_slice(&self.format.to_le_bytes());
        payload[4..12].copy_from_slice(&self.manifest_offset.to_le_bytes());
        payload[12..20].copy_from_slice(&self.manifest_bytes.to_le_bytes());
        payload[20..52].copy_from_slice(&self.manifest_sha256.0);
        let mut bytes = [0; TRAILER_BYTES];
        match compression {
            Compression::Gzip => {
                // FLG.FEXTRA; XLEN; subfield id and length; an empty final block with fixed codes; CRC and length 0.
                bytes[..10].copy_from_slice(&[0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff]);
                bytes[10..12].copy_from_slice(&54_u16.to_le_bytes());
                bytes[12..14].copy_from_slice(&MAGIC);
                bytes[14..16].copy_from_slice(&50_u16.to_le_bytes());
                bytes[16..66].copy_from_slice(&payload[2..]);
                bytes[66..68].copy_from_slice(&[3, 0]);
            }
            Compression::Zstd => {
                bytes[..4].copy_from_slice(&0x184D_2A5A_u32.to_le_bytes());
                bytes[4..8].copy_from_slice(&68_u32.to_le_bytes());
                bytes[8..60].copy_from_slice(&payload);
            }
        }
        bytes
    }

    /// Reads the last bytes of a file of `file_bytes`. `None`: it is not one of our archives, or it was cut off.
    ///
    /// A trailer whose numbers cannot be true for the file, or whose format is newer than this code, is an error.
    pub fn decode(bytes: &[u8], file_bytes: u64) -> Result<Option<(Compression, Self)>> {
        let Ok(bytes) = <&[u8; TRAILER_BYTES]>::try_from(bytes) else { return Ok(None) };
        let mut payload = [0; PAYLOAD_BYTES];
        payload[..2].copy_from_slice(&MAGIC);
        let compression = if bytes[..4] == [0x1f, 0x8b, 8, 4] {
            payload[2..].copy_from_slice(&bytes[16..66]);
            Compression::Gzip
        } else {
            payload.copy_from_slice(&bytes[8..60]);
            Compression::Zstd
        };
        let number = |at: usize| -> u64 {
            payload[at..at + 8].iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte))
        };
        let mut digest = [0; 32];
        digest.copy_from_slice(&payload[20..52]);
        let trailer = Self {
            format: u16::from_le_bytes([payload[2], payload[3]]),
            manifest_offset: number(4),
            manifest_bytes: number(12),
            manifest_sha256: Digest(digest),
        };
        // Everything that is not payload is constant: encoding again proves it.
        if trailer.encode(compression) != *bytes {
            return Ok(None);
        }
        if trailer.format > FORMAT_VERSION {
            return Err(Error::new(
                ErrorKind::Incompatible,
                format!("the archive has format {}, this program reads up to {FORMAT_VERSION}", trailer.format),
            )
            .with_hint("use a newer zulip-backup; GNU tar reads the archive in any case"));
        }
        let end = trailer.manifest_offset.checked_add(trailer.manifest_bytes);
        if end != Some(file_bytes.saturating_sub(TRAILER_BYTES as u64)) {
            return Err(Error::new(
                ErrorKind::Damaged,
                format!(
                    "the archive's trailer says the manifest takes {} bytes at {}, the file has {file_bytes}",
                    trailer.manifest_bytes, trailer.manifest_offset
                ),
            )
            .with_hint("the file was cut, joined or changed after it was written: use another copy"));
        }
        Ok(Some((compression, trailer)))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn trailer() -> Trailer {
        Trailer {
            format: FORMAT_VERSION,
            manifest_offset: 1 << 40,
            manifest_bytes: 4711,
            manifest_sha256: Digest::of(b"manifest"),
        }
    }

    #[test]
    fn it_is_read_back_and_other_tools_see_nothing() {
        let file_bytes = (1 << 40) + 4711 + TRAILER_BYTES as u64;
        for compression in [Compression::Gzip, Compression::Zstd] {
            let bytes = trailer().encode(compression);
            assert_eq!(Trailer::decode(&bytes, file_bytes).unwrap(), Some((compression, trailer())));
            assert_eq!(Trailer::decode(&bytes, file_bytes + 1).unwrap_err().kind(), ErrorKind::Damaged);
            assert_eq!(Trailer::decode(&bytes[1..], file_bytes).unwrap(), None);
            let mut content = Vec::new();
            crate::codec::StreamDecoder::new(compression, &bytes[..]).unwrap().read_to_end(&mut content).unwrap();
            assert!(content.is_empty());
        }
    }

    #[test]
    fn a_newer_format_is_named() {
        let newer = Trailer { format: FORMAT_VERSION + 1, ..trailer() };
        let error = Trailer::decode(&newer.encode(Compression::Gzip), 0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Incompatible);
    }

    #[test]
    fn no_bytes_make_it_panic() {
        for seed in 0..2000_u32 {
            let mut bytes = trailer().encode(if seed % 2 == 0 { Compression::Gzip } else { Compression::Zstd });
            let digest = Digest::of(&seed.to_le_bytes()).0;
            bytes[usize::from(digest[0]) % TRAILER_BYTES] = digest[1];
            let _ = Trailer::decode(&bytes, u64::from(seed));
        }
    }
}
