//! zulip-backup beside the plain tools that upstream uses, in one run: `make bench`.
//!
//! Everything is a whole process, as a user runs it. The machine may be busy with other things, so what counts are the
//! ratios of one run, not the seconds.

mod backup;
mod export;
mod host;
mod import;
mod machine;
mod measure;
mod python;
mod scaling;
mod table;
mod upstream;

use std::process::ExitCode;

use camino::{Utf8Path, Utf8PathBuf};
use clap::{Parser, ValueEnum};
use zulip_backup_core::units;

use crate::table::Table;

/// What went wrong, in words.
type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

/// Measure zulip-backup beside pg_dump, tar, gzip, pg_restore, and beside a plain COPY of what an export has.
#[derive(Parser)]
struct Arguments {
    /// Messages of the sample server
    #[arg(long, default_value_t = 1_000_000)]
    messages: u64,
    /// Bytes of its uploads, half of them incompressible
    #[arg(long, default_value_t = 1 << 30)]
    uploads_bytes: u64,
    /// Measure this part only
    #[arg(long, value_enum)]
    only: Option<Part>,
    /// Measure how exports grow, and nothing else: servers of so many messages, smallest first [without numbers: 100000,
    /// 1000000 and 10000000, which take some 4 KiB of disk a message]
    #[arg(
        long,
        value_name = "MESSAGES,…",
        value_delimiter = ',',
        num_args = 0..=1,
        require_equals = true,
        default_missing_values = ["100000", "1000000", "10000000"],
        conflicts_with_all = ["only", "messages", "uploads_bytes"]
    )]
    scaling: Vec<u64>,
    /// Where everything goes; about eight times the uploads' bytes and twenty times the messages in KiB
    #[arg(long)]
    work_dir: Option<Utf8PathBuf>,
    /// The command to measure
    #[arg(long)]
    zulip_backup: Option<Utf8PathBuf>,
    /// A Python with the packages of scripts/requirements-bench.txt and zulip_backup; without it, verbs from Python and the
    /// model of upstream's export are left out
    #[arg(long)]
    python: Option<Utf8PathBuf>,
}

/// What can be measured on its own.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Backing up and restoring a whole server
    Backup,
    /// Exporting an organisation
    Export,
    /// Importing one
    Import,
    /// Verbs from Python beside the command's
    Python,
}

fn main() -> ExitCode {
    match bench(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprint!("the benchmark failed: {error}");
            let mut source = error.source();
            while let Some(error) = source {
                eprint!(": {error}");
                source = error.source();
            }
            eprintln!();
            ExitCode::FAILURE
        }
    }
}

fn bench(arguments: &Arguments) -> Result<()> {
    let parent = arguments.work_dir.clone().unwrap_or_else(|| "/tmp".into());
    let temp = tempfile::Builder::new().prefix("zulip-backup-bench-").tempdir_in(&parent)?;
    let work = Utf8PathBuf::from_path_buf(temp.path().to_owned()).map_err(|_| "the work directory is not UTF-8")?;
    let tool = match &arguments.zulip_backup {
        Some(path) => path.clone(),
        None => Utf8PathBuf::from_path_buf(std::env::current_exe()?)
            .map_err(|_| "the path of this program is not UTF-8")?
            .with_file_name("zulip-backup"),
    };
    println!("{}", machine::describe());
    let mut table = Table::default();
    if arguments.scaling.is_empty() {
        measure(arguments, &tool, &work, &mut table)?;
    } else {
        scaling::measure(&tool, &work, &arguments.scaling, &mut table)?;
    }
    table.print();
    Ok(())
}

fn measure(arguments: &Arguments, tool: &Utf8Path, work: &Utf8Path, table: &mut Table) -> Result<()> {
    let wanted = |part| arguments.only.is_none_or(|only| only == part);
    let mut memory = None;
    if wanted(Part::Backup) {
        // Memory first, on a tenth of the data.
        let small = host::start(&work.join("small"), arguments.messages / 10, arguments.uploads_bytes / 10)?;
        memory = Some(backup::create(tool, &small, &work.join("small.tar.gz"))?);
    }
    if wanted(Part::Import) {
        let root = work.join("untuned-server");
        let server = host::start_untuned(&root, arguments.messages, arguments.uploads_bytes)?;
        println!("{}\n", host::summary(&server));
        host::settle(&server)?;
        import::measure(tool, &server, work, table)?;
        drop(server);
        std::fs::remove_dir_all(&root)?;
    }
    if !wanted(Part::Export) && !wanted(Part::Python) && memory.is_none() {
        return Ok(());
    }
    let server = host::start(&work.join("server"), arguments.messages, arguments.uploads_bytes)?;
    println!("{}\n", host::summary(&server));
    host::settle(&server)?;
    // These before the backup's part, which at its end puts another database in the server's place.
    if wanted(Part::Export) {
        export::measure(tool, &server, work, arguments.python.as_deref(), table)?;
    }
    if wanted(Part::Python) {
        match &arguments.python {
            Some(python) => python::measure(tool, &server, work, python, table)?,
            None => println!("(no Python with zulip_backup: verbs from Python are left out)"),
        }
    }
    if let Some(memory) = memory {
        backup::measure(tool, &server, work, &memory, table)?;
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "ratios are shown with two digits")]
fn ratio(one: u64, other: u64) -> f64 {
    one as f64 / other as f64
}

#[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// A size for the table.
fn size(bytes: u64) -> String {
    units::bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scaling_has_sizes_of_its_own_unless_some_are_given() {
        let sizes = |words: &[&str]| Arguments::try_parse_from(words).map(|arguments| arguments.scaling).ok();
        assert_eq!(sizes(&["bench"]), Some(vec![]));
        assert_eq!(sizes(&["bench", "--scaling"]), Some(vec![100_000, 1_000_000, 10_000_000]));
        assert_eq!(sizes(&["bench", "--scaling=20000,60000"]), Some(vec![20_000, 60_000]));
        assert_eq!(sizes(&["bench", "--scaling", "--messages", "5"]), None);
    }
}
