//! Rows that their table would not take beside each other.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::rows::{Cell, RowParser, Shape};
use crate::schema::{Release, RowRule, Source};
use crate::{Finding, Findings, Result};

/// Columns whose values are made anew whenever rows are imported: what an export has of them collides with nothing.
const MADE: [(&str, &str); 2] = [("zerver_huddle", "huddle_hash"), ("zerver_userprofile", "api_key")];

/// Tables with at least about as many rows as there are messages, of which a hash of 8 bytes is all that is kept.
const LARGE: [&str; 3] = ["zerver_reaction", "zerver_useractivity", "zerver_usermessage"];

/// What the rows so far have in the columns that a table takes only once. Memory: about 20 bytes for each row of a small
/// table, 10 for one of a large table.
#[derive(Debug, Default)]
pub(super) struct Uniques {
    tables: BTreeMap<String, Vec<Unique>>,
    /// The list that rows come of now.
    current: Option<String>,
}

/// One constraint of a table, or one unique index.
#[derive(Debug)]
struct Unique {
    rule: Rule,
    /// Where a row of the current list has the values.
    places: Vec<(usize, Fold)>,
    /// Where it has the flag that takes it out.
    unless: Option<usize>,
    seen: Seen,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    columns: Vec<(String, Fold)>,
    /// Rows in which this column is true do not count.
    unless: Option<String>,
}

/// What an index makes of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fold {
    None,
    Upper,
    Lower,
}

/// A row that has what another has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Other {
    Row(i64),
    /// One of a large table.
    Unknown,
}

/// Hashes of what rows have.
#[derive(Debug)]
enum Seen {
    /// With the rows.
    Small(HashMap<u64, i64>),
    Large(HashSet<u64>),
}

impl Uniques {
    /// Looks at a row, and says what it has that another has as well.
    pub(super) fn check(&mut self, file: &str, row: &RowParser<'_>, id: i64, findings: &mut Findings) {
        match self.row(file, row, id) {
            Ok(twice) => twice.into_iter().for_each(|finding| findings.push(finding)),
            Err(error) => findings.push(Finding::error("check-failed", &row.shape.list, error.to_string())),
        }
    }

    /// Looks at a row. What it has that another has as well comes back.
    ///
    /// # Errors
    /// `Damaged` where the built-in files are wrong, which the tests exclude.
    fn row(&mut self, file: &str, row: &RowParser<'_>, id: i64) -> Result<Vec<Finding>> {
        let shape = row.shape;
        // Those are not imported, but found on the server; attachments and organisations have checks of their own; and
        // counts are many.
        if matches!(shape.rule, RowRule::CrossRealmBots | RowRule::Clients | RowRule::Attachments)
            || shape.table == "zerver_realm"
            || shape.table.starts_with("analytics_")
        {
            return Ok(Vec::new());
        }
        if self.current.as_ref() != Some(&shape.list) {
            self.begin(shape)?;
        }
        let uniques = self.tables.get_mut(&shape.table).into_iter().flatten();
        let twice = uniques.filter_map(|unique| Some((unique.twice(row, id)?, &*unique)));
        Ok(twice.map(|(other, unique)| unique.finding(file, row, id, other)).collect())
    }

    /// Finds where the rows of another list have the values.
    fn begin(&mut self, shape: &Shape) -> Result<()> {
        let table = &shape.table;
        if !self.tables.contains_key(table) {
            let large = LARGE.contains(&table.as_str());
            let seen = || if large { Seen::Large(HashSet::new()) } else { Seen::Small(HashMap::new()) };
            let unique = |rule| Unique { rule, places: Vec::new(), unless: None, seen: seen() };
            self.tables.insert(table.clone(), rules(shape.release, table)?.into_iter().map(unique).collect());
        }
        let fields = &shape.release.export.table(table)?.fields;
        let place = |column: &str| {
            let of_table = fields
                .iter()
                .position(|field| matches!(&field.source, Source::Column { column: named, .. } if named == column));
            // What only converters say has the key of its column.
            of_table.or_else(|| shape.position(column).filter(|at| *at >= fields.len()))
        };
        for unique in self.tables.get_mut(table).into_iter().flatten() {
            let places = unique.rule.columns.iter().map(|(column, fold)| Some((place(column)?, *fold)));
            // Values that an export has not are no two rows'.
            unique.places = places.collect::<Option<_>>().unwrap_or_default();
            unique.unless = unique.rule.unless.as_deref().and_then(place);
        }
        self.current = Some(shape.list.clone());
        Ok(())
    }
}

