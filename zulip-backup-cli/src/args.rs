//! What can be said on the command line. Help texts, man pages and completions all come from here.

mod archive;
mod create;
mod drill;
mod export;
mod export_user;
mod import;
mod output;
mod realm;
mod restore;
mod schema;
mod site;
#[cfg(test)]
mod tests;
mod upgrade;
mod utility;
mod validate;

use std::sync::LazyLock;

use clap::{Parser, Subcommand};
use zulip_backup_core::archive::FORMAT_VERSION;
use zulip_backup_core::postgres::dump::toc::KNOWN;

pub use archive::{ExtractArgs, InspectArgs, VerifyArgs};
pub use create::CreateArgs;
pub use drill::DrillArgs;
pub use export::ExportArgs;
pub use export_user::ExportUserArgs;
pub use import::ImportArgs;
pub use output::{ColorWhen, OutputArgs};
pub use realm::{RealmArgs, RealmDeleteArgs, RealmVerb};
pub use restore::RestoreArgs;
pub use schema::SchemaArgs;
pub use site::SiteArgs;
pub use upgrade::UpgradeExportArgs;
pub use utility::{CompletionsArgs, ManArgs};
pub use validate::{DiffArgs, ValidateArgs};

/// Back up, verify, restore and rehearse whole Zulip servers.
///
/// Every verb says what it will do, does it, and reports what it did; with --json the same as JSON. Run as root or as
/// the user Zulip runs as. On a standard server no flags are needed: `zulip-backup site` shows what is found.
#[derive(Debug, Parser)]
#[command(
    name = "zulip-backup",
    version = env!("CARGO_PKG_VERSION"),
    long_version = VERSIONS.as_str(),
    max_term_width = 100,
    after_long_help = AFTER_HELP,
)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
    /// How to print.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Which server.
    #[command(flatten)]
    pub site: SiteArgs,
}

/// The verbs; each is explained where its flags are.
#[derive(Debug, Subcommand)]
pub enum Verb {
    Site(site::ShowArgs),
    Create(CreateArgs),
    Inspect(InspectArgs),
    Verify(VerifyArgs),
    Extract(ExtractArgs),
    Restore(RestoreArgs),
    Drill(DrillArgs),
    Export(ExportArgs),
    ExportUser(ExportUserArgs),
    Import(ImportArgs),
    Realm(RealmArgs),
    Validate(ValidateArgs),
    Diff(DiffArgs),
    UpgradeExport(UpgradeExportArgs),
    Schema(SchemaArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
}

/// What `--version` prints: what has to fit when an archive moves to another machine.
static VERSIONS: LazyLock<String> = LazyLock::new(|| {
    let ((low_major, low_minor), (high_major, high_minor)) = (*KNOWN.start(), *KNOWN.end());
    format!(
        "{}\narchive format {FORMAT_VERSION}\nPostgreSQL dump versions {low_major}.{low_minor} to {high_major}.{high_minor}",
        env!("CARGO_PKG_VERSION")
    )
});

const AFTER_HELP: &str = "\
Exit status:
  0    done
  1    done, and the report has findings that a person should look at
  2    the request makes no sense
  3    not begun: it would be unsafe, or two versions do not fit
  4    the data is damaged
  5    somebody else is at work on the same thing
  6    the database, the operating system or a setting stood in the way
  129  stopped by SIGHUP
  130  stopped by SIGINT (Ctrl-C)
  143  stopped by SIGTERM

Examples:
  Back everything up, and prove the result:
    zulip-backup create --output /srv/backups/zulip.tar.gz
    zulip-backup verify /srv/backups/zulip.tar.gz

  See what would be done:
    zulip-backup create --dry-run";
