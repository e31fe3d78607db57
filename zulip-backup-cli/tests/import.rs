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
    let not_kept: Vec<&str> = plan["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|f| f["code"] == "not-kept")
        .map(|f| f["object"].as_str().unwrap())
        .collect();
    for what in ["passwords", "API keys", "ways to log in"] {
        assert!(not_kept.contains(&what), "{not_kept:?}");
    }
    assert!(plan["database_bytes"].as_u64().unwrap() > 1 << 20 && plan["database_free_bytes"].as_u64().unwrap() > 0);
    assert_eq!(plan["internal_realm_made"], false);
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
    let hint = other["error"]["reasons"][0]["hint"].as_str().unwrap();
    assert!(hint.contains("the export says it is of Zulip 10."), "{hint}");

    // Whatever kinds of reasons there are, all of them come at once.
    let mut realm: Value = serde_json::from_str(&whole).unwrap();
    realm["zerver_reaction"][0]["user_profile"] = 999_999.into();
    std::fs::write(&path, realm.to_string()).unwrap();
    let mut client = stage.new.database().connect("test").unwrap();
    let uuid = realm["zerver_realm"][0]["uuid"].as_str().unwrap();
    client.execute("UPDATE zulip.zerver_realm SET uuid = $1::text::uuid WHERE string_id = 'acme'", &[&uuid]).unwrap();
    client
        .batch_execute(
            "UPDATE zulip.zerver_userprofile SET email = 'gone@example.com' WHERE email = 'welcome-bot@zulip.com';
             CREATE ROLE reader LOGIN; GRANT USAGE ON SCHEMA zulip TO reader;
             GRANT SELECT ON ALL TABLES IN SCHEMA zulip TO reader",
        )
        .unwrap();
    let [root, database] = stage.new.flags();
    let database = database.replace("user=postgres", "user=reader");
    let mut command = Command::new(env!("CARGO_BIN_EXE_zulip-backup"));
    let words = ["import", "acme", "acme", "--json", "--no-progress", root.as_str(), database.as_str()];
    let all = command.args(words).current_dir(&stage.dir).output().unwrap();
    assert_eq!(all.status.code(), Some(4), "{all:?}");
    let all: Value = serde_json::from_slice(&all.stdout).unwrap();
    let all = codes(&all);
    let kinds =
        ["dangling-reference", "migrations-differ", "role-may-not", "subdomain-taken", "realm-exists", "bot-missing"];
    assert!(kinds.iter().all(|code| all.contains(code)), "{all:?}");
    assert_eq!(rows(&stage), before);
}

#[test]
fn flags_do_what_they_say() {
    let stage = Stage::new();
    stage.json(&stage.old, 0, &["export", "-r", "acme", "--output", "acme"]);
    let path = stage.dir.join("acme/realm.json");
    let mut realm: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    realm["zerver_userprofile"][0]["is_superuser"] = true.into();
    std::fs::write(&path, realm.to_string()).unwrap();
    let refused = stage.json(&stage.new, 3, &["import", "www", "acme"]);
    assert_eq!(codes(&refused), ["subdomain-reserved"]);
    let powers = |subdomain: &str| {
        let mut client = stage.new.database().connect("test").unwrap();
        let query = "SELECT count(*) FROM zulip.zerver_userprofile u JOIN zulip.zerver_realm r ON r.id = u.realm_id
                     WHERE u.is_superuser AND r.string_id = $1";
        client.query_one(query, &[&subdomain]).unwrap().get::<_, i64>(0)
    };
    let flags = ["--allow-reserved-subdomain", "--trust-server-powers"];
    stage.json(&stage.new, 1, &[&["import", "www", "acme"], &flags[..]].concat());
    assert_eq!(powers("www"), 1);
    // At the root domain, and as another organisation.
    let mut client = stage.new.database().connect("test").unwrap();
    client.batch_execute("UPDATE zulip.zerver_realm SET string_id = 'was-there' WHERE string_id = ''").unwrap();
    realm["zerver_realm"][0]["uuid"] = "0d9f5c1e-3f1b-4c3e-9f0a-2f6d5a1b7c11".into();
    std::fs::write(&path, realm.to_string()).unwrap();
    let plan = stage.json(&stage.new, 0, &["import", "", "acme", "--dry-run"]);
    let told = |plan: &Value| plan["findings"].to_string().contains("powers over the whole server");
    assert!(told(&plan), "{plan}");
    stage.json(&stage.new, 1, &["import", "", "acme"]);
    assert_eq!(powers(""), 0);
    assert_eq!(stage.json(&stage.new, 0, &["realm", "show", ""])["string_id"], "");
}

/// The report ends with commands. They are to be typed as they stand.
#[test]
fn what_is_to_be_done_next_can_be_done() {
    let stage = Stage::new();
    // No memcached runs here, which is a finding.
    stage.json(&stage.old, 1, &["realm", "deactivate", "acme", "--reason", "owner_request"]);
    stage.json(&stage.old, 0, &["export", "-r", "acme", "--output", "acme"]);
    let report = stage.json(&stage.new, 1, &["import", "moved", "acme", "--allow-reserved-subdomain"]);
    assert_eq!(report["active"], false);
    let commands = report["next_steps"].as_array().unwrap().iter().filter_map(|step| step["command"].as_str());
    let own: Vec<Vec<&str>> = commands
        .filter_map(|command| command.strip_prefix("zulip-backup "))
        .map(|words| words.split(' ').collect())
        .collect();
    assert_eq!(own, [["realm", "reactivate", "moved"]]);
    stage.json(&stage.new, 1, &own[0]);
    assert_eq!(stage.json(&stage.new, 0, &["realm", "show", "moved"])["deactivated"], false);
}
