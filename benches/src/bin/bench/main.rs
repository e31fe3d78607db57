//! zulip-backup beside the plain tools that upstream uses, in one run: `make bench`.
//!
//! Everything is a whole process, as a user runs it. The machine may be busy with other things, so what counts are the
//! ratios of one run, not the seconds.

mod machine;
mod measure;
mod table;
mod upstream;

use std::process::{Command, ExitCode};

use camino::{Utf8Path, Utf8PathBuf};
use clap::Parser;
use zulip_backup_core::postgres::{Cluster, Durability};
use zulip_backup_core::units;
use zulip_backup_examples::{SampleHost, SampleOptions};

use crate::measure::{Measured, run};
use crate::table::{Goal, Table};

/// What went wrong, in words.
type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

/// Measure zulip-backup beside pg_dump, tar, gzip and pg_restore.
#[derive(Parser)]
struct Arguments {
    /// Messages of the sample server
    #[arg(long, default_value_t = 1_000_000)]
    messages: u64,
    /// Bytes of its uploads, half of them incompressible
    #[arg(long, default_value_t = 1 << 30)]
    uploads_bytes: u64,
    /// Where everything goes; about eight times the uploads' bytes and twenty times the messages in KiB
    #[arg(long)]
    work_dir: Option<Utf8PathBuf>,
    /// The command to measure
    #[arg(long)]
    zulip_backup: Option<Utf8PathBuf>,
}

fn main() -> ExitCode {
    match bench(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the benchmark failed: {error}");
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
    // Memory first, on a tenth of the data.
    let small = host(&work.join("small"), arguments.messages / 10, arguments.uploads_bytes / 10)?;
    let memory = create(&tool, &small, &work.join("small.tar.gz"))?;
    drop(small);
    let server = host(&work.join("server"), arguments.messages, arguments.uploads_bytes)?;
    println!("{}\n", summary(&server));
    settle(&server)?;
    measure_all(&tool, &server, &work, &memory, &mut table)?;
    table.print();
    Ok(())
}

/// PostgreSQL with its own defaults for durability, and a sample Zulip server.
fn host(root: &Utf8Path, messages: u64, uploads_bytes: u64) -> Result<SampleHost> {
    let cluster = Cluster::builder()
        .durability(Durability::Durable)
        .autovacuum(true)
        .setting("shared_buffers", "1GB")
        .setting("max_wal_size", "4GB");
    let options = SampleOptions { seed: 1, messages, uploads_bytes, ..SampleOptions::default() };
    Ok(SampleHost::start(root, &options, cluster)?)
}

fn summary(host: &SampleHost) -> String {
    let (major, messages, uploads) = (host.cluster().major(), host.sample().options().messages, host.uploads());
    let (rows, files, bytes) = (host.rows(), uploads.files, units::bytes(uploads.bytes));
    format!("server     PostgreSQL {major}, {messages} messages, {rows} rows, {files} files of {bytes}")
}

/// Lets the server do what the step before left to it: vacuuming and writing out millions of new rows would otherwise be
/// charged to the step that comes next.
fn settle(server: &SampleHost) -> Result<()> {
    server.database().connect("bench")?.batch_execute("VACUUM (ANALYZE)")?;
    server.cluster().connect_options("postgres").connect("bench")?.batch_execute("CHECKPOINT")?;
    let flushed = Command::new("sync").status()?;
    if flushed.success() { Ok(()) } else { Err("sync failed".into()) }
}

fn create(tool: &Utf8Path, server: &SampleHost, output: &Utf8Path) -> Result<Measured> {
    run(
        Command::new(tool).args(server.flags()).args(["create", "--no-progress", "-q", "--output", output.as_str()]),
        &[0, 1],
    )
}

fn measure_all(
    tool: &Utf8Path,
    server: &SampleHost,
    work: &Utf8Path,
    small: &Measured,
    table: &mut Table,
) -> Result<()> {
    let theirs = upstream::back_up(server, work)?;
    table.add("upstream: pg_dump -Fd, tar -czh", &theirs.measured, Some(theirs.bytes));
    let gzip = work.join("ours.tar.gz");
    let ours = create(tool, server, &gzip)?;
    let gzip_bytes = std::fs::metadata(&gzip)?.len();
    table.add("create, gzip", &ours, Some(gzip_bytes));
    table.goal(Goal::at_most("create gzip, wall vs upstream", ours.wall / theirs.measured.wall, 0.3));
    table.goal(Goal::at_most("create gzip, size vs upstream", ratio(gzip_bytes, theirs.bytes), 1.0));
    table.goal(Goal::at_most("create gzip, peak memory in MiB", mebibytes(ours.peak_bytes), 128.0));
    table.goal(Goal::at_most("its memory vs a tenth of the data", ratio(ours.peak_bytes, small.peak_bytes), 1.2));
    let zstd = work.join("ours.tar.zst");
    let ours_zstd = create(tool, server, &zstd)?;
    let zstd_bytes = std::fs::metadata(&zstd)?.len();
    table.add("create, zstd", &ours_zstd, Some(zstd_bytes));
    table.goal(Goal::at_most("create zstd, wall vs upstream", ours_zstd.wall / theirs.measured.wall, 0.2));
    table.goal(Goal::at_most("create zstd, size vs upstream", ratio(zstd_bytes, theirs.bytes), 0.9));
    std::fs::remove_file(&zstd)?;
    let gunzip = run(Command::new("gzip").args(["-t", gzip.as_str()]), &[0])?;
    table.add("gzip -t of our archive", &gunzip, None);
    let verify = run(Command::new(tool).args(["verify", "--full", "--no-progress", "-q", gzip.as_str()]), &[0])?;
    table.add("verify --full", &verify, None);
    table.goal(Goal::at_most("verify --full vs gzip -t, wall", verify.wall / gunzip.wall, 0.5));
    let mut inspect = run(Command::new(tool).args(["inspect", "--json", gzip.as_str()]), &[0])?;
    for _ in 0..4 {
        let again = run(Command::new(tool).args(["inspect", "--json", gzip.as_str()]), &[0])?;
        inspect.wall = inspect.wall.min(again.wall);
    }
    table.add("inspect, best of 5", &inspect, None);
    table.goal(Goal::at_most("inspect, in ms", inspect.wall * 1000.0, 50.0));
    settle(server)?;
    let restore = upstream::restore(server, &theirs.archive, work)?;
    table.add("upstream: tar -xz twice, dropdb, createdb, pg_restore", &restore, None);
    settle(server)?;
    let command = ["restore", gzip.as_str(), "--yes", "--no-progress", "-q"];
    let ours = run(Command::new(tool).args(server.flags()).args(command), &[0, 1])?;
    table.add("restore", &ours, None);
    table.goal(Goal::at_most("restore, wall vs upstream", ours.wall / restore.wall, 0.65));
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
