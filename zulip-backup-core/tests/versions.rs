//! Every release that is known, at small size: a server of it is backed up, its organisation exported in every way, checked,
//! imported into a fresh server of the release, and exported again as the same.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::unwrap_used)] // a test

#[path = "support/exports.rs"]
mod exports;
#[path = "support/world.rs"]
mod world;

use camino::{Utf8Path, Utf8PathBuf};
use exports::codes;
use world::World;
use zulip_backup_core::backup::{self, BackupOptions};
use zulip_backup_core::diff::{DiffOptions, diff};
use zulip_backup_core::export::{self, ExportOptions, Kind};
use zulip_backup_core::import::{self, ImportOptions};
use zulip_backup_core::package::Compat;
use zulip_backup_core::postgres::Cluster;
use zulip_backup_core::realm::deactivate::DeactivateOptions;
use zulip_backup_core::realm::rename::RenameOptions;
use zulip_backup_core::realm::{self, deactivate, delete, reactivate, rename};
use zulip_backup_core::schema::Release;
use zulip_backup_core::site::Site;
use zulip_backup_core::validate::{ValidateOptions, ValidateReport, validate};
use zulip_backup_core::{Error, Severity, Silent};
use zulip_backup_examples::{SampleHost, SampleOptions};

/// The organisation of the sample server that has most.
const REALM: &str = "acme";

struct Stage {
    release: &'static Release,
    version: String,
    host: SampleHost,
    temp: tempfile::TempDir,
}

/// Panics with all reasons.
fn done<T>(result: Result<T, Error>, what: &str) -> T {
    result.unwrap_or_else(|error| panic!("{what}: {}\n{:#?}", error.chain(), error.reasons()))
}

impl Stage {
    fn new(release: &'static Release) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(temp.path()).unwrap().join("host");
        std::fs::create_dir(&root).unwrap();
        let version = format!("{}.0", release.export.versions[0]);
        let options = SampleOptions { zulip_version: version.clone(), messages: 600, ..SampleOptions::default() };
        let host = SampleHost::start(&root, &options, Cluster::builder()).unwrap();
        Self { release, version, host, temp }
    }

    fn path(&self, name: &str) -> Utf8PathBuf {
        Utf8Path::from_path(self.temp.path()).unwrap().join(name)
    }

    fn site(&self) -> Site {
        self.host.site().unwrap()
    }

    fn export(&self, name: &str, options: ExportOptions) -> Utf8PathBuf {
        let output = self.path(name);
        let options = ExportOptions { force: true, ..options.output(&output).jobs(2) };
        let plan = done(export::plan(&self.site(), &options), name);
        let report = done(plan.execute(&Silent), name);
        let noticed = report.findings.list.iter().filter(|finding| finding.severity >= Severity::Warning);
        assert_eq!(noticed.count(), 0, "{report}");
        output
    }

    fn check(&self, export: &Utf8Path, options: ValidateOptions) -> ValidateReport {
        let report = done(validate(export, &options.jobs(2), &Silent), "validate");
        assert!(codes(&report.findings).is_empty(), "{} {report}", self.version);
        assert_eq!(report.release, self.release.name);
        report
    }

    /// A public message that users react to.
    fn ask(&self) -> i64 {
        let mut client = self.host.database().connect("test").unwrap();
        client.batch_execute("SET search_path = zulip, public").unwrap();
        let asked: i64 = client
            .query_one(
                "SELECT min(m.id)::int8 FROM zerver_message m JOIN zerver_stream s ON s.recipient_id = m.recipient_id
                 JOIN zerver_realm r ON r.id = m.realm_id
                 WHERE r.string_id = $1 AND NOT s.invite_only AND m.last_edit_time IS NULL",
                &[&REALM],
            )
            .unwrap()
            .get(0);
        let reacted = client.execute(
            "INSERT INTO zerver_reaction (user_profile_id, message_id, emoji_name, emoji_code, reaction_type)
             SELECT u.id, $1::int8, 'outbox_tray', '1f4e4', 'unicode_emoji'
             FROM zerver_userprofile u JOIN zerver_realm r ON r.id = u.realm_id
             WHERE r.string_id = $2 AND u.is_active AND NOT u.is_bot ORDER BY u.id LIMIT 8",
            &[&asked, &REALM],
        );
        assert_eq!(reacted.unwrap(), 8);
        asked
    }
}

/// All that is done with organisations.
fn organisations(site: &Site) {
    let shown = done(realm::show(site, REALM), "show");
    assert!(shown.messages > 0, "{shown}");
    let plan = done(deactivate::plan(site, &DeactivateOptions::of(REALM, "moved")), "deactivate");
    done(plan.execute(&Silent), "deactivate");
    done(done(reactivate::plan(site, REALM), "reactivate").execute(&Silent), "reactivate");
    let plan = done(rename::plan(site, &RenameOptions::of(REALM).subdomain("renamed")), "rename");
    done(plan.execute(&Silent), "rename");
    let plan = done(delete::plan(site, "renamed"), "delete");
    done(plan.execute(&Silent), "delete");
    assert!(realm::show(site, "renamed").is_err());
}

