//! The verbs that look at exports: `validate` and `diff`.

use camino::Utf8PathBuf;
use clap::{Args, ValueEnum, ValueHint};
use zulip_backup_core::export::Kind;

/// Check an export, without a server
///
/// Reads every file of an export of one organisation, made by zulip-backup or by Zulip itself, as a directory or as a
/// tarball. Rows are compared with what their Zulip version writes, counts with the statistics, references with what they
/// refer to, records with files. Of an export with less than everything the rules of its kind are replayed: whatever its
/// own files do not justify is an error. All that is wrong is listed. Exits with 4 if there is any error.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  Is it whole, and does all of it fit together?
    zulip-backup validate /srv/exports/engineering

  May it be handed out? (nothing but what public channels show)
    zulip-backup validate --kind public zulip-export.tar.gz")]
pub struct ValidateArgs {
    /// Export to check: a directory, or a .tar.gz, .tar.zst or .tar of one
    #[arg(value_name = "EXPORT", value_hint = ValueHint::AnyPath)]
    pub export: Utf8PathBuf,
    /// Whose data it may hold [default: what the export says]
    #[arg(long, value_name = "KIND")]
    pub kind: Option<KindArg>,
    /// The message by whose reactions users consented: an export of Zulip before 10 does not say
    #[arg(long, value_name = "ID", conflicts_with = "kind")]
    pub consent_message_id: Option<i64>,
    /// How many threads [default: the machine's processors]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
}

/// The values of `--kind`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum KindArg {
    /// Everything
    Full,
    /// Private data of those users only who consent
    FullWithConsent,
    /// Public channels only
    Public,
}

impl From<KindArg> for Kind {
    fn from(kind: KindArg) -> Self {
        match kind {
            KindArg::Full => Self::Full,
            KindArg::FullWithConsent => Self::FullWithConsent,
            KindArg::Public => Self::Public,
        }
    }
}

/// Show what differs between two exports
///
/// Compares by file, table and row, whatever the layout of the JSON, and in whichever file a message lies; an export may be
/// a directory or a tarball. Rows are told apart by their ids, uploaded files by their content. Exits with 1 if anything
/// differs.
///
/// With --renumbered one of them may be of an organisation that was imported elsewhere: all ids are others then. What an
/// import changes by right is not compared, and counted: docs/cli.md lists it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  What changed since yesterday?
    zulip-backup diff /srv/exports/yesterday /srv/exports/today

  Is the tarball what the directory is?
    zulip-backup diff zulip-export zulip-export.tar.gz

  Is the imported organisation what the exported one was?
    zulip-backup diff --renumbered before-the-move.tar.gz after-the-move.tar.gz")]
pub struct DiffArgs {
    /// First export
    #[arg(value_name = "A", value_hint = ValueHint::AnyPath)]
    pub a: Utf8PathBuf,
    /// Second export
    #[arg(value_name = "B", value_hint = ValueHint::AnyPath)]
    pub b: Utf8PathBuf,
    /// Compare the same organisation before and after an import, by which all ids change
    #[arg(long)]
    pub renumbered: bool,
    /// How many rows and files of each difference to name; all are counted
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub limit: u32,
    /// How many threads [default: the machine's processors]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
}
