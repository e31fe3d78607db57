//! Archives of others, parts of servers, and every reason against a restore.

#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[path = "support/world.rs"]
mod world;

use std::collections::BTreeSet;
use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};
use world::World;
use world::fake_deployment::FakeHost;
use zulip_backup_core::postgres::{Cluster, Environment, Programs};
use zulip_backup_core::restore::{self, RestoreOptions, Source};
use zulip_backup_core::site::{Environment as Variables, Site, SiteOptions};
use zulip_backup_core::{Error, ErrorKind, Silent};

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn dump(world: &World, name: &str, arguments: &[&str]) -> Utf8PathBuf {
    let path = world.path(name);
    let programs = Programs::for_server(150_000, &Environment::current()).unwrap();
    let mut command = Command::new(programs.path("pg_dump"));
    command.args(arguments).arg(format!("--file={path}"));
    world.cluster.connect_options("zulip").apply_to_command(&mut command).unwrap();
    run(&mut command);
    path
}

/// An archive as upstream's `manage.py backup` makes it.
fn upstream(world: &World) -> Utf8PathBuf {
    let top = world.path("zulip-backup");
    std::fs::create_dir(&top).unwrap();
    std::fs::write(top.join("zulip-version"), "10.1\n").unwrap();
    std::fs::write(top.join("os-version"), "ubuntu 22.04\n").unwrap();
    let mut client = world.connect();
    let version: String = client.query_one("SHOW server_version_num", &[]).unwrap().get(0);
    std::fs::write(top.join("postgres-version"), format!("{version}\n")).unwrap();
    dump(world, "zulip-backup/database", &["--format=directory"]);
    let archive = world.path("upstream.tar.gz");
    let (settings, uploads) = (world.host.path("/etc/zulip"), world.host.path("/home/zulip/uploads"));
    let rename = |from: &Utf8Path, to: &str| format!("--transform=s|^{from}(/.*)?$|zulip-backup/{to}\\1|x");
    let mut tar = Command::new("tar");
    tar.arg(format!("--directory={}", top.parent().unwrap())).args(["-cPhzf", archive.as_str()]);
    tar.args([rename(&settings, "settings"), rename(&uploads, "uploads"), "--".to_owned()]);
    tar.args(["zulip-backup/zulip-version", "zulip-backup/os-version", "zulip-backup/postgres-version"]);
    tar.args([settings.as_str(), "zulip-backup/database", uploads.as_str()]);
    run(&mut tar);
    archive
}

fn parts(
    world: &World,
    database: Option<&Utf8Path>,
    settings: Option<&Utf8Path>,
    uploads: Option<&Utf8Path>,
) -> Result<restore::RestoreReport, Error> {
    let (site, source) = (world.site(), Source::parts(database, settings, uploads)?);
    restore::plan(&source, &site, &RestoreOptions::default(), &Silent)?.preflight(&Silent)?.execute(&Silent)
}

#[test]
fn an_archive_of_upstream_comes_back() {
    let world = World::small();
    // One file under two names becomes a hard link in the archive.
    let (file, other) =
        (world.host.path("/home/zulip/uploads/files/2/ab/token/name.txt"), world.host.path("/etc/zulip/twin"));
    std::fs::hard_link(&file, &other).unwrap();
    let archived = world.state();
    let archive = upstream(&world);
    world.live_on();
    let present = world.state();
    let source = Source::archive(&archive).unwrap();
    let plan = restore::plan(&source, &world.site(), &RestoreOptions::default(), &Silent).unwrap();
    let found = plan.check(&Silent).unwrap().findings;
    // Its table of migrations is read for that, where one of ours has them in its manifest.
    let fits = found.iter().find(|finding| finding.code == "zulip-fits").unwrap();
    assert!(fits.message.contains("older than Zulip 8"), "{fits}");
    let report = world.restore(&archive, RestoreOptions::default()).unwrap();
    assert_eq!(report.database.as_ref().unwrap().load.method, "pg_restore");
    assert_eq!(report.database.as_ref().unwrap().rows, 20_103);
    assert_eq!(world.state().tables, archived.tables);
    restore::commit(&world.site(), &RestoreOptions::default(), &Silent).unwrap();
    assert_eq!(world.state(), archived);
    world.live_on();
    world.restore(&archive, RestoreOptions::default()).unwrap();
    restore::rollback(&world.site(), &RestoreOptions::default(), &Silent).unwrap();
    assert_eq!(world.state().tables, present.tables);
}

