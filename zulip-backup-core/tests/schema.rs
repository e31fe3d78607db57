//! The catalog's SQL makes the tables the catalog describes, and the catalog describes a real server's tables.

// The lint is lifted for test functions only, and helpers of tests are not among those.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[path = "support/server.rs"]
mod server;

use std::collections::BTreeSet;

use postgres::Client;
use serde_json::{Value, json};
use server::Server;
use zulip_backup_core::schema::{Catalog, Release, Skeleton};

const OBJECTS: &str = "
    SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'zulip'::regnamespace
    UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT format('sequence %s %s %s', c.relname, s.seqtypid::regtype, d.deptype)
      FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid
      JOIN pg_depend d ON d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.refobjsubid > 0
    ORDER BY 1";

/// A real server's dump of each release that there is one of, below the folder with all of them.
const REAL: [(&str, &str); 3] =
    [("8", "8.1/fresh-server.dump"), ("9", "9.0/zulip-small.dump"), ("10", "zulip-small.dump")];

#[test]
fn the_catalog_creates_what_it_describes() {
    let server = Server::start();
    for release in Release::all().unwrap() {
        let (name, catalog) = (release.name, &release.catalog);
        let mut client = server.create_database(&format!("made_{name}"));
        for statement in catalog.ddl().statements() {
            client.batch_execute(&statement.sql).unwrap_or_else(|error| panic!("{}: {error}", statement.sql));
        }
        assert_same(&Catalog::read(&mut client).unwrap(), catalog);

        // The search configuration works with or without the dictionary's files, and the triggers find their table.
        let row = client.query_one("SELECT to_tsvector('zulip.english_us_search', 'two houses')::text", &[]).unwrap();
        assert_eq!(row.get::<_, &str>(0), "'hous':2 'two':1");

        let Some((_, dump)) = REAL.iter().find(|(of, _)| *of == name) else { continue };
        let dump = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/zulip")).join(dump);
        if !dump.exists() {
            println!("skipped: no real server's dump at {}", dump.display());
            continue;
        }
        let database = format!("real_{name}");
        let mut real = server.create_database(&database);
        let list = server.run("pg_restore", &["-l", dump.to_str().unwrap()]);
        let wanted: Vec<&str> = list.lines().filter(|line| !line.contains("TEXT SEARCH")).collect();
        let wanted_path = server.host().join("list");
        std::fs::write(&wanted_path, wanted.join("\n")).unwrap();
        let arguments = ["-s", "-O", "-d", &database, "-L", wanted_path.to_str().unwrap(), dump.to_str().unwrap()];
        server.run("pg_restore", &arguments);
        assert_same(&Catalog::read(&mut real).unwrap(), catalog);
        let (made, real) = (objects(&mut client), objects(&mut real));
        let differences: Vec<_> = made.symmetric_difference(&real).collect();
        assert!(differences.is_empty(), "{name}: {differences:#?}");
    }
}

fn objects(client: &mut Client) -> BTreeSet<String> {
    client.query(OBJECTS, &[]).unwrap().iter().map(|row| row.get(0)).collect()
}

fn assert_same(live: &Catalog, catalog: &Catalog) {
    for (live, expected) in live.tables.iter().zip(&catalog.tables) {
        assert_eq!(live, expected);
    }
    assert_eq!((&live.tables, &live.statistics), (&catalog.tables, &catalog.statistics));
}

#[test]
fn a_folder_is_begun_from_a_live_database() {
    let server = Server::start();
    let mut client = server.create_database("made");
    let release = Release::for_version("10.1").unwrap();
    for statement in release.catalog.ddl().statements() {
        client.batch_execute(&statement.sql).unwrap();
    }
    client
        .batch_execute(
            "INSERT INTO zulip.django_migrations (app, name, applied)
             VALUES ('zerver', '0001_initial', now()), ('zerver', '0697_empty_topic_name', now())",
        )
        .unwrap();
    let same = Skeleton::read(&mut client).unwrap();
    assert_eq!(same.nearest, release.name);
    let folder = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/schema")).join(release.name);
    let built_in =
        |name: &str| -> Value { serde_json::from_str(&std::fs::read_to_string(folder.join(name)).unwrap()).unwrap() };
    let made = |skeleton: &Skeleton, name: &str| -> Value {
        let (_, text) = skeleton.files.iter().find(|(file, _)| *file == name).unwrap();
        serde_json::from_str(text).unwrap()
    };
    for name in ["catalog.json", "conversion.json", "defaults.json", "export.json", "upgrade.json"] {
        let (mut made, mut built_in) = (made(&same, name), built_in(name));
        // Whose they are is for a person to say, and what comes next nobody knows.
        for key in ["zulip_versions", "versions", "migrations"] {
            for value in [&mut made, &mut built_in] {
                value.as_object_mut().unwrap().shift_remove(key);
            }
        }
        assert!(made == built_in, "{name} is another than the built-in one");
    }
    assert!(same.findings.is_empty(), "{same}");

    client
        .batch_execute(
            "ALTER TABLE zulip.zerver_stream ADD COLUMN mood_id int REFERENCES zulip.zerver_realm (id), DROP COLUMN description;
             DROP TABLE zulip.zerver_savedsnippet;
             CREATE TABLE zulip.zerver_mood (id int PRIMARY KEY, name text);
             INSERT INTO zulip.django_migrations (app, name, applied) VALUES ('zerver', '0698_mood', now())",
        )
        .unwrap();
    let next = Skeleton::read(&mut client).unwrap();
    let mut said: Vec<String> =
        next.findings.iter().map(|finding| format!("{} {}", finding.code, finding.object)).collect();
    said.sort_unstable();
    let expected = [
        "column-gone zerver_stream.description",
        "column-new zerver_stream.mood_id",
        "table-gone zerver_savedsnippet",
        "table-new zerver_mood",
    ];
    assert_eq!(said, expected);
    let export = made(&next, "export.json");
    assert_eq!(export["migrations"], json!({"after": 698, "before": null}));
    assert!(export["tables"]["zerver_stream"]["fields"].as_array().unwrap().contains(&json!("mood=mood_id")));
    assert!(export["left_out"]["zerver_mood"].is_string());
    assert!(!made(&next, "conversion.json").to_string().contains("zerver_savedsnippet"));
    let upgrade = made(&next, "upgrade.json");
    assert_eq!(upgrade["from"], release.name);
    assert_eq!(upgrade["tables"]["zerver_stream"]["lost"], json!(["description"]));
    assert!(upgrade["tables"]["zerver_stream"]["defaulted"]["mood"].is_string());
    assert_eq!(upgrade["tables"].as_object().unwrap().len(), 1);
}
