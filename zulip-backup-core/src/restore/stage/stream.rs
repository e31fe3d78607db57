//! An archive without an index: read once, each part to where it is wanted.

use std::io::{Read, Write};

use crate::archive::{EntryKind, Member, Section, StreamArchive, attributes, member};
use crate::fs::{Attributes, OwnerNames, Ownership, UnpackOptions, Unpacker};
use crate::restore::plan::RestorePlan;
use crate::restore::stage::{clear, prefix, unpack_options, unpack_place};
use crate::restore::trees::TreeMove;
use crate::{Error, ErrorKind, Finding, Progress, Result, Task, fs};

/// The task told to [`Progress`]: bytes of the archive's file.
const TASK: &str = "unpack archive";

/// One of the destinations.
struct Part {
    section: Section,
    prefix: &'static str,
    unpacker: Unpacker,
}

/// Unpacks everything that is wanted.
pub(in crate::restore) fn unpack(
    plan: &RestorePlan,
    archive: &StreamArchive,
    trees: &[TreeMove],
    progress: &dyn Progress,
) -> Result<Vec<Finding>> {
    let mut parts = Vec::new();
    for tree in trees {
        clear(tree)?;
        let (prefix, section) = prefix(tree.kind);
        parts.push(Part { section, prefix, unpacker: Unpacker::new(&unpack_place(tree), unpack_options())? });
    }
    if let Some(dump) = &plan.journal.dump_dir {
        fs::remove_tree(dump)?;
        fs::create_private_dirs(dump)?;
        let user = plan.admin.as_ref().and_then(|admin| admin.system_user());
        let mut options = UnpackOptions::default();
        if let Some(user) = user {
            fs::chown(dump, user.uid, user.gid)?;
            options = options.ownership(Ownership::Given { uid: user.uid, gid: user.gid });
        }
        parts.push(Part {
            section: Section::Database,
            prefix: member::DATABASE,
            unpacker: Unpacker::new(dump, options)?,
        });
    }
    progress.begin(Task::bytes(TASK, Some(archive.file_bytes())));
    let owners = OwnerNames::load();
    let mut findings = Vec::new();
    let mut strange = Vec::new();
    archive.each(
        |found, content| {
            progress.checkpoint()?;
            let part = parts.iter().find(|part| {
                Section::of(&found.name) == Some(part.section) && found.name.is_in(part.prefix.as_bytes())
            });
            if let Some(part) = part {
                let attributes = attributes(found, &owners);
                put(&parts, part, found, content, &attributes, &mut findings)?;
            }
            Ok(true)
        },
        |finding| strange.push(finding),
        |read| {
            progress.advance(TASK, read);
            progress.checkpoint()
        },
    )?;
    for part in parts {
        part.unpacker.finish()?;
    }
    progress.end(TASK);
    if !strange.is_empty() {
        return Err(Error::new(ErrorKind::Damaged, format!("{} holds what no backup may hold", archive.path()))
            .with_reasons(strange));
    }
    Ok(findings)
}

fn put(
    parts: &[Part],
    part: &Part,
    found: &Member,
    content: &mut dyn Read,
    attributes: &Attributes,
    findings: &mut Vec<Finding>,
) -> Result<()> {
    let Some(place) = found.name.below(part.prefix.as_bytes()).filter(|place| !place.is_empty()) else { return Ok(()) };
    let failed = |error| Error::io("write", part.unpacker.path().join(found.name.to_string()), error);
    match &found.kind {
        EntryKind::Directory => part.unpacker.directory(place, *attributes)?,
        EntryKind::File => {
            let mut file = part.unpacker.file(place)?;
            std::io::copy(content, &mut file).map_err(failed)?;
            file.flush().map_err(failed)?;
            file.commit(attributes)?;
        }
        EntryKind::Symlink(target) => match part.unpacker.symlink(place, target.0.as_bytes()) {
            Err(error) if error.kind() == ErrorKind::Refused => {
                findings.push(Finding::warning("link-not-made", found.name.to_string(), error.to_string()));
            }
            made => made?,
        },
        // GNU tar stores the second name of a file as a link to the first, also where `-h` found one file in settings
        // and uploads: within a part it is a link again, between parts a copy.
        EntryKind::Hardlink(target) => {
            if let Some(target_place) = target.below(part.prefix.as_bytes()).filter(|place| !place.is_empty()) {
                part.unpacker.hardlink(place, target_place)?;
            } else {
                let other = parts.iter().find(|part| target.is_in(part.prefix.as_bytes()));
                let source = other.and_then(|other| {
                    Some(other.unpacker.path().join(std::str::from_utf8(target.below(other.prefix.as_bytes())?).ok()?))
                });
                let Some(source) = source else {
                    return Err(Error::new(
                        ErrorKind::Refused,
                        format!("{} shares its content with {target}, which is not restored", found.name),
                    )
                    .with_hint("restore both parts together"));
                };
                let mut file = part.unpacker.file(place)?;
                std::io::copy(&mut fs::open(&source)?, &mut file).map_err(failed)?;
                file.commit(attributes)?;
            }
        }
    }
    Ok(())
}
