//! `create` on a sample server with a real PostgreSQL, through the public API.
#![allow(clippy::disallowed_methods, clippy::needless_pass_by_value, clippy::panic, clippy::unwrap_used)] // a test

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use camino::{Utf8Path, Utf8PathBuf};
use zulip_backup_core::archive::{Archive, IndexLine, Manifest, Member, VerifyOptions, verify};
use zulip_backup_core::backup::{BackupOptions, BackupReport, plan};
use zulip_backup_core::codec::Compression;
use zulip_backup_core::postgres::dump::{Toc, read_live_toc};
use zulip_backup_core::postgres::{Cluster, Environment, Programs, Purpose, Snapshot};
use zulip_backup_core::{ErrorKind, Finding, Progress, Recorder, Silent};
use zulip_backup_examples::{SampleHost, SampleOptions};

struct Stage {
    _temp: tempfile::TempDir,
    dir: Utf8PathBuf,
    host: SampleHost,
}

fn stage(options: SampleOptions) -> Stage {
    let temp = tempfile::tempdir().unwrap();
    let dir = Utf8PathBuf::from_path_buf(temp.path().to_owned()).unwrap();
    let root = dir.join("host");
    std::fs::create_dir(&root).unwrap();
    let host = SampleHost::start(&root, &options, Cluster::builder()).unwrap();
    Stage { _temp: temp, dir, host }
}

fn small() -> SampleOptions {
    SampleOptions { messages: 3000, uploads_bytes: 4 << 20, ..SampleOptions::default() }
}

fn create(stage: &Stage, name: &str, options: BackupOptions) -> BackupReport {
    let options = options.output(stage.dir.join(name));
    plan(&stage.host.site().unwrap(), &options, &Silent).unwrap().execute(&Silent).unwrap()
}

fn manifest(path: &Utf8Path) -> Manifest {
    Archive::open(path).unwrap().manifest().unwrap().clone()
}

fn members(path: &Utf8Path) -> BTreeMap<String, Member> {
    let Archive::Indexed(archive) = Archive::open(path).unwrap() else { panic!("no index") };
    let members = archive.index().unwrap().filter_map(|line| match line.unwrap() {
        IndexLine::Member(member) => Some((member.name.to_string(), *member)),
        IndexLine::Frame(_) => None,
    });
    members.collect()
}

