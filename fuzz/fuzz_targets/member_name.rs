//! A member's name and a link's target: what is accepted cannot lead out.
#![no_main]

use zulip_backup_core::archive::MemberName;
use zulip_backup_core::fs::link_stays_inside;

libfuzzer_sys::fuzz_target!(|input: (&[u8], &[u8])| {
    let (bytes, target) = input;
    let Ok(name) = MemberName::new(bytes) else { return };
    let clean = |part: &[u8]| !part.is_empty() && part != b"." && part != b".." && !part.contains(&0);
    assert!(name.as_bytes().split(|&byte| byte == b'/').all(clean), "{name}");
    assert_eq!(MemberName::new(name.as_bytes()).as_ref(), Ok(&name), "a clean name stays as it is");
    let json = serde_json::to_string(&name).expect("JSON");
    assert_eq!(serde_json::from_str::<MemberName>(&json).expect("what was written is read"), name);
    assert!(!name.to_string().contains(char::is_control));
    if link_stays_inside(name.as_bytes(), target) {
        // Walked by its letters from the directory of the link, the target never is above the top.
        let mut depth = name.as_bytes().iter().filter(|&&byte| byte == b'/').count();
        for part in target.split(|&byte| byte == b'/') {
            match part {
                b"" | b"." => {}
                b".." => depth = depth.checked_sub(1).expect("it does not climb out"),
                _ => depth += 1,
            }
        }
    }
});