/// What a table takes only once.
fn rules(release: &Release, table: &str) -> Result<Vec<Rule>> {
    let table = release.catalog.table(table)?;
    let of_constraints = table.unique.iter().map(|unique| Rule {
        columns: unique.columns.iter().map(|column| (column.clone(), Fold::None)).collect(),
        unless: None,
    });
    let indexes = table.indexes.iter().filter(|index| index.unique);
    let rules = of_constraints.chain(indexes.filter_map(|index| Rule::of_index(&index.definition)));
    let made = |rule: &Rule| rule.columns.iter().any(|(column, _)| MADE.contains(&(&table.name, column)));
    Ok(rules.filter(|rule| !made(rule)).collect())
}

impl Rule {
    /// Of an index as the catalog has it: `btree (realm_id, upper((name)::text)) WHERE (NOT deactivated)`. `None` for one
    /// that is otherwise.
    fn of_index(definition: &str) -> Option<Self> {
        let (columns, condition) = match definition.split_once(" WHERE ") {
            Some((columns, condition)) => (columns, Some(condition)),
            None => (definition, None),
        };
        let unless = match condition {
            Some(condition) => Some(condition.strip_prefix("(NOT ")?.strip_suffix(')')?.to_owned()),
            None => None,
        };
        let columns = columns.strip_prefix("btree (")?.strip_suffix(')')?.split(", ").map(|column| {
            let of = |function: &str| column.strip_prefix(function)?.strip_prefix("((")?.strip_suffix(")::text)");
            match (of("upper"), of("lower")) {
                (Some(column), _) => Some((column.to_owned(), Fold::Upper)),
                (_, Some(column)) => Some((column.to_owned(), Fold::Lower)),
                (None, None) => (!column.contains(['(', ' '])).then(|| (column.to_owned(), Fold::None)),
            }
        });
        Some(Self { columns: columns.collect::<Option<_>>()?, unless })
    }
}

impl Unique {
    /// Which other row has the same already.
    fn twice(&mut self, row: &RowParser<'_>, id: i64) -> Option<Other> {
        if self.places.is_empty() || self.unless.is_some_and(|at| row.cell(at) == Cell::Bool(true)) {
            return None;
        }
        let mut hasher = DefaultHasher::new();
        for (at, fold) in &self.places {
            match (row.cell(*at), fold) {
                (Cell::Int(value), _) => value.hash(&mut hasher),
                (cell @ (Cell::Text(..) | Cell::Json(..)), fold) => {
                    let text = row.text_of(cell)?.chars();
                    match fold {
                        Fold::None => text.for_each(|letter| letter.hash(&mut hasher)),
                        Fold::Upper => text.for_each(|letter| one(letter, letter.to_uppercase()).hash(&mut hasher)),
                        Fold::Lower => text.for_each(|letter| one(letter, letter.to_lowercase()).hash(&mut hasher)),
                    }
                    // Where one text ends and the next begins.
                    u64::MAX.hash(&mut hasher);
                }
                // Nulls are not equal, and no key has values of other types.
                _ => return None,
            }
        }
        match &mut self.seen {
            Seen::Small(seen) => match seen.entry(hasher.finish()) {
                // Two rows with one id are told of already.
                Entry::Occupied(other) => (*other.get() != id).then(|| Other::Row(*other.get())),
                Entry::Vacant(entry) => {
                    entry.insert(id);
                    None
                }
            },
            Seen::Large(seen) => (!seen.insert(hasher.finish())).then_some(Other::Unknown),
        }
    }

