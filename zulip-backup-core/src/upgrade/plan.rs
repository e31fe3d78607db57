//! What an upgrade will do.

use std::collections::BTreeMap;
use std::fmt;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

use crate::export::{Format, free_name};
use crate::package::{Kind, Package};
use crate::schema::Release;
use crate::upgrade::UpgradeOptions;
use crate::validate::{ValidateOptions, examine};
use crate::{Error, ErrorKind, Finding, Progress, Result, Severity};

/// What an upgrade will do, before anything is done. This is the dry run.
#[derive(Debug, Serialize)]
pub struct UpgradePlan {
    /// The export.
    pub path: Utf8PathBuf,
    /// The directory or archive that will be written.
    pub output: Utf8PathBuf,
    /// The Zulip release that the export is of, by its major version.
    pub from: &'static str,
    /// The Zulip version that it will be of.
    pub to: String,
    /// The steps, in order.
    pub steps: Vec<PlannedStep>,
    /// What was noticed about the export.
    pub findings: Vec<Finding>,
    #[serde(skip)]
    pub(super) package: Package,
    #[serde(skip)]
    pub(super) realm: Option<(i64, String)>,
    #[serde(skip)]
    pub(super) kind: Kind,
    #[serde(skip)]
    pub(super) chain: Vec<&'static Release>,
    #[serde(skip)]
    pub(super) jobs: usize,
}

/// A step to the next release.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlannedStep {
    /// From this release.
    pub from: String,
    /// To this one.
    pub to: String,
    /// Keys whose values follow from others', by those; `rows of others` where it takes more than the row.
    pub derived: BTreeMap<String, String>,
    /// Keys that get one value in all rows.
    pub defaulted: BTreeMap<String, serde_json::Value>,
    /// Keys that nothing is made of.
    pub lost: Vec<String>,
}

impl PlannedStep {
    fn of(release: &Release) -> Self {
        let upgrade = &release.upgrade;
        let (mut derived, mut defaulted, mut lost) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        for (table, step) in &upgrade.tables {
            let name = |key: &String| format!("{table}.{key}");
            for (key, of) in step.renamed.iter().chain(&step.copied) {
                derived.insert(name(key), of.clone());
            }
            let by = step.derived.iter().map(|(key, by)| (key, &by.of));
            for (key, of) in by.chain(step.groups_by.iter().map(|(key, by)| (key, &by.of))) {
                derived.insert(name(key), of.clone());
            }
            for key in &step.computed {
                derived.insert(name(key), "rows of others".to_owned());
            }
            for (key, value) in step.defaulted.iter().chain(&step.reset) {
                defaulted.insert(name(key), value.clone());
            }
            for (key, group) in &step.groups {
                defaulted.insert(name(key), group.as_str().into());
            }
            lost.extend(step.lost.iter().map(name));
        }
        let from = upgrade.from.clone().unwrap_or_default();
        Self { from, to: release.name.to_owned(), derived, defaulted, lost }
    }
}

/// Looks at an export, and says by which steps it becomes one of another Zulip version. Writes nothing.
///
/// # Errors
/// `Incompatible` where a step is not known, `Damaged` for an export that is not sound, `Refused` for an output that exists
/// or an export that hides nobody where the release hides users.
pub fn plan(path: &Utf8Path, options: &UpgradeOptions, progress: &dyn Progress) -> Result<UpgradePlan> {
    let to = Release::for_version(&options.to)?;
    let package = Package::open(path)?;
    let (report, examined) = examine(&package, &ValidateOptions::default().jobs(options.jobs), progress)?;
    let (errors, findings): (Vec<Finding>, Vec<Finding>) =
        report.findings.list.into_iter().partition(|finding| finding.severity == Severity::Error);
    let examined = match examined {
        Some(examined) if errors.is_empty() => examined,
        _ => {
            return Err(Error::new(ErrorKind::Damaged, format!("{path} is not sound: no upgrade mends it"))
                .with_path(path)
                .with_reasons(errors));
        }
    };
    let from = examined.release;
    let chain = to.steps_from(from)?.ok_or_else(|| {
        let message = format!("no step leads from Zulip {} to {}", from.name, to.name);
        Error::new(ErrorKind::Incompatible, message).with_path(path).with_hint("exports go to newer releases only")
    })?;
    if chain.is_empty() {
        let message = format!("{path} is of Zulip {} already", from.name);
        return Err(Error::new(ErrorKind::Refused, message).with_path(path));
    }
    if examined.facts.converted {
        let message = format!("{path} is of another service: no step is known for what converters write");
        return Err(Error::new(ErrorKind::Incompatible, message)
            .with_path(path)
            .with_hint("convert that service's data with the newer Zulip"));
    }
    let hides = chain.iter().any(|release| release.export.exporter.hides_users);
    if report.kind != Kind::Full && hides && !from.export.exporter.hides_users {
        let message =
            format!("{path} is {}, and from Zulip 10 on such exports hide users, which this one does not", report.kind);
        return Err(Error::new(ErrorKind::Incompatible, message).with_path(path));
    }
    free_name(&options.output)?;
    Ok(UpgradePlan {
        path: path.to_owned(),
        output: options.output.clone(),
        from: from.name,
        to: options.to.clone(),
        steps: chain.iter().map(|release| PlannedStep::of(release)).collect(),
        findings: findings.into_iter().filter(|finding| finding.severity > Severity::Note).collect(),
        package,
        realm: examined.facts.realm,
        kind: report.kind,
        chain,
        jobs: options.jobs,
    })
}

impl UpgradePlan {
    pub(super) fn format(&self) -> Format {
        Format::of(&self.output).0
    }
}

impl fmt::Display for UpgradePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "export    {}, Zulip {}", self.path, self.from)?;
        for PlannedStep { from, to, derived, defaulted, lost } in &self.steps {
            writeln!(f, "step      {from} to {to}")?;
            for (key, of) in derived {
                writeln!(f, "  derived   {key} of {of}")?;
            }
            for (key, value) in defaulted {
                writeln!(f, "  new       {key} = {value}")?;
            }
            for key in lost {
                writeln!(f, "  lost      {key}")?;
            }
        }
        write!(f, "output    {}, Zulip {}", self.output, self.to)?;
        self.findings.iter().try_for_each(|finding| write!(f, "\n{:8}  {finding}", finding.severity))
    }
}
