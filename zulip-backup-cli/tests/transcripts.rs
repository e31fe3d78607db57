//! What a person sees: help, and the answers to typical mistakes.
//!
//! Each file in `transcripts/` is commands with all they print and their exit status. `SNAPSHOTS=overwrite cargo test`
//! writes them anew.
#![allow(clippy::unwrap_used)] // a test

#[path = "support/fixture.rs"]
mod fixture;

use std::fmt::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use fixture::{PROGRAM, Server, clean, install, is_root, stderr, stdout};
use snapbox::{assert_data_eq, file};

/// Runs the commands in the server's directory and writes down what a person would see.
fn transcript(server: &Server, commands: &[&str]) -> String {
    let mut shown = String::new();
    for words in commands {
        // As nobody, because root can read everything.
        let (nobody, words) = words.strip_prefix("nobody$ ").map_or((false, *words), |words| (true, words));
        let mut command = clean(Command::new(server.path("zulip-backup")));
        command.args(words.split_whitespace()).current_dir(server.dir()).env("COLUMNS", "100");
        if nobody && is_root() {
            command.uid(65534).gid(65534);
        }
        let done = command.output().unwrap();
        writeln!(shown, "$ zulip-backup {words}").unwrap();
        shown.push_str(&stdout(&done));
        shown.push_str(&stderr(&done));
        writeln!(shown, "[exit {}]\n", done.status.code().unwrap()).unwrap();
    }
    let shown = shown.replace(server.host.root().as_str(), "HOST").replace(server.dir().as_str(), "DIR");
    measures_hidden(&shown)
}

/// Numbers of three and more digits (sizes, ports, errors) differ from run to run and from system to system.
fn measures_hidden(text: &str) -> String {
    let mut hidden = String::new();
    let mut digits = String::new();
    for c in text.trim_end().chars().chain(['\n']) {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        hidden.push_str(if digits.len() >= 3 { "N" } else { &digits });
        hidden.push(c);
        digits.clear();
    }
    hidden
}

fn server() -> Server {
    let server = Server::new();
    for directory in [server.dir(), server.host.root()] {
        std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o777)).unwrap();
    }
    // Where everybody may run it.
    install(PROGRAM, &server.path("zulip-backup"));
    server
}

#[test]
fn help() {
    let server = server();
    assert_data_eq!(transcript(&server, &["--help"]), file!["transcripts/help.txt"].raw());
    let verbs = [
        "site --help",
        "create --help",
        "inspect --help",
        "verify --help",
        "extract --help",
        "restore --help",
        "drill --help",
        "completions --help",
        "man --help",
    ];
    assert_data_eq!(transcript(&server, &verbs), file!["transcripts/help-verbs.txt"].raw());
    let version = transcript(&server, &["--version", "-V"]).replace(env!("CARGO_PKG_VERSION"), "VERSION");
    assert_data_eq!(version, file!["transcripts/version.txt"].raw());
}

#[test]
fn requests_that_make_no_sense() {
    let server = server();
    let commands = [
        "",
        "crate",
        "create --skip-database",
        "create --compression xz",
        "create --jobs 0",
        "create --quiet --verbose",
        "create --setting NAME",
        "verify",
        "verify --quick --full a.tar.gz",
        "extract a.tar.gz",
        "extract a.tar.gz b --stdout --json",
        "--json verify",
        "restore",
        "restore --commit --rollback",
        "restore a.tar.gz --database b",
        "man nowhere",
    ];
    assert_data_eq!(transcript(&server, &commands), file!["transcripts/usage.txt"].raw());
}

#[test]
fn archives_that_are_none() {
    let server = server();
    server.create("whole.tar.gz", &[]);
    let whole = std::fs::read(server.path("whole.tar.gz")).unwrap();
    std::fs::write(server.path("empty.tar.gz"), "").unwrap();
    std::fs::write(server.path("text.tar.gz"), "this is not an archive").unwrap();
    std::fs::create_dir(server.path("directory")).unwrap();
    std::fs::write(server.path("private.tar.gz"), &whole).unwrap();
    std::fs::set_permissions(server.path("private.tar.gz"), std::fs::Permissions::from_mode(0o000)).unwrap();
    let commands = [
        "verify missing.tar.gz",
        "verify missing.tar.gz --json",
        "verify empty.tar.gz",
        "verify text.tar.gz",
        "inspect missing.tar.gz",
        "verify directory",
        "nobody$ verify private.tar.gz",
        "extract whole.tar.gz settings/zulip.con",
        "extract whole.tar.gz settings --stdout",
        "extract whole.tar.gz settings/zulip.conf version --stdout",
    ];
    assert_data_eq!(transcript(&server, &commands), file!["transcripts/archives.txt"].raw());

    // Where a cut leaves the archive depends on its size, its verdict does not.
    std::fs::write(server.path("cut.tar.gz"), &whole[..whole.len() / 2]).unwrap();
    let done = server.run(&["verify", "cut.tar.gz"]);
    assert_eq!(done.status.code(), Some(4));
    assert!(stdout(&done).contains("cut.tar.gz: damaged: "), "{}", stdout(&done));
    let mut changed = whole.clone();
    changed[whole.len() / 2] ^= 1;
    std::fs::write(server.path("changed.tar.gz"), changed).unwrap();
    let done = server.run(&["verify", "changed.tar.gz", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&stdout(&done)).unwrap();
    assert_eq!(done.status.code(), Some(4));
    assert!(report["findings"]["list"].as_array().unwrap().iter().any(|finding| finding["severity"] == "error"));
}

#[test]
fn servers_that_cannot_be_backed_up() {
    let server = server();
    std::fs::create_dir(server.path("nothing")).unwrap();
    let root = server.host.root();
    server.host.write("/broken.toml", "database_url = 'postgres://a:hunter2@b/c'\nuploads = '/x'\n");
    server.host.write("/etc/passwd", "zulip:x:65534:65534::/home/zulip:/bin/bash\n");
    let create = |flags: &str| format!("create --root {root} {flags}");
    let commands = [
        create("--deployment nothing"),
        create("--deployment nowhere"),
        create("--config HOST/broken.toml").replace("HOST", root.as_str()),
        create("--skip-db --output a.tar.zst --compression gzip"),
        create("--skip-db --output a.tar.gz --level 99"),
        create("--skip-db --output nowhere/a.tar.gz"),
        create("--skip-db --output a.tar.gz --uploads-dir nowhere"),
        create("--database-url hunter2://hunter2 --output a.tar.gz"),
        create("--database-url postgres://zulip@%2Fnowhere/zulip --output a.tar.gz"),
    ];
    let commands: Vec<&str> = commands.iter().map(String::as_str).collect();
    let shown = transcript(&server, &commands);
    assert_eq!(shown.matches("hunter2").count(), 2, "only in the command itself: {shown}");
    assert_data_eq!(shown, file!["transcripts/servers.txt"].raw());
}
