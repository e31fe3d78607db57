//! A release's folder, as far as a live database tells it: what a person begins with who makes a new release known.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use camino::Utf8Path;
use postgres::Client;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::fs::{self, WorkDir};
use crate::postgres::applied_migrations;
use crate::schema::export::key_and_column;
use crate::schema::live::newest;
use crate::schema::text::json_text;
use crate::schema::{Catalog, Release, Table};
use crate::{Error, ErrorKind, Finding, Result};

/// What stands where somebody has to decide. No folder that is built in has it.
pub(crate) const UNDECIDED: &str = "UNDECIDED";

/// A release's folder: the nearest release's that is known, with the live database's tables and columns.
#[derive(Debug, Serialize)]
pub struct Skeleton {
    /// The release it is made after.
    pub nearest: &'static str,
    /// The files, by their names.
    #[serde(skip)]
    pub files: Vec<(&'static str, String)>,
    /// How the database differs from that release: each is something to decide.
    pub findings: Vec<Finding>,
}

impl Skeleton {
    /// Of a live database.
    ///
    /// # Errors
    /// Those of [`Catalog::read`].
    pub fn read(client: &mut Client) -> Result<Self> {
        let applied = applied_migrations(client)?;
        let newest = newest(&applied).map(|(number, _)| number);
        let nearest = Release::of_migration(newest)?;
        let catalog = Catalog::read(client)?;
        let mut after = After { catalog: &catalog, findings: Vec::new() };
        let mut export = object(nearest.files.export)?;
        export["zulip_versions"] = json!([]);
        export["versions"] = json!([]);
        export["migrations"] = json!({ "after": newest, "before": null });
        after.tables(&mut export);
        let mut defaults = object(nearest.files.defaults)?;
        after.defaults(&mut defaults);
        let mut conversion = object(nearest.files.conversion)?;
        convert(&mut conversion, &export);
        let mut migrations: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (app, name) in applied {
            migrations.entry(app).or_default().push(name);
        }
        let findings = after.findings;
        let upgrade = match newest {
            Some(newest) if !nearest.export.migrations.have(newest) => {
                step(nearest.name, &object(nearest.files.export)?, &export)
            }
            _ => object(nearest.files.upgrade)?,
        };
        let files = [
            ("catalog.json", serde_json::to_value(&catalog)),
            ("conversion.json", Ok(conversion)),
            ("defaults.json", Ok(defaults)),
            ("export.json", Ok(export)),
            ("migrations.json", serde_json::to_value(migrations)),
            ("upgrade.json", Ok(upgrade)),
        ];
        let written = files.into_iter().map(|(name, value)| value.map(|value| (name, json_text(&value))));
        let files = written.collect::<Result<_, _>>().map_err(wrong)?;
        Ok(Self { nearest: nearest.name, files, findings })
    }

    /// Writes the files into a directory that is made for them. Complete, or not there.
    ///
    /// # Errors
    /// `Refused` where the directory exists, and what the disk answers.
    pub fn write(&self, directory: &Utf8Path) -> Result<()> {
        if fs::symlink_metadata(directory)?.is_some() {
            return Err(Error::new(ErrorKind::Refused, format!("{directory} exists"))
                .with_path(directory)
                .with_hint("name a directory that is not there yet"));
        }
        let work = WorkDir::create(fs::parent(directory), ".zulip-backup-schema-", "schema")?;
        let made = work.directory("schema")?;
        for (name, text) in &self.files {
            fs::write_new(&made.join(name), &mut text.as_bytes(), None)?;
        }
        fs::sync_directory(&made)?;
        fs::move_new(&made, directory)
    }
}

impl fmt::Display for Skeleton {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "{:9} {finding}", finding.severity)?;
        }
        write!(f, "after     Zulip {}, with {} differences", self.nearest, self.findings.len())
    }
}

fn object(text: &str) -> Result<Value> {
    serde_json::from_str(text).map_err(wrong)
}

fn wrong(error: serde_json::Error) -> Error {
    Error::new(ErrorKind::Damaged, "a built-in file is wrong").with_source(error)
}

/// The nearest release's files, brought after a live catalog.
struct After<'a> {
    catalog: &'a Catalog,
    findings: Vec<Finding>,
}

