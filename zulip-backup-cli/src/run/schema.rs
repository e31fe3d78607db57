//! `schema`.

use serde_json::{Map, Value};
use zulip_backup_core::Result;
use zulip_backup_core::schema::ExportSchema;

use crate::args::SchemaArgs;
use crate::console::{Console, Format, print};
use crate::exit::Exit;

pub fn run(console: Console, args: &SchemaArgs) -> Result<Exit> {
    let schema = match &args.zulip_version {
        Some(version) => ExportSchema::for_version(version)?,
        None => ExportSchema::latest()?,
    };
    let text = if args.json_schema || console.format() == Format::Json {
        let schemas: Map<String, Value> =
            schema.json_schemas()?.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect();
        format!("{:#}\n", Value::Object(schemas))
    } else {
        schema.describe().to_string()
    };
    print(text.as_bytes())?;
    Ok(Exit::Done)
}
