//! A file that claims to be an archive.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| zulip_backup_fuzz::exercise(bytes));
