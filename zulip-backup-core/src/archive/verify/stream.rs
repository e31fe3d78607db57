//! Proving an archive that is read front to back.

use std::io::Read;
use std::sync::{Mutex, PoisonError};

use crate::archive::names::NameMap;
use crate::archive::tar_reader::TarReader;
use crate::archive::verify::collector::{AT_THE_END, Collector};
use crate::archive::verify::content::Content;
use crate::archive::verify::database::Parts;
use crate::archive::verify::indexed::{Sections, compare_sections, count, duplicate, index_damage, settle};
use crate::archive::verify::report::ArchiveKind;
use crate::archive::verify::{TASK, VerifyOptions, VerifyReport};
use crate::archive::{
    EntryKind, IndexLine, IndexReader, IndexedArchive, Manifest, Member, MemberName, StreamArchive, StreamEnd, member,
};
use crate::codec::most_bytes;
use crate::codec::{Digest, Hasher, StreamDecoder};
use crate::{Error, ErrorKind, Finding, Progress, Result};

pub(super) fn verify(
    archive: &StreamArchive,
    options: &VerifyOptions,
    progress: &dyn Progress,
) -> Result<VerifyReport> {
    let read = read(archive, None, progress)?;
    let mut report = VerifyReport {
        archive: archive.path().to_owned(),
        kind: ArchiveKind::Stream,
        compression: archive.compression(),
        depth: options.depth,
        format: None,
        archive_bytes: archive.file_bytes(),
        tar_bytes: 0,
        members: 0,
        frames: 0,
        tables: Vec::new(),
        findings: crate::Findings::default(),
        seconds: 0.0,
    };
    read.fill(&mut report);
    Ok(report)
}

/// Goes on with the whole file where the index of `archive` is of no use. What is known already is not said again.
pub(super) fn after_index_damage(
    archive: &IndexedArchive,
    report: &mut VerifyReport,
    progress: &dyn Progress,
) -> Result<()> {
    let mut known = std::mem::take(&mut report.findings);
    read(&archive.as_stream()?, Some(archive.manifest()), progress)?.fill(report);
    let mut more = std::mem::take(&mut report.findings);
    more.list.retain(|finding| {
        let repeated = known.list.iter().any(|other| (&other.code, &other.object) == (&finding.code, &finding.object));
        if repeated && let Some(count) = more.counts.iter_mut().find(|count| count.code == finding.code) {
            count.count = count.count.saturating_sub(1);
        }
        !repeated
    });
    more.counts.retain(|count| count.count > 0);
    known.extend(more);
    report.findings = known;
    Ok(())
}

/// What a reading came to.
struct Reading {
    end: StreamEnd,
    manifest: Option<Manifest>,
    tables: Vec<crate::archive::verify::TableCheck>,
    findings: crate::Findings,
}

impl Reading {
    fn fill(self, report: &mut VerifyReport) {
        report.tar_bytes = self.end.tar_bytes;
        report.members = self.end.members;
        report.format = report.format.or(self.manifest.map(|manifest| manifest.format));
        report.tables = self.tables;
        report.findings = self.findings;
    }
}

/// What gathers while the members go by.
struct Seen {
    /// Every member, to see the second of a name.
    names: NameMap<()>,
    /// Members that no index has listed yet, with the first half of their SHA-256; zeros for what is no file.
    unlisted: NameMap<[u8; 16]>,
    /// Directories that no index has listed yet.
    directories: NameMap<()>,
    /// What an index has listed and was not there yet: other tools write members in any order.
    absent: NameMap<[u8; 16]>,
    sections: Sections,
    index: Option<IndexSeen>,
    manifest: Option<Vec<u8>>,
}

struct IndexSeen {
    digest: Digest,
    bytes: u64,
}

