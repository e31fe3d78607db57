//! The sample server that is measured.

use std::process::Command;

use camino::Utf8Path;
use zulip_backup_core::postgres::{Cluster, ClusterBuilder, Durability};
use zulip_backup_core::units;
use zulip_backup_examples::{SampleHost, SampleOptions};

use crate::Result;

/// PostgreSQL with its own defaults for durability and the memory that an administrator gives it, and a sample Zulip
/// server.
pub(crate) fn start(root: &Utf8Path, messages: u64, uploads_bytes: u64) -> Result<SampleHost> {
    with(root, messages, uploads_bytes, tuned(Durability::Durable))
}

/// The same as [`start`], for what only reads the database: loaded without a log of what is written, which ten million
/// messages would make as large as the database.
pub(crate) fn start_to_read(root: &Utf8Path, messages: u64, uploads_bytes: u64) -> Result<SampleHost> {
    with(root, messages, uploads_bytes, tuned(Durability::ThrowAway))
}

/// PostgreSQL as it comes: 128 MiB of shared buffers, a checkpoint at least after each gibibyte of its log.
pub(crate) fn start_untuned(root: &Utf8Path, messages: u64, uploads_bytes: u64) -> Result<SampleHost> {
    with(root, messages, uploads_bytes, untuned())
}

/// Another server, with hardly a message, and other organisations: what another's are imported into. Its PostgreSQL is as
/// it comes.
pub(crate) fn start_other(root: &Utf8Path) -> Result<SampleHost> {
    let options = SampleOptions { seed: 2, messages: 100, uploads_bytes: 1 << 20, ..SampleOptions::default() };
    Ok(SampleHost::start(root, &options, untuned())?)
}

fn with(root: &Utf8Path, messages: u64, uploads_bytes: u64, cluster: ClusterBuilder) -> Result<SampleHost> {
    let options = SampleOptions { seed: 1, messages, uploads_bytes, ..SampleOptions::default() };
    Ok(SampleHost::start(root, &options, cluster)?)
}

fn tuned(durability: Durability) -> ClusterBuilder {
    untuned().durability(durability).setting("shared_buffers", "1GB").setting("max_wal_size", "4GB")
}

fn untuned() -> ClusterBuilder {
    Cluster::builder().durability(Durability::Durable).autovacuum(true)
}

/// One line about it.
pub(crate) fn summary(host: &SampleHost) -> String {
    let (major, messages, uploads) = (host.cluster().major(), host.sample().options().messages, host.uploads());
    let (rows, files, bytes) = (host.rows(), uploads.files, units::bytes(uploads.bytes));
    format!("server     PostgreSQL {major}, {messages} messages, {rows} rows, {files} files of {bytes}")
}

/// Lets the server do what the step before left to it: vacuuming and writing out millions of new rows would otherwise be
/// charged to the step that comes next.
pub(crate) fn settle(server: &SampleHost) -> Result<()> {
    server.database().connect("bench")?.batch_execute("VACUUM (ANALYZE)")?;
    server.cluster().connect_options("postgres").connect("bench")?.batch_execute("CHECKPOINT")?;
    flush()
}

/// Writes out the files of the step before.
pub(crate) fn flush() -> Result<()> {
    let flushed = Command::new("sync").status()?;
    if flushed.success() { Ok(()) } else { Err("sync failed".into()) }
}

/// A client program of the server's own version, told where the server is.
pub(crate) fn program(server: &SampleHost, name: &str) -> Result<Command> {
    let mut command = Command::new(server.cluster().programs().path(name));
    server.database().apply_to_command(&mut command)?;
    Ok(command)
}
