//! Exporting one organisation: upstream's logical format, from one snapshot of the database.
//!
//! All rows are read on connections that share a snapshot, decoded from binary COPY straight into the bytes of the files.
//! What is exported is declared in [`ExportSchema`](crate::schema::ExportSchema); which rows, in `scope` and `select`.
//!
//! ```no_run
//! use zulip_backup_core::export::{ExportOptions, Kind, plan};
//! use zulip_backup_core::site::Site;
//! use zulip_backup_core::Silent;
//!
//! let site = Site::discover()?;
//! let options = ExportOptions::of("engineering").kind(Kind::Public).output("/srv/exports/engineering.tar.zst");
//! // A value that can be shown: the dry run.
//! let plan = plan(&site, &options)?;
//! println!("{plan}");
//! let report = plan.execute(&Silent)?;
//! println!("{} messages, SHA-256 {:?}", report.messages, report.sha256);
//! # Ok::<(), zulip_backup_core::Error>(())
//! ```

mod collect;
mod consent;
mod destination;
mod execute;
mod files;
mod handout;
mod json;
mod lists;
mod losses;
mod messages;
mod options;
mod person;
mod piece;
mod plan;
mod record;
mod report;
mod scope;
mod select;
mod subject;
mod work;

pub use consent::Consent;
pub(crate) use destination::{ArchiveDestination, Destination, DirectoryDestination, give_name};
pub(crate) use execute::ZULIP;
pub use options::{ExportOptions, Format};
pub(crate) use piece::{Cutter, Folder, Piece};
pub(crate) use plan::free_name;
pub use plan::{ExportPlan, PlannedUser, plan};
pub use report::ExportReport;
pub(crate) use report::Stats;

pub use crate::package::{Compat, Kind};
