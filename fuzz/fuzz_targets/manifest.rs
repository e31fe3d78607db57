//! A manifest, read and written.
#![no_main]

use zulip_backup_core::archive::Manifest;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(manifest) = serde_json::from_slice::<Manifest>(bytes) {
        let again = serde_json::to_vec(&manifest).expect("JSON");
        let back: Manifest = serde_json::from_slice(&again).expect("what was written is read");
        assert_eq!(back, manifest);
        let _ = manifest.rows();
    }
});
