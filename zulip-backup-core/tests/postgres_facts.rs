//! What is read off a database that looks like Zulip's.

#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // the rules are for the library

use zulip_backup_core::postgres::{Cluster, DatabaseFacts, applied_migrations};

#[test]
fn the_facts_of_a_database_like_zulips() {
    let cluster = Cluster::builder().start().unwrap();
    cluster.create_database("zulip", "zulip").unwrap();
    let options = cluster.connect_options("zulip").with_user("zulip");
    let mut client = options.connect("test").unwrap();
    assert_eq!(applied_migrations(&mut client).unwrap(), []);

    cluster
        .connect_options("postgres")
        .connect("test")
        .unwrap()
        .batch_execute(
            "ALTER ROLE zulip SET search_path = elsewhere;
             ALTER ROLE zulip IN DATABASE zulip SET search_path = zulip, public;
             ALTER ROLE zulip SET statement_timeout = 0",
        )
        .unwrap();
    client
        .batch_execute(
            "CREATE SCHEMA zulip;
             CREATE TEXT SEARCH DICTIONARY zulip.english_us_hunspell
                 (TEMPLATE = ispell, DictFile = ispell_sample, AffFile = ispell_sample, StopWords = english);
             CREATE TEXT SEARCH CONFIGURATION zulip.english_us_search (COPY = pg_catalog.english);
             CREATE TABLE zulip.django_migrations (id int, app varchar(255), name varchar(255));
             INSERT INTO zulip.django_migrations VALUES
                 (1, 'zerver', '0002_b'), (2, 'zerver', '0001_a'), (3, 'auth', '0001_a'), (4, 'auth', '0001_a')",
        )
        .unwrap();

    let facts = DatabaseFacts::read(&mut client).unwrap();
    assert_eq!(facts.server_major(), cluster.major());
    assert!(facts.server_version.starts_with(&cluster.major().to_string()));
    assert_eq!((facts.database.as_str(), facts.role.as_str()), ("zulip", "zulip"));
    assert_eq!((facts.encoding.as_str(), facts.collate.as_str(), facts.ctype.as_str()), ("UTF8", "C.UTF-8", "C.UTF-8"));
    assert!(!facts.role_is_superuser && !facts.role_can_create_databases && !facts.in_recovery);
    assert_eq!(facts.role_search_path.as_deref(), Some("zulip, public"));
    let extensions: Vec<&str> = facts.extensions.iter().map(|extension| extension.name.as_str()).collect();
    assert_eq!(extensions, ["plpgsql"]);
    let names: Vec<&str> = facts.text_search_dictionaries.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["zulip.english_us_hunspell"]);
    assert_eq!(facts.text_search_dictionaries[0].template, "ispell");
    let files: Vec<&str> = facts.text_search_files().into_iter().collect();
    assert_eq!(files, ["english.stop", "ispell_sample.affix", "ispell_sample.dict"]);
    assert_eq!(facts.text_search_configurations, ["zulip.english_us_search"]);
    assert!(facts.size_bytes > 1_000_000);
    assert!(facts.wal_lsn.contains('/') && facts.wal_lsn != "0/0");
    // From 18 on, initdb turns checksums on.
    assert_eq!(facts.data_checksums, cluster.major() >= 18);
    let json = serde_json::to_string(&facts).unwrap();
    assert_eq!(serde_json::from_str::<DatabaseFacts>(&json).unwrap(), facts);

    let pairs = [("auth", "0001_a"), ("zerver", "0001_a"), ("zerver", "0002_b")];
    let pairs: Vec<(String, String)> = pairs.iter().map(|(app, name)| (app.to_string(), name.to_string())).collect();
    assert_eq!(applied_migrations(&mut client).unwrap(), pairs);

    // In a read-only transaction, as a backup reads them; and without the schema zulip in the way.
    let mut transaction = client.build_transaction().read_only(true).start().unwrap();
    assert_eq!(DatabaseFacts::read(&mut transaction).unwrap().text_search_dictionaries.len(), 1);
    drop(transaction);
    client.batch_execute("ALTER TABLE zulip.django_migrations RENAME TO gone").unwrap();
    assert_eq!(applied_migrations(&mut client).unwrap(), []);

    let superuser = DatabaseFacts::read(&mut cluster.connect_options("zulip").connect("test").unwrap()).unwrap();
    assert!(superuser.role_is_superuser && superuser.role_can_create_databases);
    assert_eq!(superuser.role_search_path, None);
}