impl After<'_> {
    fn has(&self, table: &str, column: &str) -> bool {
        self.catalog.table(table).is_ok_and(|table| table.column(column).is_some())
    }

    fn noticed(&mut self, code: &str, object: impl Into<String>, message: &str) {
        self.findings.push(Finding::warning(code, object, message));
    }

    /// Tables and fields.
    fn tables(&mut self, export: &mut Value) {
        let mut known: BTreeSet<String> = BTreeSet::new();
        if let Some(tables) = export.get_mut("tables").and_then(Value::as_object_mut) {
            tables.retain(|name, table| {
                known.insert(name.clone());
                match self.catalog.table(name) {
                    Ok(live) => self.fields(live, table),
                    Err(_) => {
                        self.noticed("table-gone", name.clone(), "is exported by the nearest release, and not there");
                    }
                }
                self.catalog.table(name).is_ok()
            });
        }
        if let Some(files) = export.get_mut("files").and_then(Value::as_object_mut) {
            for lists in files.values_mut().filter_map(Value::as_array_mut) {
                lists.retain(|list| {
                    let table = list["table"].as_str().or_else(|| list["key"].as_str()).unwrap_or_default();
                    self.catalog.table(table).is_ok()
                });
            }
        }
        if let Some(left_out) = export.get_mut("left_out").and_then(Value::as_object_mut) {
            known.extend(left_out.keys().cloned());
            left_out.retain(|name, _| self.catalog.table(name).is_ok());
            for table in self.catalog.tables.iter().filter(|table| !known.contains(&table.name)) {
                left_out.insert(table.name.clone(), UNDECIDED.into());
                let message = "is a table that the nearest release has not: is it exported, and if not, why?";
                self.noticed("table-new", &table.name, message);
            }
        }
    }

    fn fields(&mut self, live: &Table, declared: &mut Value) {
        let mut known: BTreeSet<String> = BTreeSet::new();
        for list in ["dropped", "harmless"] {
            if let Some(columns) = declared.get_mut(list).and_then(Value::as_array_mut) {
                columns
                    .retain(|name| name.as_str().is_some_and(|name| list == "harmless" || live.column(name).is_some()));
                known.extend(columns.iter().filter_map(Value::as_str).map(str::to_owned));
            }
        }
        let Some(fields) = declared.get_mut("fields").and_then(Value::as_array_mut) else { return };
        fields.retain(|field| {
            let Some(column) = column_of(field) else { return true };
            known.insert(column.to_owned());
            let there = live.column(column).is_some();
            if !there {
                let object = format!("{}.{column}", live.name);
                self.noticed("column-gone", object, "is exported by the nearest release, and not there");
            }
            there
        });
        for column in live.columns.iter().filter(|column| !known.contains(&column.name)) {
            let key = live.foreign_key(&column.name).and_then(|_| column.name.strip_suffix("_id"));
            fields.push(key.map_or_else(|| column.name.clone(), |key| format!("{key}={}", column.name)).into());
            let message = "is a column that the nearest release has not: its place among the keys is to be found out";
            self.noticed("column-new", format!("{}.{}", live.name, column.name), message);
        }
    }

    fn defaults(&mut self, defaults: &mut Value) {
        for (part, table) in [
            ("realm", "zerver_realm"),
            ("realm_groups", "zerver_realm"),
            ("stream_groups", "zerver_stream"),
            ("user", "zerver_userprofile"),
            ("preferences", "zerver_userprofile"),
        ] {
            if let Some(columns) = defaults.get_mut(part).and_then(Value::as_object_mut) {
                columns.retain(|column, _| self.has(table, column));
            }
        }
        if let Some(settings) = defaults.get_mut("group_settings").and_then(Value::as_array_mut) {
            settings.retain(|column| column.as_str().is_some_and(|column| self.has("zerver_namedusergroup", column)));
        }
    }
}

/// Lists and keys of converters' exports.
fn convert(conversion: &mut Value, export: &Value) {
    let mut keys: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for list in export["files"].as_object().into_iter().flat_map(Map::values).filter_map(Value::as_array).flatten() {
        let key = list["key"].as_str().unwrap_or_default();
        let table = list["table"].as_str().unwrap_or(key);
        let fields = export["tables"][table]["fields"].as_array().into_iter().flatten();
        keys.insert(key, fields.filter_map(key_of).collect());
    }
    if let Some(lists) = conversion.get_mut("lists").and_then(Value::as_array_mut) {
        lists.retain(|list| list.as_str().is_some_and(|list| keys.contains_key(list)));
    }
    for part in ["absent", "null", "numbers"] {
        let Some(lists) = conversion.get_mut(part).and_then(Value::as_object_mut) else { continue };
        for (list, of_list) in lists.iter_mut() {
            let known = keys.get(list.as_str());
            if let Some(of_list) = of_list.as_array_mut() {
                of_list.retain(|key| key.as_str().is_some_and(|key| known.is_some_and(|known| known.contains(key))));
            }
        }
        lists.retain(|list, _| keys.contains_key(list.as_str()));
    }
    // What has a column by now is no speciality of converters.
    for (list, extra) in conversion.get_mut("extra").and_then(Value::as_object_mut).into_iter().flatten() {
        let Some(extra) = extra.as_object_mut() else { continue };
        extra.retain(|key, _| keys.get(list.as_str()).is_some_and(|known| !known.contains(key.as_str())));
    }
}

/// What becomes of exports of the release before: which keys are new and which are gone.
fn step(from: &str, before: &Value, now: &Value) -> Value {
    let keys = |export: &'_ Value, table: &str| -> Vec<String> {
        let fields = export["tables"][table]["fields"].as_array();
        fields.into_iter().flatten().filter_map(key_of).map(str::to_owned).collect()
    };
    let mut tables = Map::new();
    for table in now["tables"].as_object().into_iter().flat_map(Map::keys) {
        let (old, new) = (keys(before, table), keys(now, table));
        let gone: Vec<&String> = old.iter().filter(|key| !new.contains(key)).collect();
        let defaulted: Map<String, Value> =
            new.iter().filter(|key| !old.contains(key)).map(|key| (key.clone(), UNDECIDED.into())).collect();
        if !gone.is_empty() || !defaulted.is_empty() {
            tables.insert(table.clone(), json!({ "defaulted": defaulted, "lost": gone }));
        }
    }
    json!({ "from": from, "tables": tables })
}

/// The column that a declared field is read from; a list of ids has none.
fn column_of(field: &Value) -> Option<&str> {
    match field {
        Value::String(text) => Some(key_and_column(text).1),
        field if field.get("ids").is_some() => None,
        field => field["key"].as_str(),
    }
}

fn key_of(field: &Value) -> Option<&str> {
    match field {
        Value::String(text) => Some(key_and_column(text).0),
        field => field["key"].as_str(),
    }
}
