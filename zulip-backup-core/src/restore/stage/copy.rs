//! A directory that lies somewhere, copied.

use std::os::unix::fs::MetadataExt;

use camino::Utf8Path;

use crate::fs::{Attributes, Unpacker, Walk, WalkKind, open_for_backup};
use crate::restore::stage::{Staged, unpack_options};
use crate::{Error, Finding, Progress, Result};

/// Copies what is below `from`, links followed as a backup follows them.
pub(super) fn copy(from: &Utf8Path, to: &Utf8Path, staged: &mut Staged, progress: &dyn Progress) -> Result<()> {
    let unpacker = Unpacker::new(to, unpack_options())?;
    for entry in Walk::new(from)? {
        progress.checkpoint()?;
        let found = &entry.metadata;
        let attributes = Attributes {
            mode: found.mode(),
            uid: u64::from(found.uid()),
            gid: u64::from(found.gid()),
            mtime: u64::try_from(found.mtime()).unwrap_or(0),
        };
        let failed = |error| Error::io("copy", from.join(entry.relative.escape_ascii().to_string()), error);
        match &entry.kind {
            WalkKind::Directory => unpacker.directory(&entry.relative, attributes)?,
            WalkKind::File => {
                let mut source = open_for_backup(&entry.path).map_err(failed)?;
                let mut file = unpacker.file(&entry.relative)?;
                staged.bytes += std::io::copy(&mut source, &mut file).map_err(failed)?;
                staged.files += 1;
                file.commit(&attributes)?;
            }
            WalkKind::BrokenLink { target, .. } => staged.findings.push(Finding::warning(
                "broken-link",
                entry.relative.escape_ascii().to_string(),
                format!("is a link to {target}, which leads nowhere: not copied"),
            )),
            WalkKind::Special => {}
            WalkKind::Unreadable(why) => return Err(failed(std::io::Error::other(why.clone()))),
        }
    }
    unpacker.finish()
}
