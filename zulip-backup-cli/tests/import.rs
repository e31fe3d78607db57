//! `import`, as a person runs it.
#![allow(clippy::unwrap_used)] // a test

#[path = "support/documented.rs"]
mod documented;

use std::process::{Command, Output, Stdio};

use camino::Utf8PathBuf;
use documented::documented;
use serde_json::Value;
use zulip_backup_core::postgres::Cluster;
use zulip_backup_examples::{SampleHost, SampleOptions};

struct Stage {
    _temp: tempfile::TempDir,
    dir: Utf8PathBuf,
    /// The server an organisation comes from.
    old: SampleHost,
    /// The server it goes to, which has organisations of its own.
    new: SampleHost,
}

impl Stage {
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let dir = Utf8PathBuf::from_path_buf(temp.path().to_owned()).unwrap();
        let host = |name: &str, seed, messages| {
            let options = SampleOptions { seed, messages, uploads_bytes: 1 << 20, ..SampleOptions::default() };
            SampleHost::start(&dir.join(name), &options, Cluster::builder()).unwrap()
        };
        Self { old: host("old", 1, 900), new: host("new", 2, 100), dir, _temp: temp }
    }

    fn run(&self, host: &SampleHost, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_zulip-backup"));
        command.args(words).args(host.flags()).arg("--no-progress").current_dir(&self.dir).stdin(Stdio::null());
        command.output().unwrap()
    }

    fn json(&self, host: &SampleHost, status: i32, words: &[&str]) -> Value {
        let done = self.run(host, &[words, &["--json"]].concat());
        assert_eq!(done.status.code(), Some(status), "{words:?}: {done:?}");
        serde_json::from_slice(&done.stdout).unwrap()
    }
}

fn codes(error: &Value) -> Vec<&str> {
    error["error"]["reasons"].as_array().unwrap().iter().map(|reason| reason["code"].as_str().unwrap()).collect()
}

#[test]
fn an_organisation_moves_to_another_server() {
    let stage = Stage::new();
    stage.json(&stage.old, 0, &["export", "-r", "acme", "--output", "acme.tar.zst"]);

    let plan = stage.json(&stage.new, 0, &["import", "moved", "acme.tar.zst", "--dry-run"]);
    documented(&plan, "| `import --dry-run` |");
    assert_eq!((plan["subdomain"].as_str(), plan["name"].as_str()), (Some("moved"), Some("moved")));

    // No memcached runs here: the report says what to do, and that is a finding.
    let report = stage.json(&stage.new, 1, &["import", "moved", "acme.tar.zst", "--keep-name", "--jobs", "2"]);
    documented(&report, "| `import` |");
    assert_eq!(report["rows"]["zerver_message"], plan["rows"]["zerver_message"]);
    let shown = stage.json(&stage.new, 0, &["realm", "show", "moved"]);
    assert_eq!(shown["messages"], report["rows"]["zerver_message"]);
    assert_eq!(shown["name"], plan["exported_name"]);

    let twice = stage.json(&stage.new, 3, &["import", "moved", "acme.tar.zst"]);
    assert_eq!(codes(&twice), ["subdomain-taken", "realm-exists"]);
    let reserved = stage.json(&stage.new, 3, &["import", "-", "acme.tar.zst"]);
    assert_eq!(codes(&reserved), ["subdomain-hyphen", "subdomain-length", "realm-exists"]);

    // Deleted, it can be imported again.
    stage.json(&stage.new, 1, &["realm", "delete", "moved", "--yes"]);
    stage.json(&stage.new, 1, &["import", "again", "acme.tar.zst", "--compat", "strict"]);
    let text = String::from_utf8(stage.run(&stage.new, &["realm", "list"]).stdout).unwrap();
    assert!(text.contains("again") && !text.contains("moved"), "{text}");
}

#[test]
fn what_is_damaged_or_of_another_version_is_refused() {
    let stage = Stage::new();
    stage.json(&stage.old, 0, &["export", "-r", "acme", "--output", "acme"]);
    let rows = |stage: &Stage| {
        let mut client = stage.new.database().connect("test").unwrap();
        client.query_one("SELECT count(*) FROM zulip.zerver_userprofile", &[]).unwrap().get::<_, i64>(0)
    };
    let before = rows(&stage);
    let path = stage.dir.join("acme/realm.json");
    let whole = std::fs::read_to_string(&path).unwrap();
    let refused = |change: &dyn Fn(&mut Value)| {
        let mut realm: Value = serde_json::from_str(&whole).unwrap();
        change(&mut realm);
        std::fs::write(&path, realm.to_string()).unwrap();
        let error = stage.json(&stage.new, 4, &["import", "moved", "acme"]);
        codes(&error).iter().map(|code| (*code).to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(refused(&|realm| realm["zerver_reaction"][0]["user_profile"] = 999_999.into()), ["dangling-reference"]);
    assert_eq!(refused(&|realm| realm["zerver_stream"][0]["name"] = "x".repeat(61).into()), ["value-range"]);
    assert_eq!(refused(&|realm| realm["zerver_stream"][0]["invite_only"] = "no".into()), ["value-type"]);
    assert_eq!(refused(&|realm| realm["zerver_userprofile"][0]["is_superuser_too"] = true.into()), ["key-unknown"]);
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let cut = stage.json(&stage.new, 4, &["import", "moved", "acme"]);
    assert!(codes(&cut).contains(&"json-invalid"), "{cut}");
    std::fs::write(&path, &whole).unwrap();

    let status = stage.dir.join("acme/migration_status.json");
    let text = std::fs::read_to_string(&status).unwrap();
    std::fs::write(&status, text.replace("0696_", "0695_")).unwrap();
    let other = stage.json(&stage.new, 3, &["import", "moved", "acme"]);
    assert!(codes(&other).contains(&"migrations-differ"), "{other}");
    assert_eq!(rows(&stage), before);
}
