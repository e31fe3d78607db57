//! The whole product once, on a throw-away server: `make demo`.
//!
//! A sample Zulip server is made, backed up, inspected, verified, damaged, restored into a second server that has data of
//! its own, compared table by table and file by file, and rehearsed; and one of its organisations is exported, checked,
//! compared with itself after a change, imported into the second server under another name, and found to be the same there.
//! Everything that happens is what a user would type.

mod compare;
mod export;
mod import;
mod tool;

use std::process::ExitCode;
use std::time::Instant;

use camino::{Utf8Path, Utf8PathBuf};
use zulip_backup_core::postgres::Cluster;
use zulip_backup_core::units;
use zulip_backup_examples::{SampleHost, SampleOptions};

use crate::tool::Tool;

/// What went wrong, in words; the demo has one reader.
type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

fn main() -> ExitCode {
    let mut rows = Vec::new();
    let outcome = run(&mut rows);
    print(&rows);
    match outcome {
        Ok(()) => {
            println!("\nAll of it held.");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("\nThe demo failed: {error}");
            ExitCode::FAILURE
        }
    }
}

/// One line of the table at the end.
struct Row {
    step: &'static str,
    result: String,
    seconds: f64,
}

fn step(rows: &mut Vec<Row>, step: &'static str, work: impl FnOnce() -> Result<String>) -> Result<()> {
    println!("\n== {step}");
    let begun = Instant::now();
    let result = work();
    let text = match &result {
        Ok(text) => text.clone(),
        Err(error) => format!("FAILED: {error}"),
    };
    rows.push(Row { step, result: text, seconds: begun.elapsed().as_secs_f64() });
    result.map(|_| ())
}

fn run(rows: &mut Vec<Row>) -> Result<()> {
    let temp = tempfile::Builder::new().prefix("zulip-backup-demo-").tempdir()?;
    let directory =
        Utf8PathBuf::from_path_buf(temp.path().to_owned()).map_err(|_| "the temp directory is not UTF-8")?;
    let tool = Tool::beside_this_program()?;
    let mut first = None;
    step(rows, "first server", || {
        first = Some(host(&directory.join("first"), 1, 5_000, 32 << 20)?);
        Ok(first.as_ref().map(summary).unwrap_or_default())
    })?;
    let first = first.ok_or("there is no first server")?;
    let archive = directory.join("backup.tar.gz");
    step(rows, "create", || {
        let report = tool.json(0, &on(&first, &["create", "--output", archive.as_str()]))?;
        Ok(format!(
            "{} rows, archive {}",
            report["rows"],
            units::bytes(report["archive_bytes"].as_u64().unwrap_or_default())
        ))
    })?;
    step(rows, "inspect", || {
        tool.show(0, &["inspect", archive.as_str()])?;
        Ok("read from the archive's tail".to_owned())
    })?;
    step(rows, "verify", || {
        let report = tool.json(0, &["verify", archive.as_str()])?;
        Ok(format!("{} members sound", report["members"]))
    })?;
    step(rows, "verify after damage", || {
        let damaged = directory.join("damaged.tar.gz");
        let mut bytes = std::fs::read(&archive)?;
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&damaged, bytes)?;
        let report = tool.json(4, &["verify", damaged.as_str()])?;
        Ok(format!("one flipped bit at byte {middle}: {}", tool::first_finding(&report)))
    })?;
    let mut second = None;
    step(rows, "second server", || {
        second = Some(host(&directory.join("second"), 2, 100, 64 << 10)?);
        Ok(second.as_ref().map(summary).unwrap_or_default())
    })?;
    let second = second.ok_or("there is no second server")?;
    step(rows, "restore", || {
        let report = tool.json(1, &on(&second, &["restore", archive.as_str(), "--yes"]))?;
        Ok(format!("in {}", units::seconds(report["seconds"].as_f64().unwrap_or_default())))
    })?;
    step(rows, "compare", || compare::servers(&first, &second))?;
    step(rows, "drill", || {
        let certificate = directory.join("certificate.json");
        let args = ["drill", archive.as_str(), "--certificate", certificate.as_str()];
        let report = tool.json(0, &args)?;
        let checks = report["checks"].as_array().map_or(0, Vec::len);
        Ok(format!("{checks} checks, certificate dated {}", report["drilled_at"].as_str().unwrap_or("?")))
    })?;
    let export = export::run(rows, &tool, &first, &directory)?;
    import::run(rows, &tool, &second, &export, &directory)
}

fn host(root: &Utf8Path, seed: u64, messages: u64, uploads_bytes: u64) -> Result<SampleHost> {
    let options = SampleOptions { seed, messages, uploads_bytes, ..SampleOptions::default() };
    Ok(SampleHost::start(root, &options, Cluster::builder())?)
}

fn summary(host: &SampleHost) -> String {
    let uploads = host.uploads();
    let (rows, files, bytes) = (host.rows(), uploads.files, units::bytes(uploads.bytes));
    format!("PostgreSQL {}, {rows} rows, {files} files of {bytes}", host.cluster().major())
}

/// A verb with the flags that say which server is meant.
fn on(host: &SampleHost, verb: &[&str]) -> Vec<String> {
    host.flags().into_iter().chain(verb.iter().map(|&word| word.to_owned())).collect()
}

fn print(rows: &[Row]) {
    println!("\n{:<20} {:>9}  what happened", "step", "seconds");
    for Row { step, result, seconds } in rows {
        println!("{step:<20} {seconds:>9.2}  {result}");
    }
}
