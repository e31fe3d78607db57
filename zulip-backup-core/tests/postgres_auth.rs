//! Getting in: passwords from everywhere libpq takes them from, peer authentication, fail-over, time limits.

#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used)] // the rules are for the library

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use zulip_backup_core::postgres::{Cluster, ConnectOptions, Environment, sqlstate};
use zulip_backup_core::process::SystemUser;
use zulip_backup_core::{Error, ErrorKind, Secret};

const PASSWORD: &str = r"it's:a \secret";

/// A server whose role `zulip` needs its password and whose role `postgres` must be the system user of that name.
fn guarded() -> Cluster {
    let cluster = Cluster::builder().start().unwrap();
    cluster.create_database("zulip", "zulip").unwrap();
    let mut client = cluster.connect_options("postgres").connect("test").unwrap();
    client.batch_execute(&format!("ALTER ROLE zulip PASSWORD '{}'", PASSWORD.replace('\'', "''"))).unwrap();
    let rules = "local all zulip scram-sha-256\nlocal all postgres peer\n";
    std::fs::write(cluster.data_dir().join("pg_hba.conf"), rules).unwrap();
    client.batch_execute("SELECT pg_reload_conf()").unwrap();
    // The postmaster takes the rules in when it gets to it.
    let deadline = Instant::now() + Duration::from_secs(10);
    while cluster.connect_options("zulip").with_user("zulip").connect("test").is_ok() {
        assert!(Instant::now() < deadline);
        std::thread::sleep(Duration::from_millis(20));
    }
    cluster
}

fn home(files: &[(&str, String)]) -> (tempfile::TempDir, Utf8PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = Utf8PathBuf::from_path_buf(directory.path().to_owned()).unwrap();
    for (name, text) in files {
        std::fs::write(path.join(name), text).unwrap();
        set_mode(&path.join(name), 0o600);
    }
    (directory, path)
}

