//! A member's bytes against the index.

use crate::archive::runs::{Part, Run};
use crate::archive::verify::header;
use crate::archive::{Frame, Member};
use crate::codec::Hasher;
use crate::{Error, Finding};

/// What the bytes of one member show, piece by piece.
#[derive(Default)]
pub(super) struct Proof {
    header: Vec<u8>,
    digest: Hasher,
    dirty: bool,
}

impl Proof {
    /// More bytes of the member.
    pub(super) fn piece(&mut self, part: Part, bytes: &[u8]) {
        match part {
            Part::Header => self.header.extend_from_slice(bytes),
            Part::Content => self.digest.update(bytes),
            Part::Padding => self.dirty |= bytes.iter().any(|&byte| byte != 0),
        }
    }

    /// The member is over: `push` gets what is wrong with it. `whole`: every byte of it was seen.
    pub(super) fn end(&mut self, root: &str, member: &Member, whole: bool, push: &dyn Fn(Finding)) {
        let Self { mut header, digest, dirty } = std::mem::take(self);
        let name = || member.name.to_string();
        if whole {
            if let Some(difference) = header::difference(root, member, &header) {
                push(Finding::error("member-differs", name(), difference));
            }
            if dirty {
                push(Finding::error("padding-differs", name(), "is followed by something else than zeros"));
            }
            let digest = digest.finish();
            if let Some(expected) = member.sha256
                && member.is_file()
                && expected != digest
            {
                let message = format!("has SHA-256 {digest}, the index says {expected}");
                push(Finding::error("digest-differs", name(), message));
            }
        } else {
            push(Finding::error("member-spoiled", name(), "lies in a damaged frame"));
        }
        header.clear();
        self.header = header;
    }
}

/// A frame that cannot be read.
pub(super) fn damaged_frame(run: &Run, frame: &Frame, error: &Error) -> Finding {
    let at = run.frames.iter().position(|other| other == frame).unwrap_or(0) as u64;
    let place = format!("{} bytes at byte {}", frame.archive_bytes, frame.archive_offset);
    let message = format!("cannot be read, {place}: {}", error.chain());
    Finding::error("frame-damaged", format!("frame {}", run.first_frame + at), message)
        .with_hint("copy the archive again, or use another one; `extract` takes out what is whole")
}
