//! The verb `export-user`.

use camino::Utf8PathBuf;
use clap::{Args, ValueHint};
use zulip_backup_core::export::ExportOptions;

/// Export everything of one user
///
/// Writes what Zulip's `manage.py export_single_user` writes: the user's account, settings and activity, the messages
/// that the user sent, got directly or reacted to, and the user's files. It is for the user, not for a server: nothing
/// imports it. Nothing of it is recorded.
///
/// As root, the work is done as the user the deployment belongs to.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  A copy of her data for somebody who asked for it:
    zulip-backup export-user iago@example.com --output /srv/exports/iago.tar.gz")]
pub struct ExportUserArgs {
    /// The user's address: the one that mail is sent to
    #[arg(value_name = "EMAIL")]
    pub email: String,
    /// Organisation: its id, or its subdomain; '' for the one at the root domain. Needed only where several have a user
    /// with this address
    #[arg(long, short, value_name = "REALM")]
    pub realm: Option<String>,
    /// Directory to write, or archive: NAME.tar.gz or NAME.tar.zst, its members below NAME [default: a directory
    /// zulip-export-RANDOM in the system's directory for temporary files]
    #[arg(long, short, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub output: Option<Utf8PathBuf>,
    /// Export also where the database has tables or columns that are not known, or lacks some
    #[arg(long)]
    pub allow_unknown: bool,
    /// How many threads and database connections [default: the machine's processors]
    #[arg(long, short, alias = "threads", value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
    /// Print what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

impl From<&ExportUserArgs> for ExportOptions {
    fn from(args: &ExportUserArgs) -> Self {
        Self {
            realm: args.realm.clone(),
            output: args.output.clone(),
            allow_unknown: args.allow_unknown,
            jobs: args.jobs.map(usize::from),
            ..Self::of_user(&args.email)
        }
    }
}