fn set_mode(path: &Utf8Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn whoami(options: &ConnectOptions) -> Result<String, Error> {
    let mut client = options.connect("test")?;
    Ok(client.query_one("SELECT current_user::text", &[]).unwrap().get(0))
}

#[test]
fn a_password_from_everywhere_libpq_takes_it_from() {
    let cluster = guarded();
    let socket = cluster.connect_options("zulip").hosts[0].clone();

    let explicit =
        ConnectOptions { password: Some(Secret::new(PASSWORD)), ..cluster.connect_options("zulip").with_user("zulip") };
    assert_eq!(whoami(&explicit).unwrap(), "zulip");

    let variables = [("PGHOST", socket.as_str()), ("PGUSER", "zulip"), ("PGPASSWORD", PASSWORD)];
    let mut options = ConnectOptions::default();
    options.fill_from_environment(&Environment::new(variables)).unwrap();
    assert_eq!(whoami(&options).unwrap(), "zulip");

    let escaped = PASSWORD.replace('\\', r"\\").replace(':', r"\:");
    let service = format!("[zulip]\nhost={socket}\nuser=zulip\ndbname=zulip\n");
    let (_guard, home) = home(&[
        (".pgpass", format!("*:*:other:zulip:wrong\n{socket}:5432:zulip:zulip:{escaped}\n")),
        (".pg_service.conf", service),
    ]);
    let env = Environment::new([("PGSERVICE", "zulip")]).with_home(&home);
    let mut options = ConnectOptions::default();
    assert!(options.fill_from_environment(&env).unwrap().is_empty());
    assert_eq!(whoami(&options).unwrap(), "zulip");
    assert!(whoami(&options.clone().with_dbname("other")).is_err(), "the line for another database");

    set_mode(&home.join(".pgpass"), 0o644);
    let mut options = ConnectOptions::parse("service=zulip").unwrap();
    let findings = options.fill_from_environment(&Environment::default().with_home(&home)).unwrap();
    assert_eq!(findings.count("passfile-ignored"), 1);
    assert!(whoami(&options).is_err(), "a password file open to others is not read");
}

#[test]
fn a_wrong_password_is_told_without_it() {
    let cluster = guarded();
    let options =
        ConnectOptions { password: Some(Secret::new("WRONG")), ..cluster.connect_options("zulip").with_user("zulip") };
    let error = whoami(&options).unwrap_err();
    assert_eq!((error.kind(), sqlstate(&error)), (ErrorKind::Postgres, Some("28P01")));
    assert!(error.hint().unwrap().contains("PGPASSWORD"));
    assert!(!format!("{error:?} {}", error.chain()).contains("WRONG"), "{error}");
    let missing = whoami(&cluster.connect_options("zulip").with_user("zulip")).unwrap_err();
    assert!(missing.to_string().contains("password"), "{missing}");
}

#[test]
fn peer_authentication_with_the_identity_of_another() {
    let Ok(postgres) = SystemUser::by_name("postgres") else {
        return eprintln!("skipped: there is no system user postgres");
    };
    if SystemUser::current().unwrap().uid != 0 {
        return eprintln!("skipped: only root can become somebody else");
    }
    let cluster = guarded();
    let options = cluster.connect_options("postgres");
    let error = whoami(&options).unwrap_err();
    assert_eq!(sqlstate(&error), Some("28000"));
    assert!(error.hint().unwrap().contains("system user"), "{:?}", error.hint());

    let as_postgres = ConnectOptions { run_as: Some(postgres), user: None, ..options.clone() };
    assert_eq!(whoami(&as_postgres).unwrap(), "postgres");
    assert_eq!(SystemUser::current().unwrap().uid, 0, "this thread still is root's");

    let as_nobody = ConnectOptions { run_as: Some(SystemUser::by_name("nobody").unwrap()), ..options };
    let error = whoami(&as_nobody).unwrap_err();
    assert!(error.to_string().contains("Permission denied"), "the directory is private: {error}");
}

#[test]
fn the_first_host_that_will_do() {
    let standby = Cluster::builder().port(5433).setting("default_transaction_read_only", "on").start().unwrap();
    let primary = Cluster::builder().start().unwrap();
    let (one, two) = (standby.connect_options("postgres"), primary.connect_options("postgres"));
    let hosts = ["/nonexistent".to_owned(), one.hosts[0].clone(), two.hosts[0].clone()];
    let any = ConnectOptions { hosts: hosts.to_vec(), ports: vec![1, 5433, 5432], ..two.clone() };
    let data_dir = |options: &ConnectOptions| -> String {
        options.connect("test").unwrap().query_one("SHOW data_directory", &[]).unwrap().get(0)
    };
    assert_eq!(data_dir(&any), standby.data_dir().as_str());
    let writable = ConnectOptions { read_write: true, ..any.clone() };
    assert_eq!(data_dir(&writable), primary.data_dir().as_str());

    let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let none = ConnectOptions {
        hosts: vec!["/nonexistent".into(), "127.0.0.1".into(), hosts[1].clone()],
        ports: vec![1, dead, 5433],
        read_write: true,
        ..two
    };
    let error = whoami(&none).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Postgres);
    for part in ["/nonexistent/.s.PGSQL.1", &format!("127.0.0.1:{dead}"), "refused", "does not allow writes"] {
        assert!(error.to_string().contains(part), "{part}: {error}");
    }
}

#[test]
fn a_server_that_says_nothing_is_not_waited_for() {
    // The kernel accepts for a listener that never does: what a stopped server looks like.
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let text =
        format!("host=127.0.0.1 port={} user=x sslmode=disable connect_timeout=1", mute.local_addr().unwrap().port());
    let begin = Instant::now();
    let error = whoami(&ConnectOptions::parse(&text).unwrap()).unwrap_err();
    assert!(error.to_string().contains("no answer within 1 s"), "{error}");
    assert!(begin.elapsed() < Duration::from_secs(5));
}
