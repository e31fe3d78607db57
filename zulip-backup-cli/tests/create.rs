//! `create`, from the command line to the file.
#![allow(clippy::unwrap_used)] // a test

#[path = "support/documented.rs"]
mod documented;
#[path = "support/fixture.rs"]
mod fixture;

use std::os::unix::fs::MetadataExt;

use documented::documented;
use fixture::{Server, stderr, stdout, text};
use serde_json::Value;

#[test]
fn the_last_line_is_upstreams() {
    let server = Server::new();
    let path = server.path("zulip.tar.gz");
    let done = server.create(path.as_str(), &[]);
    assert_eq!(stdout(&done), format!("Backup tarball written to {path}\n"));
    let said = stderr(&done);
    assert!(said.contains("database  2 tables, 1000 rows") && said.contains("output    "), "{said}");
    assert!(said.contains("database: begun, ") && said.contains("database: done, "), "{said}");
    assert_eq!(server.files(), ["zulip.tar.gz"]);
    assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);

    let quiet = server.create(path.as_str(), &["--quiet", "--force"]);
    assert_eq!((stdout(&quiet), stderr(&quiet)), (stdout(&done), String::new()));
    let verbose = stderr(&server.create(path.as_str(), &["-v", "--force", "--no-progress"]));
    assert!(verbose.contains("\ntime      database ") && !verbose.contains("begun"), "{verbose}");
}

#[test]
fn a_program_gets_one_object_and_lines_of_events() {
    let server = Server::new();
    let done = server.create("zulip.tar.zst", &["--json"]);
    let report: Value = serde_json::from_str(stdout(&done).strip_suffix('\n').unwrap()).unwrap();
    assert_eq!(stdout(&done).lines().count(), 1);
    assert_eq!((&report["path"], &report["rows"]), (&Value::from("zulip.tar.zst"), &Value::from(1000)));
    assert_eq!(report["findings"]["list"], Value::Array(vec![]));
    let events: Vec<Value> = stderr(&done).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let named = |name: &str| events.iter().filter(|event| event["event"] == name).collect::<Vec<_>>();
    assert_eq!(named("begin")[0]["task"], "database");
    assert_eq!(named("begin")[0]["unit"], "bytes");
    assert!(named("begin")[0]["total"].is_u64() && named("end")[0]["done"].is_u64(), "{events:?}");
    assert!(named("message")[0]["text"].as_str().unwrap().starts_with("snapshot of "), "{events:?}");
    documented(&report, "| `create` |");
    let quiet = server.create("zulip.tar.zst", &["--json", "--quiet", "--force"]);
    assert_eq!(stderr(&quiet), "");
}

#[test]
fn a_dry_run_writes_nothing() {
    let server = Server::new();
    let done = server.create("zulip.tar.gz", &["--dry-run"]);
    assert!(stdout(&done).starts_with("Zulip 10.1 on ubuntu 22.04\n"), "{}", text(&done));
    let done = server.create("zulip.tar.gz", &["--dry-run", "--json"]);
    let plan: Value = serde_json::from_str(&stdout(&done)).unwrap();
    assert_eq!((&plan["output"], &plan["compression"]), (&Value::from("zulip.tar.gz"), &Value::from("gzip")));
    documented(&plan, "| `create --dry-run` |");
    assert_eq!(server.files(), Vec::<String>::new());
}

#[test]
fn nothing_is_replaced_unasked() {
    let server = Server::new();
    std::fs::write(server.path("zulip.tar.gz"), "precious").unwrap();
    let url = server.database_url();
    let done =
        server.run(&["create", "--database-url", &url, "--skip-uploads", "--output", "zulip.tar.gz", "--color=never"]);
    assert_eq!(done.status.code(), Some(3));
    assert_eq!(stderr(&done), "error: zulip.tar.gz exists\nhint: name another --output, or replace it with --force\n");
    assert_eq!(std::fs::read(server.path("zulip.tar.gz")).unwrap(), b"precious");
    server.create("zulip.tar.gz", &["--force"]);
    assert!(server.path("zulip.tar.gz").metadata().unwrap().len() > 1000);
    assert_eq!(server.files(), ["zulip.tar.gz"]);
}

