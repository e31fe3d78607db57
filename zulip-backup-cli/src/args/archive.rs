//! The verbs that only look at an archive: `inspect`, `verify`, `extract`.

use camino::Utf8PathBuf;
use clap::{Args, ValueHint};

/// Show what a backup or an export says of itself
///
/// Versions, when and where it was made, what it holds, what a restore will need, which Zulip and which PostgreSQL fit it,
/// what was noticed. Nothing is proved: that is what `verify` is for, and `validate` for exports. Of an archive made by
/// zulip-backup the last kilobytes are read. One made by Zulip's own commands says less about itself, and is read whole.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  What is in it?
    zulip-backup inspect zulip.tar.gz

  Check files that were unpacked with tar:
    zulip-backup inspect --sha256sums zulip.tar.gz | sha256sum --check --quiet")]
pub struct InspectArgs {
    /// Archive to look at: a backup's, or an export's; or the directory of an export
    #[arg(value_name = "ARCHIVE", value_hint = ValueHint::AnyPath)]
    pub archive: Utf8PathBuf,
    /// Print the SHA-256 of every file in the form that `sha256sum --check` reads, and nothing else
    #[arg(long, conflicts_with = "json")]
    pub sha256sums: bool,
}

/// Prove that an archive is whole
///
/// Reads every byte and compares it with what the archive says of itself: checksums, digests, headers, and the number
/// of rows of every table. All damage is listed, not only the first. Exits with 4 if there is any.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  Prove it:
    zulip-backup verify zulip.tar.gz

  Was it copied to its end? (kilobytes are read, however large it is)
    zulip-backup verify --quick zulip.tar.gz")]
pub struct VerifyArgs {
    /// Archive to prove
    #[arg(value_name = "ARCHIVE", value_hint = ValueHint::FilePath)]
    pub archive: Utf8PathBuf,
    /// Read only what a cut or a mix-up breaks: the tail, the index and the version files
    #[arg(long, conflicts_with = "full")]
    pub quick: bool,
    /// Read every byte; this is the default
    #[arg(long)]
    pub full: bool,
    /// How many threads [default: the machine's processors]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
}

/// Take files out of an archive
///
/// A member is named as `tar` lists it; `zulip-backup/` in front may be left out. A directory stands for all that is in
/// it. Of an archive made by zulip-backup only what is needed is read. Every file is checked against its digest and
/// appears only when it is right; existing files are not replaced unless asked, and nothing is written outside the
/// directory, whatever the archive says.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  The settings, into a directory of their own:
    zulip-backup extract zulip.tar.gz settings --directory /tmp/look

  One file, on standard output:
    zulip-backup extract zulip.tar.gz settings/zulip.conf --stdout")]
pub struct ExtractArgs {
    /// Archive to read
    #[arg(value_name = "ARCHIVE", value_hint = ValueHint::FilePath)]
    pub archive: Utf8PathBuf,
    /// Files or directories to take out
    #[arg(value_name = "MEMBER", required = true)]
    pub members: Vec<String>,
    /// Directory to put them in, below their full names; made if it does not exist
    #[arg(long, short = 'C', value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath)]
    pub directory: Utf8PathBuf,
    /// Write the content of one file to standard output instead
    #[arg(long, conflicts_with_all = ["directory", "json", "force", "jobs"])]
    pub stdout: bool,
    /// Replace existing files
    #[arg(long)]
    pub force: bool,
    /// How many threads [default: the machine's processors]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
}
