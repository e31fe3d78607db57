//! What to make.

use serde::{Deserialize, Serialize};

/// What kind of sample server to make. The same options give the same bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SampleOptions {
    /// Everything random follows from this.
    pub seed: u64,
    /// The Zulip version to imitate, as `version.py` has it.
    pub zulip_version: String,
    /// Messages in `zerver_message`: 100 to 10 million.
    pub messages: u64,
    /// People and bots of the main organisation; absent: what fits the number of messages.
    pub users: Option<u32>,
    /// Bytes of all attachments together, within a few per cent; avatars, thumbnails and sidecars come on top.
    pub uploads_bytes: u64,
    /// Attachments; absent: what fits their bytes.
    pub upload_files: Option<u32>,
    /// Attachments that have a row but no file.
    pub missing_files: u32,
    /// Files among the attachments that have no row.
    pub orphan_files: u32,
    /// One file whose name is not UTF-8. Zulip never writes one; an administrator's copy can.
    pub odd_name: bool,
    /// Beside the link inside the tree, one that dangles and one that leads out of it.
    pub odd_links: bool,
    /// The server's host name.
    pub external_host: String,
}

impl Default for SampleOptions {
    fn default() -> Self {
        Self {
            seed: 1,
            zulip_version: "10.1".into(),
            messages: 1000,
            users: None,
            uploads_bytes: 1 << 20,
            upload_files: None,
            missing_files: 0,
            orphan_files: 0,
            odd_name: false,
            odd_links: false,
            external_host: "chat.example.com".into(),
        }
    }
}

impl SampleOptions {
    pub(crate) fn user_count(&self) -> usize {
        // A chat of a thousand messages has some dozens of people, one of a million about a thousand.
        self.users.map_or_else(|| 24 + (self.messages as f64).sqrt() as usize, |users| users.max(16) as usize)
    }

    pub(crate) fn file_count(&self) -> u64 {
        // About 100 kB each: what a GiB of real attachments divides into.
        self.upload_files.map_or_else(|| (self.uploads_bytes / 100_000).max(24), |files| u64::from(files.max(12)))
    }
}
