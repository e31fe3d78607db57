//! Rehearsing the disaster: `drill`.
//!
//! An archive is restored into a throw-away PostgreSQL and a temporary directory on this machine, without touching any
//! server, and what came out is checked against what a Zulip server needs. The result is a dated certificate that
//! monitoring can read.

mod certificate;
mod database;
mod files;
mod run;

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

pub use certificate::{Certificate, Check, CheckOutcome};
pub use run::drill;

/// What a rehearsal is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DrillOptions {
    /// Where the throw-away server and the files go; absent: the system's temp directory.
    pub work_dir: Option<Utf8PathBuf>,
    /// Where the certificate goes; absent: beside the archive as `<archive>.drill.json`.
    pub certificate: Option<Utf8PathBuf>,
    /// Leave the restored files in place.
    pub keep: bool,
    /// How many threads and connections; 0 for one per processor.
    pub jobs: usize,
    /// Begin even if the space seems to be too little.
    pub ignore_space: bool,
}
