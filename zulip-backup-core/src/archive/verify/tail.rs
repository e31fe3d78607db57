//! The archive's own two members and the end of the tar stream, as other tools see them.

use std::io::Read;

use crate::archive::tar_reader::{End, TarReader};
use crate::archive::{ArchiveManifest, IndexedArchive, member};
use crate::codec::detect;
use crate::{Finding, Result};

/// Reads everything from the index to the trailer as a plain tar stream; what is wrong with it comes back.
pub(super) fn check<M: ArchiveManifest>(archive: &IndexedArchive<M>) -> Result<Option<Finding>> {
    let facts = *archive.manifest().index();
    let (index, manifest) = (member::index(archive.root()), member::manifest(archive.root()));
    let bad = |name: &str, what: String| {
        let code = if name == index { "index-damaged" } else { "manifest-damaged" };
        Finding::error(code, name, what)
    };
    let end = archive.trailer().manifest_offset.saturating_add(archive.trailer().manifest_bytes);
    let mut tar = TarReader::new(archive.stream(facts.archive_offset, end)?);
    for (name, size) in [(index.as_str(), Some(facts.bytes)), (manifest.as_str(), None)] {
        match tar.next() {
            Ok(Some(raw)) if raw.name == name.as_bytes() && size.is_none_or(|size| size == raw.size) => {}
            Ok(Some(raw)) => {
                let found = raw.name.escape_ascii();
                return Ok(Some(bad(name, format!("has {found} of {} bytes in its place", raw.size))));
            }
            Ok(None) => return Ok(Some(bad(name, "is not where other tools look for it".to_owned()))),
            Err(error) => return Ok(Some(bad(name, format!("cannot be read by other tools: {error}")))),
        }
    }
    let finding = match tar.next() {
        Ok(None) if tar.end() == Some(End::Whole) => None,
        Ok(None) => Some("does not end with two zero blocks".to_owned()),
        Ok(Some(raw)) => Some(format!("is followed by a member {}", raw.name.escape_ascii())),
        Err(error) => Some(format!("is followed by what is no tar stream: {error}")),
    };
    if let Some(what) = finding {
        return Ok(Some(bad(&manifest, what)));
    }
    if tar.has_dirty_padding() {
        return Ok(Some(Finding::error("padding-differs", index, "is followed by something else than zeros")));
    }
    Ok(match tar.source_mut().read(&mut [0; 1]) {
        Ok(0) => None,
        Ok(_) => {
            Some(Finding::error("trailing-bytes", archive.path().as_str(), "goes on behind the end of its tar stream"))
        }
        Err(error) => Some(bad(&manifest, format!("is followed by what cannot be decompressed: {error}"))),
    })
}

/// Whether frames still begin at the front of the file and at the index: the cheap part of a look at all of them.
pub(super) fn first_frame<M: ArchiveManifest>(archive: &IndexedArchive<M>) -> Result<Option<Finding>> {
    if archive.manifest().index().frames == 0 {
        return Ok(None);
    }
    let mut magic = Vec::new();
    archive.bytes(0, 4).read_to_end(&mut magic).map_err(|error| crate::Error::io("read", archive.path(), error))?;
    Ok((detect(&magic) != Some(archive.compression())).then(|| {
        Finding::error("frame-damaged", "frame 0", format!("does not start as {} does", archive.compression()))
    }))
}
