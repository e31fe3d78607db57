//! `drill` through the public API: a sound archive passes, and each fault a server would stumble over is found.
#![allow(clippy::disallowed_methods, clippy::needless_pass_by_value, clippy::unwrap_used)] // a test

use camino::{Utf8Path, Utf8PathBuf};
use zulip_backup_core::Silent;
use zulip_backup_core::archive::Archive;
use zulip_backup_core::backup::{BackupOptions, plan};
use zulip_backup_core::drill::{Certificate, CheckOutcome, DrillOptions, drill};
use zulip_backup_core::postgres::Cluster;
use zulip_backup_examples::{SampleHost, SampleOptions};

struct Stage {
    _temp: tempfile::TempDir,
    dir: Utf8PathBuf,
    host: SampleHost,
}

fn stage(options: SampleOptions) -> Stage {
    let temp = tempfile::tempdir().unwrap();
    let dir = Utf8PathBuf::from_path_buf(temp.path().to_owned()).unwrap();
    // The throw-away server's own user must be able to reach its directory below this one.
    std::fs::set_permissions(&dir, <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755))
        .unwrap();
    let host = SampleHost::start(&dir.join("host"), &options, Cluster::builder()).unwrap();
    Stage { _temp: temp, dir, host }
}

fn back_up(stage: &Stage, options: BackupOptions) -> Utf8PathBuf {
    let options = options.output(stage.dir.join("a.tar.gz")).force(true);
    plan(&stage.host.site().unwrap(), &options, &Silent).unwrap().execute(&Silent).unwrap().path
}

fn rehearse(stage: &Stage, archive: &Utf8Path) -> Certificate {
    let options = DrillOptions { work_dir: Some(stage.dir.clone()), ignore_space: true, ..DrillOptions::default() };
    drill(&Archive::open(archive).unwrap(), &options, &Silent).unwrap()
}

fn failed(certificate: &Certificate) -> Vec<&str> {
    let failed = certificate.checks.iter().filter(|check| check.outcome == CheckOutcome::Failed);
    failed.map(|check| check.name.as_str()).collect()
}

fn small() -> SampleOptions {
    SampleOptions { messages: 500, uploads_bytes: 1 << 20, ..SampleOptions::default() }
}

#[test]
fn a_sound_archive_passes_and_leaves_nothing_but_its_certificate() {
    let stage = stage(small());
    let archive = back_up(&stage, BackupOptions::default());
    let certificate = rehearse(&stage, &archive);
    assert!(certificate.passed && certificate.left_out.is_empty(), "{certificate}");
    let names: Vec<&str> = certificate.checks.iter().map(|check| check.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "archive",
            "settings",
            "uploads",
            "database",
            "rows",
            "foreign-keys",
            "sequences",
            "migrations",
            "attachments"
        ]
    );
    assert!(certificate.checks.iter().all(|check| check.outcome == CheckOutcome::Passed), "{certificate}");
    let written = std::fs::read(format!("{archive}.drill.json")).unwrap();
    assert_eq!(serde_json::from_slice::<Certificate>(&written).unwrap(), certificate);
    let left: Vec<_> = std::fs::read_dir(&stage.dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("drill") || name.contains("-pg-"))
        .collect();
    assert_eq!(left, ["a.tar.gz.drill.json"]);
}

#[test]
fn what_a_server_would_stumble_over_is_found() {
    let stage = stage(small());
    let mut client = stage.host.database().connect("test").unwrap();
    // A sequence behind its column; a reference to nothing, which only a dropped and unvalidated key allows.
    client
        .batch_execute(
            "SELECT setval(pg_get_serial_sequence('zulip.zerver_stream', 'id'), 1);
             ALTER TABLE zulip.zerver_reaction DROP CONSTRAINT IF EXISTS x_broken;
             CREATE TABLE zulip.parent (id int PRIMARY KEY);
             CREATE TABLE zulip.child (id int, parent_id int);
             INSERT INTO zulip.child VALUES (1, 7);
             ALTER TABLE zulip.child ADD CONSTRAINT x_broken FOREIGN KEY (parent_id) REFERENCES zulip.parent NOT VALID",
        )
        .unwrap();
    drop(client);
    let archive = back_up(&stage, BackupOptions::default());
    let certificate = rehearse(&stage, &archive);
    assert!(!certificate.passed);
    assert_eq!(failed(&certificate), ["foreign-keys", "sequences"], "{certificate}");
    assert_eq!(certificate.findings.count("sequence-behind"), 1);
    assert_eq!(certificate.findings.count("foreign-key-broken"), 1);
}

#[test]
fn a_damaged_archive_gets_a_certificate_that_says_so() {
    let stage = stage(small());
    let archive = back_up(&stage, BackupOptions::default());
    let mut bytes = std::fs::read(&archive).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x40;
    std::fs::write(&archive, bytes).unwrap();
    let certificate = rehearse(&stage, &archive);
    assert!(!certificate.passed);
    assert_eq!(failed(&certificate)[0], "archive", "{certificate}");
}

#[test]
fn what_the_archive_does_not_have_is_skipped_and_not_passed() {
    let stage = stage(small());
    let certificate = rehearse(&stage, &back_up(&stage, BackupOptions::default().skip_db(true)));
    let skipped: Vec<&str> = certificate
        .checks
        .iter()
        .filter(|check| check.outcome == CheckOutcome::Skipped)
        .map(|check| check.name.as_str())
        .collect();
    assert_eq!(skipped, ["database"]);
    let certificate = rehearse(&stage, &back_up(&stage, BackupOptions::default().skip_uploads(true)));
    assert!(certificate.passed, "{certificate}");
}

#[test]
fn upstreams_own_backup_of_a_real_server_passes() {
    let golden = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/zulip/golden-backup.tar.gz");
    if !golden.exists() {
        println!("skipped: ../shared/zulip is not there");
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    let dir = Utf8Path::from_path(temp.path()).unwrap();
    std::fs::set_permissions(dir, <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755))
        .unwrap();
    let options = DrillOptions {
        work_dir: Some(dir.to_owned()),
        certificate: Some(dir.join("certificate.json")),
        ignore_space: true,
        ..DrillOptions::default()
    };
    let certificate = drill(&Archive::open(&golden).unwrap(), &options, &Silent).unwrap();
    assert!(certificate.passed, "{certificate}");
    assert!(!certificate.left_out.is_empty(), "the dictionaries' files are on no test machine: {certificate}");
}