fn run(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().unwrap();
    assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Rows and an order-free hash of every table.
fn content(options: &zulip_backup_core::postgres::ConnectOptions) -> BTreeMap<String, (i64, String)> {
    let mut client = options.connect("test").unwrap();
    let names = client
        .query(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname IN ('zulip', 'public')",
            &[],
        )
        .unwrap();
    let hash = |name: String| {
        let query = format!("SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)), 0)::text FROM {name} AS t");
        let row = client.query_one(query.as_str(), &[]).unwrap();
        (name, (row.get(0), row.get(1)))
    };
    names.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>().into_iter().map(hash).collect()
}

#[test]
fn gnu_tar_and_pg_restore_get_back_all_of_it() {
    let stage = stage(small());
    let expected = content(&stage.host.database());
    for (name, compression) in [("a.tar.gz", Compression::Gzip), ("b.tar.zst", Compression::Zstd)] {
        let report = create(&stage, name, BackupOptions::default());
        assert!(!report.has_findings(), "{:?}", report.findings);
        assert_eq!(report.rows, stage.host.rows());
        let archive = Archive::open(&report.path).unwrap();
        assert_eq!(archive.compression(), compression);
        let verified = verify(&archive, &VerifyOptions::default(), &Silent).unwrap();
        assert!(verified.is_sound(), "{:?}", verified.findings);
        let facts = manifest(&report.path);
        let database = facts.database.as_ref().unwrap();
        assert_eq!(database.owner, "zulip");
        assert_eq!(database.search_path.as_deref(), Some("zulip, public"));
        for table in &database.tables {
            let (rows, _) = &expected[&format!("{}.{}", table.schema, table.name)];
            assert_eq!(table.rows, rows.cast_unsigned(), "{}", table.name);
        }
        if compression == Compression::Zstd && Command::new("zstd").arg("--version").output().is_err() {
            continue; // GNU tar needs the program for .tar.zst; verify has read it
        }
        let out = stage.dir.join(format!("out-{name}"));
        std::fs::create_dir(&out).unwrap();
        run("tar", &["-C", out.as_str(), "-xf", report.path.as_str()]);
        let root = out.join("zulip-backup");
        run("diff", &["-r", root.join("uploads").as_str(), stage.host.uploads_dir().as_str()]);
        run("diff", &["-r", root.join("settings").as_str(), stage.host.root().join("etc/zulip").as_str()]);
        let cluster = stage.host.cluster();
        let database = format!("restored_{compression}");
        cluster.create_database(&database, "zulip").unwrap();
        let target = cluster.connect_options(&database);
        let mut command = Command::new(cluster.programs().path("pg_restore"));
        target.apply_to_command(&mut command).unwrap();
        let status =
            command.args(["--exit-on-error", &format!("--dbname={database}")]).arg(root.join("database")).status();
        assert!(status.unwrap().success());
        assert_eq!(content(&target), expected);
    }
}

#[test]
fn the_layout_is_upstreams() {
    let stage = stage(SampleOptions { messages: 200, ..SampleOptions::default() });
    let report = create(&stage, "a.tar.gz", BackupOptions::default());
    let listing = run("tar", &["-tzf", report.path.as_str()]);
    let names: Vec<&str> = listing.lines().collect();
    assert_eq!(
        names[..5],
        [
            "zulip-backup/zulip-version",
            "zulip-backup/os-version",
            "zulip-backup/postgres-version",
            "zulip-backup/database/",
            "zulip-backup/database/toc.dat"
        ]
    );
    assert!(names.contains(&"zulip-backup/settings/zulip-secrets.conf"));
    assert!(names.contains(&"zulip-backup/uploads/"));
    assert_eq!(names[names.len() - 2..], ["zulip-backup/index.jsonl", "zulip-backup/manifest.json"]);
    let data = names.iter().filter(|name| name.starts_with("zulip-backup/database/") && name.ends_with(".dat.gz"));
    assert_eq!(data.count(), manifest(&report.path).database.unwrap().tables.len());
    let version = run("tar", &["-Oxzf", report.path.as_str(), "zulip-backup/postgres-version"]);
    assert_eq!(version.trim().parse::<u32>().unwrap() / 10_000, stage.host.cluster().major());
}

#[test]
fn the_table_of_contents_is_pg_dumps_own_to_the_byte() {
    let stage = stage(SampleOptions { messages: 100, ..SampleOptions::default() });
    let options = stage.host.database();
    let programs = Programs::for_server(
        options
            .connect("test")
            .unwrap()
            .query_one("SHOW server_version_num", &[])
            .unwrap()
            .get::<_, String>(0)
            .parse()
            .unwrap(),
        &Environment::current(),
    )
    .unwrap();
    let pg_dump = programs.path("pg_dump");
    // The time of the dump is in the file, in seconds: try until both fall into one second.
    for attempt in 0.. {
        let snapshot = Snapshot::take(&options, "test", Purpose::Backup).unwrap();
        let ours = read_live_toc(&pg_dump, &options, snapshot.id()).unwrap();
        drop(snapshot);
        let directory = stage.dir.join(format!("dump-{attempt}"));
        let mut command = Command::new(&pg_dump);
        options.apply_to_command(&mut command).unwrap();
        let status = command.args(["--format=directory", "--compress=0"]).arg(format!("--file={directory}")).status();
        assert!(status.unwrap().success());
        let theirs = std::fs::read(directory.join("toc.dat")).unwrap();
        if ours.write_directory() == theirs {
            return;
        }
        let read = Toc::read(&theirs[..]).unwrap();
        assert_eq!(ours.entries, read.entries);
        assert!(attempt < 20, "only the time may differ");
    }
}

#[test]
fn the_dump_is_one_moment_while_others_write() {
    let stage = stage(small());
    let options = stage.host.database();
    let stop = AtomicBool::new(false);
    let report = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut client = options.connect("writer").unwrap();
            let mut rounds = 0;
            while !stop.load(Ordering::Relaxed) {
                // A row that refers to another: on two moments one would be without the other.
                client
                    .batch_execute(
                        "BEGIN;
                         INSERT INTO zulip.zerver_reaction (user_profile_id, message_id, emoji_name, emoji_code, reaction_type)
                         SELECT user_profile_id, message_id, 'x' || txid_current(), 'x' || txid_current(), 'unicode_emoji' FROM zulip.zerver_usermessage
                         ORDER BY id DESC LIMIT 3;
                         DELETE FROM zulip.zerver_usermessage WHERE id = (SELECT min(id) FROM zulip.zerver_usermessage);
                         COMMIT",
                    )
                    .unwrap();
                rounds += 1;
            }
            rounds
        });
        let report = create(&stage, "a.tar.gz", BackupOptions::default().jobs(4));
        stop.store(true, Ordering::Relaxed);
        assert!(writer.join().unwrap() > 0);
        report
    });
    // Each transaction adds three rows and removes one.
    let facts = manifest(&report.path).database.unwrap();
    let rows = |name: &str| facts.tables.iter().find(|table| table.name == name).unwrap().rows;
    let before = stage.host.sample();
    let reactions = before.write_rows("zerver_reaction", &mut std::io::sink()).unwrap();
    let usermessages = before.write_rows("zerver_usermessage", &mut std::io::sink()).unwrap();
    assert_eq!(rows("zerver_reaction") - reactions, 3 * (usermessages - rows("zerver_usermessage")));
}

