//! The manifest: what an archive is, and the root of its proof.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Findings;
use crate::archive::{ArchiveManifest, member};
use crate::codec::{Compression, Digest};

/// What an archive is, when and of what it was made, and what must be in it: `zulip-backup/manifest.json`.
///
/// It never holds a secret. Unknown keys are kept out of the way of older readers: they are ignored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the archive format.
    pub format: u16,
    /// What wrote it.
    pub tool: ToolFacts,
    /// When the writing began; RFC 3339, UTC.
    pub created_at: jiff::Timestamp,
    /// How the archive is compressed.
    pub compression: Compression,
    /// The level it was compressed with.
    pub level: i32,
    /// The server it was taken from.
    pub source: SourceFacts,
    /// The database, where it is in the archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<DatabaseFacts>,
    /// What each section holds; a section that was left out has no entry.
    pub sections: BTreeMap<String, SectionFacts>,
    /// Symbolic links that were followed, and what they pointed at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
    /// What was noticed while the backup was made.
    pub findings: Findings,
    /// What may differ between two archives of the same snapshot and files.
    pub varies: Vec<String>,
    /// Where the index is and what it must be.
    pub index: IndexFacts,
}

/// The program that wrote an archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolFacts {
    /// `zulip-backup`.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// The server an archive was taken from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFacts {
    /// Host name of the machine.
    pub hostname: String,
    /// `EXTERNAL_HOST`, where it could be known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_host: Option<String>,
    /// Whether it was a production server (`settings/`) or a development one (`zproject/`).
    pub production: bool,
    /// Whether Zulip ran in the docker image.
    pub docker: bool,
    /// Lines of `zulip-version`.
    pub zulip_version: String,
    /// `git describe` of the deployment, where git works there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zulip_git_describe: Option<String>,
    /// `debian 12`.
    pub os_version: String,
    /// libpq's integer.
    pub postgres_version: i32,
    /// `local`, `s3` or `unknown`.
    pub uploads_backend: String,
    /// Directory of the settings on the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings_dir: Option<String>,
    /// Directory of the uploads on the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uploads_dir: Option<String>,
}

/// The database in an archive: the moment, the tools, the tables.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DatabaseFacts {
    /// Name of the database on the server.
    pub name: String,
    /// Role that owns it.
    pub owner: String,
    /// The moment all tables show.
    pub snapshot: SnapshotFacts,
    /// Version text of the server.
    pub server_version: String,
    /// Version text of the `pg_dump` that wrote the table of contents.
    pub dump_version: String,
    /// How the rows were read: `copy` (parallel COPY on the snapshot) or `pg_dump`.
    pub method: String,
    /// Encoding, such as `UTF8`.
    pub encoding: String,
    /// `LC_COLLATE`.
    pub collate: String,
    /// `LC_CTYPE`.
    pub ctype: String,
    /// Extensions and their versions.
    pub extensions: BTreeMap<String, String>,
    /// Text-search dictionaries that need files on the server, and the files.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dictionary_files: BTreeMap<String, Vec<String>>,
    /// `search_path` of the owner's role, which a dump does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search_path: Option<String>,
    /// Size on disk with indexes when it was dumped, for the space a restore needs.
    pub size_bytes: u64,
    /// Applied migrations, `app: [names]`.
    pub migrations: BTreeMap<String, Vec<String>>,
    /// Every table with data, in the order of the dump's table of contents.
    pub tables: Vec<TableFacts>,
}

/// The moment a dump shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotFacts {
    /// The server's clock when the snapshot was taken; RFC 3339, UTC.
    pub taken_at: jiff::Timestamp,
    /// The write-ahead log position then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lsn: Option<String>,
    /// Whether it was taken on a standby.
    pub standby: bool,
}

/// One table of the dump.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableFacts {
    /// Schema.
    pub schema: String,
    /// Table.
    pub name: String,
    /// File in `zulip-backup/database/`.
    pub file: String,
    /// Exact number of rows in the snapshot.
    pub rows: u64,
    /// Bytes of COPY text, without the terminator.
    pub bytes: u64,
}

/// What a section holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SectionFacts {
    /// Regular files.
    pub files: u64,
    /// Directories.
    pub directories: u64,
    /// Bytes of the files' contents as they lie in the archive's members.
    pub bytes: u64,
}

/// A symbolic link that was followed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The member that holds what the link pointed at.
    pub member: crate::archive::MemberName,
    /// The link's target as written.
    pub target: String,
    /// Whether the target lies outside the tree that was backed up.
    pub outside: bool,
}

/// Where the index is and what it must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexFacts {
    /// Where the index member's first frame starts in the file. It ends where the manifest's frame starts.
    pub archive_offset: u64,
    /// Where the index member's header starts in the uncompressed stream.
    pub tar_offset: u64,
    /// Length of the content.
    pub bytes: u64,
    /// SHA-256 of the content.
    pub sha256: Digest,
    /// How many members it lists: all before it.
    pub members: u64,
    /// How many frames it lists: all before it.
    pub frames: u64,
}

impl Manifest {
    /// The largest manifest a reader accepts: thousands of findings and tables fit, a bomb does not.
    pub const MAX_BYTES: u64 = 64 << 20;

    /// The facts of a section by its stable name.
    pub fn section(&self, section: crate::archive::Section) -> Option<&SectionFacts> {
        self.sections.get(section.name())
    }

    /// Rows of all tables together.
    pub fn rows(&self) -> u64 {
        self.database.iter().flat_map(|database| &database.tables).map(|table| table.rows).sum()
    }
}

impl ArchiveManifest for Manifest {
    fn format(&self) -> u16 {
        self.format
    }

    fn compression(&self) -> Compression {
        self.compression
    }

    fn index(&self) -> &IndexFacts {
        &self.index
    }

    fn may_be_in(root: &str) -> bool {
        root == member::ROOT
    }
}
