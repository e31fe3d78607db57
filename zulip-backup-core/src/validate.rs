//! Checking an export, ours or upstream's, without a server.
//!
//! Everything an export says of itself is compared with everything else it says: rows with the declaration of their
//! Zulip version, counts with the statistics, references with what they refer to, records with files. And for an export
//! with less than everything the rules by which Zulip chooses are replayed on the finished files: what the files
//! themselves do not justify is an error.
//!
//! ```no_run
//! use zulip_backup_core::Silent;
//! use zulip_backup_core::validate::{ValidateOptions, validate};
//!
//! let report = validate("/srv/exports/engineering".into(), &ValidateOptions::default(), &Silent)?;
//! assert!(report.is_sound(), "{report}");
//! # Ok::<(), zulip_backup_core::Error>(())
//! ```

mod bots;
mod consistency;
mod counts;
mod facts;
mod links;
mod messages;
mod options;
mod privacy;
mod read;
mod records;
mod release;
mod report;
mod rules;
mod run;
mod sidecars;
mod single;
mod summary;
mod texts;
mod unique;

pub(crate) use facts::{Facts, Standing};
pub use options::ValidateOptions;
pub(crate) use records::{Record, Records};
pub use release::ReleaseFrom;
pub(crate) use release::release_of;
pub use report::ValidateReport;
pub use run::validate;
pub(crate) use run::{Examined, examine};
pub use sidecars::KindFrom;
pub(crate) use sidecars::Migrations;
pub use summary::{ExportSummary, summarize};