#[test]
fn rows_without_files_and_files_without_rows_are_found() {
    let stage = stage(SampleOptions { missing_files: 3, orphan_files: 2, ..small() });
    let report = create(&stage, "a.tar.gz", BackupOptions::default());
    let objects = |code: &str| {
        let mut objects: Vec<_> = report
            .findings
            .list
            .iter()
            .filter(|finding| finding.code == code)
            .map(|finding| finding.object.clone())
            .collect();
        objects.sort();
        objects
    };
    let sorted = |paths: Vec<&str>| {
        let mut paths: Vec<_> = paths.into_iter().map(|path| format!("files/{path}")).collect();
        paths.sort();
        paths
    };
    assert!(report.has_findings());
    assert_eq!(objects("missing-file"), sorted(stage.host.sample().missing_files()));
    let orphans = objects("unreferenced-file");
    for orphan in sorted(stage.host.sample().orphan_files()) {
        assert!(orphans.contains(&orphan), "{orphan} not in {orphans:?}");
    }
    assert!(orphans.len() <= 3, "{orphans:?}");
}

#[test]
fn strange_names_and_links_are_kept_and_told() {
    let stage = stage(SampleOptions { odd_name: true, odd_links: true, ..small() });
    std::fs::write(stage.host.uploads_dir().join("a|b\nc"), "x").unwrap();
    std::os::unix::fs::symlink(".", stage.host.uploads_dir().join("cycle")).unwrap();
    // An import that was killed, or is at work.
    let import = stage.host.uploads_dir().join(".zulip-backup-import-7");
    std::fs::create_dir(&import).unwrap();
    std::fs::write(import.join("import.json"), "{}").unwrap();
    let report = create(&stage, "a.tar.gz", BackupOptions::default());
    for code in ["link-dangling", "link-followed-outside", "link-cycle", "own-files"] {
        assert_eq!(report.findings.count(code), 1, "{code}: {:?}", report.findings);
    }
    let verified = verify(&Archive::open(&report.path).unwrap(), &VerifyOptions::default(), &Silent).unwrap();
    assert!(verified.is_sound(), "{:?}", verified.findings);
    let members = members(&report.path);
    assert!(members.keys().any(|name| name.contains("\\x")), "the name that is not UTF-8 is there");
    assert!(members.contains_key("zulip-backup/uploads/a|b\\nc"));
    assert!(!members.keys().any(|name| name.contains(".zulip-backup-")));
    assert!(!manifest(&report.path).links.is_empty());
}

