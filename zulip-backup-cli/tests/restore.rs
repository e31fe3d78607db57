//! `restore`, as far as it goes before anything is changed.
#![allow(clippy::unwrap_used)] // a test

#[path = "support/fixture.rs"]
mod fixture;

use fixture::{Server, stderr, stdout, text};
use serde_json::Value;

#[test]
fn a_dry_run_tells_the_plan_and_what_speaks_against_it() {
    let server = Server::new();
    let url = server.database_url();
    server.create("zulip.tar.gz", &[]);
    let state = server.path("state");
    let words = ["restore", "zulip.tar.gz", "--dry-run", "--database-url", &url, "--state-dir", state.as_str()];
    let done = server.run(&[&words[..], &["--json"]].concat());
    let report: Value = serde_json::from_str(&stdout(&done)).unwrap();
    assert!(report["plan"]["steps"].as_array().is_some_and(|steps| !steps.is_empty()), "{}", text(&done));
    assert!(report["preflight"]["findings"].is_array(), "{}", text(&done));
    let manual = include_str!("../../docs/cli.md");
    let row = manual.lines().find(|line| line.starts_with("| `restore --dry-run` |")).unwrap();
    for part in ["plan", "preflight"] {
        for key in report[part].as_object().unwrap().keys() {
            assert!(row.contains(&format!("`{key}`")), "docs/cli.md does not know {key} of {part}");
        }
    }
    assert!(!state.exists() || state.read_dir_utf8().unwrap().next().is_none(), "a dry run has written a journal");
    assert!(!text(&done).contains("hunter2"));
}

#[test]
fn a_damaged_archive_is_refused_with_its_reasons() {
    let server = Server::new();
    let url = server.database_url();
    server.create("zulip.tar.gz", &[]);
    let mut bytes = std::fs::read(server.path("zulip.tar.gz")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(server.path("zulip.tar.gz"), bytes).unwrap();
    let state = server.path("state");
    let words = ["restore", "zulip.tar.gz", "--database-url", &url, "--state-dir", state.as_str(), "--json"];
    let done = server.run(&words);
    assert_eq!(done.status.code(), Some(4), "{}", text(&done));
    let error: Value = serde_json::from_str(&stdout(&done)).unwrap();
    assert_eq!(error["error"]["kind"], "damaged");
    assert!(!error["error"]["reasons"].as_array().unwrap().is_empty(), "{error}");
}

#[test]
fn there_is_nothing_to_commit_or_to_roll_back() {
    let server = Server::new();
    for flag in ["--commit", "--rollback"] {
        let done = server.run(&["restore", flag, "--state-dir", server.path("state").as_str()]);
        assert_eq!(done.status.code(), Some(6), "{}", text(&done));
        assert!(stderr(&done).starts_with("error: "), "{}", text(&done));
    }
}
