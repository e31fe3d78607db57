//! A message's HTML, source and edit history with new ids: no byte changes but those of ids, and they change back.
#![no_main]
#![allow(dead_code, unused_imports)] // the rewriter is the core's own: it is taken in as source

#[path = "../../zulip-backup-core/src"]
mod source {
    pub(crate) mod ids;
    pub(crate) mod rewrite;
}

use source::ids;
use source::ids::Of;
use source::rewrite::{Links, Moved, NewIds, Rewriter};
use zulip_backup_core::{Error, ErrorKind, Result};

/// Every id is known, and moved by so much.
struct Shift(i64);

impl NewIds for Shift {
    fn realm(&self) -> (i64, i64) {
        if self.0 > 0 { (2, 31) } else { (31, 2) }
    }

    fn get(&self, _: Of, old: i64) -> Option<i64> {
        old.checked_add(self.0)
    }

    fn upload(&self, old_path_id: &str) -> Option<&str> {
        let paths = ["2/ab/T1/n.txt", "31/ab/T2/n.txt"];
        let [old, new] = if self.0 > 0 { paths } else { [paths[1], paths[0]] };
        (old_path_id == old).then_some(new)
    }
}

/// A text with every run of digits as one sign.
fn masked(text: &str) -> String {
    let mut masked = String::new();
    for character in text.chars() {
        if !character.is_ascii_digit() {
            masked.push(character);
        } else if !masked.ends_with('\u{1}') {
            masked.push('\u{1}');
        }
    }
    masked
}

libfuzzer_sys::fuzz_target!(|text: &str| {
    let (there, back) = (Shift(1_000_000), Shift(-1_000_000));
    let (there, back) = (Rewriter::new(&there, Links::Fixed), Rewriter::new(&back, Links::Fixed));
    let rewritten = [(there.html(text, &[]), true), (there.markdown(text, &[]), false)];
    // Zeros in front of a number and numbers that no id can be do not come back, percent signs only in one form, and what
    // looks new already comes back as old.
    let plain = !text.contains(['0', '%'])
        && !text.contains("31")
        && text.split(|character: char| !character.is_ascii_digit()).all(|run| run.len() < 18);
    for (moved, html) in rewritten {
        if plain {
            assert_eq!(masked(&moved), masked(text));
            assert_eq!(if html { back.html(&moved, &[]) } else { back.markdown(&moved, &[]) }, text);
        }
    }
    let same = Shift(0);
    let same = Rewriter::new(&same, Links::Strict);
    assert_eq!(same.html(text, &[]), text);
    let own = [Moved { old: "2/ab/T1/n.txt", new: "31/ab/T2/n.txt" }];
    assert_eq!(same.markdown(text, &own), text.replace(own[0].old, own[0].new));
    if let Ok(history) = there.edit_history(text) {
        assert!(serde_json::from_str::<serde_json::Value>(&history).is_ok_and(|edits| edits.is_array()));
    }
});
