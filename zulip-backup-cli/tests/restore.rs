//! `restore`, with what comes before and after.
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
fn a_restore_is_undone_and_done_again_for_good() {
    let server = Server::new();
    let url = server.database_url();
    server.create("zulip.tar.gz", &[]);
    server.host.answer("RABBITMQ_HOST", "127.0.0.1");
    server.sql("DELETE FROM zerver_message WHERE id > 10");
    server.host.write("/etc/zulip/settings.py", "EXTERNAL_HOST = 'later.example.com'\n");
    let settings = || std::fs::read_to_string(server.host.path("/etc/zulip/settings.py")).unwrap();
    let flags = ["--database-url", &url, "--json", "--yes"];
    let run = |words: &[&str], row: &str| {
        let done = server.run(&[words, &flags[..]].concat());
        assert!(matches!(done.status.code(), Some(0 | 1)), "{words:?}: {}", text(&done));
        assert!(!text(&done).contains("hunter2"));
        let report: Value = serde_json::from_str(&stdout(&done)).unwrap();
        let manual = include_str!("../../docs/cli.md");
        let row = manual.lines().find(|line| line.starts_with(row)).unwrap();
        let keys: Vec<&String> = report.as_object().unwrap().keys().collect();
        assert!(keys.iter().all(|key| row.contains(&format!("`{key}`"))), "docs/cli.md does not know all of {keys:?}");
        report
    };

    let report = run(&["restore", "zulip.tar.gz", "--skip-uploads"], "| `restore` |");
    assert_eq!((report["switched"].as_bool(), report["database"]["rows"].as_u64()), (Some(true), Some(1000)));
    assert!(report["database"]["kept"].as_str().is_some_and(|name| name.contains("_before_")), "{report}");
    assert_eq!(server.messages(), 1000);
    assert!(settings().contains("chat.example.com"));

    let report = run(&["restore", "--rollback"], "| `restore --commit`, `restore --rollback` |");
    assert_eq!(report["rolled_back"], true);
    assert_eq!(server.messages(), 10);
    assert!(settings().contains("later.example.com"));

    run(&["restore", "zulip.tar.gz", "--skip-uploads"], "| `restore` |");
    let report = run(&["restore", "--commit"], "| `restore --commit`, `restore --rollback` |");
    assert_eq!(report["rolled_back"], false);
    assert_eq!(server.messages(), 1000);
    let again = server.run(&[&["restore", "--rollback"], &flags[..]].concat());
    assert_eq!(again.status.code(), Some(6), "{}", text(&again));
    assert_eq!(server.messages(), 1000);
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
