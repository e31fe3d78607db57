//! A dump's table of contents.
#![no_main]

use zulip_backup_core::postgres::dump::toc::Toc;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(toc) = Toc::read(bytes) {
        let written = toc.write_directory();
        let back = Toc::read(&written[..]).expect("what was written is read");
        assert_eq!(back.entries.len(), toc.entries.len());
        assert_eq!(back.write_directory(), written, "writing is stable");
        let _ = (toc.server_major(), toc.dump_major(), toc.version_text(), toc.tables().count());
    }
});