fn all_of(release: &'static Release) {
    let stage = Stage::new(release);
    let whole = stage.path("server.tar.zst");
    let options = BackupOptions::default().output(&whole).jobs(2);
    let report = done(done(backup::plan(&stage.site(), &options, &Silent), "backup").execute(&Silent), "backup");
    let missing = report.findings.list.iter().filter(|finding| finding.code.starts_with("missing"));
    assert_eq!(missing.count(), 0, "{report}");

    let full = stage.export("full", ExportOptions::of(REALM));
    let checked = stage.check(&full, ValidateOptions::default().kind(Kind::Full));
    assert!(checked.messages > 300 && checked.user_messages > checked.messages, "{checked}");
    let public = stage.export("public.tar.gz", ExportOptions::of(REALM).kind(Kind::Public).no_record(true));
    let public = stage.check(&public, ValidateOptions::default());
    assert!(public.messages > 0 && public.messages < checked.messages, "{public}");
    let consent = if release.export.exporter.hides_users {
        ExportOptions::of(REALM).kind(Kind::FullWithConsent)
    } else {
        ExportOptions::of(REALM).consent_message(stage.ask())
    };
    let consent = stage.check(&stage.export("consent.tar.gz", consent), ValidateOptions::default());
    assert_eq!(consent.kind, Kind::FullWithConsent);
    assert!(consent.messages > public.messages && consent.messages < checked.messages, "{consent}");

    let other = World::made_of(release, &stage.version);
    let site = other.site();
    let options = ImportOptions { keep_name: true, ..ImportOptions::to(REALM).jobs(2) };
    let report = done(done(import::plan(&site, &full, &options, &Silent), "import").execute(&Silent), "import");
    assert!(report.internal_realm_made, "{report}");
    let again = other.path("again");
    let options = ExportOptions::of(REALM).output(&again).no_record(true).jobs(2);
    done(done(export::plan(&site, &options), "export again").execute(&Silent), "export again");
    stage.check(&again, ValidateOptions::default().kind(Kind::Full));
    let same = done(diff(&full, &again, &DiffOptions::default().renumbered(true).jobs(2), &Silent), "diff");
    assert!(same.is_same(), "{} {same}", stage.version);
    organisations(&site);
}

/// A real server of Zulip 8.1, as it was installed, takes the export of a sample server.
#[test]
fn a_real_zulip_8_takes_an_export() {
    let shared = Utf8Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/zulip/8.1"));
    if !shared.exists() {
        return println!("skipped: no real server of Zulip 8.1 at {shared}");
    }
    let stage = Stage::new(Release::for_version("8.1").unwrap());
    let full = stage.export("full", ExportOptions::of(REALM));
    for compat in [Compat::Fixed, Compat::Strict] {
        let other = World::fresh_of(shared, "8.1");
        let site = other.site();
        let options = ImportOptions::to(REALM).jobs(2).compat(compat);
        let report = done(done(import::plan(&site, &full, &options, &Silent), "import").execute(&Silent), "import");
        assert!(report.internal_realm_made, "{report}");
        let count = |statement: &str| -> i64 { other.connect().query_one(statement, &[]).unwrap().get(0) };
        // What Zulip 8 notes of the groups that it makes, and of nothing else.
        assert_eq!(count("SELECT count(*) FROM zulip.zerver_realmauditlog WHERE realm_id = 1 AND event_type = 722"), 8);
        assert_eq!(count("SELECT count(*) FROM zulip.zerver_realmauditlog WHERE realm_id = 1 AND event_type = 108"), 0);
        assert_eq!(count("SELECT count(*) FROM zulip.zerver_client WHERE name = 'Internal' AND id < 4"), 0);
        assert_eq!(count("SELECT count(*) FROM zulip.zerver_stream WHERE email_token !~ '^[0-9a-f]{32}$'"), 0);
        let dummies = "SELECT count(*) FROM zulip.zerver_userprofile WHERE is_mirror_dummy AND recipient_id IS NULL";
        assert_eq!(count(dummies) > 0, compat == Compat::Strict);
    }
}

/// One test for each release: they run beside each other, and say which one fails.
macro_rules! releases {
    ($($test:ident $version:literal,)*) => {
        $(
            #[test]
            fn $test() {
                all_of(Release::for_version($version).unwrap());
            }
        )*

        #[test]
        fn none_is_forgotten() {
            let tested = [$($version),*].map(|version| Release::for_version(version).unwrap().name);
            let known: Vec<&str> = Release::all().unwrap().iter().map(|release| release.name).collect();
            assert_eq!(tested.as_slice(), known);
        }
    };
}

releases! {
    zulip_8 "8.1",
    zulip_9 "9.0",
    zulip_10 "10.1",
    zulip_11 "11.4",
    zulip_12 "12.0",
}
