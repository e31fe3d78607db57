//! Finding PostgreSQL's own programs, in the version that is needed.

use std::process::{Command, Stdio};

use camino::{Utf8Path, Utf8PathBuf};

use super::Environment;
use crate::{Error, ErrorKind, Result, fs, process};

/// The variable that names directories to look in before all others, separated by colons.
const VARIABLE: &str = "ZULIP_BACKUP_PG_BIN";

/// `pg_dump`, `pg_restore` and their kin of one installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Programs {
    bin_dir: Utf8PathBuf,
    major: u32,
    server_major: u32,
}

impl Programs {
    /// The client programs for a server of `server_version_num` (`150018` for 15.18).
    ///
    /// Looked for in `$ZULIP_BACKUP_PG_BIN`, `/usr/lib/postgresql/*/bin`, `/usr/pgsql-*/bin` and `$PATH`; first in the
    /// server's own major version, then in the nearest newer one. Older ones never do: `pg_dump` refuses newer servers.
    /// Fails with [`ErrorKind::Incompatible`], naming the versions that are there.
    pub fn for_server(server_version_num: i32, env: &Environment) -> Result<Self> {
        let wanted = u32::try_from(server_version_num / 10_000).unwrap_or(0);
        let (bin_dir, major) = choose(installations(env, "pg_dump", &["pg_restore"]), wanted).map_err(|found| {
            Error::new(
                ErrorKind::Incompatible,
                format!("the server is PostgreSQL {wanted}, and pg_dump of {wanted} or newer was not found{found}"),
            )
            .with_hint(format!("apt install postgresql-client-{wanted}, or name its bin directory in {VARIABLE}"))
        })?;
        Ok(Self { bin_dir, major, server_major: wanted })
    }

    /// The directory of the programs.
    pub fn bin_dir(&self) -> &Utf8Path {
        &self.bin_dir
    }

    /// The major version of the programs.
    pub fn major(&self) -> u32 {
        self.major
    }

    /// Whether the programs are newer than the server: what they dump may not restore into a server of its version.
    pub fn is_newer_than_server(&self) -> bool {
        self.major > self.server_major
    }

    /// The path of one of the programs: `pg_restore`.
    pub fn path(&self, name: &str) -> Utf8PathBuf {
        self.bin_dir.join(name)
    }
}

/// `initdb`, `postgres` and their kin of one installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerPrograms {
    bin_dir: Utf8PathBuf,
    major: u32,
}

impl ServerPrograms {
    /// The server programs of `preferred_major` or the nearest newer version, or the first that are found.
    ///
    /// Looked for where [`Programs::for_server`] looks. Fails with [`ErrorKind::Incompatible`] when there are none, naming
    /// the versions that are there.
    pub fn find(preferred_major: Option<u32>, env: &Environment) -> Result<Self> {
        let found = installations(env, "postgres", &["initdb"]);
        let chosen = match (preferred_major, found.first()) {
            (None, Some(first)) => Ok(first.clone()),
            (preferred, _) => choose(found, preferred.unwrap_or(0)),
        };
        let (bin_dir, major) = chosen.map_err(|found| {
            let wanted = preferred_major.map(|major| format!(" {major} or newer")).unwrap_or_default();
            let package = preferred_major.map(|major| format!("-{major}")).unwrap_or_default();
            let message = format!("the server programs of PostgreSQL{wanted} were not found{found}");
            Error::new(ErrorKind::Incompatible, message)
                .with_hint(format!("apt install postgresql{package}, or name their bin directory in {VARIABLE}"))
        })?;
        Ok(Self { bin_dir, major })
    }

    /// The server programs in one directory. Fails with [`ErrorKind::NotFound`] when it has none.
    pub fn in_dir(bin_dir: &Utf8Path) -> Result<Self> {
        let (bin_dir, major) = installation(bin_dir, "postgres", &["initdb"]).ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("there are no server programs of PostgreSQL in {bin_dir}"))
                .with_path(bin_dir)
        })?;
        Ok(Self { bin_dir, major })
    }

    /// The directory of the programs.
    pub fn bin_dir(&self) -> &Utf8Path {
        &self.bin_dir
    }

    /// The major version of the programs.
    pub fn major(&self) -> u32 {
        self.major
    }

    /// The path of one of the programs: `initdb`.
    pub fn path(&self, name: &str) -> Utf8PathBuf {
        self.bin_dir.join(name)
    }
}

/// The first installation of exactly `wanted`, else of the nearest newer version, else what is there, for a message.
fn choose(found: Vec<(Utf8PathBuf, u32)>, wanted: u32) -> std::result::Result<(Utf8PathBuf, u32), String> {
    let mut majors: Vec<u32> = found.iter().map(|(_, major)| *major).collect();
    majors.sort_unstable();
    majors.dedup();
    // `min_by_key` takes the first of equals, which is the first in the order of search.
    found.into_iter().filter(|(_, major)| *major >= wanted).min_by_key(|(_, major)| *major).ok_or_else(|| {
        let majors: Vec<String> = majors.iter().map(ToString::to_string).collect();
        if majors.is_empty() { String::new() } else { format!(" (found: {})", majors.join(", ")) }
    })
}

/// Every installation that has the programs, in the order of search.
fn installations(env: &Environment, program: &str, others: &[&str]) -> Vec<(Utf8PathBuf, u32)> {
    let paths = |name| env.var(name).unwrap_or_default().split(':').filter(|path| path.starts_with('/'));
    let named = paths(VARIABLE).map(Utf8PathBuf::from);
    let packaged = versioned("/usr/lib/postgresql", "").into_iter().chain(versioned("/usr", "pgsql-"));
    let mut found: Vec<(Utf8PathBuf, u32)> = Vec::new();
    for directory in named.chain(packaged).chain(paths("PATH").map(Utf8PathBuf::from)) {
        if let Some(one) = installation(&directory, program, others).filter(|one| !found.contains(one)) {
            found.push(one);
        }
    }
    found
}

