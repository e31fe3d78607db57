//! Sites found on whole fake hosts.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::panic, clippy::unwrap_used)] // a test

#[path = "support/fake_deployment.rs"]
mod fake_deployment;

use std::process::Command;

use fake_deployment::{FakeHost, RELEASE, SECRETS};
use zulip_backup_core::ErrorKind;
use zulip_backup_core::postgres::SslMode;
use zulip_backup_core::site::{Kind, Origin, SiteReport, UploadsBackend};

/// The directory of a site whose uploads are local.
fn uploads_dir(site: &zulip_backup_core::site::Site) -> String {
    match &site.uploads().unwrap().value {
        UploadsBackend::Local(local) => local.dir.to_string(),
        UploadsBackend::S3(s3) => panic!("{s3:?}"),
    }
}

/// A report in all the forms it can be printed, checked for secrets.
fn printed(report: &SiteReport) -> String {
    let text = format!("{report}\n{}\n{report:?}", serde_json::to_string_pretty(report).unwrap());
    assert!(!text.contains("hunter2"), "a secret is shown:\n{text}");
    text
}

#[test]
fn a_production_host_is_found_without_flags() {
    let host = FakeHost::production();
    let site = host.site();
    assert_eq!(site.kind().unwrap().value, Kind::Production);
    assert_eq!(site.deployment().unwrap().path(), host.path(&format!("/home/zulip/deployments/{RELEASE}")));
    assert_eq!(site.deployment().unwrap().named(), host.path("/home/zulip/deployments/current"));
    assert_eq!(site.deployment().unwrap().owner().name, "zulip");
    assert_eq!(site.settings_dir().unwrap().path, host.path("/etc/zulip"));
    assert_eq!(site.os().unwrap().to_string(), "ubuntu 22.04");
    let version = site.version().unwrap();
    assert_eq!((version.version.as_str(), version.feature_level), ("10.1", Some(372)));
    assert_eq!(site.external_host().unwrap().value, "chat.example.com");
    assert_eq!(uploads_dir(&site), host.path("/home/zulip/uploads"));
    assert_eq!(site.uploads().unwrap().origin, Origin::GetDjangoSetting);
    let database = &site.database().unwrap().value;
    assert!(database.hosts.is_empty() && database.password.is_none());
    assert_eq!((database.user.as_deref(), database.dbname.as_deref()), (Some("zulip"), Some("zulip")));
    let roles = site.roles().unwrap();
    assert!(roles.app && roles.once && roles.database);
    assert!(roles.programs.contains(&"zulip-workers:zulip_events".to_owned()));
    assert!(!site.container().is_container);
    assert_eq!(site.secrets().unwrap().get("secret_key").unwrap().expose(), "key%(x)s=hunter2;#");
    assert!(!format!("{site:?} {:?}", site.secrets()).contains("hunter2"));
    site.refuse_during_upgrade().unwrap();
    assert!(site.findings().is_empty(), "{:?}", site.findings());
}

