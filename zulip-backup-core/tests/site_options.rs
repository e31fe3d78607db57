//! Which of several sayings about a server counts.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::panic, clippy::unwrap_used)] // a test

#[path = "support/fake_deployment.rs"]
mod fake_deployment;

use fake_deployment::FakeHost;
use zulip_backup_core::ErrorKind;
use zulip_backup_core::site::{Environment, Origin, Site, SiteOptions, UploadsBackend};

fn uploads(site: &Site) -> (String, Origin) {
    let known = site.uploads().unwrap();
    match &known.value {
        UploadsBackend::Local(local) => (local.named.to_string(), known.origin.clone()),
        UploadsBackend::S3(s3) => panic!("{s3:?}"),
    }
}

fn site(options: SiteOptions, environment: &[(&str, &str)]) -> zulip_backup_core::Result<Site> {
    Site::builder().options(options).environment(Environment::from_pairs(environment.iter().copied())).build()
}

#[test]
fn flag_then_environment_then_file_then_discovery() {
    let host = FakeHost::production();
    let options = || host.options();
    let variables = [("ZULIP_BACKUP_UPLOADS_DIR", "/from/environment")];
    assert_eq!(uploads(&site(options(), &[]).unwrap()).1, Origin::GetDjangoSetting);
    host.write(
        "/etc/zulip-backup.toml",
        "uploads_dir = '/from/file'\n[settings]\nS3_REGION = 'x'\nEXTERNAL_HOST = 'file.example.com'\n",
    );
    let file = Origin::ConfigFile(host.path("/etc/zulip-backup.toml"));
    let by_file = site(options(), &[]).unwrap();
    assert_eq!(uploads(&by_file), ("/from/file".to_owned(), file.clone()));
    assert_eq!(by_file.config_file().unwrap().value, host.path("/etc/zulip-backup.toml"));
    assert_eq!(by_file.external_host().unwrap().origin, file);
    let by_variable = site(options(), &variables).unwrap();
    assert_eq!(
        uploads(&by_variable),
        ("/from/environment".to_owned(), Origin::Environment("ZULIP_BACKUP_UPLOADS_DIR"))
    );
    let by_flag =
        site(options().uploads_dir("/from/flag").setting("EXTERNAL_HOST", "flag.example.com"), &variables).unwrap();
    assert_eq!(uploads(&by_flag), ("/from/flag".to_owned(), Origin::Flag("--uploads-dir".to_owned())));
    assert_eq!(by_flag.external_host().unwrap().value, "flag.example.com");
    assert_eq!(by_flag.setting("S3_REGION").unwrap().origin, Origin::ConfigFile(host.path("/etc/zulip-backup.toml")));
    let empty = site(options(), &[("ZULIP_BACKUP_UPLOADS_DIR", "")]).unwrap();
    assert_eq!(uploads(&empty).0, "/from/file", "an empty variable says nothing");
}

#[test]
fn every_variable_is_heard() {
    let host = FakeHost::development();
    let deployment = host.path("/srv/zulip").into_string();
    let settings = host.path("/opt/settings").into_string();
    host.write("/opt/settings/zulip.conf", "[machine]\ndeploy_type = x\n");
    host.write("/opt/config.toml", "uploads_dir = 'relative'\n");
    let config = host.path("/opt/config.toml").into_string();
    let variables = [
        ("ZULIP_BACKUP_DEPLOYMENT", deployment.as_str()),
        ("ZULIP_BACKUP_SETTINGS_DIR", settings.as_str()),
        ("ZULIP_BACKUP_DATABASE_URL", "postgresql://me:hunter2@db.example.com/chat"),
        ("ZULIP_BACKUP_CONFIG", config.as_str()),
    ];
    let site = site(host.options(), &variables).unwrap();
    assert_eq!(site.deployment().unwrap().path(), deployment);
    assert_eq!(site.settings_dir().unwrap().path, settings);
    let database = site.database().unwrap();
    assert_eq!(database.origin, Origin::Environment("ZULIP_BACKUP_DATABASE_URL"));
    assert_eq!(database.value.hosts, ["db.example.com"]);
    assert_eq!(uploads(&site).0, host.path("/opt/relative"), "relative to the file it stands in");
    assert!(!format!("{site:?}{database:?}").contains("hunter2"));
}

#[test]
fn a_named_part_that_is_not_there_is_an_error_when_it_is_asked_for() {
    let host = FakeHost::production();
    let site = site(host.options().settings_dir("/nowhere").deployment("/nowhere"), &[]).unwrap();
    for error in [site.settings_dir().unwrap_err(), site.zulip_conf().unwrap_err(), site.deployment().unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("/nowhere"), "{error}");
    }
}

#[test]
fn a_configuration_file_with_a_mistake_is_named() {
    let host = FakeHost::production();
    host.write("/etc/zulip-backup.toml", "\nuplods_dir = '/x'\n");
    let error = site(host.options(), &[]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("zulip-backup.toml:2") && error.to_string().contains("uplods_dir"), "{error}");
    let missing = site(host.options().config("/nowhere.toml"), &[]).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
}

#[test]
fn root_does_not_trust_what_others_can_write() {
    let host = FakeHost::production();
    host.write("/etc/zulip-backup.toml", "database_url = 'postgresql://me:hunter2@db/chat'\n");
    host.mode("/etc/zulip-backup.toml", 0o666);
    host.write("/home/me/.config/zulip-backup.toml", "uploads_dir = '/own'\n");
    let own = host.path("/home/me/.config").into_string();
    let found = site(host.options(), &[("XDG_CONFIG_HOME", own.as_str())]);
    if rustix::process::geteuid().is_root() {
        let error = found.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert!(error.to_string().contains("0666"), "{error}");
        // Named by hand it is trusted, but a password everybody can read is said.
        let named = site(host.options().config(host.path("/etc/zulip-backup.toml")), &[]).unwrap();
        assert_eq!(named.findings().count("config-file-readable"), 1);
    } else {
        assert_eq!(uploads(&found.unwrap()).0, "/own");
    }
}

#[test]
fn a_version_that_is_said_needs_no_deployment_of_zulips() {
    let host = FakeHost::development();
    host.write("/srv/project/manage.py", "");
    let options = || host.options().deployment(host.path("/srv/project"));
    let error = site(options(), &[]).unwrap().version().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    let said = site(options().zulip_version(" 9.4 "), &[]).unwrap();
    assert_eq!(said.version().unwrap().version, "9.4");
    let report = serde_json::to_value(said.report()).unwrap();
    assert_eq!(report["zulip"]["from"], serde_json::to_value(Origin::Flag("--zulip-version".to_owned())).unwrap());
    assert_eq!(report["kind"]["value"], "development");
    host.write("/etc/zulip-backup.toml", "zulip_version = '8.1'\n");
    assert_eq!(site(options(), &[]).unwrap().version().unwrap().version, "8.1");
    let error = site(options().zulip_version("two\nlines"), &[]).unwrap().version().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
}