#[test]
fn a_file_that_keeps_changing_is_recorded_and_one_that_vanishes_is_left_out() {
    struct Meddler<'a> {
        vanishing: &'a Utf8Path,
    }
    impl Progress for Meddler<'_> {
        fn begin(&self, task: zulip_backup_core::Task) {
            if task.name == "uploads" {
                // After the walk of the plan, before the file is read.
                std::fs::remove_file(self.vanishing).unwrap();
            }
        }
    }
    let stage = stage(small());
    let uploads = stage.host.uploads_dir();
    let (growing, vanishing) = (uploads.join("zz-growing"), uploads.join("zz-vanishing"));
    std::fs::write(&growing, vec![0; 3 << 20]).unwrap();
    std::fs::write(&vanishing, "x").unwrap();
    let stop = AtomicBool::new(false);
    let report = std::thread::scope(|scope| {
        scope.spawn(|| {
            use std::io::Write;
            let mut file = std::fs::OpenOptions::new().append(true).open(&growing).unwrap();
            while !stop.load(Ordering::Relaxed) {
                file.write_all(b"more").unwrap();
                std::thread::sleep(std::time::Duration::from_micros(200));
            }
        });
        let options = BackupOptions::default().output(stage.dir.join("a.tar.gz"));
        let site = stage.host.site().unwrap();
        let report = plan(&site, &options, &Silent).unwrap().execute(&Meddler { vanishing: &vanishing });
        stop.store(true, Ordering::Relaxed);
        report.unwrap()
    });
    assert_eq!(report.findings.count("changed-while-read"), 1, "{:?}", report.findings);
    let members = members(&report.path);
    assert!(!members.contains_key("zulip-backup/uploads/zz-vanishing"));
    assert!(members["zulip-backup/uploads/zz-growing"].size >= 3 << 20);
    let verified = verify(&Archive::open(&report.path).unwrap(), &VerifyOptions::default(), &Silent).unwrap();
    assert!(verified.is_sound(), "{:?}", verified.findings);
}

#[test]
fn the_same_snapshot_and_files_give_the_same_members() {
    let stage = stage(small());
    let one = create(&stage, "a.tar.gz", BackupOptions::default().jobs(1));
    let other = create(&stage, "b.tar.gz", BackupOptions::default().jobs(5));
    let strip = |path: &Utf8Path| -> Vec<(String, u64, Option<String>)> {
        members(path)
            .into_iter()
            .filter(|(name, _)| !name.ends_with("toc.dat"))
            .map(|(name, member)| (name, member.size, member.sha256.map(|digest| digest.to_string())))
            .collect()
    };
    assert_eq!(strip(&one.path), strip(&other.path));
    let tables = |path: &Utf8Path| manifest(path).database.unwrap().tables;
    assert_eq!(tables(&one.path), tables(&other.path));
}

#[test]
fn parts_can_be_left_out_and_what_is_left_out_is_not_needed() {
    let stage = stage(SampleOptions { messages: 100, ..SampleOptions::default() });
    let report = create(&stage, "a.tar.gz", BackupOptions::default().skip_db(true));
    assert!(!report.sections.contains_key("database") && report.sections.contains_key("uploads"));
    std::fs::rename(stage.host.uploads_dir(), stage.dir.join("moved")).unwrap();
    let report = create(&stage, "b.tar.gz", BackupOptions::default().skip_uploads(true));
    assert!(report.sections.contains_key("database") && !report.sections.contains_key("uploads"));
    let options = BackupOptions::default().output(stage.dir.join("c.tar.gz"));
    let error = plan(&stage.host.site().unwrap(), &options, &Silent).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.hint().unwrap().contains("--uploads-dir"));
}

