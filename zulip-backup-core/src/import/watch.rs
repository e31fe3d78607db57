//! Where the time goes.

use std::collections::BTreeMap;
use std::time::Instant;

/// How long each stretch of an import took, in seconds.
#[derive(Debug)]
pub(super) struct Watch {
    last: Instant,
    laps: BTreeMap<String, f64>,
}

impl Watch {
    pub(super) fn new() -> Self {
        Self { last: Instant::now(), laps: BTreeMap::new() }
    }

    /// Ends a stretch, perhaps a further part of one.
    pub(super) fn lap(&mut self, name: &str) {
        *self.laps.entry(name.to_owned()).or_default() += self.last.elapsed().as_secs_f64();
        self.last = Instant::now();
    }

    pub(super) fn laps(self) -> BTreeMap<String, f64> {
        self.laps
    }
}
