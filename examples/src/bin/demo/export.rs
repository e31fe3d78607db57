//! One organisation: exported, checked, damaged, and compared with itself after a change.

use camino::{Utf8Path, Utf8PathBuf};
use zulip_backup_core::units;
use zulip_backup_examples::SampleHost;

use crate::tool::{self, Tool};
use crate::{Result, Row, on, step};

/// What comes back is the export that is whole.
pub fn run(rows: &mut Vec<Row>, tool: &Tool, host: &SampleHost, directory: &Utf8Path) -> Result<Utf8PathBuf> {
    let archive = directory.join("acme.tar.gz");
    step(rows, "export", || {
        let report = tool.json(0, &on(host, &["export", "-r", "acme", "--output", archive.as_str()]))?;
        Ok(format!(
            "{} messages, {} rows, archive {}",
            report["messages"],
            report["rows"],
            units::bytes(report["archive_bytes"].as_u64().unwrap_or_default())
        ))
    })?;
    step(rows, "validate", || {
        let report = tool.json(0, &["validate", archive.as_str()])?;
        Ok(format!("{} rows and {} files sound", report["rows"], report["files"]))
    })?;
    let public = directory.join("public");
    step(rows, "export, public", || {
        let report =
            tool.json(0, &on(host, &["export", "-r", "acme", "--public-only", "--output", public.as_str()]))?;
        Ok(format!("{} messages", report["messages"]))
    })?;
    step(rows, "validate after damage", || {
        // A private message slips into an export of what everybody may see: the whole export's first file.
        let whole = directory.join("whole");
        tool.json(0, &on(host, &["export", "-r", "acme", "--no-record", "--output", whole.as_str()]))?;
        std::fs::copy(whole.join("messages-000001.json"), public.join("messages-000001.json"))?;
        let report = tool.json(4, &["validate", public.as_str()])?;
        let counts = report["findings"]["counts"].as_array();
        let found = counts.and_then(|counts| counts.iter().find(|count| count["code"] == "message-unjustified"));
        let count = found.map_or(0, |count| count["count"].as_u64().unwrap_or(0));
        if count == 0 {
            return Err("nobody noticed the private messages".into());
        }
        Ok(format!("{count} messages that nothing justifies; first finding: {}", tool::first_finding(&report)))
    })?;
    step(rows, "diff", || {
        let mut client = host.database().connect("demo")?;
        client.batch_execute(
            "UPDATE zulip.zerver_stream SET description = 'changed' WHERE id = (SELECT min(id) FROM zulip.zerver_stream WHERE realm_id = 2)",
        )?;
        let after = directory.join("after.tar.gz");
        tool.json(0, &on(host, &["export", "-r", "acme", "--output", after.as_str()]))?;
        let report = tool.json(1, &["diff", archive.as_str(), after.as_str()])?;
        let lists = report["lists"].as_array().map(Vec::as_slice).unwrap_or_default();
        let names: Vec<&str> = lists.iter().filter_map(|list| list["list"].as_str()).collect();
        if !names.contains(&"zerver_stream") {
            return Err("the changed channel is not among what differs".into());
        }
        Ok(format!("lists that differ: {}", names.join(", ")))
    })?;
    Ok(archive)
}
