//! A throw-away PostgreSQL server for one test: started as an unprivileged user, reached over a Unix socket only.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// The server; dropping it stops it and removes its data.
pub struct Server {
    dir: TempDir,
    bin: PathBuf,
    user: Option<(u32, u32)>,
}

impl Server {
    /// Starts a server of the newest PostgreSQL installed in Debian's place.
    pub fn start() -> Self {
        let bin = newest_bin().expect("no PostgreSQL server below /usr/lib/postgresql");
        let user = rustix::process::geteuid().is_root().then(|| {
            let passwd = std::fs::read_to_string("/etc/passwd").unwrap();
            let line = passwd.lines().find(|line| line.starts_with("postgres:")).expect("no user postgres");
            let mut ids = line.split(':').skip(2).map(|id| id.parse().unwrap());
            (ids.next().unwrap(), ids.next().unwrap())
        });
        let dir = tempfile::Builder::new().prefix("zb-pg").tempdir().unwrap();
        if let Some((uid, gid)) = user {
            std::os::unix::fs::chown(dir.path(), Some(uid), Some(gid)).unwrap();
        }
        let server = Self { dir, bin, user };
        let data = server.data();
        server.run("initdb", &["-D", &data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"]);
        let options = format!(
            "-c listen_addresses='' -c unix_socket_directories='{}' -c fsync=off -c synchronous_commit=off \
             -c full_page_writes=off -c wal_level=minimal -c max_wal_senders=0",
            server.host().display()
        );
        let log = server.host().join("log");
        server.run("pg_ctl", &["-D", &data, "-w", "-l", log.to_str().unwrap(), "-o", &options, "start"]);
        server
    }

    /// The directory of the server's socket.
    pub fn host(&self) -> &Path {
        self.dir.path()
    }

    /// How to reach the database `name`.
    pub fn config(&self, name: &str) -> postgres::Config {
        let mut config = postgres::Config::new();
        config.host_path(self.host()).user("postgres").dbname(name);
        config
    }

    /// A connection to the new, empty database `name`.
    pub fn create_database(&self, name: &str) -> postgres::Client {
        let mut admin = self.config("postgres").connect(postgres::NoTls).unwrap();
        admin.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE template0")).unwrap();
        self.config(name).connect(postgres::NoTls).unwrap()
    }

    /// Runs one of PostgreSQL's programs and gives its standard output.
    pub fn run(&self, program: &str, arguments: &[&str]) -> String {
        let mut command = Command::new(self.bin.join(program));
        command.args(arguments).env("PGHOST", self.host()).env("PGUSER", "postgres").current_dir(self.host());
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        // pg_ctl's server would keep a pipe open for ever; files do not wait for it.
        let (out, err) = (self.host().join("out"), self.host().join("err"));
        command.stdin(Stdio::null());
        command.stdout(std::fs::File::create(&out).unwrap()).stderr(std::fs::File::create(&err).unwrap());
        let status = command.status().unwrap();
        assert!(status.success(), "{program}: {}", std::fs::read_to_string(&err).unwrap());
        std::fs::read_to_string(&out).unwrap()
    }

    fn data(&self) -> String {
        self.host().join("data").to_str().unwrap().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.run("pg_ctl", &["-D", &self.data(), "-m", "immediate", "-w", "stop"]);
    }
}

fn newest_bin() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    versions
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .max()
        .map(|version| PathBuf::from(format!("/usr/lib/postgresql/{version}/bin")))
}
