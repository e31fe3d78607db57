//! What a restore did.

use std::fmt;

use camino::Utf8PathBuf;
use serde::Serialize;

use crate::restore::database::LoadReport;
use crate::restore::trees::TreeKind;
use crate::units::{bytes, seconds};
use crate::{Findings, Severity};

/// What a restore did. Its JSON is stable: keys are added, never changed.
#[derive(Clone, Debug, Serialize)]
pub struct RestoreReport {
    /// What was restored.
    pub source: String,
    /// Whether an interrupted restore was continued.
    pub continued: bool,
    /// Whether the server uses it now; `false` after `--only-stage`.
    pub switched: bool,
    /// The steps and how long each took.
    pub steps: Vec<StepReport>,
    /// The database.
    pub database: Option<DatabaseReport>,
    /// Settings and uploads.
    pub trees: Vec<TreeReport>,
    /// What was noticed.
    pub findings: Findings,
    /// What to do next, as commands.
    pub next: Vec<String>,
    /// What all took, in seconds.
    pub seconds: f64,
}

/// A step that was done.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepReport {
    /// Its name.
    pub name: String,
    /// Seconds.
    pub seconds: f64,
}

/// The database's part.
#[derive(Clone, Debug, Serialize)]
pub struct DatabaseReport {
    /// The name the server uses.
    pub name: String,
    /// Where the old one is kept.
    pub kept: Option<String>,
    /// Tables; 0 where they were loaded by an earlier run.
    pub tables: u64,
    /// Rows.
    pub rows: u64,
    /// How it was loaded.
    #[serde(flatten)]
    pub load: LoadReport,
}

/// The settings' or the uploads' part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TreeReport {
    /// Which.
    pub tree: TreeKind,
    /// The name the server uses.
    pub target: Utf8PathBuf,
    /// Where the old one is kept.
    pub kept: Option<Utf8PathBuf>,
    /// Files that were restored.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files of the server that are not in the source: they are in the kept tree only.
    pub not_in_source: u64,
    /// The first of them.
    pub not_in_source_first: Vec<String>,
}

impl RestoreReport {
    /// Whether something needs a person's look: exit code 1. Notes do not.
    pub fn has_findings(&self) -> bool {
        self.findings.at_least(Severity::Warning) > 0
    }
}

impl fmt::Display for RestoreReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            writeln!(f, "{:<20} {}", step.name, seconds(step.seconds))?;
        }
        if let Some(database) = &self.database {
            write!(f, "database  {}", database.name)?;
            if database.tables > 0 {
                write!(f, ": {} tables, {} rows", database.tables, database.rows)?;
            }
            for left_out in &database.load.left_out {
                write!(f, "; without {left_out}")?;
            }
            match &database.kept {
                Some(kept) => writeln!(f, "; the old one is {kept}")?,
                None => writeln!(f)?,
            }
        }
        for tree in &self.trees {
            write!(f, "{:<9} {}: {} files, {}", tree.tree.name(), tree.target, tree.files, bytes(tree.bytes))?;
            if let Some(kept) = &tree.kept {
                write!(f, "; the old are in {kept}")?;
            }
            if tree.not_in_source > 0 {
                write!(f, ", {} of them nowhere else: {}", tree.not_in_source, tree.not_in_source_first.join(", "))?;
            }
            writeln!(f)?;
        }
        for finding in self.findings.list.iter().filter(|finding| finding.severity >= Severity::Warning) {
            writeln!(f, "finding   {finding}")?;
            if let Some(hint) = &finding.hint {
                writeln!(f, "          {hint}")?;
            }
        }
        for next in &self.next {
            writeln!(f, "next      {next}")?;
        }
        let what = if self.switched { "restored" } else { "made ready" };
        write!(f, "{what} in {}", seconds(self.seconds))
    }
}
