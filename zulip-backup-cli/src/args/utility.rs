//! Verbs about the command itself.

use camino::Utf8PathBuf;
use clap::{Args, ValueHint};
use clap_complete::Shell;

/// Print a completion script for a shell
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  For all users, with bash:
    zulip-backup completions bash > /etc/bash_completion.d/zulip-backup")]
pub struct CompletionsArgs {
    /// Shell the script is for
    #[arg(value_name = "SHELL", value_enum)]
    pub shell: Shell,
}

/// Write the manual pages
///
/// Without a directory, the page of the command itself goes to standard output.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  Read the page of the command:
    zulip-backup man | man -l -

  Install all pages:
    zulip-backup man /usr/local/share/man/man1")]
pub struct ManArgs {
    /// Directory to write a page of each verb to; it must exist
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub dir: Option<Utf8PathBuf>,
}
