//! The table of contents of a live database, as pg_dump makes it.

use std::io::{BufReader, Read};
use std::process::{Child, Command, Stdio};

use camino::Utf8Path;

use crate::postgres::ConnectOptions;
use crate::postgres::dump::Toc;
use crate::{Error, ErrorKind, Result};

/// Asks pg_dump for the table of contents of a snapshot and for nothing else.
///
/// In the custom format pg_dump writes the whole table of contents before the first row. Once it is read pg_dump is
/// stopped, and the rows are read over parallel connections on the same snapshot. Written in the directory format this
/// table of contents is byte for byte what `pg_dump --format=directory` writes (tested with every major at hand).
pub fn read_live_toc(pg_dump: &Utf8Path, options: &ConnectOptions, snapshot: &str) -> Result<Toc> {
    let mut command = Command::new(pg_dump);
    command
        .args(["--format=custom", "--compress=0", "--no-password", "--lock-wait-timeout=60000"])
        .arg(format!("--snapshot={snapshot}"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    options.apply_to_command(&mut command)?;
    let child = command
        .spawn()
        .map_err(|error| Error::io("run", pg_dump, error).with_hint("install the PostgreSQL client programs"))?;
    let mut running = Running(child);
    let stdout = running.0.stdout.take().ok_or_else(|| Error::new(ErrorKind::Io, "pg_dump has no output"))?;
    let stderr = running.0.stderr.take();
    // Read beside: a pg_dump with much to warn about must not block on a full pipe.
    let complaints = std::thread::spawn(move || {
        let mut text = Vec::new();
        if let Some(stderr) = stderr {
            let _ = stderr.take(64 << 10).read_to_end(&mut text);
        }
        String::from_utf8_lossy(&text).trim().to_owned()
    });
    let toc = Toc::read(BufReader::with_capacity(256 << 10, stdout));
    drop(running);
    let complaints = complaints.join().unwrap_or_default();
    let mut toc = match toc {
        Ok(toc) => toc,
        Err(error) if complaints.is_empty() => return Err(error),
        Err(_) => {
            return Err(Error::new(ErrorKind::Postgres, format!("{pg_dump} failed: {complaints}"))
                .with_hint("the role must be able to read every table; see the message of pg_dump"));
        }
    };
    for entry in &mut toc.entries {
        entry.file = match (entry.has_data, entry.desc.as_deref()) {
            (false, _) => None,
            (true, Some("BLOBS")) => Some("blobs.toc".to_owned()),
            (true, _) => Some(format!("{}.dat", entry.dump_id)),
        };
    }
    Ok(toc)
}

/// A child that does not outlive its use.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
