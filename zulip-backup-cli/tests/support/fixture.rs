//! A server to back up, and the command to do it with.
#![allow(dead_code)] // no test file uses all of it
#![allow(clippy::expect_used, clippy::unwrap_used)] // a test's fixture

#[path = "../../../zulip-backup-core/tests/support/fake_deployment.rs"]
mod fake_deployment;

use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
pub use fake_deployment::FakeHost;
use zulip_backup_core::postgres::{Cluster, ConnectOptions};

/// The command under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_zulip-backup");

/// The command, told nothing by this test's environment.
pub fn program() -> Command {
    clean(Command::new(PROGRAM))
}

/// A command without what this test's environment could tell it.
pub fn clean(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("PG") || name.starts_with("ZULIP_BACKUP_DATABASE") || name.starts_with("XDG_") {
            command.env_remove(name);
        }
    }
    command.env_remove("ZULIP_BACKUP_DEPLOYMENT").env_remove("ZULIP_BACKUP_SETTINGS_DIR");
    command.env_remove("ZULIP_BACKUP_UPLOADS_DIR").env_remove("ZULIP_BACKUP_CONFIG").env_remove("NO_COLOR");
    command.stdin(Stdio::null());
    command
}

/// A PostgreSQL server for all tests of this file; it ends with them.
fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let cluster = Cluster::builder().start().unwrap();
        // Here, because two tests at once cannot both create the role.
        cluster.create_database("first", "zulip").unwrap();
        cluster
    })
}

/// The major version of the PostgreSQL server.
pub fn postgres_major() -> u32 {
    cluster().major()
}

/// A production server and an empty directory for its backups.
pub struct Server {
    /// The server.
    pub host: FakeHost,
    dir: tempfile::TempDir,
    database_url: OnceLock<String>,
}

impl Server {
    /// With some settings and one uploaded file.
    pub fn new() -> Self {
        Self { host: FakeHost::production(), dir: tempfile::tempdir().unwrap(), database_url: OnceLock::new() }
    }

    /// The directory for backups.
    pub fn dir(&self) -> &Utf8Path {
        Utf8Path::from_path(self.dir.path()).unwrap()
    }

    /// The server's own database, as a flag's value.
    pub fn database_url(&self) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let make = || {
            let name = format!("zulip{}", NUMBER.fetch_add(1, Ordering::Relaxed));
            cluster().create_database(&name, "zulip").unwrap();
            let options = cluster().connect_options(&name);
            let tables = "CREATE TABLE django_migrations (id serial, app text, name text, applied timestamptz);
                CREATE TABLE zerver_message (id int, content text);
                INSERT INTO zerver_message SELECT n, 'message ' || n FROM generate_series(1, 1000) n";
            options.connect("test").unwrap().batch_execute(tables).unwrap();
            format!("host={} port={} user=postgres dbname={name}", options.hosts[0], options.ports[0])
        };
        self.database_url.get_or_init(make).clone()
    }

    /// How many messages the database has now.
    pub fn messages(&self) -> i64 {
        let mut client = self.database().connect("test").unwrap();
        client.query_one("SELECT count(*) FROM zerver_message", &[]).unwrap().get(0)
    }

    /// Changes the database.
    pub fn sql(&self, text: &str) {
        self.database().connect("test").unwrap().batch_execute(text).unwrap();
    }

    fn database(&self) -> ConnectOptions {
        self.database_url().parse().unwrap()
    }

    /// A path in there.
    pub fn path(&self, name: &str) -> Utf8PathBuf {
        self.dir().join(name)
    }

    /// What is in there, without the lock.
    pub fn files(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .dir()
            .read_dir_utf8()
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_owned())
            .filter(|name| !name.starts_with(".zulip-backup."))
            .collect();
        names.sort();
        names
    }

    /// The command with these words, on this server.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = program();
        command.args(words).arg("--root").arg(self.host.root()).current_dir(self.dir());
        command
    }

    /// The output of the command.
    pub fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    /// A backup with the database to `output` and with these flags, which has to succeed without findings.
    pub fn create(&self, output: &str, flags: &[&str]) -> Output {
        let url = self.database_url();
        let mut words = vec!["create", "--database-url", &url, "--output", output, "--skip-uploads"];
        words.extend(flags);
        let done = self.run(&words);
        assert_eq!(done.status.code(), Some(0), "{}", text(&done));
        done
    }

    /// A backup that does not end by itself, as soon as it writes.
    pub fn endless(&self) -> Endless {
        let upload = self.host.path("/home/zulip/uploads/files/endless");
        let file = std::fs::File::create(upload).unwrap();
        file.set_len(1 << 42).unwrap();
        let mut command =
            self.command(&["create", "--skip-db", "--ignore-space", "--jobs", "1", "--output", "endless.tar.gz"]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let endless = Endless(Some(child));
        let deadline = Instant::now() + Duration::from_mins(1);
        let writes = |name: &String| {
            let metadata = self.path(name).metadata();
            name.ends_with(".partial") && metadata.is_ok_and(|metadata| metadata.len() > 100_000)
        };
        while !self.files().iter().any(writes) {
            assert!(Instant::now() < deadline, "it never began to write");
            std::thread::sleep(Duration::from_millis(10));
        }
        endless
    }
}

/// A running backup, killed when dropped.
pub struct Endless(Option<Child>);

impl Endless {
    /// Its process's id.
    pub fn id(&self) -> u32 {
        self.0.as_ref().unwrap().id()
    }

    /// Sends it a signal by its name.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// What it said, once it is over.
    pub fn wait(mut self) -> Output {
        self.0.take().unwrap().wait_with_output().unwrap()
    }
}

impl Drop for Endless {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Puts a copy of a program at `path`, by a process of its own: a file that this process wrote may be open for writing in a
/// child that another test's thread has just forked, and then nobody can run it.
pub fn install(program: &str, path: &Utf8Path) {
    assert!(Command::new("cp").args([program, path.as_str()]).status().unwrap().success());
}

/// Everything a command said.
pub fn text(output: &Output) -> String {
    format!("{}{}", stdout(output), stderr(output))
}

/// Its standard output.
pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Its standard error.
pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Whether the tests are root's.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
