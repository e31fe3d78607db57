//! Every reason against a restore, all at once, before anything is changed.

mod database;
mod host;
mod migrations;

use std::fmt;
use std::time::Instant;

use serde::Serialize;

use crate::archive::{VerifyOptions, VerifyReport, verify};
use crate::restore::journal::Phase;
use crate::restore::plan::RestorePlan;
use crate::{Error, ErrorKind, Finding, Progress, Result, Severity};

/// Codes of findings that mean that two things do not fit each other.
const INCOMPATIBLE: [&str; 8] = [
    "zulip-version-differs",
    "migrations-differ",
    "postgres-major-differs",
    "os-differs",
    "pg-restore-too-old",
    "extension-missing",
    "dictionary-file-missing",
    "kind-differs",
];

/// Codes that become warnings with `--allow-version-mismatch`.
const MISMATCHES: [&str; 4] = ["zulip-version-differs", "migrations-differ", "postgres-major-differs", "os-differs"];

/// What was found before a restore.
#[derive(Clone, Debug, Serialize)]
pub struct Preflight {
    /// What was found; errors are reasons against the restore.
    pub findings: Vec<Finding>,
    /// The proof of the archive, where it was asked for.
    pub verified: Option<VerifyReport>,
    /// How long it took.
    pub seconds: f64,
}

impl Preflight {
    /// Whether nothing speaks against the restore.
    pub fn is_clear(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity < Severity::Error)
    }

    fn into_result(self) -> Result<Self> {
        let reasons: Vec<Finding> =
            self.findings.iter().filter(|finding| finding.severity == Severity::Error).cloned().collect();
        let Some(first) = reasons.first() else { return Ok(self) };
        let damaged = self.verified.as_ref().is_some_and(|report| !report.is_sound());
        let kind = if damaged {
            ErrorKind::Damaged
        } else if reasons.iter().any(|reason| !INCOMPATIBLE.contains(&reason.code.as_str())) {
            ErrorKind::Refused
        } else {
            ErrorKind::Incompatible
        };
        let message = match reasons.len() {
            1 => format!("the restore was not begun: {first}"),
            count => format!("the restore was not begun for {count} reasons, the first: {first}"),
        };
        let error = Error::new(kind, message);
        let error = match &first.hint {
            Some(hint) => error.with_hint(hint.clone()),
            None => error,
        };
        Err(error.with_reasons(reasons))
    }
}

impl fmt::Display for Preflight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            let severity = match finding.severity {
                Severity::Note => "note   ",
                Severity::Warning => "warning",
                Severity::Error => "REASON ",
            };
            writeln!(f, "{severity} {finding}")?;
            if let Some(hint) = &finding.hint {
                writeln!(f, "        {hint}")?;
            }
        }
        f.write_str(if self.is_clear() { "nothing speaks against the restore" } else { "the restore cannot be begun" })
    }
}

/// A plan against which nothing speaks.
#[derive(Debug)]
pub struct Preflighted {
    pub(super) plan: RestorePlan,
    pub(super) preflight: Preflight,
}

impl Preflighted {
    /// The plan.
    pub fn plan(&self) -> &RestorePlan {
        &self.plan
    }

    /// What was found.
    pub fn preflight(&self) -> &Preflight {
        &self.preflight
    }
}

impl RestorePlan {
    /// Looks for reasons against the restore and gives them all, the archive's proof included. Changes nothing.
    ///
    /// # Errors
    /// `Interrupted`, and what keeps the looking itself from going on. Reasons are no errors here.
    pub fn check(&self, progress: &dyn Progress) -> Result<Preflight> {
        let begun = Instant::now();
        let mut findings = Vec::new();
        let mut verified = None;
        self.earlier(&mut findings);
        if !self.journal.has_switched() {
            // The proof reads the archive, the rest asks server and host: they do not wait for each other.
            let proof = std::thread::scope(|scope| {
                let archive = self.source.as_archive().filter(|_| !self.options.skip_verify);
                let options = VerifyOptions::default().jobs(self.options.jobs.unwrap_or(0));
                let proof = archive.map(|archive| scope.spawn(move || verify(archive, &options, progress)));
                self.host(&mut findings)?;
                self.versions(&mut findings)?;
                self.database(&mut findings)?;
                self.space(&mut findings)?;
                Ok::<_, Error>(proof.map(|proof| proof.join().unwrap_or_else(|_| Err(Error::interrupted()))))
            })?;
            verified = proof.transpose()?;
            if let Some(report) = &verified {
                let of_archive = report.findings.list.iter().filter(|finding| finding.severity == Severity::Error);
                findings.extend(of_archive.cloned());
            }
        }
        if self.options.allow_version_mismatch {
            for finding in findings.iter_mut().filter(|finding| MISMATCHES.contains(&finding.code.as_str())) {
                finding.severity = finding.severity.min(Severity::Warning);
            }
        }
        for finding in &findings {
            progress.finding(finding);
        }
        Ok(Preflight { findings, verified, seconds: begun.elapsed().as_secs_f64() })
    }

    /// Like [`check`](Self::check), and only a plan against which nothing speaks comes through.
    ///
    /// # Errors
    /// `Damaged` for an archive that is not whole, `Incompatible` where only versions and the like do not fit, else
    /// `Refused`; each with all reasons.
    pub fn preflight(self, progress: &dyn Progress) -> Result<Preflighted> {
        let preflight = self.check(progress)?.into_result()?;
        Ok(Preflighted { plan: self, preflight })
    }

    /// An earlier restore that is not this one.
    fn earlier(&self, findings: &mut Vec<Finding>) {
        let Some(earlier) = &self.earlier else { return };
        let object = format!("restore of {}", earlier.source);
        findings.push(match earlier.phase {
            Phase::Staging => Finding::note(
                "earlier-restore-discarded",
                object,
                "was made ready but not switched; what it left is removed",
            ),
            Phase::Switching => {
                Finding::error("earlier-restore-unfinished", object, "was interrupted while it switched")
                    .with_hint("finish it by the same command as then, or take it back with `restore --rollback`")
            }
            Phase::Done => Finding::error("earlier-restore-kept", object, "still keeps what was there before it")
                .with_hint("remove that with `restore --commit`, or put it back with `restore --rollback`"),
            Phase::RollingBack => {
                Finding::error("earlier-restore-unfinished", object, "was interrupted while it was rolled back")
                    .with_hint("run `restore --rollback` again")
            }
            Phase::Committing => {
                Finding::error("earlier-restore-unfinished", object, "was interrupted while it was committed")
                    .with_hint("run `restore --commit` again")
            }
        });
    }
}
