//! The backup file: its layout, manifest, writer, reader and proof.
//!
//! `docs/format.md` describes the format for people; the types here are the format.

mod chunk;
mod entry;
mod extract;
mod header;
mod index;
mod inspect;
mod layout;
mod manifest;
mod name;
mod names;
mod reader;
mod runs;
mod stream;
mod tar_reader;
mod trailer;
mod verify;
mod writer;

pub(crate) use chunk::{Chunk, Packer};
pub use entry::{EntryKind, Member, MemberTarget};
pub(crate) use extract::attributes;
pub use extract::{ExtractOptions, ExtractReport, extract, extract_to, sha256sums, unpack_section};
pub use header::{BLOCK, Header, Owner, padding};
pub use index::{Frame, IndexLine, IndexReader};
pub(crate) use inspect::MigrationsTable;
pub use inspect::{DatabaseSummary, InspectReport, Needs, Secrets, inspect};
pub use layout::{Section, database_file, member};
pub use manifest::{
    DatabaseFacts, IndexFacts, Link, Manifest, SectionFacts, SnapshotFacts, SourceFacts, TableFacts, ToolFacts,
};
pub use name::MemberName;
pub use reader::{Archive, ArchiveManifest, IndexContent, IndexedArchive};
pub(crate) use runs::{Part, Run, RunReader, Visit, Walker};
pub use stream::{StreamArchive, StreamEnd};
pub(crate) use tar_reader::{End, RawMember, TarReader};
pub use trailer::{FORMAT_VERSION, TRAILER_BYTES, Trailer};
pub(crate) use verify::prove;
pub use verify::{ArchiveKind, Depth, TableCheck, VerifyOptions, VerifyReport, verify};
pub use writer::{ArchiveWriter, Batch, Block, Written};
