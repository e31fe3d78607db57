//! The catalog's SQL makes the tables the catalog describes, and the catalog describes a real server's tables.

// The lint is lifted for test functions only, and helpers of tests are not among those.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[path = "support/server.rs"]
mod server;

use postgres::Client;
use server::Server;
use zulip_backup_core::schema::{Catalog, Check, Column, ForeignKey, Identity, Index, StatisticsObject, Table, Unique};

const OBJECTS: &str = "
    SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'zulip'::regnamespace
    UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT format('sequence %s %s %s', c.relname, s.seqtypid::regtype, d.deptype)
      FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid
      JOIN pg_depend d ON d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.refobjsubid > 0
    ORDER BY 1";

#[test]
fn the_catalog_creates_what_it_describes() {
    let server = Server::start();
    let mut client = server.create_database("made");
    let catalog = Catalog::latest().unwrap();
    for statement in catalog.ddl().statements() {
        client.batch_execute(&statement.sql).unwrap_or_else(|error| panic!("{}: {error}", statement.sql));
    }
    assert_same(&read(&mut client), catalog);

    // The search configuration works with or without the dictionary's files, and the triggers find their table.
    let row = client.query_one("SELECT to_tsvector('zulip.english_us_search', 'two houses')::text", &[]).unwrap();
    assert_eq!(row.get::<_, &str>(0), "'hous':2 'two':1");

    let shared = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/zulip"));
    let dump = shared.join("zulip-small.dump");
    if !dump.exists() {
        println!("skipped: no real server's dump at {}", dump.display());
        return;
    }
    let mut real = server.create_database("real");
    let list = server.run("pg_restore", &["-l", dump.to_str().unwrap()]);
    let wanted: Vec<&str> = list.lines().filter(|line| !line.contains("TEXT SEARCH")).collect();
    let wanted_path = server.host().join("list");
    std::fs::write(&wanted_path, wanted.join("\n")).unwrap();
    let arguments = ["-s", "-O", "-d", "real", "-L", wanted_path.to_str().unwrap(), dump.to_str().unwrap()];
    server.run("pg_restore", &arguments);
    assert_same(&read(&mut real), catalog);
    assert_eq!(objects(&mut client), objects(&mut real));
}

fn objects(client: &mut Client) -> Vec<String> {
    client.query(OBJECTS, &[]).unwrap().iter().map(|row| row.get(0)).collect()
}

fn assert_same(live: &Catalog, catalog: &Catalog) {
    for (live, expected) in live.tables.iter().zip(&catalog.tables) {
        assert_eq!(live, expected);
    }
    assert_eq!(live, catalog);
}

/// Reads a catalog from `pg_catalog`, in the catalog file's order.
fn read(client: &mut Client) -> Catalog {
    let mut tables: Vec<Table> = client
        .query("SELECT relname FROM pg_class WHERE relnamespace = 'zulip'::regnamespace AND relkind = 'r'", &[])
        .unwrap()
        .iter()
        .map(|row| Table {
            name: row.get(0),
            columns: columns(client, row.get(0)),
            primary_key: Vec::new(),
            unique: Vec::new(),
            checks: Vec::new(),
            foreign_keys: Vec::new(),
            indexes: indexes(client, row.get(0)),
        })
        .collect();
    tables.sort_by(|a, b| a.name.cmp(&b.name));
    for table in &mut tables {
        constraints(client, table);
        let expected = Catalog::latest().unwrap().table(&table.name).unwrap();
        // The order in which constraints and indexes were made says nothing.
        let rank = |names: Vec<&String>, name: &String| names.iter().position(|known| *known == name);
        table.checks.sort_by_key(|check| rank(expected.checks.iter().map(|c| &c.name).collect(), &check.name));
        table.unique.sort_by_key(|unique| rank(expected.unique.iter().map(|u| &u.name).collect(), &unique.name));
        table.foreign_keys.sort_by_key(|key| rank(expected.foreign_keys.iter().map(|k| &k.name).collect(), &key.name));
        table.indexes.sort_by_key(|index| rank(expected.indexes.iter().map(|i| &i.name).collect(), &index.name));
    }
    let statistics = client
        .query(
            "SELECT stxname, relname, (SELECT array_agg(attname ORDER BY n) FROM unnest(stxkeys) WITH ORDINALITY u(k, n)
                JOIN pg_attribute ON attrelid = stxrelid AND attnum = k)
             FROM pg_statistic_ext s JOIN pg_class c ON c.oid = stxrelid ORDER BY 1",
            &[],
        )
        .unwrap();
    Catalog {
        zulip_versions: Catalog::latest().unwrap().zulip_versions.clone(),
        schema: "zulip".into(),
        tables,
        statistics: statistics
            .iter()
            .map(|row| StatisticsObject { name: row.get(0), table: row.get(1), columns: row.get(2) })
            .collect(),
    }
}

