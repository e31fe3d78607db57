//! PostgreSQL's own programs: `pg_restore` and `psql`.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Instant;

use camino::{Utf8Path, Utf8PathBuf};

use super::dictionaries::missing_dictionaries;
use super::{DumpFile, DumpKind, LoadOptions, LoadReport, toc};
use crate::postgres::dump::Toc;
use crate::postgres::{ConnectOptions, Programs};
use crate::restore::APPLICATION;
use crate::{Error, ErrorKind, Progress, Result, fs, process};

/// Loads a dump on disk.
pub(super) fn load(
    file: &DumpFile,
    target: &ConnectOptions,
    programs: &Programs,
    options: &LoadOptions,
    jobs: usize,
    progress: &dyn Progress,
) -> Result<LoadReport> {
    let begun = Instant::now();
    let mut report = LoadReport::default();
    match file.toc()? {
        Some(mut contents) => {
            report.method.push_str("pg_restore");
            let prepared = Prepared::new(&mut contents, Some(file), target, options)?;
            report.left_out.clone_from(&prepared.left_out);
            prepared.pg_restore(programs, target, &[&format!("--jobs={jobs}")], jobs, progress)?;
        }
        None => {
            report.method.push_str("psql");
            psql(file, target, programs, progress)?;
        }
    }
    report.seconds.push(("database", begun.elapsed().as_secs_f64()));
    Ok(report)
}

/// How much memory the making of one index may take. Sorting in more is slower: 6 million rows of two integers took 5.6 s in
/// 64 MiB and 7.0 s in 256, because what does not fit a processor's cache is better merged than sorted.
pub(super) const INDEX_MEMORY: &str = "64MB";

/// What `pg_restore` is given: a dump that its user can read, with a table of contents that fits the target.
pub(super) struct Prepared {
    /// Holds everything below until it is done.
    scratch: fs::Scratch,
    dump: Utf8PathBuf,
    arguments: Vec<String>,
    pub(super) left_out: Vec<String>,
}

impl Prepared {
    /// Without a file, the dump is the table of contents alone.
    pub(super) fn new(
        contents: &mut Toc,
        file: Option<&DumpFile>,
        target: &ConnectOptions,
        options: &LoadOptions,
    ) -> Result<Self> {
        let owner = target.run_as.as_ref().filter(|user| !user.is_current()).map(|user| (user.uid, user.gid));
        let scratch = fs::Scratch::new(&fs::temp_dir(), owner)?;
        let gone = if options.leave_out_missing_dictionaries {
            let mut client = target.connect(APPLICATION)?;
            toc::dependents(contents, &missing_dictionaries(contents, &mut client)?.into_keys().collect())
        } else {
            BTreeSet::new()
        };
        let is_gone = |id: i64| gone.contains(&id);
        let left_out = contents.entries.iter().filter(|entry| is_gone(entry.dump_id)).map(toc::shown).collect();
        let mut arguments = Vec::new();
        let readable = |path: &Utf8Path| target.run_as.as_ref().map_or(Ok(true), |user| may_read(user, path));
        let dump = match file {
            Some(file) if file.kind == DumpKind::Custom => {
                if options.owner.as_deref().is_some_and(|owner| toc::main_owner(contents).as_deref() != Some(owner)) {
                    // The table of contents of this format cannot be exchanged.
                    arguments.push("--no-owner".to_owned());
                    arguments.extend(options.owner.iter().map(|owner| format!("--role={owner}")));
                }
                if !gone.is_empty() {
                    let kept = contents.entries.iter().filter(|entry| !is_gone(entry.dump_id));
                    let list: String = kept.map(|entry| format!("{};\n", entry.dump_id)).collect();
                    let path = scratch.path().join("list");
                    fs::write_new(&path, &mut list.as_bytes(), owner)?;
                    arguments.push(format!("--use-list={path}"));
                }
                if readable(&file.path)? {
                    fs::canonicalize(&file.path)?
                } else {
                    let copy = scratch.path().join("dump");
                    fs::write_new(&copy, &mut fs::open(&file.path)?, owner)?;
                    copy
                }
            }
            file => {
                if let Some(owner) = &options.owner {
                    toc::hand_over(contents, owner);
                }
                contents.entries.retain(|entry| !is_gone(entry.dump_id));
                fs::write_new(&scratch.path().join("toc.dat"), &mut contents.write_directory().as_slice(), owner)?;
                if let Some(file) = file {
                    let directory = fs::canonicalize(&file.path)?;
                    for name in fs::list(&directory)?.iter().filter(|name| *name != "toc.dat") {
                        let (from, to) = (directory.join(name), scratch.path().join(name));
                        if readable(&from)? {
                            fs::link(&from, &to)?;
                        } else {
                            fs::write_new(&to, &mut fs::open(&from)?, owner)?;
                        }
                    }
                }
                scratch.path().to_owned()
            }
        };
        Ok(Self { scratch, dump, arguments, left_out })
    }