#[test]
fn parts_come_back_from_every_form_of_dump() {
    let world = World::small();
    let archived = world.state();
    let custom = dump(&world, "backup.sql", &["--format=custom"]);
    let plain = dump(&world, "plain.sql", &["--format=plain"]);
    let directory = dump(&world, "dump", &["--format=directory"]);
    run(Command::new("gzip").args(["--keep", plain.as_str()]));
    let settings = world.path("settings");
    run(Command::new("cp").args(["-a", world.host.path("/etc/zulip").as_str(), settings.as_str()]));
    world.live_on();
    for path in [custom, plain.clone(), world.path("plain.sql.gz"), directory] {
        let report = parts(&world, Some(&path), None, None).unwrap_or_else(|error| panic!("{path}: {}", error.chain()));
        assert!(report.trees.is_empty());
        assert_eq!(world.state().tables, archived.tables, "{path}");
        restore::rollback(&world.site(), &RestoreOptions::default(), &Silent).unwrap();
        assert_eq!(world.era(), "present");
    }
    parts(&world, None, Some(&settings), None).unwrap();
    let text = std::fs::read_to_string(world.host.path("/etc/zulip/settings.py")).unwrap();
    assert!(text.contains("chat.example.com"));
    assert_eq!(world.era(), "present");
    assert_eq!(parts(&world, None, None, None).unwrap_err().kind(), ErrorKind::Usage);
    // A script that fails half-way changes nothing.
    restore::rollback(&world.site(), &RestoreOptions::default(), &Silent).unwrap();
    let broken = world.path("broken.sql");
    std::fs::write(&broken, "-- x\nCREATE SCHEMA zulip;\nSELECT nonsense;\n").unwrap();
    let error = parts(&world, Some(&broken), None, None).unwrap_err();
    assert!(error.to_string().contains("load-database") && error.to_string().contains("nonsense"), "{error}");
    assert_eq!(world.era(), "present");
}

#[test]
fn all_reasons_come_at_once() {
    let world = World::small();
    let archive = world.backup("a.tar.gz");
    world.live_on();
    let present = world.state();
    let mut client = world.connect();
    client
        .batch_execute("INSERT INTO zulip.django_migrations (app, name, applied) VALUES ('zerver', '0003_new', now())")
        .unwrap();
    drop(client);
    let version = std::fs::read_to_string(world.host.deployment().join("version.py")).unwrap();
    std::fs::write(world.host.deployment().join("version.py"), version.replace("10.1", "10.2")).unwrap();
    world.host.write("/etc/os-release", "ID=debian\nVERSION_ID=12\n");
    let codes = |error: &Error| error.reasons().iter().map(|reason| reason.code.clone()).collect::<BTreeSet<_>>();
    let mismatches = ["migrations-differ", "os-differs", "zulip-version-differs"].map(str::to_owned);
    let error = world.restore(&archive, RestoreOptions::default()).unwrap_err();
    assert_eq!((error.kind(), codes(&error)), (ErrorKind::Incompatible, BTreeSet::from(mismatches.clone())));
    let text = format!("{:?}", error.reasons());
    assert!(text.contains("10.1") && text.contains("10.2") && text.contains("zerver.0003_new"), "{text}");
    assert!(text.contains("ubuntu 22.04") && text.contains("debian 12"), "{text}");

    world.host.write("/home/zulip/deployments/lock/x", "");
    std::fs::remove_file(world.host.deployment().join("scripts/setup/flush-memcached")).unwrap();
    let error = world.restore(&archive, RestoreOptions::default().allow_version_mismatch(true)).unwrap_err();
    let refusals = ["script-missing", "upgrade-running"].map(str::to_owned);
    assert_eq!((error.kind(), codes(&error)), (ErrorKind::Refused, BTreeSet::from(refusals)));

    let mut bytes = std::fs::read(&archive).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    let broken = world.path("broken.tar.gz");
    std::fs::write(&broken, bytes).unwrap();
    let error = world.restore(&broken, RestoreOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged);
    assert!(codes(&error).is_superset(&BTreeSet::from(mismatches)) && codes(&error).contains("upgrade-running"));
    assert_eq!(world.state().files, present.files);
    assert_eq!(world.databases(), present.databases);

    world.host.remove("/home/zulip/deployments/lock");
    world.host.write("/home/zulip/deployments/2025-04-01-12-00-00/scripts/setup/flush-memcached", "#!/bin/sh\n");
    let script = world.host.deployment().join("scripts/setup/flush-memcached");
    run(Command::new("chmod").args(["755", script.as_str()]));
    let report = world.restore(&archive, RestoreOptions::default().allow_version_mismatch(true)).unwrap();
    assert!(report.has_findings());
    assert_eq!(world.era(), "archived");
}

