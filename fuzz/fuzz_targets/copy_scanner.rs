//! COPY text, cut anywhere: the pieces must not matter.
#![no_main]

use zulip_backup_core::postgres::dump::CopyScanner;

libfuzzer_sys::fuzz_target!(|input: (u8, &[u8])| {
    let (piece, text) = input;
    let scan = |piece: usize| {
        let mut scanner = CopyScanner::new();
        text.chunks(piece).for_each(|piece| scanner.update(piece));
        scanner.finish().map_err(|error| error.to_string())
    };
    assert_eq!(scan(usize::from(piece).max(1)), scan(text.len().max(1)));
});
