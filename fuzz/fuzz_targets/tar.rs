//! A tar stream whose compression is right, so that what it says is believed.
#![no_main]

use zulip_backup_core::codec::{Compression, stored_frame};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| zulip_backup_fuzz::exercise(&stored_frame(Compression::Gzip, bytes)));
