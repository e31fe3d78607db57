//! What a clone inherits: keys that would make it act on what belongs to the server the archive is of.

use crate::Finding;
use crate::restore::source::Contents;
use crate::site::settings_py::{Literal, Lookup, SettingsPy};
use crate::site::{Secrets, ZulipConf};

/// Secrets that let a server act elsewhere, and what it would do.
const SECRETS: [(&str, &str); 10] = [
    ("s3_backups_bucket", "writes and purges write-ahead log backups in that bucket"),
    ("s3_backups_key", "may write to the backup bucket"),
    ("s3_backups_secret_key", "may write to the backup bucket"),
    ("zulip_org_id", "sends mobile push notifications as the registered server"),
    ("zulip_org_key", "sends mobile push notifications as the registered server"),
    ("email_password", "sends e-mail from the original's account"),
    ("email_gateway_password", "fetches mail sent to the original"),
    ("postgresql_replication_password", "can replicate from the original's database"),
    ("s3_key", "reads and deletes uploads in the original's buckets"),
    ("twitter_consumer_secret", "acts as the original's application"),
];

const SETTINGS: [(&str, &str); 5] = [
    ("EMAIL_HOST", "sends e-mail through the original's mail server"),
    ("EMAIL_GATEWAY_IMAP_SERVER", "fetches mail sent to the original"),
    ("S3_AUTH_UPLOADS_BUCKET", "reads and deletes uploads in the original's bucket"),
    ("REMOTE_POSTGRES_HOST", "uses the original's database"),
    ("ZULIP_SERVICE_PUSH_NOTIFICATIONS", "sends mobile push notifications as the registered server"),
];

const CONF: [(&str, &str, &str); 5] = [
    ("postgresql", "backups_s3_endpoint", "archives its write-ahead log there"),
    ("postgresql", "backups_directory", "archives its write-ahead log there"),
    ("postgresql", "replication_primary", "replicates from the original"),
    ("postgresql", "replication_user", "replicates from the original"),
    ("certbot", "auto_renew", "asks for certificates for the original's name"),
];

/// Names such keys, never their values.
pub(crate) fn inherited(contents: &Contents, keep_settings: bool, keep_conf: bool, keep_secrets: bool) -> Vec<Finding> {
    let text = |name: &str, kept: bool| {
        let bytes = contents.files.get(name).filter(|_| !kept)?;
        Some(String::from_utf8_lossy(bytes).into_owned())
    };
    let finding = |file: &str, key: &str, what: &str| {
        Finding::warning(
            "inherited-key",
            format!("{file} {key}"),
            format!("comes from the archive: this server {what}"),
        )
        .with_hint("wanted when this server replaces the original; on a clone, remove the key before it is started")
    };
    let mut findings = Vec::new();
    if let Some(text) = text("zulip-secrets.conf", keep_secrets) {
        let secrets = Secrets::parse("zulip-secrets.conf", &text);
        let known = SECRETS.iter().filter(|(key, _)| secrets.get(key).is_some());
        findings.extend(known.map(|(key, what)| finding("zulip-secrets.conf", key, what)));
    }
    if let Some(text) = text("settings.py", keep_settings)
        && let Ok(settings) = SettingsPy::parse(&text)
    {
        let empty = |value: &Literal| matches!(value, Literal::Str(text) if text.is_empty());
        let set = |key: &str| match settings.get(key) {
            Lookup::Literal(value, _) => !empty(value),
            Lookup::Absent => false,
            Lookup::Unknowable { .. } => true,
        };
        findings
            .extend(SETTINGS.iter().filter(|(key, _)| set(key)).map(|(key, what)| finding("settings.py", key, what)));
    }
    if let Some(text) = text("zulip.conf", keep_conf) {
        let conf = ZulipConf::parse("zulip.conf", &text);
        let known = CONF.iter().filter(|(section, key, _)| conf.get(section, key).is_some());
        findings.extend(known.map(|(section, key, what)| finding("zulip.conf", &format!("[{section}] {key}"), what)));
    }
    findings
}

/// `EXTERNAL_HOST` of a settings file, where it is a plain text.
pub(crate) fn external_host(settings: &[u8]) -> Option<String> {
    let settings = SettingsPy::parse(std::str::from_utf8(settings).ok()?).ok()?;
    match settings.get("EXTERNAL_HOST") {
        Lookup::Literal(Literal::Str(host), _) => Some(host.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_named_and_values_are_not() {
        let mut contents = Contents::default();
        contents
            .files
            .insert("zulip-secrets.conf", b"[secrets]\ns3_backups_bucket = hunter2\nzulip_org_key =\n".to_vec());
        contents.files.insert(
            "settings.py",
            b"EMAIL_HOST = 'hunter2'\nEXTERNAL_HOST = 'chat'\nREMOTE_POSTGRES_HOST = ''\n".to_vec(),
        );
        contents.files.insert("zulip.conf", b"[postgresql]\nreplication_primary = hunter2\n".to_vec());
        let found = inherited(&contents, false, false, false);
        let objects: Vec<&str> = found.iter().map(|finding| finding.object.as_str()).collect();
        assert_eq!(
            objects,
            [
                "zulip-secrets.conf s3_backups_bucket",
                "settings.py EMAIL_HOST",
                "zulip.conf [postgresql] replication_primary"
            ]
        );
        assert!(!format!("{found:?}").contains("hunter2"));
        assert!(inherited(&contents, true, true, true).is_empty());
        assert_eq!(external_host(&contents.files["settings.py"]).as_deref(), Some("chat"));
    }
}
