//! Bringing a server back: `restore`.
//!
//! [`plan`] looks at source and server and says what will be done. Its preflight gives every reason against it at once.
//! Only a plan that came through can be executed: it makes everything ready beside what the server uses, checks it, and
//! then switches in one short window. What was there before is kept until [`commit`]; [`rollback`] puts it back. A journal
//! makes all of it survive a kill at any moment.
//!
//! ```no_run
//! use zulip_backup_core::restore::{self, RestoreOptions, Source};
//! use zulip_backup_core::{Silent, site::Site};
//!
//! let (site, options) = (Site::discover()?, RestoreOptions::default());
//! let source = Source::archive("zulip-backup.tar.gz".into())?;
//! let plan = restore::plan(&source, &site, &options, &Silent)?;
//! println!("{plan}");
//! let report = plan.preflight(&Silent)?.execute(&Silent)?;
//! println!("{report}");
//! # Ok::<(), zulip_backup_core::Error>(())
//! ```

mod admin;
pub(crate) mod database;
mod execute;
mod journal;
mod names;
mod options;
mod plan;
mod preflight;
mod report;
mod rollback;
mod server;
mod source;
mod stage;
mod trees;

pub use database::{DumpFile, DumpKind, LoadReport};
pub use journal::Phase;
pub use options::RestoreOptions;
pub use plan::{PlannedStep, RestorePlan, RunsAs, Step, Undo, plan};
pub use preflight::{Preflight, Preflighted};
pub use report::{DatabaseReport, RestoreReport, StepReport, TreeReport};
pub use rollback::{EndReport, Pending, commit, pending, rollback};
pub use source::Source;
pub use trees::TreeKind;

/// What the server's lists show connections of a restore as.
pub(crate) const APPLICATION: &str = "zulip-backup restore";
