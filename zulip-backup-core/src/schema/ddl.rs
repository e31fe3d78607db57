//! The SQL that creates a catalog's tables.

use std::fmt::Write as _;

use super::catalog::{Catalog, Identity, Table};
use super::objects;

/// When a [`Statement`] belongs to, in the order they are to be run. Rows are loaded after [`PreData`](Self::PreData).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    /// Schema, functions, text search, tables with their checks, defaults and sequences.
    PreData,
    /// Primary keys and unique constraints: everything a foreign key can point at.
    Keys,
    /// The other indexes, and extended statistics.
    Indexes,
    /// Foreign keys.
    ForeignKeys,
    /// Triggers, last: they would fire for every loaded row.
    Triggers,
}

/// One SQL statement, without a semicolon at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// When to run it.
    pub section: Section,
    /// The table it is about, if it is about one. Statements of one section about different tables do not depend on
    /// each other, so they may run on several connections.
    pub table: Option<String>,
    /// The statement.
    pub sql: String,
}

/// The statements that create every object of a [`Catalog`], in an order in which they can be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ddl {
    statements: Vec<Statement>,
}

impl Ddl {
    /// All statements, in order.
    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// The statements of one section, in order.
    pub fn section(&self, section: Section) -> impl Iterator<Item = &Statement> {
        self.statements.iter().filter(move |statement| statement.section == section)
    }

    /// What has to exist before rows are loaded.
    pub fn pre_data(&self) -> impl Iterator<Item = &str> {
        self.section(Section::PreData).map(|statement| statement.sql.as_str())
    }

    /// What is cheaper, or only right, after rows are loaded: keys, indexes, foreign keys, triggers.
    pub fn post_data(&self) -> impl Iterator<Item = &str> {
        self.statements
            .iter()
            .filter(|statement| statement.section > Section::PreData)
            .map(|statement| statement.sql.as_str())
    }
}

impl Catalog {
    /// The SQL that creates exactly these tables in an empty database, names of constraints, sequences and indexes
    /// included. No statement names an owner or a privilege: whoever runs them owns the objects.
    pub fn ddl(&self) -> Ddl {
        let schema = quoted(&self.schema);
        let mut statements = Vec::new();
        let mut add = |section, table: Option<&str>, sql| {
            statements.push(Statement { section, table: table.map(str::to_owned), sql });
        };
        add(Section::PreData, None, format!("CREATE SCHEMA IF NOT EXISTS {schema}"));
        for sql in objects::functions(&schema) {
            add(Section::PreData, None, sql);
        }
        add(Section::PreData, None, objects::text_search(&schema));
        for table in &self.tables {
            for sql in table_sql(&schema, table) {
                add(Section::PreData, Some(&table.name), sql);
            }
        }
        for table in &self.tables {
            for sql in keys_sql(&schema, table) {
                add(Section::Keys, Some(&table.name), sql);
            }
        }
        for table in &self.tables {
            for index in &table.indexes {
                let unique = if index.unique { "UNIQUE " } else { "" };
                let (name, on) = (quoted(&index.name), quoted(&table.name));
                let sql = format!("CREATE {unique}INDEX {name} ON {schema}.{on} USING {}", index.definition);
                add(Section::Indexes, Some(&table.name), sql);
            }
        }
        for statistics in &self.statistics {
            let (name, columns, on) = (quoted(&statistics.name), list(&statistics.columns), quoted(&statistics.table));
            let sql = format!("CREATE STATISTICS {schema}.{name} ON {columns} FROM {schema}.{on}");
            add(Section::Indexes, Some(&statistics.table), sql);
        }
        for table in &self.tables {
            if let Some(sql) = foreign_keys_sql(&schema, table) {
                add(Section::ForeignKeys, Some(&table.name), sql);
            }
        }
        for (table, sql) in objects::triggers(&schema) {
            add(Section::Triggers, Some(table), sql);
        }
        Ddl { statements }
    }
}