#[test]
fn the_report_tells_every_part_and_no_secret() {
    let host = FakeHost::production();
    let site = host.site();
    let report = site.report();
    let text = printed(&report).replace(host.root().as_str(), "");
    let shown = text.lines().take_while(|line| !line.is_empty()).collect::<Vec<_>>();
    assert_eq!(
        shown[..13],
        [
            "deployment     /home/zulip/deployments/2025-04-01-12-00-00 (owner zulip) (from /home/zulip/deployments/current)",
            "kind           production (from deploy_type in /etc/zulip/zulip.conf)",
            "zulip          10.1, feature level 372 (from /home/zulip/deployments/2025-04-01-12-00-00/version.py)",
            "os             ubuntu 22.04 (from /etc/os-release)",
            "settings       /etc/zulip (from /etc/zulip)",
            "zulip.conf     /etc/zulip/zulip.conf (from /etc/zulip/zulip.conf)",
            "secrets file   /etc/zulip/zulip-secrets.conf (from /etc/zulip/zulip-secrets.conf)",
            "secrets        avatar_salt, postgres_password, s3_key, s3_secret_key, secret_key (from /etc/zulip/zulip-secrets.conf)",
            "external host  chat.example.com (from get-django-setting)",
            shown[9],
            "uploads        /home/zulip/uploads (from get-django-setting)",
            "services       app, once, database (from /etc/supervisor/conf.d)",
            "container      no",
        ]
    );
    assert!(shown[9].starts_with("database       zulip as zulip over the local socket, no password"), "{}", shown[9]);
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["kind"]["value"], "production");
    assert_eq!(json["uploads"]["value"]["backend"], "local");
    assert_eq!(json["uploads"]["from"], "get-django-setting");
    assert_eq!(json["database"]["value"]["has_password"], false);
    // Python's start is slow: nobody asks twice.
    let mut asked: Vec<String> = host.calls().into_iter().flat_map(|call| call.args).collect();
    asked.sort_unstable();
    assert_eq!(asked, ["EXTERNAL_HOST", "LOCAL_UPLOADS_DIR", "REMOTE_POSTGRES_HOST"]);
}

#[test]
fn parts_nobody_asks_for_cannot_fail() {
    let host = FakeHost::production();
    host.write(
        "/etc/zulip/settings.py",
        "LOCAL_UPLOADS_DIR = os.environ['UPLOADS']\nEXTERNAL_HOST = 'chat.example.com'\n",
    );
    host.remove("/etc/zulip/zulip-secrets.conf");
    host.remove("/etc/os-release");
    host.break_python();
    let site = host.site();
    assert!(site.database().is_ok(), "neither uploads nor secrets are needed for the socket");
    let host_name = site.external_host().unwrap();
    assert_eq!(host_name.origin, Origin::SettingsPy { path: host.path("/etc/zulip/settings.py"), line: 2 });

    let uploads = site.uploads().unwrap_err();
    assert_eq!(uploads.kind(), ErrorKind::Config);
    assert!(
        uploads.to_string().contains("LOCAL_UPLOADS_DIR") && uploads.to_string().contains("settings.py:1 computes it"),
        "{uploads}"
    );
    assert!(uploads.to_string().contains("No module named 'django'"), "{uploads}");
    let hint = uploads.hint().unwrap();
    assert!(hint.contains("--uploads-dir") && hint.contains("ZULIP_BACKUP_UPLOADS_DIR"), "{hint}");
    let secrets = site.secrets().unwrap_err();
    assert!(secrets.kind() == ErrorKind::NotFound && secrets.hint().unwrap().contains("--secrets-file"));
    assert_eq!(site.os().unwrap_err().kind(), ErrorKind::NotFound);
    let text = printed(&site.report());
    assert!(text.contains("uploads        unknown: ") && text.contains("[settings-as-text]"), "{text}");
    assert_eq!(host.calls().len(), 1, "a Python that does not run is not tried again: {:?}", host.calls());

    let told = host.site_with(host.options().uploads_dir(host.path("/home/zulip/uploads")));
    assert_eq!(told.uploads().unwrap().origin, Origin::Flag("--uploads-dir".to_owned()));
}

#[test]
fn a_hostile_settings_file_is_an_error_that_names_setting_and_flag() {
    let host = FakeHost::production();
    host.break_python();
    let huge = format!("LOCAL_UPLOADS_DIR = '/x'\n{}", "# hunter2\n".repeat(600_000));
    for text in
        [huge.as_str(), "X = '\0'", "X = 'hunter2", &format!("X = {}", "(".repeat(10_000)), "from hunter2 import *\n"]
    {
        host.write("/etc/zulip/settings.py", text);
        let error = host.site().uploads().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(
            error.to_string().contains("LOCAL_UPLOADS_DIR") && error.hint().unwrap().contains("--uploads-dir"),
            "{error}"
        );
        assert!(!error.chain().contains("hunter2"), "{}", error.chain());
    }
    std::fs::write(host.path("/etc/zulip/settings.py"), [0xff, 0xfe]).unwrap();
    assert!(host.site().uploads().unwrap_err().to_string().contains("not UTF-8"));
    host.remove("/etc/zulip/settings.py");
    assert!(Command::new("mkfifo").arg(host.path("/etc/zulip/settings.py")).status().unwrap().success());
    assert!(
        host.site().uploads().unwrap_err().to_string().contains("not a regular file"),
        "and does not wait for a writer"
    );
}

