//! A catalog read from a live database: how the built-in ones were made, and how those of later releases are.

use std::collections::BTreeMap;

use postgres::{Client, Row};

use crate::postgres::{column, error};
use crate::schema::{Catalog, Check, Column, ForeignKey, Identity, Index, StatisticsObject, Table, Unique, home};
use crate::{Error, ErrorKind, Result};

const COLUMNS: &str = "
    SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull,
           pg_get_expr(d.adbin, d.adrelid), a.attidentity::text,
           (SELECT s.relname::text FROM pg_depend p JOIN pg_class s ON s.oid = p.objid AND s.relkind = 'S'
            WHERE p.refobjid = c.oid AND p.refobjsubid = a.attnum AND p.deptype IN ('a', 'i') LIMIT 1)
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.relnamespace = quote_ident($1::text)::regnamespace AND c.relkind IN ('r', 'p')
    ORDER BY c.relname, a.attnum";

const CONSTRAINTS: &str = "
    SELECT c.relname::text, k.conname::text, k.contype::text, k.condeferrable AND k.condeferred,
           pg_get_constraintdef(k.oid), r.relname::text,
           ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY u (number, place)
                 JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.number ORDER BY u.place),
           ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY u (number, place)
                 JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.number ORDER BY u.place)
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid LEFT JOIN pg_class r ON r.oid = k.confrelid
    WHERE c.relnamespace = quote_ident($1::text)::regnamespace AND k.contype IN ('p', 'u', 'c', 'f')
    ORDER BY c.relname, k.conname";

const INDEXES: &str = "
    SELECT c.relname::text, i.relname::text, x.indisunique, split_part(pg_get_indexdef(i.oid), ' USING ', 2)
    FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class c ON c.oid = x.indrelid
    WHERE c.relnamespace = quote_ident($1::text)::regnamespace AND NOT EXISTS (
        SELECT FROM pg_constraint k WHERE k.conindid = i.oid AND k.contype IN ('p', 'u'))
    ORDER BY c.relname, i.relname";

const STATISTICS: &str = "
    SELECT s.stxname::text, c.relname::text,
           ARRAY(SELECT a.attname::text FROM unnest(s.stxkeys) WITH ORDINALITY u (number, place)
                 JOIN pg_attribute a ON a.attrelid = s.stxrelid AND a.attnum = u.number ORDER BY u.place)
    FROM pg_statistic_ext s JOIN pg_class c ON c.oid = s.stxrelid
    WHERE c.relnamespace = quote_ident($1::text)::regnamespace ORDER BY s.stxname";

impl Catalog {
    /// The tables of a live database.
    ///
    /// # Errors
    /// `NotFound` where there are no tables of Zulip's, `Incompatible` for what a catalog has no place for, and what the
    /// database answers.
    pub fn read(client: &mut Client) -> Result<Self> {
        let failed = |failure| error("read the tables", failure);
        let mut client = client.transaction().map_err(failed)?;
        // What PostgreSQL prints names what the search path does not find with its schema: here everything.
        client.batch_execute("SET LOCAL search_path = pg_catalog").map_err(failed)?;
        let schema = home(&mut client)?;
        let mut tables: BTreeMap<String, Table> = BTreeMap::new();
        for row in client.query(COLUMNS, &[&schema]).map_err(failed)? {
            let name: String = column(&row, 0)?;
            let found = column_of(&row, &name)?;
            tables.entry(name.clone()).or_insert_with(|| Table::new(name)).columns.push(found);
        }
        for row in client.query(CONSTRAINTS, &[&schema]).map_err(failed)? {
            if let Some(table) = tables.get_mut(&column::<String>(&row, 0)?) {
                constrain(table, &row)?;
            }
        }
        for row in client.query(INDEXES, &[&schema]).map_err(failed)? {
            if let Some(table) = tables.get_mut(&column::<String>(&row, 0)?) {
                table.indexes.push(Index {
                    name: column(&row, 1)?,
                    unique: column(&row, 2)?,
                    definition: column(&row, 3)?,
                });
            }
        }
        let statistics = client.query(STATISTICS, &[&schema]).map_err(failed)?;
        let statistics = statistics.iter().map(|row| {
            Ok(StatisticsObject { name: column(row, 0)?, table: column(row, 1)?, columns: column(row, 2)? })
        });
        Ok(Self {
            zulip_versions: Vec::new(),
            schema,
            tables: tables.into_values().collect(),
            statistics: statistics.collect::<Result<_>>()?,
        })
    }
}

impl Table {
    fn new(name: String) -> Self {
        Self {
            name,
            columns: Vec::new(),
            primary_key: Vec::new(),
            primary_key_name: None,
            unique: Vec::new(),
            checks: Vec::new(),
            foreign_keys: Vec::new(),
            indexes: Vec::new(),
        }
    }
}

fn column_of(row: &Row, table: &str) -> Result<Column> {
    let name: String = column(row, 1)?;
    let usual = format!("{table}_{name}_seq");
    Ok(Column {
        sql_type: column(row, 2)?,
        nullable: column(row, 3)?,
        default: column(row, 4)?,
        identity: match column::<String>(row, 5)?.as_str() {
            "d" => Some(Identity::ByDefault),
            "a" => Some(Identity::Always),
            _ => None,
        },
        sequence: column::<Option<String>>(row, 6)?.filter(|sequence| *sequence != usual),
        name,
    })
}

fn constrain(table: &mut Table, row: &Row) -> Result<()> {
    let (name, kind): (String, String) = (column(row, 1)?, column(row, 2)?);
    let columns: Vec<String> = column(row, 6)?;
    match kind.as_str() {
        "p" => {
            table.primary_key = columns;
            table.primary_key_name = Some(name).filter(|name| *name != format!("{}_pkey", table.name));
        }
        "u" => table.unique.push(Unique { name, columns }),
        "c" => table.checks.push(Check { name, definition: column(row, 4)? }),
        _ => {
            let references: Vec<String> = column(row, 7)?;
            let ([of], [to]) = (columns.as_slice(), references.as_slice()) else {
                let message = format!("{name} of {} is a foreign key of several columns", table.name);
                return Err(Error::new(ErrorKind::Incompatible, message));
            };
            table.foreign_keys.push(ForeignKey {
                column: of.clone(),
                references: column(row, 5)?,
                references_column: to.clone(),
                deferrable: column(row, 3)?,
                name,
            });
        }
    }
    Ok(())
}
