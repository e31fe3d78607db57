//! What may be asked of a check.

use serde::{Deserialize, Serialize};

use crate::package::Kind;

/// What may be asked of a check. The default tells the kind from the export itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ValidateOptions {
    /// Whose data the export may hold; absent: what the export says.
    pub kind: Option<Kind>,
    /// How many threads; 0 for one per processor.
    pub jobs: usize,
}

impl ValidateOptions {
    /// Judges the export as one of this kind.
    pub fn kind(mut self, kind: Kind) -> Self {
        self.kind = Some(kind);
        self
    }

    /// Works with so many threads; 0 for one per processor.
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.jobs = jobs;
        self
    }
}