/// `<parent>/<prefix><version>/bin` of every version, the newest first.
fn versioned(parent: &str, prefix: &str) -> Vec<Utf8PathBuf> {
    let names = fs::list(Utf8Path::new(parent)).unwrap_or_default();
    let mut versions: Vec<(u32, String)> =
        names.into_iter().filter_map(|name| Some((name.strip_prefix(prefix)?.parse().ok()?, name))).collect();
    versions.sort_unstable_by(|a, b| b.cmp(a));
    versions.into_iter().map(|(_, name)| Utf8Path::new(parent).join(name).join("bin")).collect()
}

/// The real directory of the programs reached through `directory`, and their major version.
fn installation(directory: &Utf8Path, program: &str, others: &[&str]) -> Option<(Utf8PathBuf, u32)> {
    let path = directory.join(program);
    if !fs::is_file(&path) {
        return None;
    }
    let real = fs::canonicalize(&path).ok()?;
    // Debian's /usr/bin/pg_dump leads to pg_wrapper, which picks a version anew at every call, by the cluster it is
    // asked to connect to. The programs it picks from are found by themselves.
    if real.file_name() != Some(program) {
        return None;
    }
    let real_directory = real.parent()?.to_owned();
    if !others.iter().all(|other| fs::is_file(&real_directory.join(other))) {
        return None;
    }
    let mut command = Command::new(&real);
    command.arg("--version").stdin(Stdio::null());
    let said = process::output(command, ErrorKind::Postgres).ok()?;
    Some((real_directory, major(&String::from_utf8_lossy(&said))?))
}

/// The major version in `pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`, `… 18beta1`, `… 9.6.24`.
fn major(said: &str) -> Option<u32> {
    let version = said.split_once("(PostgreSQL) ")?.1;
    let digits = version.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(version.len());
    version[..digits].parse().ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn install(root: &Utf8Path, name: &str, version: &str) -> Utf8PathBuf {
        let directory = root.join(name);
        rustix::fs::mkdir(directory.as_std_path(), 0o755.into()).unwrap();
        for program in ["pg_dump", "pg_restore", "postgres", "initdb"] {
            let path = directory.join(program);
            crate::fs::tests_write(&path, format!("#!/bin/sh\necho '{program} (PostgreSQL) {version}'\n"));
            let mode = std::fs::Permissions::from_mode(0o755);
            crate::fs::open(&path).unwrap().set_permissions(mode).unwrap();
        }
        directory
    }

    fn root() -> (tempfile::TempDir, Utf8PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(directory.path().canonicalize().unwrap()).unwrap();
        (directory, path)
    }

    #[test]
    fn versions_are_read_from_what_programs_say() {
        assert_eq!(major("pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(major("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(major("pg_dump (PostgreSQL) 17"), Some(17));
        assert_eq!(major("pg_dump: command not found"), None);
    }

    #[test]
    fn the_exact_version_first_then_the_nearest_newer_never_an_older() {
        let (_guard, root) = root();
        let (old, new, newest) =
            (install(&root, "a", "91.1"), install(&root, "b", "95.2 (X)"), install(&root, "c", "97rc1"));
        let env = Environment::new([(VARIABLE, format!("{newest}:{old}")), ("PATH", format!("{new}:relative"))]);
        let exact = Programs::for_server(910_004, &env).unwrap();
        assert_eq!((exact.bin_dir(), exact.major(), exact.is_newer_than_server()), (old.as_path(), 91, false));
        let nearest = Programs::for_server(940_000, &env).unwrap();
        assert_eq!((nearest.bin_dir(), nearest.major(), nearest.is_newer_than_server()), (new.as_path(), 95, true));
        let error = Programs::for_server(980_000, &env).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Incompatible);
        assert!(error.to_string().contains("98") && error.to_string().contains("91, 95, 97"), "{error}");
        assert!(error.hint().unwrap().contains("postgresql-client-98"));

        assert_eq!(ServerPrograms::find(None, &env).unwrap().major(), 97, "the first in the order of search");
        assert_eq!(ServerPrograms::find(Some(95), &env).unwrap().path("initdb"), new.join("initdb"));
        assert_eq!(ServerPrograms::find(Some(99), &env).unwrap_err().kind(), ErrorKind::Incompatible);
        assert_eq!(ServerPrograms::in_dir(&root).unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn a_wrapper_is_passed_over_and_a_link_is_followed() {
        let (_guard, root) = root();
        let real = install(&root, "real", "96.1");
        rustix::fs::rename(real.join("initdb").as_std_path(), real.join("pg_wrapper").as_std_path()).unwrap();
        let (wrapped, linked) = (root.join("wrapped"), root.join("linked"));
        for directory in [&wrapped, &linked] {
            rustix::fs::mkdir(directory.as_std_path(), 0o755.into()).unwrap();
        }
        for program in ["pg_dump", "pg_restore"] {
            symlink(real.join("pg_wrapper"), wrapped.join(program)).unwrap();
            symlink(real.join(program), linked.join(program)).unwrap();
        }
        assert_eq!(installation(&wrapped, "pg_dump", &[]), None);
        assert_eq!(installation(&linked, "pg_dump", &["pg_restore"]), Some((real.clone(), 96)));
        assert_eq!(installation(&real, "postgres", &["initdb"]), None, "a part of the programs is missing");
    }
}