#[test]
fn a_host_without_zulip_is_a_site_of_which_nothing_is_known() {
    let host = FakeHost::empty("/srv/zulip");
    let site = host.site();
    let deployment = site.deployment().unwrap_err();
    assert!(deployment.kind() == ErrorKind::NotFound && deployment.hint().unwrap().contains("--deployment"));
    let settings = site.settings_dir().unwrap_err();
    assert!(settings.kind() == ErrorKind::NotFound && settings.hint().unwrap().contains("ZULIP_BACKUP_SETTINGS_DIR"));
    for error in [
        site.kind().unwrap_err(),
        site.version().unwrap_err(),
        site.uploads().unwrap_err(),
        site.database().unwrap_err(),
    ] {
        assert!(error.hint().is_some(), "{error:?}");
    }
    printed(&site.report());
}

#[test]
fn a_deployment_must_look_like_one() {
    let host = FakeHost::production();
    let site = host.site_with(host.options().deployment(host.path("/etc")));
    let error = site.deployment().unwrap_err();
    assert!(error.kind() == ErrorKind::Config && error.to_string().contains("version.py"), "{error}");
}

#[test]
fn python_that_hangs_is_given_up() {
    let host = FakeHost::production();
    host.hang_python();
    let mut options = host.options();
    options.script_timeout_seconds = Some(1);
    let started = std::time::Instant::now();
    let site = host.site_with(options);
    assert_eq!(site.external_host().unwrap().value, "chat.example.com");
    assert_eq!(uploads_dir(&site), host.path("/home/zulip/uploads"));
    assert!(started.elapsed().as_secs() < 20);
    assert_eq!(host.calls().len(), 1);
}

#[test]
fn a_development_checkout_has_its_own_places() {
    let host = FakeHost::development();
    let site = host.site_with(host.options().deployment(host.path("/srv/zulip")));
    assert_eq!(site.kind().unwrap().value, Kind::Development);
    assert_eq!(site.secrets_file().unwrap().value, host.path("/srv/zulip/zproject/dev-secrets.conf"));
    assert_eq!(uploads_dir(&site), host.path("/srv/zulip/var/uploads"));
    let database = &site.database().unwrap().value;
    assert_eq!(
        (database.hosts.as_slice(), database.connect_timeout_seconds),
        (["localhost".to_owned()].as_slice(), Some(2))
    );
    assert_eq!(database.password.as_ref().unwrap().expose(), "dev-hunter2");
    let report = site.report();
    printed(&report);
    assert_eq!(report.findings.count("uploads-missing"), 1);

    host.break_python();
    let silent = host.site_with(host.options().deployment(host.path("/srv/zulip")));
    assert_eq!(uploads_dir(&silent), host.path("/srv/zulip/var/uploads"));
    assert_eq!(silent.uploads().unwrap().origin, Origin::Default);
    host.write("/srv/zulip/zproject/custom_dev_settings.py", "LOCAL_UPLOADS_DIR = '/srv/files'\n");
    let custom = host.site_with(host.options().deployment(host.path("/srv/zulip")));
    assert_eq!(uploads_dir(&custom), host.path("/srv/files"));
}

