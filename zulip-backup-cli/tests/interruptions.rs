//! Signals, a second run beside the first, full disks, and readers that leave.
#![allow(clippy::unwrap_used)] // a test

#[path = "support/fixture.rs"]
mod fixture;

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fixture::{PROGRAM, Server, clean, install, is_root, program, stderr, stdout, text};

#[test]
fn asked_to_stop_it_leaves_nothing_behind() {
    for (signal, status) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let server = Server::new();
        let running = server.endless();
        running.signal(signal);
        let done = running.wait();
        assert_eq!(done.status.code(), Some(status), "{}", text(&done));
        assert!(stderr(&done).ends_with("error: interrupted\n"), "{}", text(&done));
        assert_eq!(stdout(&done), "");
        assert_eq!(server.files(), Vec::<String>::new());
    }
}

#[test]
fn ctrl_c_reaches_the_children_too_and_still_is_an_interruption() {
    let server = Server::new();
    let url = server.database_url();
    // A pg_dump that takes its time, and is what the terminal's signal ends first.
    let script = "#!/bin/sh
        [ \"$1\" = --version ] && echo 'pg_dump (PostgreSQL) MAJOR.1' && exit
        trap 'kill $!; echo terminated by user >&2; exit 1' INT
        sleep 60 >/dev/null 2>&1 & touch DIR/began; wait";
    let script = script.replace("MAJOR", &fixture::postgres_major().to_string()).replace("DIR", server.dir().as_str());
    for program in ["pg_dump", "pg_restore"] {
        let text = server.host.path("/script");
        std::fs::write(&text, &script).unwrap();
        std::fs::set_permissions(&text, std::fs::Permissions::from_mode(0o755)).unwrap();
        install(text.as_str(), &server.path(program));
    }
    let mut command = server.command(&["create", "--database-url", &url, "--skip-uploads", "--output", "a.tar.gz"]);
    command.env("ZULIP_BACKUP_PG_BIN", server.dir()).process_group(0);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_mins(1);
    while !server.path("began").exists() {
        assert!(Instant::now() < deadline, "pg_dump was never begun");
        std::thread::sleep(Duration::from_millis(20));
    }
    let group = format!("-{}", child.id());
    assert!(Command::new("kill").args(["-s", "INT", "--", &group]).status().unwrap().success());
    let done = child.wait_with_output().unwrap();
    assert_eq!(done.status.code(), Some(130), "{}", text(&done));
    assert!(stderr(&done).contains("error: interrupted\n"), "{}", text(&done));
    assert_eq!(server.files(), ["began", "pg_dump", "pg_restore"]);
}

#[test]
fn an_ignored_signal_stays_ignored() {
    let server = Server::new();
    let mut command = clean(Command::new("sh"));
    command.args(["-c", "trap '' HUP INT; \"$0\" site --root \"$1\" & kill -HUP $!; kill -INT $!; wait $!", PROGRAM]);
    let done = command.arg(server.host.root()).output().unwrap();
    assert_eq!(done.status.code(), Some(0), "{}", text(&done));
}

#[test]
fn the_next_run_removes_what_a_killed_one_left() {
    let server = Server::new();
    let running = server.endless();
    running.signal("KILL");
    assert_eq!(running.wait().status.code(), None);
    assert_eq!(server.files().len(), 1, "{:?}", server.files());
    server.host.remove("/home/zulip/uploads/files/endless");
    server.create("next.tar.gz", &[]);
    assert_eq!(server.files(), ["next.tar.gz"]);
}

#[test]
fn the_second_of_two_is_told_who_the_first_is() {
    let server = Server::new();
    let running = server.endless();
    let second = server.run(&["create", "--skip-db", "--skip-uploads", "--output", "second.tar.gz"]);
    assert_eq!(second.status.code(), Some(5), "{}", text(&second));
    assert!(stderr(&second).contains(&format!("pid {}", running.id())), "{}", text(&second));
    let second = server.run(&["create", "--skip-db", "--skip-uploads", "--output", "second.tar.gz", "--json"]);
    let error: serde_json::Value = serde_json::from_str(&stdout(&second)).unwrap();
    assert_eq!(error["error"]["kind"], "locked");
}

#[test]
fn a_limit_of_file_size_is_an_error_and_leaves_nothing_behind() {
    let server = Server::new();
    server.host.write("/home/zulip/uploads/files/large", &noise(400_000));
    let mut command = clean(Command::new("sh"));
    command.args(["-c", "ulimit -f 64; exec \"$0\" create --skip-db --output a.tar.gz --root \"$1\"", PROGRAM]);
    let done = command.arg(server.host.root()).current_dir(server.dir()).output().unwrap();
    assert_eq!(done.status.code(), Some(6), "{}", text(&done));
    assert!(stderr(&done).contains("File too large"), "{}", text(&done));
    assert_eq!(server.files(), Vec::<String>::new());
}

#[test]
fn a_full_disk_is_an_error_and_leaves_nothing_behind() {
    let server = Server::new();
    server.host.write("/home/zulip/uploads/files/large", &noise(400_000));
    // The mount is gone with the last process of its name space.
    let script = "mount -t tmpfs -o size=100k none . 2>/dev/null || exit 99; cd \"$PWD\"
        \"$0\" create --skip-db --ignore-space --output a.tar.gz --root \"$1\"; status=$?
        test \"$(ls)\" = '' || exit 98; exit $status";
    let mut command = clean(Command::new("unshare"));
    command.args(["--mount", "sh", "-c", script, PROGRAM]).arg(server.host.root()).current_dir(server.dir());
    let done = command.output().unwrap();
    if !is_root() || done.status.code() == Some(99) || stderr(&done).starts_with("unshare") {
        println!("skipped: this user may not mount");
        return;
    }
    assert_eq!(done.status.code(), Some(6), "{}", text(&done));
    assert!(stderr(&done).contains("No space left") && stderr(&done).contains("hint: free some space"));
}

#[test]
fn nobody_reading_is_a_success_and_a_full_disk_is_not() {
    let server = Server::new();
    let root = server.host.root().as_str();
    for words in
        [&["site", "--root", root][..], &["site", "--json", "--root", root], &["completions", "bash"], &["--help"]]
    {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let done = program().args(words).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        assert_eq!((done.status.code(), stderr(&done)), (Some(0), String::new()), "{words:?}");
    }
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = server.command(&["create", "--skip-db", "--output", "a.tar.gz"]);
    let done = command.stdout(writer.try_clone().unwrap()).stderr(writer).output().unwrap();
    assert_eq!(done.status.code(), Some(1), "the findings, and nothing else");
    assert_eq!(server.files(), ["a.tar.gz"]);

    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let done = program().args(["completions", "bash"]).stdout(full).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(done.status.code(), Some(6));
    assert!(stderr(&done).starts_with("error: cannot write to standard output\n  caused by: No space left"));
}

/// Text that no compression makes much smaller.
fn noise(length: usize) -> String {
    let mut state = 88_172_645_463_325_252_u64;
    let mut text = String::with_capacity(length);
    for _ in 0..length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        text.push(char::from(b' ' + u8::try_from(state % 95).unwrap()));
    }
    text
}