#[test]
fn findings_are_an_exit_status_of_their_own_and_are_said_even_quietly() {
    let server = Server::new();
    let done = server.run(&["create", "--skip-db", "--quiet", "--output", "a.tar.gz"]);
    assert_eq!(done.status.code(), Some(1), "{}", text(&done));
    assert_eq!(stdout(&done), "Backup tarball written to a.tar.gz\n");
    assert!(stderr(&done).starts_with("warning: ") && stderr(&done).contains("[postgres-version-unknown]"));
}

#[test]
fn no_secret_is_ever_printed() {
    let server = Server::new();
    let url = format!("{} password=hunter2", server.database_url());
    let words = ["create", "--database-url", &url, "--verbose", "--output", "a.tar.gz", "--force", "--json"];
    for words in [&words[..], &words[..7], &["site", "--database-url", &url], &["site", "--json"]] {
        let done = server.run(words);
        assert!(matches!(done.status.code(), Some(0 | 1)), "{}", text(&done));
        assert!(!text(&done).contains("hunter2"), "{}", text(&done));
        assert_eq!(text(&done).contains("password-on-command-line"), words.contains(&"--database-url"), "{words:?}");
    }
    // From the environment nobody can read it.
    let mut command = server.command(&["site", "--json"]);
    let done = command.env("ZULIP_BACKUP_DATABASE_URL", &url).output().unwrap();
    assert!(!text(&done).contains("hunter2") && !text(&done).contains("password-on-command-line"), "{}", text(&done));
    assert!(stdout(&done).contains("$ZULIP_BACKUP_DATABASE_URL"), "{}", text(&done));
}

#[test]
fn what_was_backed_up_can_be_proved_and_taken_out() {
    let server = Server::new();
    server.create("zulip.tar.gz", &[]);
    let proved = server.run(&["verify", "zulip.tar.gz"]);
    assert_eq!(proved.status.code(), Some(0), "{}", text(&proved));
    assert!(stdout(&proved).contains("zulip.tar.gz: sound: "), "{}", text(&proved));
    let proved = server.run(&["verify", "--quick", "--json", "zulip.tar.gz"]);
    let report: Value = serde_json::from_str(&stdout(&proved)).unwrap();
    assert_eq!((&report["depth"], &report["kind"]), (&Value::from("quick"), &Value::from("indexed")));

    documented(&report, "| `verify` |");
    let site: Value = serde_json::from_str(&stdout(&server.run(&["site", "--json"]))).unwrap();
    documented(&site, "| `site` |");
    let inspected = server.run(&["inspect", "zulip.tar.gz", "--json"]);
    assert_eq!(inspected.status.code(), Some(0), "{}", text(&inspected));
    let report: Value = serde_json::from_str(&stdout(&inspected)).unwrap();
    documented(&report, "| `inspect` |");
    assert_eq!((&report["zulip_version"], &report["database"]["rows"]), (&Value::from("10.1"), &Value::from(1000)));
    assert!(
        !text(&inspected).contains("hunter2") && !text(&server.run(&["inspect", "zulip.tar.gz"])).contains("hunter2")
    );
    let sums = server.run(&["inspect", "zulip.tar.gz", "--sha256sums"]);
    assert!(stdout(&sums).lines().any(|line| line.ends_with("  zulip-backup/settings/zulip.conf")), "{}", text(&sums));

    let one = server.run(&["extract", "zulip.tar.gz", "settings/zulip.conf", "--stdout"]);
    assert_eq!(one.status.code(), Some(0), "{}", text(&one));
    assert!(stdout(&one).starts_with("[machine]\n"), "{}", text(&one));
    let all = server.run(&["extract", "zulip.tar.gz", "settings", "-C", "out", "--json"]);
    let report: Value = serde_json::from_str(&stdout(&all)).unwrap();
    assert_eq!(all.status.code(), Some(0), "{}", text(&all));
    documented(&report, "| `extract` |");
    assert!(report["files"].as_u64().unwrap() >= 3, "{report}");
    assert!(server.path("out/zulip-backup/settings/zulip.conf").exists());
    let again = server.run(&["extract", "zulip.tar.gz", "settings", "-C", "out"]);
    assert_eq!(again.status.code(), Some(1), "{}", text(&again));
    let again = server.run(&["extract", "zulip.tar.gz", "settings", "-C", "out", "--force"]);
    assert_eq!(again.status.code(), Some(0), "{}", text(&again));
}
