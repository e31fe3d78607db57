//! What a member is.

use serde::{Deserialize, Serialize};

use crate::archive::MemberName;
use crate::codec::Digest;

/// The type of a member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link and its target. Only dangling links and loops are stored as links; others are followed.
    Symlink(MemberTarget),
    /// A hard link to a member before it, by its full name. Upstream's archives have them; ours do not.
    Hardlink(MemberName),
}

/// The target of a symbolic link: any bytes, shown and stored like a name but never followed by a reader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MemberTarget(pub String);

/// One member of an archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Full name, `zulip-backup/` included.
    pub name: MemberName,
    /// What it is.
    pub kind: EntryKind,
    /// Length of the content; 0 for anything but a file.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub size: u64,
    /// Permission bits, at most `0o7777`.
    pub mode: u32,
    /// Owner's number.
    pub uid: u64,
    /// Group's number.
    pub gid: u64,
    /// Owner's name, empty where unknown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// Group's name, empty where unknown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// Last change of the content, in whole seconds since 1970.
    pub mtime: u64,
    /// SHA-256 of the content; absent for anything but a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Digest>,
    /// Where the member's tar header starts in the uncompressed stream.
    pub tar_offset: u64,
    /// Length of the header blocks in front of the content: 512, more for a long name.
    pub header_bytes: u64,
}

impl Member {
    /// Where the content starts in the uncompressed stream.
    pub fn content_offset(&self) -> u64 {
        self.tar_offset.saturating_add(self.header_bytes)
    }

    /// Where the next member starts in the uncompressed stream.
    pub fn end_offset(&self) -> u64 {
        self.content_offset().saturating_add(self.size).saturating_add(crate::archive::padding(self.size))
    }

    /// Whether it is a regular file.
    pub fn is_file(&self) -> bool {
        self.kind == EntryKind::File
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form serde asks for")]
fn is_zero(size: &u64) -> bool {
    *size == 0
}