    fn finding(&self, file: &str, row: &RowParser<'_>, id: i64, other: Other) -> Finding {
        let values = self.places.iter().filter_map(|(at, _)| {
            let field = row.shape.fields.get(*at)?;
            let value = match row.cell(*at) {
                Cell::Int(value) => value.to_string(),
                cell => format!("{:?}", row.text_of(cell)?),
            };
            // There is only one organisation.
            (field.references.as_deref() != Some("zerver_realm")).then(|| format!("{} {value}", field.key))
        });
        let values: Vec<String> = values.collect();
        let folded = self.places.iter().any(|(_, fold)| *fold != Fold::None);
        let other = match other {
            Other::Row(other) => format!("row {other}"),
            Other::Unknown => "a row before it".to_owned(),
        };
        let case = if folded { ", but for its case at most" } else { "" };
        let has =
            if values.is_empty() { "is of the organisation".to_owned() } else { format!("has {}", values.join(", ")) };
        let message = format!("{has}, as {other} has{case}: its table takes only one of them");
        Finding::error("value-duplicate", format!("{file} {} {id}", row.shape.list), message)
    }
}

/// A letter as PostgreSQL changes it: one for one.
fn one(letter: char, mut changed: impl Iterator<Item = char>) -> char {
    match (changed.next(), changed.next()) {
        (Some(changed), None) => changed,
        _ => letter,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What rows of a list are told to have that others have.
    fn found(list: &str, rows: &[(i64, &str)]) -> Vec<String> {
        let release = Release::for_version("10.1").unwrap();
        let list = release.export.files.realm.iter().find(|known| known.key == list).unwrap();
        let shape = Shape::new(release, list).unwrap().converted();
        let mut uniques = Uniques::default();
        let mut parser = RowParser::new(&shape);
        let mut messages = Vec::new();
        for (id, row) in rows {
            parser.parse(row).unwrap();
            let findings = uniques.row("realm.json", &parser, *id).unwrap();
            messages.extend(findings.into_iter().map(|finding| format!("{}: {}", finding.object, finding.message)));
        }
        messages
    }

    #[test]
    fn names_are_compared_as_the_database_does() {
        let rows = [
            (1, r#"{"realm": 1, "name": "General"}"#),
            (2, r#"{"realm": 1, "name": "straße"}"#),
            (3, r#"{"realm": 1, "name": "STRASSE"}"#),
            (4, r#"{"realm": 1, "name": "GENERAL"}"#),
            (5, r#"{"realm": 1, "name": "ÄGG"}"#),
            (6, r#"{"realm": 1, "name": "ägg"}"#),
        ];
        let of = |id: i64, name: &str, other: i64| {
            format!(
                "realm.json zerver_stream {id}: has name {name:?}, as row {other} has, but for its case at most: its table \
                 takes only one of them"
            )
        };
        assert_eq!(found("zerver_stream", &rows), [of(4, "GENERAL", 1), of(6, "ägg", 5)]);
    }

    #[test]
    fn what_is_not_said_or_does_not_count_is_nobody_elses() {
        let users = [
            (1, r#"{"realm": 1, "email": "a@b", "delivery_email": null, "api_key": "k", "uuid": null}"#),
            (2, r#"{"realm": 1, "email": "c@b", "delivery_email": null, "api_key": "k", "uuid": null}"#),
        ];
        assert_eq!(found("zerver_userprofile", &users), [""; 0]);
        let emoji = [
            (1, r#"{"realm": 1, "name": "x", "deactivated": true}"#),
            (2, r#"{"realm": 1, "name": "x", "deactivated": false}"#),
            (3, r#"{"realm": 1, "name": "x", "deactivated": true}"#),
            (4, r#"{"realm": 1, "name": "X", "deactivated": false}"#),
            (5, r#"{"realm": 1, "name": "x", "deactivated": false}"#),
        ];
        let expected =
            ["realm.json zerver_realmemoji 5: has name \"x\", as row 2 has: its table takes only one of them"];
        assert_eq!(found("zerver_realmemoji", &emoji), expected);
    }

    #[test]
    fn every_unique_index_is_understood() {
        let release = Release::for_version("10.1").unwrap();
        for list in &release.export.files.realm {
            let table = release.catalog.table(list.table()).unwrap();
            for index in table.indexes.iter().filter(|index| index.unique) {
                assert!(Rule::of_index(&index.definition).is_some(), "{}", index.definition);
            }
        }
        let rule = Rule::of_index("btree (realm_id, upper((name)::text)) WHERE (NOT deactivated)").unwrap();
        assert_eq!(rule.unless.as_deref(), Some("deactivated"));
        assert_eq!(rule.columns, [("realm_id".to_owned(), Fold::None), ("name".to_owned(), Fold::Upper)]);
        assert_eq!(Rule::of_index("gin (search_tsvector)"), None);
    }
}
