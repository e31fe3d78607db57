//! The verb `restore`.

use camino::Utf8PathBuf;
use clap::{Args, ValueHint};
use zulip_backup_core::restore::RestoreOptions;

/// Bring a server back from an archive
///
/// First everything that speaks against it is found out: all reasons are given at once, and nothing has been changed.
/// Then database, settings and uploads are made ready beside what the server uses, and switched in one short window. What
/// was there before is kept: `restore --commit` removes it, `restore --rollback` puts it back. A restore that was
/// interrupted at any moment goes on when the same command is given again.
///
/// Run it as root, on a machine where the same version of Zulip is installed.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  What would be done, and does anything speak against it?
    zulip-backup restore /srv/backups/zulip.tar.gz --dry-run

  Do it, look at the server, and then remove what was there before:
    zulip-backup restore /srv/backups/zulip.tar.gz
    zulip-backup restore --commit

  Only the database, from a dump made by pg_dump:
    zulip-backup restore --database zulip.dump")]
pub struct RestoreArgs {
    /// Archive to restore
    #[arg(
        value_name = "ARCHIVE",
        value_hint = ValueHint::FilePath,
        required_unless_present_any = ["commit", "rollback", "database", "settings_copy", "uploads_copy"],
        conflicts_with_all = ["database", "settings_copy", "uploads_copy"],
    )]
    pub archive: Option<Utf8PathBuf>,
    /// Instead of an archive: a dump in pg_dump's directory or custom format, or an SQL script, perhaps gzip-compressed
    #[arg(long, value_name = "DUMP", value_hint = ValueHint::AnyPath)]
    pub database: Option<Utf8PathBuf>,
    /// Instead of an archive: a copy of /etc/zulip
    #[arg(id = "settings_copy", long = "settings", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub settings: Option<Utf8PathBuf>,
    /// Instead of an archive: a copy of the uploads
    #[arg(id = "uploads_copy", long = "uploads", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub uploads: Option<Utf8PathBuf>,
    /// Remove what was there before the last restore
    #[arg(long, conflicts_with_all = ["archive", "database", "settings_copy", "uploads_copy", "rollback", "dry_run"])]
    pub commit: bool,
    /// Put back what was there before the last restore, finished or not
    #[arg(long, conflicts_with_all = ["archive", "database", "settings_copy", "uploads_copy", "dry_run"])]
    pub rollback: bool,
    /// Print what would be done and what speaks against it, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Keep the server's settings.py
    #[arg(long)]
    pub keep_settings: bool,
    /// Keep the server's zulip.conf
    #[arg(long)]
    pub keep_zulipconf: bool,
    /// Keep the server's secrets
    #[arg(long)]
    pub keep_secrets: bool,
    /// Leave the server's database as it is
    #[arg(long)]
    pub skip_db: bool,
    /// Leave the server's uploads as they are
    #[arg(long)]
    pub skip_uploads: bool,
    /// Leave the server's settings as they are
    #[arg(long)]
    pub skip_settings: bool,
    /// The name the server is to answer to, instead of the archive's
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Hostname)]
    pub external_host: Option<String>,
    /// Stop when everything lies ready; the same command without this flag goes on from there
    #[arg(long)]
    pub only_stage: bool,
    /// Empty the database and load into it, for want of space: this cannot be undone, and needs --yes
    #[arg(long)]
    pub in_place: bool,
    /// Begin although versions of Zulip, its migrations, PostgreSQL or the operating system differ
    #[arg(long)]
    pub allow_version_mismatch: bool,
    /// Agree to what cannot be undone
    #[arg(long)]
    pub yes: bool,
    /// Trust the archive unread: somebody verified it just now
    #[arg(long)]
    pub skip_verify: bool,
    /// Begin even if the free space seems to be too little
    #[arg(long)]
    pub ignore_space: bool,
    /// Switch the entries of directories one by one, where a file system cannot rename whole ones
    #[arg(long)]
    pub switch_inside: bool,
    /// How many threads, connections and processes [default: the machine's processors]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
    /// Directory of the journal [default: /var/lib/zulip-backup]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub state_dir: Option<Utf8PathBuf>,
}

impl From<&RestoreArgs> for RestoreOptions {
    fn from(args: &RestoreArgs) -> Self {
        Self {
            keep_settings: args.keep_settings,
            keep_zulipconf: args.keep_zulipconf,
            keep_secrets: args.keep_secrets,
            skip_db: args.skip_db,
            skip_uploads: args.skip_uploads,
            skip_settings: args.skip_settings,
            external_host: args.external_host.clone(),
            only_stage: args.only_stage,
            in_place: args.in_place,
            allow_version_mismatch: args.allow_version_mismatch,
            yes: args.yes,
            skip_verify: args.skip_verify,
            ignore_space: args.ignore_space,
            switch_inside: args.switch_inside,
            jobs: args.jobs.map(usize::from),
            state_dir: args.state_dir.clone(),
            ..Self::default()
        }
    }
}
