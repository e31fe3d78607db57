//! The last bytes of a file of any size.
#![no_main]

use zulip_backup_core::archive::Trailer;

libfuzzer_sys::fuzz_target!(|input: (u64, &[u8])| {
    let (file_bytes, bytes) = input;
    if let Ok(Some((compression, trailer))) = Trailer::decode(bytes, file_bytes) {
        assert_eq!(trailer.encode(compression), bytes);
        assert!(trailer.manifest_offset <= file_bytes);
    }
});
