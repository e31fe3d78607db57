//! The verb `upgrade-export`.

use camino::Utf8PathBuf;
use clap::{Args, ValueHint};
use zulip_backup_core::upgrade::UpgradeOptions;

/// Make an export of an older Zulip one of a newer
///
/// Does to the export what the migrations in between do to a server, release by release, so that a server of the newer Zulip
/// takes it: by `zulip-backup import` or by Zulip's own. No server is needed. Prints what was derived, what is new and what
/// is lost; --dry-run prints that alone. The output is checked as `validate` does before it counts. An export with a
/// value of which no migration knows what becomes of it is refused.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  What would become of it?
    zulip-backup upgrade-export zulip-9.tar.gz --to 10.1 --dry-run

  From a server of Zulip 9 into one of Zulip 10:
    zulip-backup upgrade-export zulip-9.tar.gz --to 10.1 --output zulip-10.tar.gz")]
pub struct UpgradeExportArgs {
    /// Export of the older Zulip: a directory, or a .tar.gz, .tar.zst or .tar of one
    #[arg(value_name = "EXPORT", value_hint = ValueHint::AnyPath)]
    pub export: Utf8PathBuf,
    /// Zulip version that it is to be of, as the server says it: 10.1
    #[arg(long, value_name = "VERSION")]
    pub to: String,
    /// Directory to write, or archive: NAME.tar.gz or NAME.tar.zst [default: EXPORT's name with -VERSION behind it, beside
    /// it]
    #[arg(long, short, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub output: Option<Utf8PathBuf>,
    /// How many threads the checks take [default: the machine's processors]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
    /// Print what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// The endings of archives.
const ENDINGS: [&str; 4] = [".tar.gz", ".tgz", ".tar.zst", ".tar"];

impl From<&UpgradeExportArgs> for UpgradeOptions {
    fn from(args: &UpgradeExportArgs) -> Self {
        let output = args.output.clone().unwrap_or_else(|| beside(args));
        UpgradeOptions::to(&args.to, output).jobs(args.jobs.map_or(0, usize::from))
    }
}

/// The export's own name with the version behind it. A plain tar becomes a .tar.gz.
fn beside(args: &UpgradeExportArgs) -> Utf8PathBuf {
    let name = args.export.file_name().unwrap_or("export");
    let (stem, ending) = ENDINGS
        .iter()
        .find_map(|ending| Some((name.strip_suffix(ending)?, *ending)))
        .map_or((name, ""), |(stem, ending)| (stem, if ending == ".tar" { ".tar.gz" } else { ending }));
    args.export.with_file_name(format!("{stem}-{}{ending}", args.to))
}
