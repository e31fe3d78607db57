//! `realm`, as a person and a program run it.
#![allow(clippy::unwrap_used)] // a test

#[path = "support/documented.rs"]
mod documented;
#[path = "../../zulip-backup-core/tests/support/memcached.rs"]
mod memcached;

use std::io::Write;
use std::process::{Command, Output, Stdio};

use camino::Utf8PathBuf;
use documented::documented;
use memcached::{FakeMemcached, Manner};
use serde_json::Value;
use zulip_backup_core::postgres::Cluster;
use zulip_backup_examples::{SampleHost, SampleOptions};

struct Stage {
    _temp: tempfile::TempDir,
    host: SampleHost,
    memcached: FakeMemcached,
}

impl Stage {
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let dir = Utf8PathBuf::from_path_buf(temp.path().to_owned()).unwrap();
        let host = SampleHost::start(&dir.join("host"), &SampleOptions::default(), Cluster::builder()).unwrap();
        Self { _temp: temp, host, memcached: FakeMemcached::start(Manner::Open) }
    }

    fn run(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_zulip-backup"));
        let memcached = format!("MEMCACHED_LOCATION={}", self.memcached.address());
        command.args(words).args(self.host.flags()).args(["--no-progress", "--setting", &memcached]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // What is not typed on a terminal confirms nothing. Perhaps nobody reads it.
        let _ = child.stdin.take().unwrap().write_all(b"acme\n");
        child.wait_with_output().unwrap()
    }

    fn json(&self, status: i32, words: &[&str]) -> Value {
        let done = self.run(&[words, &["--json"]].concat());
        assert_eq!(done.status.code(), Some(status), "{words:?}: {done:?}");
        serde_json::from_slice(&done.stdout).unwrap()
    }

    fn ids(&self) -> Vec<String> {
        let list = self.json(0, &["realm", "list"]);
        let realms = list["realms"].as_array().unwrap().iter();
        realms.map(|realm| realm["string_id"].as_str().unwrap().to_owned()).collect()
    }
}

#[test]
fn an_organisation_lives_and_goes() {
    let stage = Stage::new();
    documented(&stage.json(0, &["realm", "list"]), "| `export --list`, `realm list` |");
    documented(&stage.json(0, &["realm", "show", "acme"]), "| `realm show` |");
    stage.json(6, &["realm", "show", "nobody"]);
    let words = ["realm", "deactivate", "acme", "--reason", "owner_request", "--redirect-url", "https://x.example.com"];
    documented(&stage.json(0, &[&words[..], &["--dry-run"]].concat()), "| `realm deactivate` |");
    let report = stage.json(0, &words);
    documented(&report, "| `realm deactivate` |");
    assert_eq!((report["already"].as_bool(), stage.memcached.flushed()), (Some(false), 1));
    assert_eq!(stage.json(0, &words)["already"], true);
    stage.json(2, &["realm", "deactivate", "acme"]);
    documented(&stage.json(0, &["realm", "reactivate", "acme", "--dry-run"]), "| `realm reactivate` |");
    documented(&stage.json(0, &["realm", "reactivate", "acme"]), "| `realm reactivate` |");
    documented(&stage.json(0, &["realm", "rename", "acme", "makers", "--dry-run"]), "| `realm rename` |");
    documented(&stage.json(0, &["realm", "rename", "acme", "makers", "--name", "Makers"]), "| `realm rename` |");
    let refused = stage.json(3, &["realm", "rename", "makers", "Oldco-"]);
    assert_eq!(refused["error"]["reasons"].as_array().unwrap().len(), 2, "{refused}");
    stage.json(2, &["realm", "rename", "makers"]);
    stage.json(0, &["realm", "rename", "makers", "acme"]);
    assert_eq!(stage.ids(), ["zulipinternal", "acme", "", "oldco"]);

    let plan = stage.json(0, &["realm", "delete", "acme", "--dry-run"]);
    documented(&plan, "| `realm delete` |");
    let unconfirmed = stage.json(2, &["realm", "delete", "acme"]);
    assert!(unconfirmed["error"]["hint"].as_str().unwrap().contains("--yes"), "{unconfirmed}");
    assert_eq!(stage.ids().len(), 4);
    let report = stage.json(0, &["realm", "delete", "acme", "--yes"]);
    documented(&report, "| `realm delete` |");
    assert_eq!((&report["rows"], &report["files"]), (&plan["rows"], &plan["files"]));
    assert_eq!(stage.ids(), ["zulipinternal", "", "oldco"]);
    stage.json(6, &["realm", "delete", "acme", "--yes"]);
    stage.json(3, &["realm", "delete", "zulipinternal", "--yes"]);
    let done = stage.run(&["realm", "delete", "", "--yes"]);
    assert!(String::from_utf8(done.stdout).unwrap().contains("realm     \"\" (id 3) deleted in "));
}