#[test]
fn an_interrupted_backup_leaves_nothing() {
    struct Stopper(Recorder);
    impl Progress for Stopper {
        fn advance(&self, task: &'static str, _: u64) {
            if task == "uploads" {
                self.0.cancel();
            }
        }
        fn is_cancelled(&self) -> bool {
            self.0.is_cancelled()
        }
        fn finding(&self, _: &Finding) {}
    }
    let stage = stage(small());
    let output = stage.dir.join("out");
    std::fs::create_dir(&output).unwrap();
    let options = BackupOptions::default().output(output.join("a.tar.gz"));
    let planned = plan(&stage.host.site().unwrap(), &options, &Silent).unwrap();
    let error = planned.execute(&Stopper(Recorder::default())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    let left: Vec<_> = std::fs::read_dir(&output).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    let locks = |name: &std::ffi::OsString| name.to_string_lossy().starts_with(".zulip-backup.");
    assert!(left.iter().all(locks), "{left:?}");
}

#[test]
fn a_lost_connection_fails_the_backup_and_leaves_nothing() {
    struct Killer<'a>(&'a SampleHost, AtomicBool);
    impl Progress for Killer<'_> {
        fn begin(&self, task: zulip_backup_core::Task) {
            if task.name == "database" && !self.1.swap(true, Ordering::Relaxed) {
                let mut client = self.0.database().connect("killer").unwrap();
                client
                    .batch_execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'zulip-backup pid%'")
                    .unwrap();
            }
        }
    }
    let stage = stage(small());
    let options = BackupOptions::default().output(stage.dir.join("a.tar.gz"));
    let planned = plan(&stage.host.site().unwrap(), &options, &Silent).unwrap();
    let error = planned.execute(&Killer(&stage.host, AtomicBool::new(false))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Postgres, "{error:?}");
    assert!(!stage.dir.join("a.tar.gz").exists());
}

#[test]
fn outputs_that_exist_or_lie_in_what_is_backed_up_are_refused() {
    let stage = stage(SampleOptions { messages: 100, ..SampleOptions::default() });
    let site = stage.host.site().unwrap();
    let existing = stage.dir.join("a.tar.gz");
    std::fs::write(&existing, "precious").unwrap();
    let refused = |options: BackupOptions| plan(&site, &options, &Silent).unwrap_err().kind();
    assert_eq!(refused(BackupOptions::default().output(&existing)), ErrorKind::Refused);
    assert_eq!(refused(BackupOptions::default().output(stage.host.uploads_dir().join("a.tar.gz"))), ErrorKind::Usage);
    let contradicting = BackupOptions::default().output(stage.dir.join("b.tar.gz")).compression(Compression::Zstd);
    assert_eq!(refused(contradicting), ErrorKind::Usage);
    assert_eq!(std::fs::read_to_string(&existing).unwrap(), "precious");
    create(&stage, "a.tar.gz", BackupOptions::default().force(true));
    assert!(manifest(&existing).database.is_some());
}

#[test]
fn two_backups_of_one_database_do_not_run_at_once() {
    let stage = stage(SampleOptions { messages: 100, ..SampleOptions::default() });
    let first = Snapshot::take(&stage.host.database(), "zulip-backup pid 4711 on elsewhere", Purpose::Backup).unwrap();
    let options = BackupOptions::default().output(stage.dir.join("a.tar.gz"));
    let error = plan(&stage.host.site().unwrap(), &options, &Silent).unwrap().execute(&Silent).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked);
    assert!(error.to_string().contains("pid 4711"), "{error}");
    drop(first);
    create(&stage, "a.tar.gz", BackupOptions::default());
}
