//! Root makes a backup as the deployment's owner.
#![allow(clippy::unwrap_used)] // a test

#[path = "support/fixture.rs"]
mod fixture;

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::process::Output;

use camino::Utf8PathBuf;
use fixture::{PROGRAM, Server, clean, install, is_root, stderr, stdout, text};

const OWNER: u32 = 65534;

/// A server of somebody else's, with a copy of the program where that somebody may run it.
fn server() -> Option<(Server, Utf8PathBuf)> {
    if !is_root() {
        println!("skipped: only root can become somebody else");
        return None;
    }
    let server = Server::new();
    let program = server.host.path("/usr/local/bin/zulip-backup");
    std::fs::create_dir_all(program.parent().unwrap()).unwrap();
    install(PROGRAM, &program);
    server.host.give_to(OWNER, OWNER);
    Some((server, program))
}

fn run(server: &Server, program: &Utf8PathBuf, output: &str) -> Output {
    let mut command = clean(std::process::Command::new(program));
    command.args(["create", "--skip-db", "--output", output, "--root", server.host.root().as_str()]);
    command.env("HOME", "/root").env("SUDO_USER", "somebody").output().unwrap()
}

#[test]
fn the_archive_is_the_owners() {
    let Some((server, program)) = server() else { return };
    chown(server.dir(), Some(OWNER), Some(OWNER)).unwrap();
    let path = server.path("a.tar.gz");
    let done = run(&server, &program, path.as_str());
    // The finding is about the database, which is not there.
    assert_eq!(done.status.code(), Some(1), "{}", text(&done));
    assert_eq!(stdout(&done), format!("Backup tarball written to {path}\n"));
    assert_eq!(path.metadata().unwrap().uid(), OWNER);
    let asked: Vec<u32> = server.host.calls().iter().map(|call| call.uid).collect();
    assert!(!asked.is_empty() && asked.iter().all(|uid| *uid == OWNER), "{asked:?}");
}

#[test]
fn where_the_owner_may_not_write_nothing_is_begun() {
    let Some((server, program)) = server() else { return };
    let done = run(&server, &program, server.path("a.tar.gz").as_str());
    assert_eq!(done.status.code(), Some(3), "{}", text(&done));
    let expected = format!("error: the backup is made as zulip, who may not write to {}\n", server.dir());
    assert!(stderr(&done).starts_with(&expected), "{}", text(&done));
    assert!(stderr(&done).contains("hint: name an --output") && stderr(&done).contains("install -d -o zulip"));
    assert_eq!(server.files(), Vec::<String>::new());
}

#[test]
fn a_program_the_owner_may_not_run_is_explained() {
    let Some((server, program)) = server() else { return };
    chown(server.dir(), Some(OWNER), Some(OWNER)).unwrap();
    chown(&program, Some(0), Some(0)).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
    let done = run(&server, &program, server.path("a.tar.gz").as_str());
    assert_eq!(done.status.code(), Some(6), "{}", text(&done));
    assert!(
        stderr(&done).contains("as zulip") && stderr(&done).contains("hint: install the program"),
        "{}",
        text(&done)
    );
}