#[test]
fn what_the_server_lacks_is_named_and_roles_are_mapped() {
    let world = World::small();
    let mut client = world.connect();
    client.batch_execute("CREATE ROLE monitor; GRANT SELECT ON zulip.big TO monitor").unwrap();
    let archive = world.backup("a.tar.zst");
    client.batch_execute("REVOKE ALL ON zulip.big FROM monitor; DROP ROLE monitor").unwrap();
    world.live_on();
    let error = world.restore(&archive, RestoreOptions::default()).unwrap_err();
    assert_eq!(
        (error.reasons()[0].code.as_str(), error.reasons()[0].object.as_str()),
        ("role-missing", "role monitor")
    );
    client.batch_execute("CREATE ROLE monitor").unwrap();
    drop(client);
    // The database's user has another name here and does not exist yet.
    world
        .host
        .write("/etc/zulip/zulip.conf", "[machine]\ndeploy_type = production\n[postgresql]\ndatabase_user = chat\n");
    let report = world.restore(&archive, RestoreOptions::default()).unwrap();
    assert!(report.findings.list.iter().any(|finding| finding.code == "settings-name-another-database"), "{report}");
    let owners =
        world.connect().query("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'zulip'", &[]).unwrap();
    assert_eq!(owners.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>(), ["chat"]);
}

#[test]
fn a_real_development_server_comes_back() {
    let golden = Utf8Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/zulip/golden-backup.tar.gz"));
    if !golden.exists() {
        return println!("skipped: no real server's backup at {golden}");
    }
    let host = FakeHost::development();
    let cluster = Cluster::builder().start().unwrap();
    cluster.create_database("zulip", "zulip").unwrap();
    let none: [(&str, &str); 0] = [];
    let site = || -> Site {
        Site::builder()
            .options(SiteOptions::default().root(host.root()).deployment(host.deployment()))
            .environment(Variables::from_pairs(none))
            .database(cluster.connect_options("zulip"))
            .build()
            .unwrap()
    };
    let source = Source::archive(golden).unwrap();
    let options = RestoreOptions::default().allow_version_mismatch(true).leave_out_missing_dictionaries(true);
    let here = site();
    let strict = restore::plan(&source, &here, &RestoreOptions::default(), &Silent).unwrap().preflight(&Silent);
    let codes: Vec<String> = strict.unwrap_err().reasons().iter().map(|reason| reason.code.clone()).collect();
    assert!(codes.contains(&"zulip-version-differs".to_owned()), "{codes:?}");
    let plan = restore::plan(&source, &here, &options, &Silent).unwrap();
    let report = plan.preflight(&Silent).unwrap().execute(&Silent).unwrap();
    println!("{report}");
    let database = report.database.as_ref().unwrap();
    assert!(database.tables > 100 && database.rows > 1000, "{report}");
    if codes.contains(&"dictionary-file-missing".to_owned()) {
        assert_eq!(database.load.left_out.len(), 2, "{report}");
    }
    let mut client = cluster.connect_options("zulip").connect("test").unwrap();
    let valid = "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND convalidated";
    assert!(client.query_one(valid, &[]).unwrap().get::<_, i64>(0) > 200);
    drop(client);
    assert!(!std::fs::read_to_string(host.path("/srv/zulip/zproject/dev-secrets.conf")).unwrap().contains("hunter2"));
    restore::rollback(&site(), &options, &Silent).unwrap();
    assert!(std::fs::read_to_string(host.path("/srv/zulip/zproject/dev-secrets.conf")).unwrap().contains("hunter2"));
}
