//! Taking members out front to back.

use std::io::{Read, Write};

use crate::archive::extract::indexed::no_file;
use crate::archive::extract::select::Selection;
use crate::archive::extract::sink::Sink;
use crate::archive::extract::write_failed;
use crate::archive::names::NameMap;
use crate::archive::{Member, StreamArchive};
use crate::{Error, ErrorKind, Finding, Result};

/// Takes everything selected out. Where a name was not there, the error for it comes back: the rest is out by then.
pub(super) fn run(archive: &StreamArchive, selection: &Selection, sink: &Sink<'_>) -> Result<Option<Error>> {
    let mut search = selection.search();
    let mut made = NameMap::new();
    let mut buffer = vec![0; 128 << 10];
    let result = archive.each(
        |member, content| {
            search.see(member);
            if !selection.has(member) {
                return Ok(true);
            }
            if member.is_file() {
                if !file(member, content, &mut buffer, sink)? {
                    return Ok(true);
                }
            } else {
                sink.make(member, |target| made.contains(target))?;
            }
            made.insert(&member.name, ());
            Ok(true)
        },
        |finding| sink.push(finding),
        |bytes| {
            sink.progress.advance(sink.task, bytes);
            sink.progress.checkpoint()
        },
    );
    match result {
        Ok(_) => Ok(search.missing()),
        Err(error) if error.kind() == ErrorKind::Damaged && !error.reasons().is_empty() => {
            error.reasons().iter().cloned().for_each(|finding| sink.push(finding));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn file(member: &Member, content: &mut dyn Read, buffer: &mut [u8], sink: &Sink<'_>) -> Result<bool> {
    let Some(mut file) = sink.begin(member)? else { return Ok(false) };
    loop {
        match content.read(buffer) {
            Ok(0) => break,
            Ok(read) => sink.write(member, &mut file, &buffer[..read])?,
            Err(error) => {
                sink.push(Finding::error("member-spoiled", member.name.to_string(), "is cut off or damaged"));
                return Err(Error::new(ErrorKind::Damaged, "the archive cannot be read").with_source(error));
            }
        }
    }
    sink.commit(member, file).map(|()| true)
}

/// Writes the one file selected, and reads no further.
pub(super) fn to_writer(archive: &StreamArchive, selection: &Selection, output: &mut dyn Write) -> Result<Member> {
    let mut search = selection.search();
    let mut found = None;
    archive.each(
        |member, content| {
            search.see(member);
            if !selection.is(member) {
                return Ok(true);
            }
            if !member.is_file() {
                return Err(no_file(member));
            }
            let mut buffer = vec![0; 128 << 10];
            loop {
                match content.read(&mut buffer).map_err(write_failed)? {
                    0 => break,
                    read => output.write_all(&buffer[..read]).map_err(write_failed)?,
                }
            }
            found = Some(member.clone());
            Ok(false)
        },
        |_| {},
        |_| Ok(()),
    )?;
    found.ok_or_else(|| {
        search.missing().unwrap_or_else(|| {
            Error::new(ErrorKind::Usage, "a directory has no content of its own")
                .with_hint("extract it into a directory")
        })
    })
}
