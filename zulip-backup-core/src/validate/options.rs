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
    /// The message by whose reactions users consented, where the export says nothing of it: before Zulip 10. With it the
    /// export is judged as one with consent.
    pub consent_message: Option<i64>,
    /// How many threads; 0 for one per processor.
    pub jobs: usize,
}

impl ValidateOptions {
    /// Judges the export as one of this kind.
    pub fn kind(mut self, kind: Kind) -> Self {
        self.kind = Some(kind);
        self
    }

    /// Judges the export as one with the consent of the users who reacted to this message.
    pub fn consent_message(mut self, id: i64) -> Self {
        self.kind = Some(Kind::FullWithConsent);
        self.consent_message = Some(id);
        self
    }

    /// Works with so many threads; 0 for one per processor.
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.jobs = jobs;
        self
    }
}
