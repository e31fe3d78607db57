//! What of the host speaks against a restore.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;

use camino::Utf8Path;

use crate::restore::plan::{RestorePlan, Step, is_root};
use crate::restore::source::SourceKind;
use crate::schema::Fitting;
use crate::site::Kind;
use crate::units::bytes;
use crate::{Error, Finding, Result, Severity, fs};

impl RestorePlan {
    pub(super) fn host(&self, findings: &mut Vec<Finding>) -> Result<()> {
        if let Err(error) = self.site.refuse_during_upgrade() {
            findings.push(of_error("upgrade-running", "deployment", &error));
        }
        self.scripts(findings);
        let archive = matches!(*self.source.kind, SourceKind::Archive(_));
        if archive && !self.contents.database && !self.options.skip_db {
            findings.push(
                Finding::error("no-database", self.source.to_string(), "holds no database: it was made with --skip-db")
                    .with_hint("give --skip-db to keep the database that is there"),
            );
        }
        let production = self.site.kind()?.value == Kind::Production;
        let other = if production { self.contents.dev_secrets } else { self.contents.settings };
        if other && !self.options.skip_settings {
            let (of, here) = if production { ("development", "production") } else { ("production", "development") };
            findings.push(
                Finding::error(
                    "kind-differs",
                    self.source.to_string(),
                    format!("is of a {of} server, this is a {here} server"),
                )
                .with_hint("give --skip-settings to restore database and uploads only"),
            );
        }
        if let Some(host) = &self.options.external_host
            && (host.is_empty()
                || host.contains(|letter: char| letter.is_whitespace() || letter.is_control() || letter == '/'))
        {
            findings.push(Finding::error(
                "external-host-wrong",
                "--external-host",
                format!("{host:?} is no host name"),
            ));
        }
        for finding in self.findings.iter().filter(|finding| finding.code == "link-instead-of-content") {
            let settings = finding.object.contains("/settings/");
            if if settings { !self.options.skip_settings } else { !self.options.skip_uploads } {
                findings.push(finding.clone());
            }
        }
        if self.options.in_place && self.journal.database.is_some() && !self.options.yes {
            findings.push(
                Finding::error(
                    "in-place-not-agreed",
                    "database",
                    "would be emptied before it is loaded, which cannot be undone",
                )
                .with_hint("give --yes as well, or leave --in-place out"),
            );
        }
        Ok(())
    }

    fn scripts(&self, findings: &mut Vec<Finding>) {
        let needed: Vec<&str> = self.steps.iter().filter_map(|planned| planned.step.script()).collect();
        if needed.is_empty() {
            return;
        }
        let deployment = match self.site.deployment() {
            Ok(deployment) => deployment,
            Err(error) => {
                findings.push(of_error("deployment-unknown", "deployment", &error));
                return;
            }
        };
        for script in needed.into_iter().filter(|script| !deployment.has(script)) {
            findings.push(
                Finding::error("script-missing", deployment.path().join(script).to_string(), "is not there")
                    .with_hint("the restore ends with it: is this a complete deployment?"),
            );
        }
        let owner = deployment.owner();
        if !is_root() && owner.uid != crate::process::current_uid() {
            findings.push(
                Finding::error("not-root", deployment.path().to_string(), format!("belongs to {}", owner.name))
                    .with_hint("run the restore as root: its steps belong to root, postgres and zulip"),
            );
        }
    }

    pub(super) fn versions(&self, findings: &mut Vec<Finding>) -> Result<()> {
        if let Some(archived) = self.contents.zulip_version.as_deref()
            && self.steps.iter().any(|planned| matches!(planned.step, Step::LoadDatabase { .. }))
        {
            self.fitting(archived, findings)?;
            match self.site.version() {
                Ok(here) if here.version == archived => {}
                Ok(here) => findings.push(
                    Finding::error(
                        "zulip-version-differs",
                        "zulip-version",
                        format!("the archive is of Zulip {archived}, here is Zulip {}", here.version),
                    )
                    .with_hint("install the archive's version, restore, then upgrade; or --allow-version-mismatch"),
                ),
                Err(error) => findings.push(of_error("zulip-version-unknown", "zulip-version", &error)),
            }
            self.migrations(findings)?;
        }
        if let Some(archived) = self.contents.os_version.as_deref()
            && let Ok(here) = self.site.os()
        {
            let here = here.to_string();
            // Zulip 2.0 wrote `Ubuntu bionic`, by which versions cannot be compared.
            if archived.starts_with(char::is_uppercase) {
                findings.push(Finding::note(
                    "os-version-old-style",
                    "os-version",
                    format!("is {archived:?}, as Zulip 2.0 wrote it; this host is {here:?}"),
                ));
            } else if archived != here {
                findings.push(
                    Finding::error(
                        "os-differs",
                        "os-version",
                        format!("the archive is of {archived}, this host is {here}"),
                    )
                    .with_hint(
                        "restore on the same system; or --allow-version-mismatch: indexes are built anew, so \
                            that text sorts rightly, but zulip.conf may ask for packages of the other system",
                    ),
                );
            }
        }
        Ok(())
    }

