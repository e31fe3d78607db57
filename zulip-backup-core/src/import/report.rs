//! What an import did.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Instant;

use camino::Utf8PathBuf;
use serde::Serialize;

use crate::import::run::Outcome;
use crate::import::{ImportPlan, Way};
use crate::units::seconds;
use crate::{Finding, Severity};

/// What an import did. Its JSON is stable: keys are added, never changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ImportReport {
    /// The export.
    pub path: Utf8PathBuf,
    /// The new organisation's id.
    pub realm_id: i64,
    /// Its subdomain.
    pub subdomain: String,
    /// Whether it can be used.
    pub active: bool,
    /// Rows written, by table.
    pub rows: BTreeMap<String, u64>,
    /// Rows of the export that were left out, by list.
    pub left_out: BTreeMap<String, u64>,
    /// Files written.
    pub files: u64,
    /// How rows got into the large tables.
    #[serde(flatten)]
    pub way: Way,
    /// Why so.
    pub way_because: String,
    /// Indexes and keys that were made again.
    pub made_again: u64,
    /// Whether the organisation of the system's bots was made as well, which a new server lacks.
    pub internal_realm_made: bool,
    /// What was noticed.
    pub findings: Vec<Finding>,
    /// What there is to do now: commands, and what they are for.
    pub next_steps: Vec<NextStep>,
    /// What it took, by stretches.
    pub stretches: BTreeMap<String, f64>,
    /// What it took in all, in seconds.
    pub seconds: f64,
}

/// Something that is left for the administrator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NextStep {
    /// What it is for.
    pub what: String,
    /// The command, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

impl ImportReport {
    pub(super) fn new(
        plan: &ImportPlan,
        realm_id: i64,
        outcome: Outcome,
        commands: Vec<String>,
        begun: Instant,
    ) -> Self {
        let (mut rows, mut left_out) = (BTreeMap::new(), BTreeMap::new());
        for loaded in &outcome.loaded {
            *rows.entry(loaded.table.clone()).or_default() += loaded.rows;
            if loaded.left_out > 0 {
                *left_out.entry(loaded.list.clone()).or_default() += loaded.left_out;
            }
        }
        let findings = plan.findings.iter().cloned().chain(outcome.findings.list).collect();
        Self {
            path: plan.path.clone(),
            realm_id,
            subdomain: plan.subdomain.clone(),
            active: plan.active,
            rows,
            left_out,
            files: outcome.files,
            way: plan.way,
            way_because: plan.way_because.clone(),
            made_again: outcome.indexes_again,
            internal_realm_made: outcome.internal,
            findings,
            next_steps: next_steps(plan, commands),
            stretches: outcome.watch.laps(),
            seconds: begun.elapsed().as_secs_f64(),
        }
    }
}

impl ImportReport {
    /// Whether there is anything that a person should look at.
    pub fn has_findings(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity >= Severity::Warning)
    }
}

/// In the order they are done.
fn next_steps(plan: &ImportPlan, commands: Vec<String>) -> Vec<NextStep> {
    let manage = &plan.manage;
    let realm = if plan.subdomain.is_empty() { "''" } else { &plan.subdomain };
    let step = |what: &str, command: Option<String>| NextStep { what: what.to_owned(), command };
    let mut steps = vec![
        step(
            "let the organisation's address lead here: DNS, certificate, nginx; its name is EXTERNAL_HOST with the subdomain in front",
            None,
        ),
        step(
            "have everybody choose a password, as the user zulip: nobody has one here",
            Some(format!("{manage} send_password_reset_email -r {realm} --all-users")),
        ),
        step(
            "register the server for mobile push notifications, as the user zulip, unless it is",
            Some(format!("{manage} register_server")),
        ),
        step("give bots and integrations their new API keys, and webhooks their new addresses", None),
        step("ask people to add the organisation anew in the mobile and desktop apps", None),
        step("make invitations, default channel groups and channel e-mail addresses anew: exports have none", None),
    ];
    for command in commands {
        steps.insert(0, step("let the server forget what it remembers: its cache could not be reached", Some(command)));
    }
    if !plan.active {
        steps.insert(
            0,
            step(
                "activate the organisation: it was deactivated in the export",
                Some(format!("zulip-backup realm reactivate {realm}")),
            ),
        );
    }
    steps
}

impl fmt::Display for ImportReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "{:8}  {finding}", finding.severity)?;
        }
        let count = |table: &str| self.rows.get(table).copied().unwrap_or(0);
        writeln!(f, "realm     {:?} (id {})", self.subdomain, self.realm_id)?;
        writeln!(
            f,
            "rows      {}: {} messages, {} users, {} channels",
            self.rows.values().sum::<u64>(),
            count("zerver_message"),
            count("zerver_userprofile"),
            count("zerver_stream")
        )?;
        writeln!(f, "files     {}", self.files)?;
        writeln!(f, "way       {}: {}", self.way, self.way_because)?;
        for (at, NextStep { what, command }) in self.next_steps.iter().enumerate() {
            let label = if at == 0 { "next" } else { "" };
            writeln!(f, "{label:8}  {what}")?;
            if let Some(command) = command {
                writeln!(f, "              {command}")?;
            }
        }
        write!(f, "outcome   imported in {}", seconds(self.seconds))
    }
}
