//! The manifest of an export's archive: what it is, and the proof of it. A directory has none, as upstream's have none.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Findings;
use crate::archive::{ArchiveManifest, IndexFacts, ToolFacts};
use crate::codec::Compression;
use crate::package::{Compat, Kind};

/// What an export is: `manifest.json` of its archive. Two exports of the same state have the same manifest: it names no
/// time and no machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportManifest {
    /// Version of the archive format.
    pub format: u16,
    /// [`ExportManifest::CONTENT`].
    pub content: String,
    /// The program that wrote it.
    pub tool: ToolFacts,
    /// How it is compressed.
    pub compression: Compression,
    /// The organisation's id on its server.
    pub realm_id: i64,
    /// Its `string_id`; empty at the root domain.
    pub realm: String,
    /// Whose data it has.
    pub kind: Kind,
    /// The message by whose reactions users consented, where that is how they do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent_message_id: Option<i64>,
    /// What was done where upstream is wrong.
    pub compat: Compat,
    /// The server's Zulip version.
    pub zulip_version: String,
    /// How many rows each list of each file has.
    pub rows: BTreeMap<String, BTreeMap<String, u64>>,
    /// The uploaded files, by folder.
    pub files: BTreeMap<String, FilesFacts>,
    /// What was noticed.
    pub findings: Findings,
    /// Where the index is.
    pub index: IndexFacts,
}

impl ExportManifest {
    /// What `content` says.
    pub const CONTENT: &str = "export";
}

impl ArchiveManifest for ExportManifest {
    fn format(&self) -> u16 {
        self.format
    }

    fn compression(&self) -> Compression {
        self.compression
    }

    fn index(&self) -> &IndexFacts {
        &self.index
    }

    /// Upstream's tarballs have a name of their own choice for it, and so have ours.
    fn may_be_in(_root: &str) -> bool {
        true
    }
}

/// Uploaded files of a folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilesFacts {
    /// How many.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}
