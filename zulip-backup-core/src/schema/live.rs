//! A live database against what an export expects of it.

use std::collections::{BTreeMap, BTreeSet};

use postgres::{Client, GenericClient};

use crate::postgres::{applied_migrations, column, error};
use crate::schema::{ExportSchema, Migrations, Release, Source, migration_number};
use crate::{Finding, Result};

const COLUMNS: &str = "
    SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod)
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
      AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'zerver_realm'::regclass)";

/// What a live database has otherwise than a declaration says.
#[derive(Clone, Debug)]
pub struct LiveDifferences {
    /// The release it is compared with.
    pub release: &'static Release,
    /// All of it: errors where an export would lose or mistake something.
    pub findings: Vec<Finding>,
    /// Tables that are not there.
    missing_tables: BTreeSet<String>,
    /// Columns that are not there, or are of the type named here.
    columns: BTreeMap<(String, String), LiveColumn>,
}

/// How a column differs from what a declaration says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LiveColumn {
    /// It is not there.
    Missing,
    /// It is of this type.
    OfType(String),
}

/// The tables of a database: their columns, and the types of those.
type Tables = BTreeMap<String, BTreeMap<String, String>>;

impl LiveDifferences {
    /// What tables have otherwise than those of a release.
    fn of(live: &Tables, release: &'static Release) -> Result<Self> {
        let (schema, catalog) = (&release.export, &release.catalog);
        let mut differences =
            Self { release, findings: Vec::new(), missing_tables: BTreeSet::new(), columns: BTreeMap::new() };
        for (table, exported) in &schema.tables {
            let Some(columns) = live.get(table) else {
                let message = "is exported by Zulip, and not in this database";
                differences.findings.push(Finding::error("table-missing", table, message));
                differences.missing_tables.insert(table.clone());
                continue;
            };
            let mut known: Vec<&str> = exported.dropped.iter().chain(&exported.harmless).map(String::as_str).collect();
            for field in &exported.fields {
                let Source::Column { column, .. } = &field.source else { continue };
                known.push(column);
                let expected = catalog.table(table)?.column(column).map_or("", |column| column.sql_type.as_str());
                match columns.get(column) {
                    None => differences.column_differs(table, column, LiveColumn::Missing, expected),
                    Some(found) if base(expected) != base(found) => {
                        differences.column_differs(table, column, LiveColumn::OfType(found.clone()), expected);
                    }
                    Some(_) => {}
                }
            }
            for column in columns.keys().filter(|column| !known.contains(&column.as_str())) {
                let message = "is a column that is not known: its values would be lost";
                differences.findings.push(Finding::error("column-unknown", format!("{table}.{column}"), message));
            }
        }
        let unknown =
            live.keys().filter(|table| !schema.tables.contains_key(*table) && !schema.left_out.contains_key(*table));
        for table in unknown.filter(|table| table.starts_with("zerver_") || table.starts_with("analytics_")) {
            let message = "is a table that is not known: its rows would be lost";
            differences.findings.push(Finding::error("table-unknown", table, message));
        }
        Ok(differences)
    }

    /// How a column differs.
    pub(crate) fn column(&self, table: &str, column: &str) -> Option<&LiveColumn> {
        self.columns.get(&(table.to_owned(), column.to_owned()))
    }

    /// Whether a table is not there.
    pub(crate) fn lacks(&self, table: &str) -> bool {
        self.missing_tables.contains(table)
    }

    fn column_differs(&mut self, table: &str, column: &str, how: LiveColumn, expected: &str) {
        let object = format!("{table}.{column}");
        self.findings.push(match &how {
            LiveColumn::Missing => Finding::error("column-missing", object, "is not in this database"),
            LiveColumn::OfType(found) => {
                Finding::error("column-type-differs", object, format!("is of type {found}, expected {expected}"))
            }
        });
        self.columns.insert((table.to_owned(), column.to_owned()), how);
    }
}

impl Release {
    /// The release that a live database's migrations tell; the nearest one, where none has exactly those.
    ///
    /// # Errors
    /// What the database answers.
    pub(crate) fn of_database(client: &mut impl GenericClient) -> Result<&'static Self> {
        Self::of_migration(newest(&applied_migrations(client)?).map(|(number, _)| number))
    }
}

/// The newest migration of Zulip's app zerver: its number and its name.
pub(super) fn newest(applied: &[(String, String)]) -> Option<(u32, &str)> {
    let of_zerver = applied.iter().filter(|(app, _)| app == "zerver");
    of_zerver.filter_map(|(_, name)| Some((migration_number(name)?, name.as_str()))).max()
}

