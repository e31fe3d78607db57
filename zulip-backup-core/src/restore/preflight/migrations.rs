//! The schema's version: the archive's applied migrations against those the deployment has.

use std::collections::{BTreeMap, BTreeSet};

use crate::postgres::applied_migrations;
use crate::restore::APPLICATION;
use crate::restore::plan::RestorePlan;
use crate::{Finding, Result, fs};

/// How many names a message lists.
const SHOWN: usize = 5;

type Migrations = BTreeSet<(String, String)>;

impl RestorePlan {
    pub(super) fn migrations(&self, findings: &mut Vec<Finding>) -> Result<()> {
        let Some(archived) = &self.contents.migrations else {
            findings.push(Finding::note(
                "migrations-unknown",
                "django_migrations",
                "the archive does not list its migrations: after the restore, `manage.py showmigrations` must show all applied",
            ));
            return Ok(());
        };
        let archived: Migrations =
            archived.iter().flat_map(|(app, names)| names.iter().map(|name| (app.clone(), name.clone()))).collect();
        if let Some(applied) = self.applied_here()? {
            report("the database here", &archived, &applied, findings);
            return Ok(());
        }
        let files = self.files()?;
        if files.is_empty() {
            return Ok(());
        }
        let apps: BTreeSet<&String> = files.iter().map(|(app, _)| app).collect();
        // Migrations that were squashed and removed stay applied for ever; only those newer than all files are unknown.
        let mut newest = BTreeMap::<&str, &str>::new();
        for (app, name) in &files {
            let entry = newest.entry(app).or_insert(name);
            *entry = (*entry).max(name);
        }
        let relevant: Migrations = archived
            .iter()
            .filter(|(app, name)| {
                apps.contains(app)
                    && (files.contains(&(app.clone(), name.clone()))
                        || newest.get(app.as_str()).is_some_and(|newest| name.as_str() > *newest))
            })
            .cloned()
            .collect();
        report("the deployment", &relevant, &files, findings);
        Ok(())
    }

    /// Those of the server's database, where it has any.
    fn applied_here(&self) -> Result<Option<Migrations>> {
        let (Some(admin), Some(database)) = (&self.admin, &self.journal.database) else { return Ok(None) };
        if !database.existed || self.journal.was_begun("empty-database") {
            return Ok(None);
        }
        let mut client = admin.to(&database.name).connect(APPLICATION)?;
        let applied: Migrations = applied_migrations(&mut client)?.into_iter().collect();
        Ok((!applied.is_empty()).then_some(applied))
    }

    /// `<deployment>/<app>/migrations/<name>.py`.
    fn files(&self) -> Result<Migrations> {
        let mut files = BTreeSet::new();
        let Ok(deployment) = self.site.deployment() else { return Ok(files) };
        for app in fs::list(deployment.path())? {
            let directory = deployment.path().join(&app).join("migrations");
            if !fs::is_dir(&directory) {
                continue;
            }
            for name in fs::list(&directory)? {
                if let Some(name) = name.strip_suffix(".py").filter(|name| *name != "__init__") {
                    files.insert((app.clone(), name.to_owned()));
                }
            }
        }
        Ok(files)
    }
}

fn report(here: &str, archived: &Migrations, known: &Migrations, findings: &mut Vec<Finding>) {
    let (only_archive, only_here): (Vec<_>, Vec<_>) =
        (archived.difference(known).collect(), known.difference(archived).collect());
    if only_archive.is_empty() && only_here.is_empty() {
        return;
    }
    let mut parts = Vec::new();
    for (names, what) in [(only_archive, "only in the archive".to_owned()), (only_here, format!("only in {here}"))] {
        if !names.is_empty() {
            let shown: Vec<String> = names.iter().take(SHOWN).map(|(app, name)| format!("{app}.{name}")).collect();
            let more = if names.len() > SHOWN { ", …" } else { "" };
            parts.push(format!("{} {what} ({}{more})", names.len(), shown.join(", ")));
        }
    }
    findings.push(Finding::error("migrations-differ", "django_migrations", parts.join("; ")).with_hint(
        "install the archive's Zulip version and restore there; with --allow-version-mismatch, run \
                `manage.py migrate` afterwards if the archive is the older one",
    ));
}