fn table_sql(schema: &str, table: &Table) -> Vec<String> {
    let name = quoted(&table.name);
    // An identity column makes its own sequence; a column with a nextval() default needs one to exist first, and to own
    // it, or pg_get_serial_sequence (and so every setval after a load) would not find it.
    let serial = table.sequence_column().filter(|column| column.identity.is_none());
    let sequence = table.sequence().map(|sequence| quoted(&sequence));
    let mut sql = Vec::new();
    if let (Some(column), Some(sequence)) = (serial, &sequence) {
        sql.push(format!("CREATE SEQUENCE {schema}.{sequence} AS {}", column.sql_type));
    }
    let mut create = format!("CREATE TABLE {schema}.{name} (");
    for (index, column) in table.columns.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let _ = write!(create, "{comma}\n  {} {}", quoted(&column.name), column.sql_type);
        if !column.nullable {
            create.push_str(" NOT NULL");
        }
        if let Some(default) = &column.default {
            let _ = write!(create, " DEFAULT {default}");
        }
        if let (Some(identity), Some(sequence)) = (column.identity, &sequence) {
            let kind = match identity {
                Identity::ByDefault => "BY DEFAULT",
                Identity::Always => "ALWAYS",
            };
            let _ = write!(create, " GENERATED {kind} AS IDENTITY (SEQUENCE NAME {schema}.{sequence})");
        }
    }
    for check in &table.checks {
        let _ = write!(create, ",\n  CONSTRAINT {} {}", quoted(&check.name), check.definition);
    }
    create.push_str("\n)");
    sql.push(create);
    if let (Some(column), Some(sequence)) = (serial, &sequence) {
        sql.push(format!("ALTER SEQUENCE {schema}.{sequence} OWNED BY {schema}.{name}.{}", quoted(&column.name)));
    }
    sql
}

fn keys_sql(schema: &str, table: &Table) -> Vec<String> {
    let name = quoted(&table.name);
    let primary = table.primary_key_name.clone().unwrap_or_else(|| format!("{}_pkey", table.name));
    let primary = quoted(&primary);
    let columns = list(&table.primary_key);
    let mut sql = vec![format!("ALTER TABLE {schema}.{name} ADD CONSTRAINT {primary} PRIMARY KEY ({columns})")];
    for unique in &table.unique {
        let (constraint, columns) = (quoted(&unique.name), list(&unique.columns));
        sql.push(format!("ALTER TABLE {schema}.{name} ADD CONSTRAINT {constraint} UNIQUE ({columns})"));
    }
    sql
}

fn foreign_keys_sql(schema: &str, table: &Table) -> Option<String> {
    let mut sql = format!("ALTER TABLE {schema}.{}", quoted(&table.name));
    for (index, key) in table.foreign_keys.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let _ = write!(
            sql,
            "{comma}\n  ADD CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {schema}.{}({}){}",
            quoted(&key.name),
            quoted(&key.column),
            quoted(&key.references),
            quoted(&key.references_column),
            if key.deferrable { " DEFERRABLE INITIALLY DEFERRED" } else { "" },
        );
    }
    (!table.foreign_keys.is_empty()).then_some(sql)
}

/// Always quoted: Zulip has columns named `order`, `end` and `type`.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn list(names: &[String]) -> String {
    names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Release;

    #[test]
    fn sections_come_in_their_order() {
        let ddl = Release::latest().unwrap().catalog.ddl();
        assert!(ddl.statements().is_sorted_by_key(|statement| statement.section));
        assert_eq!(ddl.pre_data().count() + ddl.post_data().count(), ddl.statements().len());
    }

    #[test]
    fn a_serial_column_owns_its_sequence() {
        let catalog = &Release::latest().unwrap().catalog;
        let sql = table_sql("zulip", catalog.table("fts_update_log").unwrap());
        assert_eq!(sql.len(), 3);
        assert_eq!(sql[2], "ALTER SEQUENCE zulip.\"fts_update_log_id_seq\" OWNED BY zulip.\"fts_update_log\".\"id\"");
    }

    #[test]
    fn names_cannot_break_out_of_their_quotes() {
        assert_eq!(quoted("a\"b"), "\"a\"\"b\"");
    }
}
