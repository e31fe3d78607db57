//! Restores of whole servers, and back.

#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/world.rs"]
mod world;

use camino::Utf8Path;
use world::World;
use zulip_backup_core::backup::BackupOptions;
use zulip_backup_core::restore::{self, RestoreOptions, Source};
use zulip_backup_core::{ErrorKind, Silent};

fn calls(world: &World) -> Vec<String> {
    let calls = world.host.calls().into_iter().filter(|call| call.script != "scripts/get-django-setting");
    calls.map(|call| [vec![call.script], call.args].concat().join(" ")).collect()
}

const SCRIPTS: [&str; 6] = [
    "scripts/stop-server",
    "scripts/setup/generate_secrets.py --production",
    "scripts/setup/configure-rabbitmq",
    "scripts/zulip-puppet-apply -f",
    "scripts/restart-server",
    "scripts/setup/flush-memcached",
];

#[test]
fn archives_of_both_compressions_come_back_and_go_again() {
    let world = World::small();
    let archived = world.state();
    let archives = [world.backup("a.tar.gz"), world.backup("a.tar.zst")];
    world.live_on();
    let present = world.state();
    assert_ne!(archived.tables, present.tables);
    for archive in archives {
        let report = world.restore(&archive, RestoreOptions::default()).unwrap();
        assert!(report.switched && !report.continued);
        let database = report.database.as_ref().unwrap();
        assert_eq!((database.rows, database.load.method.as_str()), (20_103, "copy"), "{report}");
        let restored = world.state();
        assert_eq!(restored.tables, archived.tables);
        let here = |files: &std::collections::BTreeMap<String, (u32, String)>| {
            files
                .iter()
                .filter(|(name, _)| !name.contains(".before-"))
                .map(|(a, b)| (a.clone(), b.clone()))
                .collect::<Vec<_>>()
        };
        assert_eq!(here(&restored.files), here(&archived.files));
        let uploads = report.trees.iter().find(|tree| tree.tree == restore::TreeKind::Uploads).unwrap();
        assert_eq!(
            (uploads.not_in_source, uploads.not_in_source_first.as_slice()),
            (1, &["files/2/ef/new/later.txt".to_owned()][..])
        );
        // New rows get new numbers, and the planner knows the tables.
        let mut client = world.connect();
        let next: i32 = client.query_one("INSERT INTO zulip.big (body) VALUES ('n') RETURNING id", &[]).unwrap().get(0);
        assert_eq!(next, 20_001);
        let estimate: f32 =
            client.query_one("SELECT reltuples FROM pg_class WHERE relname = 'big'", &[]).unwrap().get(0);
        assert!(estimate > 19_000.0);
        let path: String = client
            .query_one("SELECT array_to_string(rolconfig, ';') FROM pg_roles WHERE rolname = 'zulip'", &[])
            .unwrap()
            .get(0);
        assert_eq!(path, "search_path=zulip, public");
        drop(client);
        assert_eq!(calls(&world), SCRIPTS);

        let pending = restore::pending(&world.site(), &RestoreOptions::default()).unwrap().unwrap();
        assert_eq!(pending.phase, restore::Phase::Done);
        let error = world.restore(&archive, RestoreOptions::default()).unwrap_err();
        assert_eq!((error.kind(), error.reasons()[0].code.as_str()), (ErrorKind::Refused, "earlier-restore-kept"));

        restore::rollback(&world.site(), &RestoreOptions::default(), &Silent).unwrap();
        assert_eq!(world.state(), present);
        assert_eq!(
            calls(&world)[6..],
            [
                "scripts/stop-server",
                "scripts/setup/configure-rabbitmq",
                "scripts/zulip-puppet-apply -f",
                "scripts/restart-server",
                "scripts/setup/flush-memcached"
            ]
        );
        assert_eq!(restore::pending(&world.site(), &RestoreOptions::default()).unwrap(), None);
        world.host.write("/fake/calls", "");
    }
}

