//! Exports of a server that is written to at full speed.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::panic, clippy::unwrap_used)] // a test

#[path = "support/busy.rs"]
mod busy;
#[path = "support/stage.rs"]
mod stage;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use busy::{Writer, watch};
use stage::stage;
use zulip_backup_core::Silent;
use zulip_backup_core::export::{Kind, plan};
use zulip_backup_core::validate::{ValidateOptions, validate};

/// How many connections write.
const WRITERS: usize = 2;

#[test]
fn an_export_of_a_busy_server_shows_one_moment_and_holds_nobody_up() {
    let stage = stage();
    let (stop, written) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for number in 0..WRITERS {
            let (stage, stop, written) = (&stage, &stop, &written);
            scope.spawn(move || {
                let mut writer = Writer::new(stage, number);
                while !stop.load(Ordering::Relaxed) {
                    writer.write();
                    written.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let watcher = scope.spawn(|| watch(&stage, "zulip-backup export", &["AccessShareLock"], &stop));
        // Whatever happens, the writers are told to stop.
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for (round, kind) in [Kind::Full, Kind::FullWithConsent, Kind::Public, Kind::Full].into_iter().enumerate() {
                let before = written.load(Ordering::Relaxed);
                while written.load(Ordering::Relaxed) < before + 20 {
                    std::thread::yield_now();
                }
                let name = if round == 3 { format!("{round}.tar.gz") } else { round.to_string() };
                let options = stage.options(&name).kind(kind).force(true).no_record(true);
                let begun = written.load(Ordering::Relaxed);
                let report = plan(&stage.host.site().unwrap(), &options).unwrap().execute(&Silent).unwrap();
                assert!(written.load(Ordering::Relaxed) > begun + 5, "nobody wrote meanwhile");
                let checked = validate(&report.path, &ValidateOptions::default().kind(kind), &Silent).unwrap();
                assert!(checked.is_sound(), "{kind}: {checked}");
                assert_eq!(checked.messages, report.messages);
            }
        }));
        stop.store(true, Ordering::Relaxed);
        assert_eq!(watcher.join().unwrap(), Vec::<String>::new(), "locks that exports held, and whom they held up");
        outcome.unwrap();
    });
}
