//! Making a backup: `create`.
//!
//! [`plan`] looks at the server and says what will be done; [`BackupPlan::execute`] does it. The database is read on one
//! snapshot over parallel connections; the uploads follow, so that every file a row of the snapshot refers to was written
//! before it is read. Nothing is stopped or locked, and the archive appears under its name only when it is complete.

pub(crate) mod cross_check;
mod execute;
mod files;
mod options;
mod piece;
mod plan;
mod report;
mod tables;
mod tree;

pub use options::BackupOptions;
pub use plan::{BackupPlan, PlannedDatabase, PlannedUploads, plan};
pub use report::{BackupReport, SectionReport};