#[test]
fn a_commit_removes_what_was_before() {
    let world = World::zulip();
    let archived = world.state();
    let archive = world.backup("a.tar.gz");
    world.live_on();
    let early = restore::commit(&world.site(), &RestoreOptions::default(), &Silent).unwrap_err();
    assert_eq!(early.kind(), ErrorKind::NotFound);
    world.restore(&archive, RestoreOptions::default().jobs(3)).unwrap();
    assert_eq!(world.databases().len(), 5);
    restore::commit(&world.site(), &RestoreOptions::default(), &Silent).unwrap();
    assert_eq!(world.state(), archived);
    let error = restore::rollback(&world.site(), &RestoreOptions::default(), &Silent).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[test]
fn files_of_the_server_are_kept_and_the_host_renamed() {
    let world = World::small();
    let archive = world.backup("a.tar.gz");
    world.live_on();
    let text = |name: &str| std::fs::read_to_string(world.host.path(&format!("/etc/zulip/{name}"))).unwrap();
    let options = RestoreOptions::default().keep_zulipconf(true).keep_secrets(true).external_host("new.example.com");
    let report = world.restore(&archive, options).unwrap();
    assert!(text("zulip.conf").contains("present") && text("zulip-secrets.conf").contains("present"));
    assert!(text("settings.py").starts_with("EXTERNAL_HOST = 'new.example.com'\n#"), "{}", text("settings.py"));
    assert!(report.findings.list.iter().any(|finding| finding.code == "external-host-set"));
    restore::rollback(&world.site(), &RestoreOptions::default(), &Silent).unwrap();
    world.restore(&archive, RestoreOptions::default().keep_settings(true).skip_db(true).skip_uploads(true)).unwrap();
    assert!(text("settings.py").contains("present") && !text("zulip.conf").contains("present"));
    assert!(text("zulip-secrets.conf").contains("hunter2"));
    assert_eq!(world.era(), "present");
}

#[test]
fn a_staged_restore_waits_and_goes_on() {
    let world = World::small();
    let archive = world.backup("a.tar.gz");
    world.live_on();
    let present = world.state();
    let report = world.restore(&archive, RestoreOptions::default().only_stage(true)).unwrap();
    assert!(!report.switched && calls(&world).is_empty());
    assert_eq!(world.era(), "present");
    let report = world.restore(&archive, RestoreOptions::default()).unwrap();
    assert!(report.continued && report.switched);
    assert_eq!(report.steps[0].name, "stop-server");
    assert_eq!(world.era(), "archived");
    restore::rollback(&world.site(), &RestoreOptions::default(), &Silent).unwrap();
    assert_eq!(world.state(), present);
    // What was made ready and is not wanted any more.
    world.restore(&archive, RestoreOptions::default().only_stage(true)).unwrap();
    world.restore(&archive, RestoreOptions::default().only_stage(true).skip_uploads(true)).unwrap();
    restore::rollback(&world.site(), &RestoreOptions::default(), &Silent).unwrap();
    assert_eq!(world.state(), present);
}

#[test]
fn entries_are_switched_one_by_one_where_directories_cannot() {
    let world = World::small();
    let archive = world.backup("a.tar.gz");
    world.live_on();
    let present = world.state();
    world.restore(&archive, RestoreOptions::default().switch_inside(true)).unwrap();
    let name = |path: &str| std::fs::read_to_string(world.host.path(path)).unwrap();
    assert_eq!(name("/home/zulip/uploads/files/2/ab/token/name.txt"), "hello");
    assert!(name("/etc/zulip/settings.py").contains("chat.example.com"));
    restore::rollback(&world.site(), &RestoreOptions::default(), &Silent).unwrap();
    assert_eq!(world.state(), present);
}

#[test]
fn in_place_is_agreed_to_and_cannot_be_undone() {
    let world = World::small();
    let archived = world.state();
    let archive = world.backup("a.tar.gz");
    world.live_on();
    let error = world.restore(&archive, RestoreOptions::default().in_place(true)).unwrap_err();
    assert_eq!(error.reasons()[0].code, "in-place-not-agreed");
    let options = RestoreOptions::default().in_place(true).yes(true);
    let (site, source) = (world.site(), Source::archive(&archive).unwrap());
    let plan = restore::plan(&source, &site, &options, &Silent).unwrap();
    assert!(plan.to_string().contains("CANNOT be undone"), "{plan}");
    plan.preflight(&Silent).unwrap().execute(&Silent).unwrap();
    assert_eq!(world.state().tables, archived.tables);
    let error = restore::rollback(&world.site(), &options, &Silent).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    restore::commit(&world.site(), &options, &Silent).unwrap();
    assert_eq!(world.state(), archived);
}

#[test]
fn an_archive_without_a_database_never_costs_the_one_there() {
    let world = World::small();
    let archive = world.backup_with("a.tar.gz", BackupOptions::default().skip_db(true));
    world.live_on();
    let error = world.restore(&archive, RestoreOptions::default()).unwrap_err();
    assert_eq!((error.kind(), error.reasons()[0].code.as_str()), (ErrorKind::Refused, "no-database"));
    world.restore(&archive, RestoreOptions::default().skip_db(true)).unwrap();
    assert_eq!(world.era(), "present");
    let uploaded = world.host.path("/home/zulip/uploads/files/2/cd/token/two.txt");
    assert_eq!(std::fs::read_to_string(uploaded).unwrap(), "two");
}

#[test]
fn the_plan_is_data_and_shows_no_secret() {
    let world = World::small();
    let archive = world.backup("a.tar.gz");
    let (site, source) = (world.site(), Source::archive(Utf8Path::new(&archive)).unwrap());
    let plan = restore::plan(&source, &site, &RestoreOptions::default(), &Silent).unwrap();
    let json = serde_json::to_value(&plan).unwrap();
    let steps: Vec<&str> =
        json["steps"].as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(
        steps,
        [
            "stage",
            "stage",
            "create-database",
            "load-database",
            "check-database",
            "stop-server",
            "switch-database",
            "switch",
            "switch",
            "generate-secrets",
            "configure-rabbitmq",
            "puppet-apply",
            "restart-server",
            "flush-memcached"
        ]
    );
    assert!(!json.to_string().contains("hunter2") && !plan.to_string().contains("hunter2"));
    assert!(plan.findings.iter().any(|finding| finding.object == "zulip-secrets.conf s3_key"), "{plan}");
    assert!(!world.host.path("/var/lib/zulip-backup").exists(), "a plan writes nothing");
}
