//! Exporting one organisation: upstream's logical format, from one snapshot of the database.
//!
//! All rows are read on connections that share a snapshot, decoded from binary COPY straight into the bytes of the files.
//! What is exported is declared in [`ExportSchema`](crate::schema::ExportSchema); which rows, in `scope` and `select`.

mod collect;
mod deactivate;
mod destination;
mod execute;
mod files;
mod json;
mod lists;
mod messages;
mod migrations;
mod options;
mod piece;
mod plan;
mod realms;
mod record;
mod report;
mod scope;
mod select;
mod subject;
mod work;

pub use options::{ExportOptions, Format};
pub use plan::{ExportPlan, PlannedUser, plan};
pub use realms::{RealmSummary, realms};
pub use report::ExportReport;

pub use crate::package::{Compat, Kind};
