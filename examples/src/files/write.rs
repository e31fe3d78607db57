//! Writing the tree.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::content::{self, Kind};
use super::plan::{FileEntry, Presence};
use crate::world::World;

/// What was written below the uploads directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadsReport {
    /// Regular files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Symbolic links.
    pub links: u64,
}

/// Writes every file below `root`, on two threads: the bytes of each follow from its number alone.
pub(crate) fn write_uploads(world: &World, root: &Path) -> io::Result<UploadsReport> {
    fs::create_dir_all(root)?;
    let half = |part: usize| {
        let mut report = UploadsReport::default();
        for entry in world.files.entries.iter().skip(part).step_by(2) {
            write_entry(world, root, entry, &mut report)?;
        }
        Ok::<_, io::Error>(report)
    };
    let (first, second) = std::thread::scope(|scope| {
        let second = scope.spawn(|| half(1));
        let first = half(0);
        (first, second.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    });
    let (mut report, second) = (first?, second?);
    report.files += second.files;
    report.bytes += second.bytes;
    for image in super::images(world) {
        write_file(&root.join(image.path), image.kind, world.options.seed, image.number, image.size, &mut report)?;
    }
    write_links(world, root, &mut report)?;
    Ok(report)
}

fn write_entry(world: &World, root: &Path, entry: &FileEntry, report: &mut UploadsReport) -> io::Result<()> {
    if entry.presence == Presence::Missing {
        return Ok(());
    }
    let seed = world.options.seed;
    let path = root.join("files").join(&entry.path_id);
    write_file(&path, entry.kind, seed, entry.number, entry.size, report)?;
    if entry.presence == Presence::Whole && entry.kind.is_image() {
        let thumbnail = root.join("files/thumbnail").join(&entry.path_id).join("840x560.webp");
        write_file(&thumbnail, Kind::Webp, seed, entry.number | 1 << 48, thumbnail_size(entry), report)?;
    }
    if entry.presence == Presence::Whole && entry.number.is_multiple_of(5) {
        // What tusd leaves beside a resumable upload, for good.
        let mut info = path.into_os_string();
        info.push(".info");
        let text = serde_json::json!({
            "ID": entry.path_id, "Size": entry.size, "Offset": entry.size, "IsPartial": false, "IsFinal": false,
            "MetaData": {"filename": entry.name, "realm_id": world.realms[entry.realm].id.to_string()},
        })
        .to_string();
        fs::write(info, &text)?;
        report.files += 1;
        report.bytes += text.len() as u64;
    }
    Ok(())
}

/// Bytes of an image's thumbnail.
pub(crate) fn thumbnail_size(entry: &FileEntry) -> u64 {
    600 + entry.size / 20
}

fn write_links(world: &World, root: &Path, report: &mut UploadsReport) -> io::Result<()> {
    let realm = root.join(format!("avatars/{}/realm", world.realms[World::MAIN].id));
    // An administrator who wants the day's logo at night too.
    symlink("logo.png", realm.join("logo-copy.png"))?;
    report.links += 1;
    if world.options.odd_links {
        symlink("nowhere.png", realm.join("dangling.png"))?;
        symlink("/etc/hostname", realm.join("outside.png"))?;
        report.links += 2;
    }
    if world.options.odd_name {
        let directory = root.join(format!("files/{}/0/odd-odd-odd-odd-odd-odd-0", world.realms[World::MAIN].id));
        let path = directory.join(OsStr::from_bytes(b"caf\xE9.txt"));
        write_file(&path, Kind::Text, world.options.seed, 1 << 50, 500, report)?;
    }
    Ok(())
}

fn write_file(
    path: &Path,
    kind: Kind,
    seed: u64,
    number: u64,
    size: u64,
    report: &mut UploadsReport,
) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut out = BufWriter::with_capacity(0, File::create(path)?);
    content::write(&mut out, kind, seed, number, size)?;
    out.flush()?;
    report.files += 1;
    report.bytes += size;
    Ok(())
}
