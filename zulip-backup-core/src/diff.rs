//! What differs between two exports: by file, table and row.
//!
//! Neither the layout of the JSON nor the order of keys or rows is a difference, nor in which file a message lies; and an
//! export may be a directory or a tarball. Rows are told apart by their ids, files by their SHA-256.
//!
//! With [`DiffOptions::renumbered`] one of the exports may have been made after an import elsewhere: rows belong together by
//! their order then, since all ids are others, and [what an import changes by right](NOT_COMPARED) is left out.
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
mod renumbered;
mod report;
mod run;

pub use options::DiffOptions;
pub use renumbered::rules::{NOT_COMPARED, NotCompared};
pub use report::{ChangedRow, ChangedValue, DiffReport, Difference, Excerpt, LeftOut, ListDifference, NameDifference};
pub use run::diff;
