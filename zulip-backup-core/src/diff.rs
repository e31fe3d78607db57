//! What differs between two exports: by file, table and row.
//!
//! Neither the layout of the JSON nor the order of keys or rows is a difference, nor in which file a message lies; and an
//! export may be a directory or a tarball. Rows are told apart by their ids, files by their SHA-256.
//!
//! ```no_run
//! use zulip_backup_core::Silent;
//! use zulip_backup_core::diff::{DiffOptions, diff};
//!
//! let report = diff("yesterday".into(), "today.tar.gz".into(), &DiffOptions::default(), &Silent)?;
//! println!("{report}");
//! # Ok::<(), zulip_backup_core::Error>(())
//! ```

mod compare;
mod hash;
mod index;
mod keys;
mod options;
mod report;
mod run;

pub use options::DiffOptions;
pub use report::{ChangedRow, DiffReport, Difference, Excerpt, ListDifference, NameDifference};
pub use run::diff;
