//! A model of upstream's method, in Python: `benches/model/export.py` tells what it does and what it leaves out. Upstream's
//! own exporter takes longer: all rows go through Django.

use std::process::Command;

use camino::Utf8Path;
use zulip_backup_examples::SampleHost;

use crate::export::rows::Rows;
use crate::export::tree_bytes;
use crate::measure::run;
use crate::table::Table;
use crate::{Result, host};

const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/model/export.py");

/// The model's directory, and then the same packed by tar.
pub(crate) fn measure(
    python: &Utf8Path,
    server: &SampleHost,
    rows: &Rows,
    work: &Utf8Path,
    table: &mut Table,
) -> Result<()> {
    let queries = work.join("rows.json");
    std::fs::write(&queries, serde_json::to_vec(rows)?)?;
    let (output, archive) = (work.join("model"), work.join("model.tar.gz"));
    let mut program = Command::new(python);
    program.arg(PROGRAM).arg("--database").arg(server.address());
    program.arg("--rows").arg(&queries).arg("--uploads").arg(server.uploads_dir());
    program.arg("--secrets").arg(server.root().join("etc/zulip/zulip-secrets.conf")).arg("--output").arg(&output);
    let written = run(&mut program, &[0])?;
    table.add("model of upstream's method, directory", &written, Some(tree_bytes(&output)?));
    host::flush()?;
    let tar = ["--create", "--gzip", "--file", archive.as_str(), "--directory", work.as_str(), "model"];
    let packed = run(Command::new("tar").args(tar), &[0])?;
    let bytes = std::fs::metadata(&archive)?.len();
    table.add("model of upstream's method, then tar -czf", &written.then(packed), Some(bytes));
    std::fs::remove_dir_all(&output)?;
    std::fs::remove_file(&archive)?;
    host::flush()
}
