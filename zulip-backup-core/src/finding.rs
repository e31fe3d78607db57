//! Findings: what a verb noticed about one object and went on.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How much a [`Finding`] matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Worth knowing; nothing is wrong.
    Note,
    /// Something is not as it should be, and the work went on without it.
    Warning,
    /// The object cannot be trusted or the step cannot be done.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// One thing noticed about one object, in a form that programs can rely on.
///
/// `code` is a stable kebab-case word; the words in use are listed in `docs/findings.md`. `object` names the member,
/// path, table or setting; `message` says what is wrong with it, with both values; `hint` says what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What was noticed: a stable kebab-case word.
    pub code: String,
    /// How much it matters.
    pub severity: Severity,
    /// The member, path, table, key or setting it is about.
    pub object: String,
    /// One sentence without the object's name in front.
    pub message: String,
    /// What the reader can do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Finding {
    /// A finding of any severity.
    pub fn new(severity: Severity, code: &str, object: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), severity, object: object.into(), message: message.into(), hint: None }
    }

    /// Something worth knowing.
    pub fn note(code: &str, object: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Severity::Note, code, object, message)
    }

    /// Something that is not as it should be.
    pub fn warning(code: &str, object: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, object, message)
    }

    /// Something that makes the object untrustworthy.
    pub fn error(code: &str, object: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, object, message)
    }

    /// What the reader can do about it.
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} [{}]", self.object, self.message, self.code)
    }
}

/// A list of findings that stays small: past `limit` of one code, only the count goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings {
    /// The findings in the order they were made, at most [`Findings::LIMIT`] of each code.
    pub list: Vec<Finding>,
    /// How many findings of each code there were in all, in the order the codes came up.
    pub counts: Vec<CodeCount>,
}

/// How often a code came up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeCount {
    /// The finding's code.
    pub code: String,
    /// How much it matters.
    pub severity: Severity,
    /// How many there were, listed or not.
    pub count: u64,
}

impl Findings {
    /// How many findings of one code are kept word for word.
    pub const LIMIT: u64 = 1000;

    /// Takes one more finding in.
    pub fn push(&mut self, finding: Finding) {
        let known = self
            .counts
            .iter()
            .position(|entry| entry.code == finding.code && entry.severity == finding.severity)
            .unwrap_or_else(|| {
                self.counts.push(CodeCount { code: finding.code.clone(), severity: finding.severity, count: 0 });
                self.counts.len() - 1
            });
        self.counts[known].count += 1;
        if self.counts[known].count <= Self::LIMIT {
            self.list.push(finding);
        }
    }

    /// Takes every finding of another list in.
    pub fn extend(&mut self, other: Findings) {
        let Findings { list, counts } = other;
        let mut listed: Vec<CodeCount> = Vec::new();
        for finding in list {
            match listed.iter_mut().find(|entry| entry.code == finding.code && entry.severity == finding.severity) {
                Some(entry) => entry.count += 1,
                None => {
                    listed.push(CodeCount { code: finding.code.clone(), severity: finding.severity, count: 1 });
                }
            }
            self.push(finding);
        }
        for total in counts {
            let seen = listed
                .iter()
                .find(|entry| entry.code == total.code && entry.severity == total.severity)
                .map_or(0, |entry| entry.count);
            if let Some(entry) =
                self.counts.iter_mut().find(|entry| entry.code == total.code && entry.severity == total.severity)
            {
                entry.count += total.count.saturating_sub(seen);
            }
        }
    }

    /// Whether anything at all was noticed.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// How many findings are at least as severe as `severity`, listed or not.
    pub fn at_least(&self, severity: Severity) -> u64 {
        self.counts.iter().filter(|entry| entry.severity >= severity).map(|entry| entry.count).sum()
    }

    /// How many findings carry `code`, listed or not.
    pub fn count(&self, code: &str) -> u64 {
        self.counts.iter().filter(|entry| entry.code == code).map(|entry| entry.count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_bounded_and_the_count_is_not() {
        let mut findings = Findings::default();
        for number in 0..Findings::LIMIT + 5 {
            findings.push(Finding::warning("missing", format!("file {number}"), "is not there"));
        }
        findings.push(Finding::note("other", "x", "y"));
        assert_eq!(findings.list.len(), usize::try_from(Findings::LIMIT).unwrap() + 1);
        assert_eq!(findings.count("missing"), Findings::LIMIT + 5);
        assert_eq!(findings.at_least(Severity::Warning), Findings::LIMIT + 5);

        let mut sum = Findings::default();
        sum.push(Finding::warning("missing", "a", "b"));
        sum.extend(findings);
        assert_eq!(sum.count("missing"), Findings::LIMIT + 6);
        assert_eq!(sum.count("other"), 1);
    }
}
