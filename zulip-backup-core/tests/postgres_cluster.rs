//! Throw-away servers: they start, they can be trusted to go, and they say why they do not start.

#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // the rules are for the library

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use zulip_backup_core::ErrorKind;
use zulip_backup_core::postgres::{Cluster, Durability, Environment, Programs, ServerPrograms, sqlstate};
use zulip_backup_core::process::SystemUser;

fn is_root() -> bool {
    SystemUser::current().is_ok_and(|user| user.uid == 0)
}

/// Every server installation on this machine: the packaged one and those named in `ZULIP_BACKUP_PG_BIN`.
fn installations() -> Vec<ServerPrograms> {
    let env = Environment::current();
    let named = env.var("ZULIP_BACKUP_PG_BIN").unwrap_or_default().split(':').filter(|path| !path.is_empty());
    let mut found: Vec<ServerPrograms> =
        named.map(|path| ServerPrograms::in_dir(Utf8Path::new(path)).unwrap()).collect();
    let first = ServerPrograms::find(None, &Environment::new([("PATH", env.var("PATH").unwrap_or_default())])).unwrap();
    if !found.contains(&first) {
        found.push(first);
    }
    found
}

fn wait_until_gone(paths: &[&Utf8Path], limit: Duration) {
    let deadline = Instant::now() + limit;
    while let Some(path) = paths.iter().find(|path| path.exists()) {
        assert!(Instant::now() < deadline, "{path} is still there");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn postmaster(cluster_data: &Utf8Path) -> Utf8PathBuf {
    let text = std::fs::read_to_string(cluster_data.join("postmaster.pid")).unwrap();
    Utf8PathBuf::from(format!("/proc/{}", text.lines().next().unwrap()))
}

#[test]
fn every_installed_version_starts_serves_and_goes() {
    for programs in installations() {
        let major = programs.major();
        let cluster = Cluster::builder().programs(programs).start().unwrap();
        assert_eq!(cluster.major(), major);
        cluster.create_database("zu\"lip", "own er").unwrap();
        let mut client = cluster.connect_options("zu\"lip").connect("test").unwrap();
        let row = client
            .query_one(
                "SELECT current_setting('server_version_num')::int / 10000, current_setting('server_encoding'),
                        pg_get_userbyid(datdba)::text, current_setting('listen_addresses'), current_setting('fsync')
                 FROM pg_database WHERE datname = current_database()",
                &[],
            )
            .unwrap();
        assert_eq!(row.get::<_, i32>(0).cast_unsigned(), major);
        assert_eq!(row.get::<_, String>(1), "UTF8");
        assert_eq!(row.get::<_, String>(2), "own er");
        assert_eq!(row.get::<_, String>(3), "");
        assert_eq!(row.get::<_, String>(4), "off");
        let root = cluster.data_dir().parent().unwrap().to_owned();
        assert_eq!(std::fs::metadata(&root).unwrap().permissions().mode() & 0o777, 0o700);
        let server = postmaster(cluster.data_dir());
        assert!(server.exists());
        drop(client);
        drop(cluster);
        assert!(!root.exists() && !server.exists(), "both are gone when drop returns");
    }
}

#[test]
fn stop_keeps_what_was_written_and_a_crash_of_a_durable_server_too() {
    let mut cluster = Cluster::builder().durability(Durability::Durable).autovacuum(true).start().unwrap();
    let connect = |cluster: &Cluster| cluster.connect_options("postgres").connect("test");
    connect(&cluster).unwrap().batch_execute("CREATE TABLE kept AS SELECT 1 AS n").unwrap();
    cluster.stop().unwrap();
    assert_eq!(connect(&cluster).err().unwrap().kind(), ErrorKind::Postgres);
    cluster.stop().unwrap();
    cluster.restart().unwrap();
    connect(&cluster).unwrap().batch_execute("INSERT INTO kept VALUES (2)").unwrap();
    cluster.crash().unwrap();
    assert!(connect(&cluster).is_err());
    cluster.restart().unwrap();
    let row = connect(&cluster).unwrap().query_one("SELECT count(*), current_setting('fsync') FROM kept", &[]).unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, String>(1)), (2, "on".to_owned()));
    assert!(cluster.log().contains("not properly shut down"), "{}", cluster.log());
}

#[test]
fn a_server_that_does_not_start_says_why_and_leaves_nothing() {
    let parent = tempfile::Builder::new().prefix("pgt").tempdir_in("/tmp").unwrap();
    open_to_all(parent.path());
    let path = Utf8Path::from_path(parent.path()).unwrap();
    let error = Cluster::builder().parent(path).setting("work_mem", "many").start().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Postgres);
    assert!(error.to_string().contains("work_mem"), "{error}");
    assert_eq!(std::fs::read_dir(path).unwrap().count(), 0);

    let error = Cluster::builder().parent(path).locale("xx_YY.nonsense").start().unwrap_err();
    assert!(error.to_string().contains("initdb") && error.to_string().contains("locale"), "{error}");
    assert_eq!(std::fs::read_dir(path).unwrap().count(), 0);
}

