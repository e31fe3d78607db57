//! A member's tar header against the index.

use crate::archive::stream::describe;
use crate::archive::tar_reader::TarReader;
use crate::archive::{Header, Member};

/// How the headers differ from what the index says of the member; `None` where they do not.
pub(super) fn difference(root: &str, member: &Member, bytes: &[u8]) -> Option<String> {
    let header = Header {
        name: member.name.clone(),
        kind: member.kind.clone(),
        mode: member.mode,
        uid: member.uid,
        gid: member.gid,
        user: member.user.clone(),
        group: member.group.clone(),
        mtime: member.mtime,
    };
    if header.encode(member.size).is_ok_and(|expected| expected == bytes) {
        return None;
    }
    // Another version may have written the same in other bytes: compare the meaning.
    let raw = match TarReader::new(bytes).next() {
        Ok(Some(raw)) => raw,
        Ok(None) => return Some("has no tar header where the index says".to_owned()),
        Err(error) => return Some(format!("has a bad tar header: {error}")),
    };
    let found = match describe(root, raw) {
        Ok(found) => found,
        Err(finding) => return Some(format!("has another header: {finding}")),
    };
    let number = |what: &str, found: u64, expected: u64| {
        (found != expected).then(|| format!("has {what} {found} in its header, {expected} in the index"))
    };
    let text = |what: &str, found: &str, expected: &str| {
        // A name longer than its field is left out of the header.
        (found != expected && !(found.is_empty() && expected.len() > 31))
            .then(|| format!("has {what} {found:?} in its header, {expected:?} in the index"))
    };
    (found.name != member.name)
        .then(|| format!("is called {} in its header", found.name))
        .or_else(|| {
            (found.kind != member.kind)
                .then(|| format!("is {:?} in its header, {:?} in the index", found.kind, member.kind))
        })
        .or_else(|| number("size", found.size, member.size))
        .or_else(|| {
            (found.mode != member.mode)
                .then(|| format!("has mode {:o} in its header, {:o} in the index", found.mode, member.mode))
        })
        .or_else(|| number("owner", found.uid, member.uid))
        .or_else(|| number("group", found.gid, member.gid))
        .or_else(|| number("time", found.mtime, member.mtime))
        .or_else(|| text("owner", &found.user, &member.user))
        .or_else(|| text("group", &found.group, &member.group))
        .or_else(|| number("header length", found.header_bytes, member.header_bytes))
}