fn columns(client: &mut Client, table: &str) -> Vec<Column> {
    let sql = "SELECT attname, format_type(atttypid, atttypmod), NOT attnotnull, pg_get_expr(adbin, adrelid),
            attidentity::text
        FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        WHERE attrelid = ('zulip.' || $1)::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum";
    let column = |row: &postgres::Row| Column {
        name: row.get(0),
        sql_type: row.get(1),
        nullable: row.get(2),
        default: row.get(3),
        identity: match row.get(4) {
            "d" => Some(Identity::ByDefault),
            "a" => Some(Identity::Always),
            _ => None,
        },
    };
    client.query(sql, &[&table]).unwrap().iter().map(column).collect()
}

fn constraints(client: &mut Client, table: &mut Table) {
    let sql = "SELECT conname, contype::text, condeferrable AND condeferred, pg_get_constraintdef(k.oid), relname,
            (SELECT array_agg(attname ORDER BY n) FROM unnest(conkey) WITH ORDINALITY u(a, n)
                JOIN pg_attribute ON attrelid = conrelid AND attnum = a),
            (SELECT array_agg(attname ORDER BY n) FROM unnest(confkey) WITH ORDINALITY u(a, n)
                JOIN pg_attribute ON attrelid = confrelid AND attnum = a)
        FROM pg_constraint k LEFT JOIN pg_class r ON r.oid = confrelid
        WHERE conrelid = ('zulip.' || $1)::regclass ORDER BY k.oid";
    for row in client.query(sql, &[&table.name]).unwrap() {
        let name: String = row.get(0);
        let mut columns: Vec<String> = row.get(5);
        match row.get(1) {
            "p" => {
                assert_eq!(name, format!("{}_pkey", table.name));
                table.primary_key = columns;
            }
            "u" => table.unique.push(Unique { name, columns }),
            "c" => table.checks.push(Check { name, definition: row.get(3) }),
            "f" => table.foreign_keys.push(ForeignKey {
                name,
                column: columns.remove(0),
                references: row.get(4),
                references_column: row.get::<_, Vec<String>>(6).remove(0),
                deferrable: row.get(2),
            }),
            other => panic!("constraint {name} of unknown type {other}"),
        }
    }
}

fn indexes(client: &mut Client, table: &str) -> Vec<Index> {
    let sql = "SELECT relname, indisunique, split_part(pg_get_indexdef(indexrelid), ' USING ', 2)
        FROM pg_index JOIN pg_class c ON c.oid = indexrelid
        WHERE indrelid = ('zulip.' || $1)::regclass AND NOT EXISTS (SELECT FROM pg_constraint
            WHERE conindid = indexrelid AND contype IN ('p', 'u'))";
    client
        .query(sql, &[&table])
        .unwrap()
        .iter()
        .map(|row| Index { name: row.get(0), unique: row.get(1), definition: row.get(2) })
        .collect()
}
