//! Every reason against an import that can be known before it, found in one go.

use camino::Utf8Path;
use postgres::Client;

use crate::import::files::{FilePlan, Pictures};
use crate::import::plan::RealmRow;
use crate::import::{ImportOptions, collisions, shared, version};
use crate::package::Package;
use crate::postgres::{column, error};
use crate::schema::{ExportSchema, LiveDifferences, compare_live};
use crate::site::Site;
use crate::validate::{Examined, Migrations};
use crate::{Error, ErrorKind, Finding, Result, Secret, Severity};

/// What was found, and what kind of reasons there are among it.
#[derive(Debug, Default)]
pub(super) struct Reasons {
    findings: Vec<Finding>,
    damaged: bool,
    incompatible: bool,
}

impl Reasons {
    /// What is wrong with the export.
    pub(super) fn of_export(&mut self, findings: impl IntoIterator<Item = Finding>) {
        self.damaged |= self.take(findings);
    }

    /// What does not fit.
    pub(super) fn of_versions(&mut self, findings: impl IntoIterator<Item = Finding>) {
        self.incompatible |= self.take(findings);
    }

    /// What is in the way on the server.
    pub(super) fn of_server(&mut self, findings: impl IntoIterator<Item = Finding>) {
        self.take(findings);
    }

    fn take(&mut self, findings: impl IntoIterator<Item = Finding>) -> bool {
        let before = self.findings.len();
        self.findings.extend(findings);
        self.findings[before..].iter().any(|finding| finding.severity == Severity::Error)
    }

    /// What is worth a note; or, where there is an error among it, the refusal.
    ///
    /// # Errors
    /// `Damaged`, `Incompatible` or `Refused`, with all errors.
    pub(super) fn judge(self, path: &Utf8Path, subdomain: &str) -> Result<Vec<Finding>> {
        let (errors, others): (Vec<Finding>, Vec<Finding>) =
            self.findings.into_iter().partition(|finding| finding.severity == Severity::Error);
        if errors.is_empty() {
            return Ok(others);
        }
        let error = |kind| {
            let error = Error::new(kind, format!("{path} cannot be imported as {subdomain:?}"));
            error.with_path(path).with_reasons(errors)
        };
        Err(if self.damaged {
            let hint = "an import leaves nothing half done, and so begins with nothing that is";
            error(ErrorKind::Damaged).with_hint(hint)
        } else if self.incompatible {
            error(ErrorKind::Incompatible)
        } else {
            error(ErrorKind::Refused)
        })
    }
}

/// What the export is, as far as it could be read.
pub(super) struct Known<'a> {
    pub(super) package: &'a Package,
    pub(super) examined: Option<&'a Examined>,
    pub(super) migrations: Option<&'a Migrations>,
    pub(super) row: Option<&'a RealmRow>,
}

/// Looks at the server, and at the export beside it.
///
/// # Errors
/// What the database answers.
pub(super) fn look(
    client: &mut Client,
    site: &Site,
    options: &ImportOptions,
    known: &Known<'_>,
    reasons: &mut Reasons,
) -> Result<()> {
    if let Err(error) = site.refuse_during_upgrade() {
        reasons.of_server([Finding::error("upgrade-in-progress", site.deployment_dir().as_str(), error.chain())]);
    }
    let LiveDifferences { release, findings, .. } = compare_live(client)?;
    reasons.of_versions(findings);
    let (version, path) = (&site.version()?.version, known.package.path());
    let differing = match (known.migrations, known.examined) {
        (Some(migrations), _) => version::compare(client, release, path, migrations, version)?.list,
        (None, Some(examined)) => Vec::from_iter(version::release_differs(path, examined.release, release, version)?),
        // Where neither is there, the check has said so.
        (None, None) => Vec::new(),
    };
    reasons.of_versions(differing);
    reasons.of_server(rights(client, &release.export)?);
    let facts = known.examined.map(|examined| &examined.facts);
    reasons.of_server(collisions::find(client, site, options, known.row, facts)?.list);
    if let Some(Examined { release, facts, records, .. }) = known.examined {
        reasons.of_server(shared::missing_bots(client, facts)?);
        // Where files would meet is no matter of the new ids, but for their being different.
        let (salt, listing) = (Secret::new(String::new()), known.package.listing()?);
        let pictures = Pictures::new(&release.export, options.compat);
        if let Err(error) = FilePlan::new(records, facts, listing, &Some, 0, &salt, pictures) {
            reasons.of_export([Finding::error("path-duplicate", "records.json", error.chain())]);
        }
    }
    Ok(())
}

/// What stands in the way of writing anything.
fn rights(client: &mut Client, schema: &ExportSchema) -> Result<Vec<Finding>> {
    let failed = |failure| error("ask what the role may do", failure);
    let tables: Vec<&String> = schema.tables.keys().collect();
    let row = client
        .query_one(
            "SELECT pg_is_in_recovery(), current_user::text, string_agg(t, ', ' ORDER BY t)
             FROM unnest($1::text[]) t WHERE NOT has_table_privilege(to_regclass(t), 'INSERT')",
            &[&tables],
        )
        .map_err(failed)?;
    let (standby, role, tables): (bool, String, Option<String>) =
        (column(&row, 0)?, column(&row, 1)?, column(&row, 2)?);
    let mut findings = Vec::new();
    if standby {
        let message = "is a standby, which nothing can be written to";
        findings.push(Finding::error("server-is-standby", "database", message).with_hint("name the primary server"));
    }
    if let Some(tables) = tables {
        let message = format!("may not write to {tables}");
        findings.push(Finding::error("role-may-not", role, message).with_hint("use the role that Zulip uses"));
    }
    Ok(findings)
}
