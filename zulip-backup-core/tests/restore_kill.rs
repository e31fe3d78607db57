//! A restore killed at every border between two steps: it goes on, or back, and no moment leaves the server without.

#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/world.rs"]
mod world;

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use world::World;
use zulip_backup_core::postgres::ConnectOptions;
use zulip_backup_core::restore::{self, RestoreOptions, Source};
use zulip_backup_core::{Progress, Silent, Task};

/// Ends this process like a power cut, at one point.
struct Killer(String);

impl Killer {
    fn at(&self, point: &str) {
        if self.0 == point {
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        }
    }
}

impl Progress for Killer {
    fn begin(&self, task: Task) {
        self.at(&format!("begin {}", task.name));
    }
    fn end(&self, task: &'static str) {
        self.at(&format!("end {task}"));
    }
}

/// What is killed: this binary again, with this test only.
#[test]
#[ignore = "run by the others in a process of its own"]
fn child() {
    let variable = |name: &str| std::env::var(name).ok();
    let Some(root) = variable("RESTORE_TEST_ROOT") else { return };
    let database = ConnectOptions::parse(&variable("RESTORE_TEST_DATABASE").unwrap()).unwrap();
    let site = world::site(root.as_str().into(), database);
    let killer = Killer(variable("RESTORE_TEST_POINT").unwrap());
    let options = RestoreOptions::default();
    match variable("RESTORE_TEST_ARCHIVE") {
        Some(archive) => {
            let source = Source::archive(archive.as_str().into()).unwrap();
            let plan = restore::plan(&source, &site, &options, &killer).unwrap();
            plan.preflight(&killer).unwrap().execute(&killer).unwrap();
        }
        None => {
            restore::rollback(&site, &options, &killer).unwrap();
        }
    }
}

/// Runs a restore, or without an archive a rollback, that is killed at a point.
fn killed(world: &World, archive: Option<&str>, point: &str) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child", "--ignored"]).stdout(Stdio::null()).stderr(Stdio::piped());
    command.env("RESTORE_TEST_ROOT", world.host.root());
    command.env("RESTORE_TEST_DATABASE", world.cluster.connect_options("zulip").to_string());
    command.env("RESTORE_TEST_POINT", point);
    command.envs(archive.map(|archive| ("RESTORE_TEST_ARCHIVE", archive)));
    // Who is killed does not clear up.
    command.env("TMPDIR", world.out.path());
    let output = command.output().unwrap();
    assert_eq!(output.status.signal(), Some(9), "{point}: {}", String::from_utf8_lossy(&output.stderr));
}

const STEPS: [&str; 14] = [
    "stage-uploads",
    "stage-settings",
    "create-database",
    "load-database",
    "load rows",
    "check-database",
    "stop-server",
    "switch-database",
    "switch-uploads",
    "switch-settings",
    "configure-rabbitmq",
    "puppet-apply",
    "restart-server",
    "flush-memcached",
];

#[test]
fn a_restore_killed_at_any_border_goes_back_or_on() {
    let world = World::small();
    let archived = world.state();
    let archive = world.backup("a.tar.gz");
    world.live_on();
    let present = world.state();
    for (number, step) in STEPS.iter().enumerate() {
        for (side, border) in ["begin", "end"].into_iter().enumerate() {
            let point = format!("{border} {step}");
            killed(&world, Some(archive.as_str()), &point);
            let switched = number > 7 || (number == 7 && side == 1);
            assert_eq!(world.era(), if switched { "archived" } else { "present" }, "{point}");
            assert!(restore::pending(&world.site(), &RestoreOptions::default()).unwrap().is_some(), "{point}");
            if (number + side) % 2 == 0 {
                let report = world.restore(&archive, RestoreOptions::default());
                let report = report.unwrap_or_else(|error| panic!("{point}: {}", error.chain()));
                assert!(report.continued && report.switched, "{point}");
                assert_eq!(world.state().tables, archived.tables, "{point}");
            }
            restore::rollback(&world.site(), &RestoreOptions::default(), &Silent)
                .unwrap_or_else(|error| panic!("{point}: {}", error.chain()));
            assert_eq!(world.state(), present, "{point}");
        }
    }
}

#[test]
fn a_rollback_killed_at_any_border_is_finished_by_the_next() {
    let world = World::small();
    let archive = world.backup("a.tar.gz");
    world.live_on();
    let present = world.state();
    for step in ["stop-server", "undo-settings", "undo-uploads", "undo-database", "puppet-apply"] {
        for border in ["begin", "end"] {
            world.restore(&archive, RestoreOptions::default()).unwrap();
            let point = format!("{border} {step}");
            killed(&world, None, &point);
            let error = world.restore(&archive, RestoreOptions::default()).unwrap_err();
            assert_eq!(error.reasons()[0].code, "earlier-restore-unfinished", "{point}");
            restore::rollback(&world.site(), &RestoreOptions::default(), &Silent).unwrap();
            assert_eq!(world.state(), present, "{point}");
        }
    }
}

#[test]
fn sessions_in_the_way_are_ended() {
    let world = World::small();
    let archive = world.backup("a.tar.gz");
    world.live_on();
    let mut idle = world.connect();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        // A service that was not stopped and connects again and again: either database answers it, or it is sent away
        // and comes again.
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                if let Ok(mut client) = world.cluster.connect_options("zulip").connect("worker") {
                    let _ = client.execute("SELECT pg_sleep(0.01)", &[]);
                }
            }
        });
        let restored = world.restore(&archive, RestoreOptions::default());
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        restored.unwrap();
    });
    assert!(idle.simple_query("SELECT 1").is_err());
    assert_eq!(world.era(), "archived");
}