/// Compares the tables of `client`'s database, which finds them by their names, with those of the release that its
/// migrations tell. Where they are between those of two releases, as those of a development version are, it is the one
/// with fewer differences.
///
/// # Errors
/// What the database answers.
pub fn compare_live(client: &mut Client) -> Result<LiveDifferences> {
    let applied = applied_migrations(client)?;
    let failed = |failure| error("read the columns of Zulip's tables", failure);
    let mut live = Tables::new();
    for row in client.query(COLUMNS, &[]).map_err(failed)? {
        live.entry(column(&row, 0)?).or_default().insert(column(&row, 1)?, column(&row, 2)?);
    }
    let newest = newest(&applied);
    let mut nearest: Option<LiveDifferences> = None;
    for release in Release::near(newest.map(|(number, _)| number))? {
        let differences = LiveDifferences::of(&live, release)?;
        if nearest.as_ref().is_none_or(|nearest| differences.findings.len() < nearest.findings.len()) {
            nearest = Some(differences);
        }
    }
    let mut differences = nearest.map_or_else(|| LiveDifferences::of(&live, Release::latest()?), Ok)?;
    let harmless = differences.findings.is_empty();
    differences.findings.extend(migrations(newest, &differences.release.export, harmless));
    Ok(differences)
}

/// The version is told by the newest migration of Zulip's app zerver.
/// One that is not known and has changed no table that is exported does no harm.
fn migrations(newest: Option<(u32, &str)>, schema: &ExportSchema, harmless: bool) -> Option<Finding> {
    let (found, name) = newest?;
    if schema.migrations.have(found) {
        return None;
    }
    let expected = match schema.migrations {
        Migrations { before: Some(before), .. } if found >= before => format!("one before {before:04}"),
        Migrations { after, .. } => format!("{after:04} or a later one"),
    };
    let versions = schema.zulip_versions.join(", ");
    let message = format!("is the newest migration, expected {expected}: the tables are known of Zulip {versions}");
    let object = format!("zerver {name}");
    Some(if harmless {
        let message = format!("{message}; the tables are just those");
        Finding::warning("migrations-unexpected", object, message)
    } else {
        Finding::error("migrations-unexpected", object, message)
    })
}

/// A type without its length; whole numbers of any size are read alike.
fn base(sql_type: &str) -> &str {
    match sql_type.split_once('(').map_or(sql_type, |(base, _)| base) {
        "smallint" | "integer" | "bigint" => "integer",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Severity;

    #[test]
    fn the_newest_migration_tells_the_version() {
        let schema = &Release::for_version("10.1").unwrap().export;
        let newest_of = |names: &[&str], harmless: bool| {
            let applied: Vec<_> = names.iter().map(|name| ("zerver".to_owned(), (*name).to_owned())).collect();
            migrations(newest(&applied), schema, harmless)
        };
        assert_eq!(newest_of(&["0001_squashed_0569", "0696_x", "0697_empty_topic_name"], false), None);
        assert_eq!(newest_of(&[], false), None);
        for (names, says) in [(&["0558_x"][..], "0696 or a later"), (&["0697_x", "0800_y"], "before 0698")] {
            for (harmless, severity) in [(false, Severity::Error), (true, Severity::Warning)] {
                let finding = newest_of(names, harmless).unwrap();
                assert!(finding.message.contains(says) && finding.severity == severity, "{finding}");
            }
        }
    }

    #[test]
    fn of_two_releases_it_is_the_nearer() {
        let names = |newest| Release::near(Some(newest)).unwrap().iter().map(|near| near.name).collect::<Vec<_>>();
        assert_eq!((names(1), names(496), names(520)), (vec!["8"], vec!["8"], vec!["8", "9"]));
        assert_eq!((names(760), names(9000)), (vec!["11", "12"], vec!["12"]));
        // A table that came between both.
        let release = Release::for_version("9.0").unwrap();
        let mut live: Tables = BTreeMap::new();
        for table in &release.catalog.tables {
            let columns = table.columns.iter().map(|column| (column.name.clone(), column.sql_type.clone()));
            live.insert(table.name.clone(), columns.collect());
        }
        assert!(LiveDifferences::of(&live, release).unwrap().findings.is_empty());
        live.insert("zerver_savedsnippet".to_owned(), BTreeMap::new());
        let of = |version| LiveDifferences::of(&live, Release::for_version(version).unwrap()).unwrap().findings.len();
        assert!(of("9.0") == 1 && of("10.1") > 1);
    }
}
