//! What may be asked of a comparison.

use serde::{Deserialize, Serialize};

/// What may be asked of a comparison.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct DiffOptions {
    /// How many rows and files of each difference are named; all are counted.
    pub limit: usize,
    /// How many threads; 0 for one per processor.
    pub jobs: usize,
    /// Whether one of the exports was made after an import elsewhere: ids are others then, and what an import changes by
    /// right is not compared.
    pub renumbered: bool,
}

impl Default for DiffOptions {
    fn default() -> Self {
        Self { limit: 20, jobs: 0, renumbered: false }
    }
}

impl DiffOptions {
    /// Names so many rows and files of each difference.
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// Works with so many threads; 0 for one per processor.
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.jobs = jobs;
        self
    }

    /// Compares exports of which one was made after an import elsewhere.
    pub fn renumbered(mut self, renumbered: bool) -> Self {
        self.renumbered = renumbered;
        self
    }
}