/// Reads all of `archive`. `manifest`: the archive's own, where it is known from a trailer that is whole.
fn read(archive: &StreamArchive, manifest: Option<&Manifest>, progress: &dyn Progress) -> Result<Reading> {
    let collector = Collector::new(progress);
    let parts = Mutex::new(Parts::default());
    let limit = most_bytes(archive.file_bytes());
    let mut seen = Seen {
        names: NameMap::new(),
        unlisted: NameMap::new(),
        absent: NameMap::new(),
        directories: NameMap::new(),
        sections: Sections::new(),
        index: None,
        manifest: None,
    };
    let mut buffer = vec![0; 128 << 10];
    // Findings stand in the order they are made: all come from this thread.
    let push = |finding: Finding| collector.push(0, finding);
    archive.tail_damage().cloned().into_iter().for_each(push);
    let result = archive.each(
        |member, content| {
            if is_proof(member) {
                return proof(member, content, &mut seen, &push).map(|()| true);
            }
            if let EntryKind::Hardlink(target) = &member.kind
                && !seen.names.contains(target)
            {
                push(Finding::error(
                    "link-target-missing",
                    member.name.to_string(),
                    format!("is a hard link to {target}, which is not before it"),
                ));
            }
            count(&mut seen.sections, member);
            parts.lock().unwrap_or_else(PoisonError::into_inner).present(&member.name);
            let mut kind = Content::of(&member.name, limit);
            let digest = drain(content, &mut buffer, |bytes| kind.update(bytes))?;
            if member.is_file() {
                settle(member, kind.finish(), &parts, &push);
            }
            let digest = if member.is_file() { half(digest) } else { [0; 16] };
            if seen.names.insert(&member.name, ()).is_some() {
                push(duplicate(member));
                return Ok(true);
            }
            match seen.absent.remove(&member.name) {
                // Whoever packs again adds the directories that had no member.
                None if member.kind == EntryKind::Directory => {
                    seen.directories.insert(&member.name, ());
                }
                None => {
                    seen.unlisted.insert(&member.name, digest);
                }
                Some(listed) => compare_digests(&member.name, digest, listed, &push),
            }
            Ok(true)
        },
        push,
        |bytes| {
            progress.advance(TASK, bytes);
            progress.checkpoint()
        },
    );
    let end = match result {
        Ok(end) => end,
        Err(error) if error.kind() == ErrorKind::Damaged && !error.reasons().is_empty() => {
            error.reasons().iter().cloned().for_each(push);
            StreamEnd::default()
        }
        Err(error) => return Err(error),
    };
    // One that is known to be damaged proves nothing.
    let own = seen.manifest.as_deref().filter(|_| archive.tail_damage().is_none());
    let own = own.and_then(|bytes| match serde_json::from_slice::<Manifest>(bytes) {
        Ok(manifest) => Some(manifest),
        Err(error) => {
            push(Finding::error("manifest-damaged", member::MANIFEST, format!("is not understood: {error}")));
            None
        }
    });
    if manifest.is_none()
        && let Some(own) = &own
    {
        push(tail_finding(archive, own));
    }
    if let Some(manifest) = manifest.or(own.as_ref())
        && end.reached
    {
        compare_sections(&seen.sections, manifest, false, &collector);
        compare_index(archive, seen, manifest, &collector)?;
    }
    let parts = parts.into_inner().unwrap_or_else(PoisonError::into_inner);
    let tables = parts.check(manifest.or(own.as_ref()), end.reached, &collector);
    Ok(Reading { end, tables, manifest: own, findings: collector.finish() })
}

fn is_proof(member: &Member) -> bool {
    [member::INDEX, member::MANIFEST].iter().any(|name| name.as_bytes() == member.name.as_bytes())
}

/// Reads a member to its end; its digest comes back.
fn drain(content: &mut dyn Read, buffer: &mut [u8], mut take: impl FnMut(&[u8])) -> Result<Digest> {
    let mut digest = Hasher::new();
    loop {
        match content.read(buffer).map_err(unreadable)? {
            0 => return Ok(digest.finish()),
            read => {
                digest.update(&buffer[..read]);
                take(&buffer[..read]);
            }
        }
    }
}

/// Never seen by a caller: the stream puts its own error, with the place, in its stead.
fn unreadable(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Damaged, "the archive cannot be read").with_source(error)
}

fn half(digest: Digest) -> [u8; 16] {
    *digest.0.first_chunk().unwrap_or(&[0; 16])
}

