//! An export as a directory.

use std::io::Read;

use camino::{Utf8Path, Utf8PathBuf};

use crate::fs::{self, Walk, WalkKind};
use crate::package::{Go, Listing, Member, Visitor};
use crate::{Error, ErrorKind, Finding, Findings, Result};

/// The directory, and what was in it when it was opened.
#[derive(Debug)]
pub(super) struct Directory {
    root: Utf8PathBuf,
    listing: Listing,
}

impl Directory {
    pub(super) fn open(root: &Utf8Path) -> Result<Self> {
        let (mut members, mut findings) = (Vec::new(), Findings::default());
        // A directory behind a link is walked through; what is in it is no part of the export.
        let mut linked: Option<Vec<u8>> = None;
        for entry in Walk::new(root)? {
            let below = |directory: &Vec<u8>| {
                entry.relative.strip_prefix(directory.as_slice()).is_some_and(|rest| rest.starts_with(b"/"))
            };
            if linked.as_ref().is_some_and(below) {
                continue;
            }
            let shown = || entry.relative.escape_ascii().to_string();
            let Ok(name) = String::from_utf8(entry.relative.clone()) else {
                findings.push(Finding::error("hostile-name", shown(), "the file's name is not UTF-8"));
                continue;
            };
            match entry.kind {
                _ if entry.link.is_some() => {
                    findings.push(special(&name, "a symbolic link"));
                    linked = Some(entry.relative);
                }
                WalkKind::File => members.push(Member { name, size: entry.metadata.len() }),
                WalkKind::Directory => {}
                WalkKind::BrokenLink { .. } => findings.push(special(&name, "a symbolic link")),
                WalkKind::Special => findings.push(special(&name, "a socket, pipe or device")),
                WalkKind::Unreadable(reason) => {
                    findings.push(Finding::error("unreadable", name, format!("cannot be read: {reason}")));
                }
            }
        }
        Ok(Self { root: root.to_owned(), listing: Listing::new(members, findings) })
    }

    pub(super) fn listing(&self) -> &Listing {
        &self.listing
    }

    pub(super) fn visit(&self, visitor: &mut Visitor<'_>, read: &mut dyn FnMut(u64) -> Result<()>) -> Result<()> {
        for member in &self.listing.members {
            read(0)?;
            let mut content = Lazy { path: self.root.join(&member.name), file: None };
            let go = visitor(member, &mut content)?;
            read(member.size)?;
            if go == Go::Stop {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn open_member(&self, name: &str) -> Result<Box<dyn Read + Send>> {
        if self.listing.member(name).is_none() {
            return Err(Error::new(ErrorKind::NotFound, format!("{} has no file {name}", self.root)).with_path(name));
        }
        Ok(Box::new(fs::open(&self.root.join(name))?))
    }
}

/// A file that is opened when somebody reads it: most uploads are only looked at.
struct Lazy {
    path: Utf8PathBuf,
    file: Option<std::fs::File>,
}

impl Read for Lazy {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(fs::open(&self.path).map_err(std::io::Error::other)?),
        };
        file.read(buffer)
    }
}

fn special(name: &str, what: &str) -> Finding {
    Finding::error("special-member", name, format!("is {what}, which no export has: it is not read"))
}
