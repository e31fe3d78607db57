//! Importing an organisation: all of it, or nothing.
//!
//! An export, ours or upstream's, a directory or a tarball of one, is written into the database and the uploads of a running
//! Zulip server. Everything gets new ids, from the server's own sequences; one transaction holds all rows, and files become
//! visible with it.
//!
//! ```no_run
//! use zulip_backup_core::Silent;
//! use zulip_backup_core::import::{ImportOptions, plan};
//! use zulip_backup_core::site::Site;
//!
//! let site = Site::discover()?;
//! let plan = plan(&site, "/srv/exports/engineering.tar.gz".into(), &ImportOptions::to("engineering"), &Silent)?;
//! println!("{plan}");
//! let report = plan.execute(&Silent)?;
//! println!("{report}");
//! # Ok::<(), zulip_backup_core::Error>(())
//! ```

mod aside;
mod attachments;
mod clients;
mod collisions;
mod conversion;
mod execute;
mod files;
mod finish;
mod groups;
mod huddles;
mod ids;
mod insert;
mod internal;
mod journal;
mod load;
mod making;
mod messages;
mod not_kept;
mod options;
mod plan;
mod reasons;
mod recipients;
mod render;
mod report;
mod reserve;
mod rules;
mod run;
mod sequences;
mod shared;
mod space;
mod table;
mod texts;
mod value;
mod verify;
mod version;
mod watch;
mod way;

pub use options::ImportOptions;
pub use plan::{ImportPlan, plan};
pub use render::{Render, Unrendered};
pub use report::{ImportReport, NextStep};
pub use way::Way;