#[test]
fn docker_with_linked_secrets_and_uploads() {
    let host = FakeHost::production();
    host.write("/.dockerenv", "");
    host.write(
        "/etc/zulip/zulip.conf",
        "[machine]\npuppet_classes = zulip::profile::docker\ndeploy_type = production\n",
    );
    host.remove("/etc/zulip/zulip-secrets.conf");
    host.write("/data/zulip-secrets.conf", SECRETS);
    host.mode("/data/zulip-secrets.conf", 0o640);
    host.link("/etc/zulip/zulip-secrets.conf", "/data/zulip-secrets.conf");
    host.remove("/home/zulip/uploads");
    host.write("/data/uploads/avatars/1/x.png", "png");
    host.link("/home/zulip/uploads", "/data/uploads");
    let site = host.site();
    assert!(site.container().is_docker_zulip);
    assert_eq!(site.container().evidence.len(), 3, "{:?}", site.container().evidence);
    assert!(site.secrets().unwrap().get("avatar_salt").is_some());
    let UploadsBackend::Local(local) = &site.uploads().unwrap().value else { panic!("local") };
    assert_eq!(local.dir, host.path("/data/uploads"));
    assert_eq!(local.named, host.path("/home/zulip/uploads"));
    assert_eq!(local.link_target.as_deref().unwrap(), "/data/uploads");
    let report = site.report();
    assert_eq!(report.findings.count("docker-settings"), 1);
    assert!(printed(&report).contains("-> /data/uploads"));
}

#[test]
fn docker_with_the_whole_settings_directory_linked() {
    let host = FakeHost::production();
    std::fs::create_dir_all(host.path("/data")).unwrap();
    std::fs::rename(host.path("/etc/zulip"), host.path("/data/etc-zulip")).unwrap();
    host.link("/etc/zulip", "/data/etc-zulip");
    let site = host.site();
    let settings = site.settings_dir().unwrap();
    assert_eq!(settings.path, host.path("/data/etc-zulip"));
    assert_eq!(
        (settings.named.clone(), settings.link_target.as_deref().unwrap().as_str()),
        (host.path("/etc/zulip"), "/data/etc-zulip")
    );
    assert!(site.container().is_docker_zulip && site.kind().unwrap().value == Kind::Production);

    host.remove("/etc/zulip");
    host.link("/etc/zulip", "/data/gone");
    let error = host.site().settings_dir().unwrap_err();
    assert!(error.to_string().contains("leads nowhere"), "{error}");
}

#[test]
fn a_remote_database_comes_with_its_tls_and_password() {
    let host = FakeHost::production();
    host.write(
        "/etc/zulip/zulip.conf",
        "[machine]\ndeploy_type = production\n[postgresql]\ndatabase_name = chat\ndatabase_user = chatter\n",
    );
    host.answer("REMOTE_POSTGRES_HOST", "db1.example.com,db2.example.com");
    host.answer("REMOTE_POSTGRES_PORT", "5433");
    host.answer("REMOTE_POSTGRES_SSLMODE", "");
    host.write("/home/zulip/.postgresql/root.crt", "ca");
    host.write("/home/zulip/.postgresql/postgresql.crt", "cert");
    let site = host.site();
    let database = &site.database().unwrap().value;
    assert_eq!(database.hosts, ["db1.example.com", "db2.example.com"]);
    assert_eq!((database.ports.as_slice(), database.read_write), ([5433].as_slice(), true));
    assert_eq!(database.sslmode, Some(SslMode::VerifyFull));
    assert_eq!((database.user.as_deref(), database.dbname.as_deref()), (Some("chatter"), Some("chat")));
    assert_eq!(database.password.as_ref().unwrap().expose(), "pg-hunter2");
    assert_eq!(database.sslrootcert.as_deref().unwrap(), host.path("/home/zulip/.postgresql/root.crt"));
    assert_eq!(database.sslcert, None, "a certificate without its key is of no use");
    assert!(database.run_as.is_none());
    assert!(printed(&site.report()).contains("sslmode verify-full, with a password"));

    host.answer("REMOTE_POSTGRES_PORT", "fifty");
    let error = host.site().database().unwrap_err();
    assert!(
        error.to_string().contains("REMOTE_POSTGRES_PORT") && error.hint().unwrap().contains("--database-url"),
        "{error}"
    );
}