/// Our own two members in an archive whose tail is gone or that other tools packed again.
fn proof(member: &Member, content: &mut dyn Read, seen: &mut Seen, push: &impl Fn(Finding)) -> Result<()> {
    if member.name.as_bytes() == member::MANIFEST.as_bytes() {
        let mut bytes = Vec::new();
        content.take(Manifest::MAX_BYTES).read_to_end(&mut bytes).map_err(unreadable)?;
        if seen.manifest.replace(bytes).is_some() {
            push(duplicate(member));
        }
        return Ok(());
    }
    let mut digest = Hashing { inner: content, digest: Hasher::new() };
    for line in IndexReader::new(&mut digest) {
        match line {
            Ok(IndexLine::Frame(_)) => {}
            Ok(IndexLine::Member(member)) => {
                if seen.directories.remove(&member.name).is_some() {
                    continue;
                }
                let listed = member.sha256.map_or([0; 16], half);
                match seen.unlisted.remove(&member.name) {
                    None => {
                        seen.absent.insert(&member.name, listed);
                    }
                    Some(found) => compare_digests(&member.name, found, listed, push),
                }
            }
            Err(error) => {
                push(index_damage(&error));
                break;
            }
        }
    }
    std::io::copy(&mut digest, &mut std::io::sink()).map_err(unreadable)?;
    let index = IndexSeen { digest: digest.digest.finish(), bytes: member.size };
    if seen.index.replace(index).is_some() {
        push(duplicate(member));
    }
    Ok(())
}

/// The index against the manifest, and the members that it does not list.
fn compare_index(
    archive: &StreamArchive,
    mut seen: Seen,
    manifest: &Manifest,
    collector: &Collector<'_>,
) -> Result<()> {
    let push = |finding: Finding| collector.push(AT_THE_END, finding);
    let Some(index) = seen.index.take() else {
        push(Finding::error("member-missing", member::INDEX, "is not in the archive, which has a manifest"));
        return Ok(());
    };
    let facts = manifest.index;
    if (index.bytes, index.digest) != (facts.bytes, facts.sha256) {
        let message = format!(
            "has {} bytes with SHA-256 {}, the manifest says {} with {}",
            index.bytes, index.digest, facts.bytes, facts.sha256
        );
        push(Finding::error("index-damaged", member::INDEX, message));
        return Ok(());
    }
    if seen.unlisted.len() + seen.absent.len() == 0 {
        return Ok(());
    }
    // Only what is left of their names is known: a second reading finds them by it.
    archive.each(
        |member, content| {
            if member.name.as_bytes() == member::INDEX.as_bytes() {
                // Where it cannot be read, the first reading has said so.
                for line in IndexReader::new(content).map_while(Result::ok) {
                    if let IndexLine::Member(listed) = line
                        && seen.absent.remove(&listed.name).is_some()
                    {
                        let message = "is in the index, not in the archive";
                        push(Finding::error("member-missing", listed.name.to_string(), message));
                    }
                }
            } else if seen.unlisted.remove(&member.name).is_some() {
                push(Finding::error("member-extra", member.name.to_string(), "is in the archive, not in its index"));
            }
            Ok(seen.unlisted.len() + seen.absent.len() > 0)
        },
        |_| {},
        |_| Ok(()),
    )?;
    Ok(())
}

fn compare_digests(name: &MemberName, found: [u8; 16], listed: [u8; 16], push: &impl Fn(Finding)) {
    if found != listed {
        let message = "has not the SHA-256 that the index says";
        push(Finding::error("digest-differs", name.to_string(), message));
    }
}

/// Why an archive with a manifest has no trailer: the frames of ours are where they were, or they are not.
fn tail_finding(archive: &StreamArchive, manifest: &Manifest) -> Finding {
    let path = archive.path().as_str();
    let frames_are_ours = || -> Option<bool> {
        let mut file = archive.file().try_clone().ok()?;
        std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(manifest.index.archive_offset)).ok()?;
        let stream = StreamDecoder::new(archive.compression(), std::io::BufReader::new(file)).ok()?;
        let raw = TarReader::new(stream).next().ok()??;
        Some(raw.name == member::INDEX.as_bytes())
    };
    if frames_are_ours().unwrap_or(false) {
        Finding::error("trailer-damaged", path, "has no trailer at its end, or a damaged one")
            .with_hint("the file was cut, joined or changed after it was written: copy it again, or use another one")
    } else {
        Finding::note("repacked", path, "was packed again by another program: it can only be read front to back")
    }
}

struct Hashing<'a> {
    inner: &'a mut dyn Read,
    digest: Hasher,
}

impl Read for Hashing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.digest.update(&buffer[..read]);
        Ok(read)
    }
}
