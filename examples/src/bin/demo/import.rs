//! The organisation of the export moves to the second server, and comes back the same.

use camino::Utf8Path;
use zulip_backup_core::units;
use zulip_backup_examples::SampleHost;

use crate::tool::Tool;
use crate::{Result, Row, on, step};

/// What the organisation is called on the second server.
const NEW: &str = "moved";

pub fn run(
    rows: &mut Vec<Row>,
    tool: &Tool,
    second: &SampleHost,
    export: &Utf8Path,
    directory: &Utf8Path,
) -> Result<()> {
    step(rows, "delete", || {
        // The restore has brought it to the second server too, and nobody can be there twice. No memcached runs here, which
        // is a finding.
        let report = tool.json(1, &on(second, &["realm", "delete", "acme", "--yes"]))?;
        Ok(format!("{} rows, nothing left behind", report["rows"]))
    })?;
    step(rows, "import", || {
        let report = tool.json(1, &on(second, &["import", NEW, export.as_str(), "--keep-name"]))?;
        let seconds = units::seconds(report["seconds"].as_f64().unwrap_or_default());
        Ok(format!("{} messages as {NEW:?}, in {seconds}", report["rows"]["zerver_message"]))
    })?;
    let again = directory.join("again.tar.gz");
    step(rows, "export again", || {
        let report = tool.json(0, &on(second, &["export", "-r", NEW, "--output", again.as_str()]))?;
        Ok(format!("{} messages", report["messages"]))
    })?;
    step(rows, "diff --renumbered", || {
        tool.json(0, &["diff", export.as_str(), again.as_str(), "--renumbered"])?;
        Ok("the same organisation under other numbers".to_owned())
    })
}
