//! An export of an older Zulip release made one of a newer: what the migrations in between do to a server, done to its
//! export. No server is needed.
//!
//! Each step from a release to the next is declared in that release's `upgrade.json`: keys that are renamed, that follow
//! from others, that are new in all rows, that are lost; and by name what takes more than a row. What was derived,
//! defaulted or lost is in plan and report. An export with a value of which no step knows what becomes of it is refused.
//!
//! ```no_run
//! use zulip_backup_core::Silent;
//! use zulip_backup_core::upgrade::{UpgradeOptions, plan};
//!
//! let options = UpgradeOptions::to("10.1", "/srv/exports/engineering-10.tar.gz");
//! let plan = plan("/srv/exports/engineering.tar.gz".into(), &options, &Silent)?;
//! println!("{plan}");
//! println!("{}", plan.execute(&Silent)?);
//! # Ok::<(), zulip_backup_core::Error>(())
//! ```

mod execute;
mod options;
mod plan;
mod report;
mod row;
mod special;
mod spool;
mod steps;
mod survey;

pub use options::UpgradeOptions;
pub use plan::{PlannedStep, UpgradePlan, plan};
pub use report::{UpgradeReport, UpgradedStep};
