//! Flags that say which server, and the verb `site`.

use std::convert::Infallible;

use camino::Utf8PathBuf;
use clap::{Args, ValueHint};
use zulip_backup_core::Secret;
use zulip_backup_core::site::SiteOptions;

/// Which server; the same for every verb. What is absent is found out.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Server options")]
pub struct SiteArgs {
    /// Directory Zulip runs from [default: /home/zulip/deployments/current] [env: ZULIP_BACKUP_DEPLOYMENT]
    #[arg(long, global = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub deployment: Option<Utf8PathBuf>,
    /// Directory with settings.py and zulip.conf [default: /etc/zulip] [env: ZULIP_BACKUP_SETTINGS_DIR]
    #[arg(long, global = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub settings_dir: Option<Utf8PathBuf>,
    /// File with the secrets [default: zulip-secrets.conf in the settings directory]
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub secrets_file: Option<Utf8PathBuf>,
    /// Directory of the uploaded files [default: the setting LOCAL_UPLOADS_DIR] [env: ZULIP_BACKUP_UPLOADS_DIR]
    #[arg(long, global = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub uploads_dir: Option<Utf8PathBuf>,
    /// Database, as postgresql://USER@HOST/NAME or in libpq's key=value words [default: what Zulip's settings say]
    /// [env: ZULIP_BACKUP_DATABASE_URL]. No password here: every user of the machine can see it
    #[arg(long, global = true, value_name = "URL", value_parser = secret, hide_default_value = true)]
    pub database_url: Option<Secret>,
    /// The Zulip version [default: what version.py of the deployment says]
    #[arg(long, global = true, value_name = "VERSION")]
    pub zulip_version: Option<String>,
    /// What one Django setting is, instead of asking Zulip; may be given several times
    #[arg(long = "setting", global = true, value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub settings: Vec<(String, String)>,
    /// How many seconds a question to Zulip's Python may take [default: 60]
    #[arg(long, global = true, value_name = "SECONDS")]
    pub script_timeout: Option<u64>,
    /// Configuration file [default: zulip-backup.toml in ~/.config, else in /etc] [env: ZULIP_BACKUP_CONFIG]
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<Utf8PathBuf>,
    /// Directory that stands for `/`: to look at a host that is only laid out somewhere
    #[arg(long, global = true, value_name = "DIR", value_hint = ValueHint::DirPath, hide = true)]
    pub root: Option<Utf8PathBuf>,
}

/// Show what is known about this Zulip server and where each part of it was found
///
/// Looks at every part that a backup or a restore would need: the deployment, settings, secrets (by name only), the
/// database, the uploads, the services. A part that cannot be known is shown with the reason and the flag that supplies
/// it. Reads, never writes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  What would a backup take, and where does each value come from?
    zulip-backup site

  The same for a program:
    zulip-backup site --json")]
pub struct ShowArgs {}

impl From<SiteArgs> for SiteOptions {
    fn from(args: SiteArgs) -> Self {
        Self {
            deployment: args.deployment,
            settings_dir: args.settings_dir,
            secrets_file: args.secrets_file,
            uploads_dir: args.uploads_dir,
            database_url: args.database_url,
            zulip_version: args.zulip_version,
            settings: args.settings.into_iter().collect(),
            script_timeout_seconds: args.script_timeout,
            config: args.config,
            root: args.root,
        }
    }
}

// A type of its own, so that no debug print of the arguments can show it.
#[expect(clippy::unnecessary_wraps, reason = "clap wants a result")]
fn secret(text: &str) -> Result<Secret, Infallible> {
    Ok(Secret::new(text))
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE, as in S3_REGION=eu-central-1".to_owned()),
    }
}