#[test]
fn a_long_or_odd_path_gets_a_short_socket() {
    let parent = tempfile::Builder::new().prefix("pgt").tempdir_in("/tmp").unwrap();
    open_to_all(parent.path());
    let long = parent.path().join(format!("a, 'b' {}", "c".repeat(120)));
    std::fs::create_dir(&long).unwrap();
    let cluster = Cluster::builder().parent(Utf8PathBuf::from_path_buf(long.clone()).unwrap()).start().unwrap();
    let options = cluster.connect_options("postgres");
    assert!(options.hosts[0].len() < 100);
    assert!(cluster.data_dir().starts_with(long.to_str().unwrap()));
    options.connect("test").unwrap();
    let sockets = Utf8PathBuf::from(&options.hosts[0]);
    drop(cluster);
    assert!(!sockets.exists());
    assert_eq!(std::fs::read_dir(&long).unwrap().count(), 0);
}

fn set_mode(path: &std::path::Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn open_to_all(path: &std::path::Path) {
    set_mode(path, 0o755);
}

#[test]
fn what_the_servers_user_may_not_enter_is_named() {
    if !is_root() {
        return eprintln!("skipped: only root starts servers as another user");
    }
    let closed = tempfile::Builder::new().prefix("pgt").tempdir_in("/tmp").unwrap();
    set_mode(closed.path(), 0o700);
    let path = Utf8Path::from_path(closed.path()).unwrap();
    let error = Cluster::builder().parent(path).start().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.to_string().contains(&format!("may not enter {path}")), "{error}");

    let bin = path.join("venv/bin");
    std::fs::create_dir_all(&bin).unwrap();
    for name in ["postgres", "initdb"] {
        let program = bin.join(name);
        std::fs::write(&program, "#!/bin/sh\necho 'postgres (PostgreSQL) 15.1'\n").unwrap();
        open_to_all(program.as_std_path());
    }
    let programs = ServerPrograms::in_dir(&bin).unwrap();
    let error = Cluster::builder().programs(programs).start().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert_eq!(error.path(), Some(path));
    assert!(error.to_string().contains(bin.as_str()), "{error}");
}

#[test]
fn another_user_for_the_server() {
    if !is_root() {
        return eprintln!("skipped: only root starts servers as another user");
    }
    let nobody = SystemUser::by_name("nobody").unwrap();
    let cluster = Cluster::builder().run_as(nobody.clone()).start().unwrap();
    assert_eq!(cluster.system_user(), Some(&nobody));
    cluster.connect_options("postgres").connect("test").unwrap();
    let root = SystemUser::by_uid(0).unwrap();
    assert_eq!(Cluster::builder().run_as(root).start().unwrap_err().kind(), ErrorKind::Refused);
}

#[test]
fn a_wrong_query_is_told_with_its_sqlstate() {
    let cluster = Cluster::builder().start().unwrap();
    let error = cluster.connect_options("absent").connect("test").err().unwrap();
    assert_eq!(sqlstate(&error), Some("3D000"));
    assert!(error.to_string().contains("postgres@/absent?host=/"), "{error}");
    assert!(error.hint().unwrap().contains("no such database"));
    let error = cluster.create_database("postgres", "postgres").unwrap_err();
    assert_eq!(sqlstate(&error), Some("42P04"));
    assert!(error.to_string().starts_with("cannot create the database postgres: "), "{error}");
    assert_eq!(error.chain(), error.to_string(), "nothing is said twice");
}

#[test]
fn a_child_gets_the_connection_by_its_environment() {
    let cluster = Cluster::builder().start().unwrap();
    let programs = Programs::for_server((cluster.major() * 10_000).cast_signed(), &Environment::current()).unwrap();
    let mut psql = Command::new(programs.path("psql"));
    psql.args(["-XAtc", "SELECT current_user || '@' || current_database()"]).env("PGDATABASE", "elsewhere");
    cluster.connect_options("template1").apply_to_command(&mut psql).unwrap();
    let said = zulip_backup_core::process::output(psql, ErrorKind::Postgres).unwrap();
    assert_eq!(String::from_utf8(said).unwrap(), "postgres@template1\n");
}

/// Not a test: the process that the test below kills.
#[test]
#[ignore = "started by the test of an owner that is killed"]
fn owner_of_a_cluster() {
    if std::env::var_os("HOLD_A_CLUSTER").is_none() {
        return;
    }
    let cluster = Cluster::builder().start().unwrap();
    println!("\nDATA {}", cluster.data_dir());
    std::io::stdout().flush().unwrap();
    std::thread::sleep(Duration::from_mins(10));
    drop(cluster);
}

#[test]
fn nothing_outlives_an_owner_that_is_killed() {
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "owner_of_a_cluster", "--nocapture"])
        .env("HOLD_A_CLUSTER", "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(owner.stdout.take().unwrap()).lines();
    let data = lines.map_while(Result::ok).find_map(|line| line.strip_prefix("DATA ").map(Utf8PathBuf::from)).unwrap();
    let server = postmaster(&data);
    assert!(data.exists() && server.exists());
    owner.kill().unwrap();
    owner.wait().unwrap();
    wait_until_gone(&[&server, &data, data.parent().unwrap()], Duration::from_secs(15));
}
