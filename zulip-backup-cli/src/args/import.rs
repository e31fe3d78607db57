//! The verb `import`.

use camino::Utf8PathBuf;
use clap::{Args, ValueHint};
use zulip_backup_core::import::ImportOptions;
use zulip_backup_core::package::Compat;

use crate::args::export::CompatArg;

/// Import one organisation into this server
///
/// Takes an export of this program's, of Zulip's own, or of one of Zulip's converters: a directory, or a tarball, which
/// need not be unpacked. It is checked first, whole, and so is what it would collide with. Then everything gets new ids, and
/// becomes visible all at once, or not at all: whatever happens, nothing half done is left behind.
///
/// As root, the work is done as the user the deployment belongs to.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  What would happen?
    zulip-backup import engineering /srv/exports/engineering.tar.gz --dry-run

  Import it:
    zulip-backup import engineering /srv/exports/engineering.tar.gz

  At the root domain, under its old name:
    zulip-backup import '' /srv/exports/engineering.tar.gz --keep-name")]
pub struct ImportArgs {
    /// Subdomain of the new organisation; '' for the root domain
    #[arg(value_name = "SUBDOMAIN")]
    pub subdomain: String,
    /// Export: a directory, or a tarball of one
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub path: Utf8PathBuf,
    /// Take a subdomain that is reserved
    #[arg(long)]
    pub allow_reserved_subdomain: bool,
    /// Keep the organisation's name; Zulip's importer gives it that of the subdomain
    #[arg(long)]
    pub keep_name: bool,
    /// Let links in messages follow the new ids [default, but with --compat strict]
    #[arg(long, overrides_with = "no_fix_links")]
    pub fix_links: bool,
    /// Leave links in messages as they are: they lead to the old server's numbers
    #[arg(long, overrides_with = "fix_links")]
    pub no_fix_links: bool,
    /// Let users keep the powers over the whole server that the export says they have; trust its author for that
    #[arg(long)]
    pub trust_server_powers: bool,
    /// What to do where Zulip's own importer is wrong
    #[arg(long, value_name = "HOW", default_value = "fixed")]
    pub compat: CompatArg,
    /// How many threads [default: the machine's processors]
    #[arg(long, short, alias = "processes", value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
    /// Print what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

impl From<&ImportArgs> for ImportOptions {
    fn from(args: &ImportArgs) -> Self {
        Self {
            subdomain: args.subdomain.clone(),
            allow_reserved_subdomain: args.allow_reserved_subdomain,
            keep_name: args.keep_name,
            fix_links: match (args.fix_links, args.no_fix_links) {
                (true, _) => Some(true),
                (_, true) => Some(false),
                _ => None,
            },
            trust_server_powers: args.trust_server_powers,
            compat: match args.compat {
                CompatArg::Fixed => Compat::Fixed,
                CompatArg::Strict => Compat::Strict,
            },
            jobs: args.jobs.map(usize::from),
        }
    }
}
