//! `export` beside the least that any export has to do, a COPY of its rows, and beside a model of upstream's method.

mod model;
mod rows;

use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};
use zulip_backup_examples::SampleHost;

use crate::export::rows::Rows;
use crate::measure::{Measured, run};
use crate::table::{Goal, Table};
use crate::{Result, host, mebibytes};

/// How often the COPY and the export to a directory are measured, in turn: they take seconds, which other work on the
/// machine disturbs.
const ROUNDS: usize = 3;

/// The archives an export can be, by their ending, and how many times the COPY's time one may take.
const ARCHIVES: [(&str, Option<f64>); 2] = [("tar.gz", Some(6.0)), ("tar.zst", None)];

/// All of it, on a server that has come to rest.
pub(crate) fn measure(
    tool: &Utf8Path,
    server: &SampleHost,
    work: &Utf8Path,
    python: Option<&Utf8Path>,
    table: &mut Table,
) -> Result<()> {
    let rows = Rows::of(largest_realm(server)?.0)?;
    let statements = work.join("copy.sql");
    std::fs::write(&statements, rows.copies())?;
    let mut copied: Option<Measured> = None;
    let mut ours: Option<Measured> = None;
    let mut directory = Utf8PathBuf::new();
    for round in 0..ROUNDS {
        copied = Some(Measured::best(copied, copy(server, &statements)?));
        host::flush()?;
        if round > 0 {
            std::fs::remove_dir_all(&directory)?;
            host::flush()?;
        }
        // Another name each time: a file system may be slow to use again what was removed a moment ago.
        directory = work.join(format!("export-{round}"));
        ours = Some(Measured::best(ours, export(tool, server, rows.realm, &directory)?));
        host::flush()?;
    }
    let (Some(copied), Some(ours)) = (copied, ours) else { return Err("nothing was measured".into()) };
    rows.check(server, &directory)?;
    table.add(&format!("the same rows: psql, COPY … (FORMAT binary), best of {ROUNDS}"), &copied, None);
    table.add(&format!("export, directory, best of {ROUNDS}"), &ours, Some(tree_bytes(&directory)?));
    table.goal(Goal::at_most("export to a directory, wall vs COPY", ours.wall / copied.wall, 2.0));
    let validate = ["validate", "--no-progress", "-q", directory.as_str()];
    let validated = run(Command::new(tool).args(validate), &[0, 1])?;
    table.add("validate, of the directory", &validated, None);
    table.goal(Goal::at_most("validate vs the export to a directory, wall", validated.wall / ours.wall, 1.0));
    std::fs::remove_dir_all(&directory)?;
    host::flush()?;
    let mut peak_bytes = ours.peak_bytes;
    for (ending, limit) in ARCHIVES {
        let archive = work.join(format!("export.{ending}"));
        let measured = export(tool, server, rows.realm, &archive)?;
        table.add(&format!("export, .{ending}"), &measured, Some(std::fs::metadata(&archive)?.len()));
        if let Some(limit) = limit {
            let name = format!("export to .{ending}, wall vs COPY");
            table.goal(Goal::at_most(name, measured.wall / copied.wall, limit));
        }
        peak_bytes = peak_bytes.max(measured.peak_bytes);
        std::fs::remove_file(&archive)?;
        host::flush()?;
    }
    table.goal(Goal::at_most("exports, most peak memory in MiB", mebibytes(peak_bytes), 128.0));
    match python {
        Some(python) => model::measure(python, server, &rows, work, table)?,
        None => println!("(no Python with psycopg and orjson: the model of upstream's method is left out)"),
    }
    Ok(())
}

/// The rows of an export, one list after the other over one connection, thrown away.
fn copy(server: &SampleHost, statements: &Utf8Path) -> Result<Measured> {
    let arguments = ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--file", statements.as_str()];
    run(host::program(server, "psql")?.args(arguments), &[0])
}

/// One export of everything of an organisation.
pub(crate) fn export(tool: &Utf8Path, server: &SampleHost, realm: i64, output: &Utf8Path) -> Result<Measured> {
    let command = ["export", "--no-record", "--no-progress", "-q", "--output", output.as_str(), "--realm"];
    run(Command::new(tool).args(server.flags()).args(command).arg(realm.to_string()), &[0, 1])
}

/// The organisation with the most messages, and how many they are.
pub(crate) fn largest_realm(server: &SampleHost) -> Result<(i64, u64)> {
    let largest = "SELECT realm_id::int8, count(*) FROM zulip.zerver_message GROUP BY 1 ORDER BY 2 DESC LIMIT 1";
    let row = server.database().connect("bench")?.query_one(largest, &[])?;
    Ok((row.get(0), u64::try_from(row.get::<_, i64>(1))?))
}

/// Bytes of all files below a directory.
fn tree_bytes(directory: &Utf8Path) -> Result<u64> {
    directory.read_dir_utf8()?.try_fold(0, |sum, entry| {
        let (entry, path) = entry.map(|entry| (entry.metadata(), entry.into_path()))?;
        let metadata = entry?;
        Ok(sum + if metadata.is_dir() { tree_bytes(&path)? } else { metadata.len() })
    })
}
