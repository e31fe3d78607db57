//! `completions` and `man`: all verbs and flags, from the same definition as the help.
#![allow(clippy::unwrap_used)] // a test

#[path = "support/fixture.rs"]
mod fixture;

use std::process::Command;

use fixture::{program, stdout, text};

const VERBS: [&str; 8] = ["site", "create", "inspect", "verify", "extract", "restore", "completions", "man"];

#[test]
fn completions_know_every_verb() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let done = program().args(["completions", shell]).output().unwrap();
        assert_eq!(done.status.code(), Some(0));
        for word in VERBS.iter().chain(&["skip-uploads", "sha256sums", "deployment"]) {
            assert!(stdout(&done).contains(word), "{shell}: {word}");
        }
    }
    let script = "source <(\"$0\" completions bash) && COMP_WORDS=(zulip-backup create --comp) && COMP_CWORD=2 &&
        _zulip__backup zulip-backup --comp create && echo \"${COMPREPLY[*]}\"";
    let done = Command::new("bash").args(["-c", script, fixture::PROGRAM]).output().unwrap();
    assert_eq!(stdout(&done), "--compression\n", "{}", text(&done));
}

#[test]
fn every_verb_has_a_page() {
    let dir = tempfile::tempdir().unwrap();
    let done = program().arg("man").arg(dir.path()).output().unwrap();
    assert_eq!((done.status.code(), text(&done)), (Some(0), String::new()));
    for verb in VERBS {
        let page = std::fs::read_to_string(dir.path().join(format!("zulip-backup-{verb}.1"))).unwrap();
        assert!(page.contains(".SH NAME") && page.contains("Examples:"), "{verb}");
        assert!(!page.contains("\\-\\-root"), "{verb}: a hidden flag");
    }
    let done = program().arg("man").output().unwrap();
    assert_eq!(stdout(&done), std::fs::read_to_string(dir.path().join("zulip-backup.1")).unwrap());
}