    /// Which Zulip the archive's tables fit, and whether that runs on the PostgreSQL that is here.
    fn fitting(&self, archived: &str, findings: &mut Vec<Finding>) -> Result<()> {
        let Some(fits) = self.contents.migrations.as_ref().map_or(Ok(None), Fitting::of_migrations)? else {
            return Ok(());
        };
        findings.push(Finding::note("zulip-fits", "django_migrations", format!("the archive's tables: {fits}")));
        let here = self.admin.as_ref().and_then(|admin| u32::try_from(admin.server_version_num / 10_000).ok());
        findings.extend(here.and_then(|here| unsupported(&fits, archived, here)));
        Ok(())
    }

    /// What is needed on each file system against what is free there.
    pub(super) fn space(&self, findings: &mut Vec<Finding>) -> Result<()> {
        let mut needs = BTreeMap::<u64, (String, u64, u64, bool)>::new();
        let mut need = |path: &Utf8Path, amount: u64, exact: bool| {
            let place = fs::existing_directory(path);
            let Some(found) = fs::metadata(place)? else { return Ok(()) };
            let free = fs::free_bytes(place)?;
            let entry = needs.entry(found.dev()).or_insert_with(|| (place.to_string(), 0, free, true));
            entry.1 = entry.1.saturating_add(amount);
            entry.3 &= exact;
            Ok::<_, Error>(())
        };
        let contents = &self.contents;
        for tree in &self.journal.trees {
            let amount = match tree.kind {
                crate::restore::trees::TreeKind::Uploads => contents.uploads_bytes,
                _ => contents.settings_bytes,
            };
            need(&tree.staged, amount.unwrap_or(0), contents.exact)?;
        }
        if let (Some(admin), Some(amount), Some(database)) =
            (&self.admin, contents.database_bytes, &self.journal.database)
            && admin.is_local()
            && admin.superuser
            && !self.journal.is_done("load-database")
        {
            let mut client = admin.connect()?;
            let row = client.query_one("SELECT current_setting('data_directory')", &[]);
            let row = row.map_err(|failure| crate::postgres::error("ask for the data directory", failure))?;
            let directory: String = crate::postgres::column(&row, 0)?;
            let freed: i64 = if database.in_place {
                let row = client.query_one("SELECT pg_database_size($1::text::name)", &[&database.name]);
                row.ok().and_then(|row| row.try_get(0).ok()).unwrap_or(0)
            } else {
                0
            };
            let amount = (amount + amount / 10).saturating_sub(u64::try_from(freed).unwrap_or(0));
            need(Utf8Path::new(&directory), amount, contents.exact)?;
            if let Some(dump) = &self.journal.dump_dir {
                need(dump, amount / 8, false)?;
            }
        }
        for (place, amount, free, exact) in needs.into_values().filter(|(_, amount, free, _)| amount > free) {
            let about = if exact { "" } else { "about " };
            let message = format!("has {} free, {about}{} are needed", bytes(free), bytes(amount));
            let hint = "free some space; or --in-place for the database; or --ignore-space";
            let refused = exact && !self.options.ignore_space;
            let severity = if refused { Severity::Error } else { Severity::Warning };
            findings.push(Finding::new(severity, "space-too-little", place, message).with_hint(hint));
        }
        Ok(())
    }
}

pub(super) fn of_error(code: &str, object: &str, error: &Error) -> Finding {
    let finding = Finding::error(code, object, error.chain());
    match error.hint() {
        Some(hint) => finding.with_hint(hint),
        None => finding,
    }
}

/// Whether the archive's Zulip runs on the PostgreSQL that is here, as far as that is known.
fn unsupported(fits: &Fitting, archived: &str, here: u32) -> Option<Finding> {
    if fits.runs_on(archived, here)? {
        return None;
    }
    let message = format!("Zulip {archived} runs on PostgreSQL {}, the server is {here}", fits.postgres());
    let hint =
        "the load may succeed all the same, but that Zulip was never tried with it: install a PostgreSQL it runs on";
    Some(Finding::warning("postgres-unsupported", "postgres-version", message).with_hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_postgresql_that_zulip_does_not_run_on_is_named() {
        let fits = Fitting::of_migration(558).unwrap();
        let finding = unsupported(&fits, "9.4", 17).unwrap();
        assert_eq!(finding.message, "Zulip 9.4 runs on PostgreSQL 12 to 16, the server is 17");
        assert!(unsupported(&fits, "9.4", 15).is_none());
        assert!(unsupported(&Fitting::of_migration(9000).unwrap(), "14.0", 12).is_none(), "nothing is known of it");
    }
}
