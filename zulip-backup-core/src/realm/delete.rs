//! Deleting an organisation: every row of it in one transaction, and then its files.
//!
//! Which rows those are is not listed anywhere: it follows from the foreign keys of the database, and from the few
//! references that Zulip keeps without one. Upstream leaves recipients, groups of direct messages, avatars, emoji and exports
//! behind; nothing stays here.

mod execute;
mod files;
mod graph;
mod plan;
mod report;
mod scope;

pub(super) use files::RealmFiles;

pub use files::FileCount;
pub use plan::{DeletePlan, TableRows, plan};
pub use report::{DeleteReport, FinishReport, finish};
