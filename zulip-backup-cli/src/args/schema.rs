//! The verb `schema`.

use camino::Utf8PathBuf;
use clap::{Args, ValueHint};

/// Print what an export of a Zulip version holds
///
/// Tables, keys in their order, and encodings, as Markdown; or a JSON Schema of every file with rows. Needs no server, but
/// for --from-database: with that, the folder of a release that is not known yet is begun.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zulip-backup schema
  zulip-backup schema --zulip-version 10.1 --json-schema
  zulip-backup schema --from-database schema/13")]
pub struct SchemaArgs {
    /// Zulip version [default: the newest that is known]
    #[arg(long, value_name = "VERSION")]
    pub zulip_version: Option<String>,
    /// Print JSON Schemas, as an object by the files' names
    #[arg(long)]
    pub json_schema: bool,
    /// Write into this new directory what the server's database tells of its release: the beginning of a folder schema/ has for
    /// each, and what there is to decide
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with_all = ["zulip_version", "json_schema"])]
    pub from_database: Option<Utf8PathBuf>,
}
