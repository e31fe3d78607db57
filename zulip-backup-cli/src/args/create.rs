//! The verb `create`.

use camino::Utf8PathBuf;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueHint};
use zulip_backup_core::backup::BackupOptions;
use zulip_backup_core::codec::Compression;

/// Back the server up into one archive
///
/// The archive holds the database, the settings with all secrets, and the uploaded files: keep it like a password.
/// Nothing is stopped or locked meanwhile; the database is as it was at one moment, and every file that it names at
/// that moment is in the archive or in the report's findings. The archive appears under its name only when it is
/// complete and on the disk.
///
/// As root, the work is done as the user the deployment belongs to, who has to be able to write to the output's
/// directory.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  Into the system's directory for temporary files; the last line says where:
    zulip-backup create

  Small and fast, if only zulip-backup will restore it:
    zulip-backup create --output /srv/backups/zulip.tar.zst

  From cron, silent unless something is wrong:
    zulip-backup create --quiet --output /srv/backups/zulip.tar.gz --force >/dev/null")]
pub struct CreateArgs {
    /// Archive to write [default: zulip-backup-TIME-RANDOM.tar.gz in the system's directory for temporary files]
    #[arg(long, short, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub output: Option<Utf8PathBuf>,
    /// Leave the database out
    #[arg(long)]
    pub skip_db: bool,
    /// Leave the uploaded files out
    #[arg(long)]
    pub skip_uploads: bool,
    /// How to compress; Zulip's own restore-backup reads gzip only [default: by the output's name, else gzip]
    #[arg(long, value_name = "METHOD", value_parser = PossibleValuesParser::new(["gzip", "zstd"]).try_map(|name| name.parse::<Compression>()))]
    pub compression: Option<Compression>,
    /// How hard to compress: 1 to 12 for gzip [default: 6], 1 to 19 for zstd [default: 6]
    #[arg(long, value_name = "N")]
    pub level: Option<i32>,
    /// How many threads and database connections [default: the machine's processors]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
    /// Replace the output if it exists
    #[arg(long)]
    pub force: bool,
    /// Begin even if the free space seems to be too little
    #[arg(long)]
    pub ignore_space: bool,
    /// Print what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

impl From<&CreateArgs> for BackupOptions {
    fn from(args: &CreateArgs) -> Self {
        Self {
            output: args.output.clone(),
            force: args.force,
            skip_db: args.skip_db,
            skip_uploads: args.skip_uploads,
            compression: args.compression,
            level: args.level,
            jobs: args.jobs.map(usize::from),
            ignore_space: args.ignore_space,
        }
    }
}
