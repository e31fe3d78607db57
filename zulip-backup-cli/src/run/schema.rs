//! `schema`.

use serde_json::{Map, Value};
use zulip_backup_core::Result;
use zulip_backup_core::schema::{Release, Skeleton};

use super::Session;
use crate::args::SchemaArgs;
use crate::console::{Format, print};
use crate::exit::Exit;

pub fn run(session: &Session, args: &SchemaArgs) -> Result<Exit> {
    let console = session.console;
    if let Some(directory) = &args.from_database {
        let site = session.open(Some(directory))?;
        let skeleton = Skeleton::read(&mut site.database()?.value.connect("zulip-backup schema")?)?;
        skeleton.write(directory)?;
        console.product(&skeleton)?;
        return Ok(Exit::done(!skeleton.findings.is_empty()));
    }
    let release = match &args.zulip_version {
        Some(version) => Release::for_version(version)?,
        None => Release::latest()?,
    };
    let schema = &release.export;
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
