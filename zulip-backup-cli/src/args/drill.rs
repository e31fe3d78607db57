//! The verb `drill`.

use camino::Utf8PathBuf;
use clap::{Args, ValueHint};

/// Rehearse a restore, without touching any server
///
/// Restores an archive into a throw-away PostgreSQL and a temporary directory on this machine and checks what came out:
/// rows of every table, every foreign key, sequences, migrations, settings, and that every file a row refers to is there.
/// Writes a dated certificate in JSON for monitoring. Exits with 4 if the archive cannot be restored as it is. Needs the
/// programs of a PostgreSQL server; text-search dictionaries this machine lacks are left out, and named.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  Can the newest backup be restored?
    zulip-backup drill zulip.tar.gz

  With the certificate where monitoring looks for it:
    zulip-backup drill zulip.tar.gz --certificate /var/lib/monitoring/zulip-drill.json")]
pub struct DrillArgs {
    /// Archive to rehearse with
    #[arg(value_name = "ARCHIVE", value_hint = ValueHint::FilePath)]
    pub archive: Utf8PathBuf,
    /// Where the certificate goes [default: beside the archive, as ARCHIVE.drill.json]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub certificate: Option<Utf8PathBuf>,
    /// Where the throw-away server and the files go [default: the system's directory for temporary files]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub work_dir: Option<Utf8PathBuf>,
    /// Leave the restored files in place
    #[arg(long)]
    pub keep: bool,
    /// Begin even if the free space seems to be too little
    #[arg(long)]
    pub ignore_space: bool,
    /// How many threads and connections [default: the machine's processors]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
}
