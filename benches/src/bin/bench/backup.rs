//! `create`, `verify`, `inspect` and `restore` beside what upstream runs for a whole server.

use std::process::Command;

use camino::Utf8Path;
use zulip_backup_examples::SampleHost;

use crate::host::settle;
use crate::measure::{Measured, best_of, run};
use crate::table::{Goal, Table};
use crate::{Result, mebibytes, ratio, upstream};

/// One backup, as gzip.
pub(crate) fn create(tool: &Utf8Path, server: &SampleHost, output: &Utf8Path) -> Result<Measured> {
    run(
        Command::new(tool).args(server.flags()).args(["create", "--no-progress", "-q", "--output", output.as_str()]),
        &[0, 1],
    )
}

/// Both sides of everything; `small` is a backup of a tenth of the data.
pub(crate) fn measure(
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
    let inspect = best_of(5, || run(Command::new(tool).args(["inspect", "--json", gzip.as_str()]), &[0]))?;
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
