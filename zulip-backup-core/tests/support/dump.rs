//! A real server's database, put back from its dump.
#![allow(dead_code)] // not every test uses all of it
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // a test's fixture

use std::io::Write;
use std::process::Command;

use camino::Utf8Path;
use zulip_backup_core::postgres::Cluster;

/// The owner of what is restored.
const OWNER: &str = "zulip";

/// Makes the database `name` of a dump, all of it owned by the role zulip.
pub fn restore(cluster: &Cluster, dump: &Utf8Path, name: &str) {
    cluster.create_database(name, OWNER).unwrap();
    fill(cluster, dump, name);
}

/// Puts what a dump holds into the empty database `name`.
pub fn fill(cluster: &Cluster, dump: &Utf8Path, name: &str) {
    let pg_restore = cluster.programs().path("pg_restore");
    let list = Command::new(&pg_restore).args(["-l", dump.as_str()]).output().unwrap();
    assert!(list.status.success(), "{}", String::from_utf8_lossy(&list.stderr));
    let list = String::from_utf8(list.stdout).unwrap();
    // The dictionary's files are on Zulip servers only, and nothing else needs it.
    let wanted: Vec<&str> = list.lines().filter(|line| !line.contains("TEXT SEARCH")).collect();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(wanted.join("\n").as_bytes()).unwrap();
    let path = Utf8Path::from_path(file.path()).unwrap();
    let mut command = Command::new(&pg_restore);
    cluster.connect_options(name).apply_to_command(&mut command).unwrap();
    let role = format!("--role={OWNER}");
    let arguments = ["--exit-on-error", "--no-owner", &role, "-d", name, "-L", path.as_str(), dump.as_str()];
    let restored = command.args(arguments).output().unwrap();
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
}