    /// Runs `pg_restore`; the first error of any statement ends it.
    pub(super) fn pg_restore(
        &self,
        programs: &Programs,
        target: &ConnectOptions,
        arguments: &[&str],
        jobs: usize,
        progress: &dyn Progress,
    ) -> Result<()> {
        let mut command = Command::new(programs.path("pg_restore"));
        command.args(["--exit-on-error", "--no-password"]).args(&self.arguments).args(arguments);
        command.arg(format!("--dbname={}", target.dbname.as_deref().unwrap_or_default()));
        command.arg("--").arg(&self.dump).stdin(Stdio::null());
        // Directories of ours may be closed to its user.
        command.current_dir(self.scratch.path());
        prepare(&mut command, target, jobs)?;
        process::spawn(command, ErrorKind::Postgres)?.finish_unless_cancelled(progress).map(|_| ())
    }
}

/// Whether the user can reach and read a file.
fn may_read(user: &process::SystemUser, path: &Utf8Path) -> Result<bool> {
    if user.is_current() {
        return Ok(true);
    }
    let path = fs::canonicalize(path)?;
    for directory in path.ancestors().skip(1) {
        if !user.may(1, directory)? {
            return Ok(false);
        }
    }
    user.may(4, &path)
}

fn psql(file: &DumpFile, target: &ConnectOptions, programs: &Programs, progress: &dyn Progress) -> Result<()> {
    let mut command = Command::new(programs.path("psql"));
    command.args([
        "--no-psqlrc",
        "--quiet",
        "--no-password",
        "--set=ON_ERROR_STOP=1",
        "--output=/dev/null",
        "--file=-",
    ]);
    // An open file needs no permission of psql's user.
    command.stdin(match file.kind {
        DumpKind::PlainGzip => {
            let parent = file.path.parent().filter(|parent| fs::may_change(parent)).map(Utf8Path::to_owned);
            let mut script = tempfile::tempfile_in(parent.unwrap_or_else(fs::temp_dir))
                .map_err(|error| Error::io("create a file beside", &file.path, error))?;
            let mut text = flate2::read::MultiGzDecoder::new(fs::open(&file.path)?);
            std::io::copy(&mut text, &mut script).map_err(|error| {
                Error::new(ErrorKind::Damaged, format!("{} cannot be decompressed", file.path))
                    .with_path(&file.path)
                    .with_source(error)
            })?;
            script
                .flush()
                .and_then(|()| std::io::Seek::rewind(&mut script))
                .map_err(|error| Error::io("read", &file.path, error))?;
            Stdio::from(script)
        }
        _ => Stdio::from(fs::open(&file.path)?),
    });
    command.current_dir("/");
    prepare(&mut command, target, 1)?;
    process::spawn(command, ErrorKind::Postgres)?.finish_unless_cancelled(progress).map(|_| ())
}

/// The connection, and settings that matter while much is written.
fn prepare(command: &mut Command, target: &ConnectOptions, jobs: usize) -> Result<()> {
    target.apply_to_command(command)?;
    command.env("PGAPPNAME", APPLICATION);
    command.env(
        "PGOPTIONS",
        format!(
            "-c synchronous_commit=off -c statement_timeout=0 -c lock_timeout=0 -c maintenance_work_mem={INDEX_MEMORY} \
             -c max_parallel_maintenance_workers={}",
            // Several connections use the processors already.
            if jobs > 1 { 0 } else { 2 }
        ),
    );
    Ok(())
}
