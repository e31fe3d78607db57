//! `export`, `export-user`, `validate` and `diff`, as a person runs them, and as they are killed.
#![allow(clippy::unwrap_used)] // a test

#[path = "support/documented.rs"]
mod documented;

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use documented::documented;
use serde_json::Value;
use zulip_backup_core::postgres::Cluster;
use zulip_backup_examples::{SampleHost, SampleOptions};

struct Stage {
    _temp: tempfile::TempDir,
    dir: Utf8PathBuf,
    host: SampleHost,
}

impl Stage {
    fn new(messages: u64) -> Self {
        Self::of(&SampleOptions { messages, uploads_bytes: 4 << 20, ..SampleOptions::default() })
    }

    fn of(options: &SampleOptions) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let dir = Utf8PathBuf::from_path_buf(temp.path().to_owned()).unwrap();
        let host = SampleHost::start(&dir.join("host"), options, Cluster::builder()).unwrap();
        std::fs::create_dir(dir.join("out")).unwrap();
        Self { _temp: temp, dir, host }
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_zulip-backup"));
        command.args(words).args(self.host.flags()).arg("--no-progress").current_dir(self.dir.join("out"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    fn json(&self, status: i32, words: &[&str]) -> Value {
        let done = self.run(&[words, &["--json"]].concat());
        assert_eq!(done.status.code(), Some(status), "{words:?}: {done:?}");
        serde_json::from_slice(&done.stdout).unwrap()
    }

    /// What lies beside the exports, the hidden too.
    fn files(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.dir.join("out").read_dir_utf8().unwrap().map(|entry| entry.unwrap().file_name().to_owned()).collect();
        names.sort_unstable();
        names
    }

    fn number(&self, query: &str) -> i64 {
        let mut client = self.host.database().connect("test").unwrap();
        client.batch_execute("SET search_path = zulip, public").unwrap();
        client.query_one(query, &[]).unwrap().get(0)
    }
}

#[test]
fn an_organisation_and_a_user_are_exported_checked_and_compared() {
    let stage = Stage::new(2500);
    let plan = stage.json(0, &["export", "-r", "acme", "--output", "a.tar.gz", "--deactivate", "--dry-run"]);
    documented(&plan, "| the same with `--dry-run` |");
    assert_eq!((stage.files(), plan["format"].as_str()), (vec![], Some("tar.gz")));
    documented(&stage.json(0, &["export", "--list"]), "| `export --list`");

    let report =
        stage.json(1, &["export", "-r", "acme", "--output", "a.tar.gz", "--deactivate-realm", "--threads", "2"]);
    documented(&report, "| `export`, `export-user` |");
    // The sample has no memcached: that somebody has to empty it is worth a look.
    assert!(report["next_steps"][0].as_str().unwrap().ends_with("flush-memcached"), "{report}");
    let id = stage.number("SELECT id::int8 FROM zerver_realm WHERE string_id = 'acme' AND deactivated").to_string();
    let sum = Command::new("sha256sum").arg("a.tar.gz").current_dir(stage.dir.join("out")).output().unwrap();
    assert!(String::from_utf8(sum.stdout).unwrap().starts_with(report["sha256"].as_str().unwrap()));
    stage.json(3, &["export", "-r", "acme", "--output", "again", "--deactivate"]);
    // By its id, into a directory that was made for it.
    std::fs::create_dir(stage.dir.join("out/b")).unwrap();
    stage.json(0, &["export", "-r", &id, "--output", "b", "--export-full-with-consent", "--force"]);
    let root = stage.json(0, &["export", "-r", "", "--output", "root.tar.zst"]);
    assert_eq!(root["realm"], "");
    stage.json(3, &["export", "-r", "acme", "--output", "a.tar.gz"]);
    stage.json(6, &["export", "-r", "nobody", "--output", "c"]);
    stage.json(2, &["export", "--output", "c"]);

    let handed_out = ["export", "-r", "acme", "--output", "elsewhere/b.tar.gz", "--upload"];
    documented(&stage.json(0, &[&handed_out[..], &["--dry-run"]].concat()), "| the same with `--dry-run` |");
    let report = stage.json(0, &handed_out);
    documented(&report, "| `export`, `export-user` |");
    assert!(report["url"].as_str().unwrap().ends_with("/b.tar.gz") && !stage.dir.join("out/elsewhere").exists());
    assert!(report["path"].as_str().unwrap().starts_with(stage.host.uploads_dir().join("avatars/exports").as_str()));
    stage.json(2, &["export", "-r", "acme", "--output", "directory", "--upload"]);

    let skeleton = stage.json(0, &["schema", "--from-database", "13"]);
    documented(&skeleton, "| `schema --from-database` |");
    let begun: Vec<_> = stage.dir.join("out/13").read_dir_utf8().unwrap().map(|entry| entry.unwrap()).collect();
    assert_eq!(begun.len(), 6);
    stage.json(3, &["schema", "--from-database", "13"]);
    std::fs::remove_dir_all(stage.dir.join("out/13")).unwrap();

    for name in ["a.tar.gz", "b", "root.tar.zst"] {
        documented(&stage.json(0, &["validate", name]), "| `validate` |");
        documented(&stage.json(0, &["inspect", name]), "| `inspect` of an export |");
    }
    let difference = stage.json(1, &["diff", "a.tar.gz", "b"]);
    documented(&difference, "| `diff` |");
    assert!(difference["lists"].as_array().unwrap().len() > 3, "{difference}");
    stage.json(0, &["diff", "a.tar.gz", "a.tar.gz"]);
    let difference = stage.json(1, &["diff", "a.tar.gz", "b", "--renumbered"]);
    documented(&difference, "| `diff` |");
    assert!(!difference["not_compared"].as_array().unwrap().is_empty(), "{difference}");
    stage.json(0, &["diff", "--renumbered", "b", "b"]);

    let mut client = stage.host.database().connect("test").unwrap();
    let email: String = client
        .query_one("SELECT delivery_email FROM zulip.zerver_userprofile WHERE realm_id = $1::text::int4 AND NOT is_bot ORDER BY id LIMIT 1", &[&id])
        .unwrap()
        .get(0);
    let report = stage.json(0, &["export-user", &email, "-r", "acme", "--output", "user"]);
    assert!(report["rows"].as_u64().unwrap() > 10, "{report}");
    for entry in ["b", "user"].map(|name| stage.dir.join("out").join(name)) {
        let mut waiting = vec![entry];
        while let Some(path) = waiting.pop() {
            let metadata = path.symlink_metadata().unwrap();
            let expected = if metadata.is_dir() { 0o700 } else { 0o600 };
            assert_eq!(metadata.permissions().mode() & 0o777, expected, "{path}");
            if metadata.is_dir() {
                waiting.extend(path.read_dir_utf8().unwrap().map(|entry| entry.unwrap().into_path()));
            }
        }
    }
    assert_eq!(stage.files(), ["a.tar.gz", "b", "root.tar.zst", "user"]);
}

#[test]
fn an_export_of_an_older_zulip_becomes_one_of_a_newer() {
    let stage =
        Stage::of(&SampleOptions { zulip_version: "9.0".to_owned(), messages: 100, ..SampleOptions::default() });
    // The sample's users reacted to many messages: whether they meant to consent by that is the administrator's to know.
    let asked = stage
        .number("SELECT m.id::int8 FROM zerver_message m JOIN zerver_realm r ON r.id = m.realm_id WHERE r.string_id = 'acme' AND last_edit_time IS NULL ORDER BY m.id LIMIT 1")
        .to_string();
    let consent = ["export", "-r", "acme", "--output", "consent"];
    stage.json(3, &[&consent[..], &["--export-full-with-consent"]].concat());
    let plan = stage.json(0, &[&consent[..], &["--consent-message-id", &asked, "--dry-run"]].concat());
    assert_eq!(plan["consent"]["message_id"].to_string(), asked);
    stage.json(0, &["export", "-r", "acme", "--output", "old.tar.gz"]);
    assert_eq!(stage.json(0, &["validate", "old.tar.gz"])["release"], "9");

    let upgrade = ["upgrade-export", "old.tar.gz", "--to", "11.2"];
    let plan = stage.json(0, &[&upgrade[..], &["--dry-run"]].concat());
    documented(&plan, "| the same with `--dry-run` | `path`, `output`, `from`");
    assert_eq!((stage.files(), plan["steps"].as_array().unwrap().len()), (vec!["old.tar.gz".to_owned()], 2));
    let report = stage.json(0, &upgrade);
    documented(&report, "| `upgrade-export` |");
    assert_eq!(report["path"].as_str().unwrap(), "old-11.2.tar.gz");
    let checked = stage.json(0, &["validate", "old-11.2.tar.gz"]);
    assert_eq!((&checked["release"], &checked["zulip_version"]), (&"11".into(), &"11.2".into()));
    // Neither over what is there, nor to what is not known, nor back.
    stage.json(3, &upgrade);
    stage.json(3, &["upgrade-export", "old.tar.gz", "--to", "99.0"]);
    stage.json(3, &["upgrade-export", "old-11.2.tar.gz", "--to", "9.0"]);
    stage.json(6, &["upgrade-export", "nowhere", "--to", "10.1"]);
    assert_eq!(stage.files(), ["old-11.2.tar.gz", "old.tar.gz"]);
}

#[test]
fn a_killed_export_leaves_nothing_under_its_name_and_the_next_cleans_up() {
    let stage = Stage::new(6000);
    let begun = Instant::now();
    assert!(stage.run(&["export", "-r", "acme", "--output", "whole.tar.gz"]).status.success());
    let whole = begun.elapsed();
    let mut killed = 0;
    for round in 0..24_u32 {
        let name = if round % 2 == 0 { "a" } else { "a.tar.gz" };
        let mut child = stage.command(&["export", "-r", "acme", "--output", name]).spawn().unwrap();
        std::thread::sleep(whole * (round + 1) / 24);
        child.kill().unwrap();
        if child.wait().unwrap().success() {
            std::fs::remove_dir_all(stage.dir.join("out").join(name))
                .or_else(|_| std::fs::remove_file(stage.dir.join("out").join(name)))
                .unwrap();
        } else if stage.dir.join("out").join(name).exists() {
            // Killed behind its last step: what has the name is complete.
            assert!(stage.run(&["validate", name]).status.success());
            std::fs::remove_dir_all(stage.dir.join("out").join(name))
                .or_else(|_| std::fs::remove_file(stage.dir.join("out").join(name)))
                .unwrap();
        } else {
            killed += 1;
        }
    }
    assert!(killed > 5, "only {killed} were killed in time");
    // The server may need a moment to notice that a client is gone.
    let deadline = Instant::now() + Duration::from_secs(30);
    let done = loop {
        let done = stage.run(&["export", "-r", "acme", "--output", "b"]);
        if done.status.code() != Some(5) || Instant::now() > deadline {
            break done;
        }
        std::thread::sleep(Duration::from_millis(200));
    };
    assert!(done.status.success(), "{done:?}");
    assert!(stage.run(&["export", "-r", "acme", "--no-record", "--output", "b.tar.gz"]).status.success());
    assert_eq!(stage.files(), ["b", "b.tar.gz", "whole.tar.gz"]);
    assert!(stage.run(&["validate", "b"]).status.success());
    assert_eq!(stage.number("SELECT count(*) FROM zerver_realmexport WHERE status = 2"), 0);
    let lines = "SELECT count(*) FROM zerver_realmauditlog l WHERE event_type = 206 AND EXISTS (
                 SELECT FROM zerver_realmexport e WHERE l.extra_data = jsonb_build_object('realm_export_id', e.id) AND e.status <> 3)";
    assert_eq!(stage.number(lines), 0);
}

#[test]
fn two_exports_of_one_organisation_do_not_run_at_once() {
    let stage = Stage::new(300);
    let mut holder = stage.host.database().connect("test").unwrap();
    holder.batch_execute("BEGIN; LOCK TABLE zulip.zerver_huddle IN ACCESS EXCLUSIVE MODE").unwrap();
    let exports = "SELECT count(*) FROM zerver_realmexport";
    let before = stage.number(exports);
    let first = stage.command(&["export", "-r", "acme", "--output", "a"]).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_mins(1);
    while stage.number(exports) == before {
        assert!(Instant::now() < deadline, "the first export never began");
        std::thread::sleep(Duration::from_millis(20));
    }
    let error = stage.json(5, &["export", "-r", "acme", "--output", "b"]);
    assert_eq!(error["error"]["kind"], "locked");
    assert_eq!(stage.number(exports), before + 1, "a row for an export that never was");
    holder.batch_execute("ROLLBACK").unwrap();
    let done = first.wait_with_output().unwrap();
    assert!(done.status.success(), "{done:?}");
    assert_eq!(stage.files(), ["a"]);
}

#[test]
fn a_limit_of_file_size_ends_an_export_and_leaves_nothing_behind() {
    let stage = Stage::new(2500);
    let failed = "SELECT count(*) FROM zerver_realmexport WHERE status = 4";
    for name in ["a", "a.tar.zst"] {
        let before = stage.number(failed);
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -f 64; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_zulip-backup")]);
        command.args(["export", "-r", "acme", "--output", name]).args(stage.host.flags());
        let done = command.current_dir(stage.dir.join("out")).output().unwrap();
        assert_eq!(done.status.code(), Some(6), "{done:?}");
        assert!(String::from_utf8_lossy(&done.stderr).contains("File too large"), "{done:?}");
        assert_eq!((stage.files(), stage.number(failed)), (vec![], before + 1));
    }
}
