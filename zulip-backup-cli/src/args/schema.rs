//! The verb `schema`.

use clap::Args;

/// Print what an export of a Zulip version holds
///
/// Tables, keys in their order, and encodings, as Markdown; or a JSON Schema of every file with rows. Needs no server.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zulip-backup schema
  zulip-backup schema --zulip-version 10.1 --json-schema")]
pub struct SchemaArgs {
    /// Zulip version [default: the newest that is known]
    #[arg(long, value_name = "VERSION")]
    pub zulip_version: Option<String>,
    /// Print JSON Schemas, as an object by the files' names
    #[arg(long)]
    pub json_schema: bool,
}