#[test]
fn another_local_user_logs_in_with_a_password() {
    let host = FakeHost::production();
    host.write("/etc/zulip/zulip.conf", "[machine]\ndeploy_type = production\n[postgresql]\ndatabase_user = chatter\n");
    let site = host.site();
    let database = &site.database().unwrap().value;
    assert_eq!(
        (database.hosts.as_slice(), database.user.as_deref()),
        (["localhost".to_owned()].as_slice(), Some("chatter"))
    );
    assert!(database.password.is_some() && database.sslmode.is_none());
}

#[test]
fn a_host_with_nothing_but_the_database() {
    let host = FakeHost::production();
    for path in [
        "/home/zulip",
        "/etc/zulip/settings.py",
        "/etc/supervisor/conf.d/zulip/zulip.conf",
        "/etc/supervisor/conf.d/zulip/zulip-once.conf",
    ] {
        host.remove(path);
    }
    let site = host.site();
    assert!(site.roles().unwrap().is_database_only());
    assert!(site.database().unwrap().value.hosts.is_empty());
    assert!(site.uploads().is_err());
}

#[test]
fn uploads_in_s3_bring_buckets_and_masked_keys() {
    let host = FakeHost::production();
    host.answer("LOCAL_UPLOADS_DIR", "None");
    for (name, value) in
        [("S3_AUTH_UPLOADS_BUCKET", "up"), ("S3_AVATAR_BUCKET", "av"), ("S3_EXPORT_BUCKET", ""), ("S3_REGION", "None")]
    {
        host.answer(name, value);
    }
    host.answer("S3_ENDPOINT_URL", "https://s3.example.com");
    let site = host.site();
    let UploadsBackend::S3(s3) = &site.uploads().unwrap().value else { panic!("S3") };
    assert_eq!((s3.uploads_bucket.as_str(), s3.avatar_bucket.as_str(), s3.export_bucket.as_ref()), ("up", "av", None));
    assert_eq!((s3.endpoint_url.as_deref(), s3.region.as_ref()), (Some("https://s3.example.com"), None));
    assert_eq!(s3.addressing_style, "auto", "a setting this Zulip does not have gets its default");
    assert_eq!(s3.keys.as_ref().unwrap().secret_key.expose(), "s3-hunter2");
    assert!(printed(&site.report()).contains("secrets-file"));

    host.answer("S3_AVATAR_BUCKET", "");
    let error = host.site().uploads().unwrap_err();
    assert!(error.to_string().contains("S3_AVATAR_BUCKET"), "{error}");
}

#[test]
fn an_upgrade_in_progress_is_refused_and_shown() {
    let host = FakeHost::production();
    std::fs::create_dir(host.path("/home/zulip/deployments/lock")).unwrap();
    let site = host.site();
    let error = site.refuse_during_upgrade().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked);
    assert!(error.to_string().contains("deployments/lock"), "{error}");
    assert_eq!(site.report().findings.count("upgrade-in-progress"), 1);
}

#[test]
fn irregular_files_are_findings_without_their_values() {
    let host = FakeHost::production();
    host.write("/etc/zulip/zulip-secrets.conf", "[secrets]\na = hunter2\nA = other-hunter2\nstray-hunter2\n");
    host.mode("/etc/zulip/zulip-secrets.conf", 0o644);
    let site = host.site();
    let report = site.report();
    assert_eq!((report.findings.count("ini-irregular"), report.findings.count("secrets-readable")), (2, 1));
    printed(&report);
    assert_eq!(site.secrets().unwrap().get("a").unwrap().expose(), "other-hunter2");
}
