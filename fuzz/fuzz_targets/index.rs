//! An index in an archive that is right in every other way: digests, manifest and trailer believe it.
#![no_main]

use zulip_backup_core::archive::IndexReader;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    for line in IndexReader::new(bytes) {
        if line.is_err() {
            break;
        }
    }
    zulip_backup_fuzz::exercise(&zulip_backup_fuzz::forge(bytes));
});
