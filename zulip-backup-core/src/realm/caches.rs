//! Making the running server forget what it remembers of an organisation.

use crate::memcached::Memcached;
use crate::site::Site;
use crate::{Finding, Findings};

/// A server's caches, or why they cannot be reached. Looked for before anything is changed, emptied afterwards.
#[derive(Clone, Debug)]
pub(crate) struct Caches {
    found: Result<Memcached, String>,
    command: String,
}

impl Caches {
    /// Looks for them. That they cannot be known is no error: a command can be run instead.
    pub(crate) fn of(site: &Site) -> Self {
        Self {
            found: site.memcached().map_err(|error| error.chain()),
            command: format!("{}/scripts/setup/flush-memcached", site.deployment_dir()),
        }
    }

    /// Empties them. Where that fails, the finding has the command that does it as its hint.
    fn flush(&self) -> Option<Finding> {
        let (object, message) = match &self.found {
            Ok(memcached) => match memcached.flush() {
                Ok(()) => return None,
                Err(message) => ("memcached", message),
            },
            Err(reason) => ("memcached", format!("is not known: {reason}")),
        };
        let message = format!("{message}; the running server may remember for days what was there before");
        Some(Finding::warning("caches-not-flushed", object, message).with_hint(format!("run {}", self.command)))
    }

    /// Empties them after a change. Where that fails there is a finding, and a command that is left to do.
    pub(crate) fn flush_into(&self, findings: &mut Findings, next_steps: &mut Vec<String>) {
        if let Some(finding) = self.flush() {
            findings.push(finding);
            next_steps.push(self.command.clone());
        }
    }
}
