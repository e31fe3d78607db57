//! What upstream's `manage.py backup` and `restore-backup` run, without the seconds that Django takes to start.

use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};
use zulip_backup_examples::SampleHost;

use crate::Result;
use crate::host::program;
use crate::measure::{Measured, run};

/// The archive upstream's pipeline makes.
pub(crate) struct Theirs {
    pub(crate) measured: Measured,
    pub(crate) archive: Utf8PathBuf,
    pub(crate) bytes: u64,
}

/// `pg_dump --format=directory`, then `tar -czh` over dump, settings and uploads.
pub(crate) fn back_up(server: &SampleHost, work: &Utf8Path) -> Result<Theirs> {
    let stage = work.join("upstream");
    std::fs::create_dir_all(stage.join("zulip-backup"))?;
    for file in ["zulip-version", "os-version", "postgres-version"] {
        std::fs::write(stage.join("zulip-backup").join(file), "sample\n")?;
    }
    let dump = stage.join("zulip-backup/database");
    let dumped = run(program(server, "pg_dump")?.args(["--format=directory", &format!("--file={dump}")]), &[0])?;
    let archive = work.join("upstream.tar.gz");
    let (settings, uploads) = (server.root().join("etc/zulip"), server.uploads_dir());
    let packed = run(
        Command::new("tar")
            .arg(format!("--directory={stage}"))
            .args(["-cPhzf", archive.as_str()])
            .args([renamed(&settings, "settings"), renamed(&uploads, "uploads")])
            .args(["--", "zulip-backup/zulip-version", "zulip-backup/os-version", "zulip-backup/postgres-version"])
            .args([settings.as_str(), "zulip-backup/database", uploads.as_str()]),
        &[0],
    )?;
    std::fs::remove_dir_all(&stage)?;
    let bytes = std::fs::metadata(&archive)?.len();
    Ok(Theirs { measured: dumped.then(packed), archive, bytes })
}

/// Two passes of tar, `dropdb`, `createdb`, `pg_restore` with one job: into the very server that was backed up.
pub(crate) fn restore(server: &SampleHost, archive: &Utf8Path, work: &Utf8Path) -> Result<Measured> {
    let stage = work.join("upstream-restore");
    let settings = stage.join("settings");
    std::fs::create_dir_all(&settings)?;
    let first = run(
        Command::new("tar").args([
            "-C",
            settings.as_str(),
            "-xzf",
            archive.as_str(),
            "--strip-components=2",
            "zulip-backup/settings",
        ]),
        &[0],
    )?;
    let second = run(Command::new("tar").args(["-C", stage.as_str(), "-xzf", archive.as_str()]), &[0])?;
    let database = ["--maintenance-db=postgres", "zulip"];
    let dropped = run(program(server, "dropdb")?.args(["--if-exists", "--force"]).args(database), &[0])?;
    let created =
        run(program(server, "createdb")?.args(["--owner=zulip", "--template=template0"]).args(database), &[0])?;
    let dump = stage.join("zulip-backup/database");
    let loaded = run(program(server, "pg_restore")?.args(["--dbname=zulip", dump.as_str()]), &[0])?;
    std::fs::remove_dir_all(&stage)?;
    Ok(first.then(second).then(dropped).then(created).then(loaded))
}

fn renamed(root: &Utf8Path, name: &str) -> String {
    format!("--transform=s|^{root}(/.*)?$|zulip-backup/{name}\\1|x")
}
