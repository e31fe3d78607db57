//! The schema's version: the archive's applied migrations against those the deployment has.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use crate::postgres::applied_migrations;
use crate::restore::APPLICATION;
use crate::restore::plan::RestorePlan;
use crate::schema::migration_number;
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
    let replaced = Replaced::of(archived, known);
    let only = |one: &'_ Migrations, other: &'_ Migrations| -> Vec<(String, String)> {
        one.difference(other).filter(|(app, name)| !replaced.has(app, name)).cloned().collect()
    };
    let (only_archive, only_here) = (only(archived, known), only(known, archived));
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

/// Migrations that others replace: a server that was upgraded through the years has applied them one by one, a new one all
/// at once. Both have the one that replaces them, `0001_squashed_0569_…`.
struct Replaced<'a>(Vec<(&'a str, RangeInclusive<u32>)>);

impl<'a> Replaced<'a> {
    fn of(one: &'a Migrations, other: &'a Migrations) -> Self {
        let range = |(app, name): &'a (String, String)| {
            let (first, behind) = name.split_once("_squashed_")?;
            Some((app.as_str(), first.parse().ok()?..=migration_number(behind)?))
        };
        Self(one.intersection(other).filter_map(range).collect())
    }

    fn has(&self, app: &str, name: &str) -> bool {
        let number = migration_number(name);
        number.is_some_and(|number| self.0.iter().any(|(of, range)| *of == app && range.contains(&number)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn migrations(names: &[&str]) -> Migrations {
        names.iter().map(|name| ("zerver".to_owned(), (*name).to_owned())).collect()
    }

    fn found(archived: &[&str], known: &[&str]) -> Option<String> {
        let mut findings = Vec::new();
        report("the database here", &migrations(archived), &migrations(known), &mut findings);
        findings.pop().map(|finding| finding.message)
    }

    #[test]
    fn a_server_of_years_and_a_new_one_have_the_same_migrations() {
        let old = ["0001_initial", "0569_x", "0001_squashed_0569", "0570_y"];
        let new = ["0001_squashed_0569", "0570_y"];
        assert_eq!((found(&old, &new), found(&new, &old)), (None, None));
        let newer = ["0001_squashed_0569", "0570_y", "0571_z"];
        let message = found(&old, &newer).unwrap();
        assert_eq!(message, "1 only in the database here (zerver.0571_z)");
        // Where only one has what replaces them, nothing says that they are the same.
        assert!(found(&["0001_initial", "0569_x"], &["0001_squashed_0569"]).is_some());
    }
}
