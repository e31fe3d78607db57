//! The comparison from beginning to end.

use std::time::Instant;

use camino::Utf8Path;

use crate::diff::index::{Index, TASK};
use crate::diff::{DiffOptions, DiffReport, compare, keys, renumbered};
use crate::package::Package;
use crate::{Progress, Result, Task, fs, process};

/// Compares the exports `a` and `b`: directories, or tarballs of them. `stats.json` is left out, since the rows it counts
/// are compared.
///
/// Memory: 16 bytes for each row of either export, the names of its files, and a few rows. With
/// [`DiffOptions::renumbered`], 24 bytes for each message of either, 16 for other rows of tables that others name and
/// for rows that only their order tells apart, a few megabytes for all others; and 24 bytes for each row near one that
/// differs.
///
/// # Errors
/// `Damaged` for what is no export or cannot be read to its end, `Interrupted`, and what the disk answers. With
/// [`DiffOptions::renumbered`], `Usage` for an export of a single user.
pub fn diff(a: &Utf8Path, b: &Utf8Path, options: &DiffOptions, progress: &dyn Progress) -> Result<DiffReport> {
    let started = Instant::now();
    let mut report = DiffReport { a: a.to_owned(), b: b.to_owned(), ..DiffReport::default() };
    let packages = [Package::open(a)?, Package::open(b)?];
    if fs::canonicalize(a)? != fs::canonicalize(b)? {
        let jobs = process::threads(options.jobs).get();
        progress.begin(Task::bytes(TASK, None));
        let [first, second] = &packages;
        if options.renumbered {
            renumbered::compare([first, second], options.limit, jobs, &mut report, progress)?;
        } else {
            let one = Index::read(first, jobs, progress)?;
            let other = Index::read(second, jobs, progress)?;
            compare::compare(&one, &other, options.limit, &mut report);
            drop((one, other));
            keys::name([first, second], &mut report.lists, jobs, progress)?;
        }
        progress.end(TASK);
    }
    report.seconds = started.elapsed().as_secs_f64();
    Ok(report)
}
