//! What may be asked of an upgrade.

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

/// What is asked of an upgrade.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct UpgradeOptions {
    /// The Zulip version that the export is to be of, as the server says it: `10.1`.
    pub to: String,
    /// The directory to write, or the archive where the name ends in `.tar.gz`, `.tgz` or `.tar.zst`.
    pub output: Utf8PathBuf,
    /// How many threads the checks take; 0 for one per processor.
    #[serde(default)]
    pub jobs: usize,
}

impl UpgradeOptions {
    /// To a Zulip version.
    pub fn to(version: impl Into<String>, output: impl Into<Utf8PathBuf>) -> Self {
        Self { to: version.into(), output: output.into(), jobs: 0 }
    }

    /// How many threads the checks take; 0 for one per processor.
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.jobs = jobs;
        self
    }
}
