//! The uploads: which files there are, and writing them.

mod content;
mod images;
mod plan;
mod png;
mod write;

pub(crate) use content::content_type;
pub(crate) use images::{emoji, export, export_digest, images};
pub(crate) use plan::{FileEntry, FilePlan, Presence};
pub use write::UploadsReport;
pub(crate) use write::{thumbnail_size, write_uploads};
