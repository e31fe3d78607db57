//! The verb `export`.

use camino::Utf8PathBuf;
use clap::{Args, ValueEnum, ValueHint};
use zulip_backup_core::export::{Compat, ExportOptions, Kind};

/// Export one organisation in Zulip's own format
///
/// Writes what Zulip's `manage.py export` writes, from one snapshot of the database: nothing is stopped, and nothing in
/// the export refers to what came later. Zulip's `manage.py import` reads it. The directory or archive appears under its
/// name only when it is complete.
///
/// As root, the work is done as the user the deployment belongs to.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  Which organisations are there?
    zulip-backup export --list

  Everything of one of them, for another server:
    zulip-backup export -r engineering --output /srv/exports/engineering.tar.gz

  The same for good: nobody writes there any more
    zulip-backup export -r engineering --output /srv/exports/engineering.tar.gz --deactivate

  What everybody may see:
    zulip-backup export -r engineering --public-only")]
pub struct ExportArgs {
    /// Organisation: its id, or its subdomain; '' for the one at the root domain
    #[arg(long, short, value_name = "REALM", required_unless_present = "list")]
    pub realm: Option<String>,
    /// Directory to write, or archive: NAME.tar.gz or NAME.tar.zst, its members below NAME [default: a directory
    /// zulip-export-RANDOM in the system's directory for temporary files]
    #[arg(long, short, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub output: Option<Utf8PathBuf>,
    /// Put the archive where the server hands it out, and print the address: whoever knows it gets the export. Of --output the
    /// name alone counts
    #[arg(long, conflicts_with = "list")]
    pub upload: bool,
    /// Export public channels only
    #[arg(long, conflicts_with = "full_with_consent")]
    pub public_only: bool,
    /// Export private data of those users only who consent
    #[arg(long, alias = "export-full-with-consent")]
    pub full_with_consent: bool,
    /// The message by whose reactions (outbox tray) users consented, on Zulip before 10; private data of theirs only
    #[arg(long, value_name = "ID", conflicts_with_all = ["public_only", "full_with_consent"])]
    pub consent_message_id: Option<i64>,
    /// Deactivate the organisation before; an export that fails activates it again
    #[arg(long, alias = "deactivate-realm", conflicts_with = "list")]
    pub deactivate: bool,
    /// Export also where no owner could use the result
    #[arg(long)]
    pub force: bool,
    /// Export also where the database has tables or columns that are not known, or lacks some
    #[arg(long)]
    pub allow_unknown: bool,
    /// Leave no trace in the database: neither a row of the export nor a line in the audit log
    #[arg(long)]
    pub no_record: bool,
    /// What to do where Zulip's own exporter is wrong
    #[arg(long, value_name = "HOW", default_value = "fixed")]
    pub compat: CompatArg,
    /// How many threads and database connections [default: the machine's processors]
    #[arg(long, short, alias = "threads", value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
    /// List the server's organisations
    #[arg(long, conflicts_with_all = ["realm", "output", "dry_run"])]
    pub list: bool,
    /// Print what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// The values of `--compat`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum CompatArg {
    /// What is right
    Fixed,
    /// What Zulip does
    Strict,
}

impl From<&ExportArgs> for ExportOptions {
    fn from(args: &ExportArgs) -> Self {
        Self {
            realm: args.realm.clone(),
            user: None,
            output: args.output.clone(),
            upload: args.upload,
            kind: match (args.public_only, args.full_with_consent) {
                (true, _) => Kind::Public,
                (_, true) => Kind::FullWithConsent,
                _ => Kind::Full,
            },
            consent_message: args.consent_message_id,
            compat: match args.compat {
                CompatArg::Fixed => Compat::Fixed,
                CompatArg::Strict => Compat::Strict,
            },
            no_record: args.no_record,
            deactivate: args.deactivate,
            force: args.force,
            allow_unknown: args.allow_unknown,
            jobs: args.jobs.map(usize::from),
        }
    }
}
