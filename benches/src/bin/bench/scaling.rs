//! How an export, and the import of it, grow with the organisation.

use camino::Utf8Path;
use zulip_backup_examples::SampleHost;

use crate::measure::Measured;
use crate::table::{Goal, Table};
use crate::{Result, export, host, import, mebibytes};

/// Bytes of the uploads of every size: what is looked at is the messages.
const UPLOADS_BYTES: u64 = 32 << 20;

/// How often each size is measured.
const ROUNDS: usize = 2;

/// What one size took.
struct Size {
    messages: u64,
    measured: Measured,
}

impl Size {
    #[expect(clippy::cast_precision_loss, reason = "shown with two digits")]
    fn microseconds_each(&self) -> f64 {
        self.measured.wall * 1e6 / self.messages as f64
    }

    /// What it may have in memory: 128 MiB, and 8 bytes for the id of each message.
    fn memory_limit(&self) -> u64 {
        (128 << 20) + 8 * self.messages
    }
}

/// Servers of all sizes, one after the other; the first is what the others are compared with.
pub(crate) fn measure(tool: &Utf8Path, work: &Utf8Path, sizes: &[u64], table: &mut Table) -> Result<()> {
    let mut first: Option<Size> = None;
    let mut imported: Option<f64> = None;
    for &messages in sizes {
        let root = work.join("server");
        let server = host::start_to_read(&root, messages, UPLOADS_BYTES)?;
        println!("{}", host::summary(&server));
        let directory = work.join("export");
        let size = one(tool, &server, &directory)?;
        // Two servers and an export would take half as much disk again.
        drop(server);
        std::fs::remove_dir_all(&root)?;
        import::scale(tool, &directory, size.messages, work, &mut imported, table)?;
        std::fs::remove_dir_all(&directory)?;
        let each = size.microseconds_each();
        table.add(&format!("export of {} messages, {each:.2} µs each", size.messages), &size.measured, None);
        let memory = size.measured.peak_bytes;
        table.goal(Goal::at_most(
            format!("peak memory of {} messages in MiB", size.messages),
            mebibytes(memory),
            mebibytes(size.memory_limit()),
        ));
        match &first {
            None => first = Some(size),
            Some(first) => {
                let name = format!("time a message, {} messages vs {}", size.messages, first.messages);
                table.goal(Goal::at_most(name, each / first.microseconds_each(), 1.2));
            }
        }
    }
    Ok(())
}

/// What exports take; the last one stays in `directory`.
fn one(tool: &Utf8Path, server: &SampleHost, directory: &Utf8Path) -> Result<Size> {
    host::settle(server)?;
    let (realm, messages) = export::largest_realm(server)?;
    let mut best: Option<Measured> = None;
    for round in 0..ROUNDS {
        if round > 0 {
            std::fs::remove_dir_all(directory)?;
            host::flush()?;
        }
        best = Some(Measured::best(best, export::export(tool, server, realm, directory)?));
    }
    let measured = best.ok_or("nothing was measured")?;
    Ok(Size { messages, measured })
}
