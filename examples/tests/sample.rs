//! The sample server is the same every time, and PostgreSQL agrees that it is whole.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../zulip-backup-core/tests/support/server.rs"]
mod server;

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

use postgres::{Client, NoTls};
use server::Server;
use sha2::{Digest, Sha256};
use zulip_backup_examples::{DatabaseAddress, SampleOptions, SampleServer, calls};

fn digest_of_rows(options: &SampleOptions) -> BTreeMap<String, Vec<u8>> {
    let sample = SampleServer::new(options).unwrap();
    let tables = sample.catalog().tables.iter();
    tables
        .map(|table| {
            let mut bytes = Vec::new();
            sample.write_rows(&table.name, &mut bytes).unwrap();
            (table.name.clone(), Sha256::digest(&bytes).to_vec())
        })
        .collect()
}

/// Every path below `root`, with the digest of what is there.
fn tree(root: &Path) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut pending = vec![root.to_path_buf()];
    while let Some(directory) = pending.pop() {
        for entry in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
            let path = entry.path();
            let name = path.strip_prefix(root).unwrap().as_os_str().as_bytes().to_vec();
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                pending.push(path);
            } else if kind.is_symlink() {
                all.insert(name, std::fs::read_link(path).unwrap().as_os_str().as_bytes().to_vec());
            } else {
                all.insert(name, Sha256::digest(std::fs::read(path).unwrap()).to_vec());
            }
        }
    }
    all
}

#[test]
fn the_same_seed_gives_the_same_rows_and_another_gives_others() {
    let options = SampleOptions { messages: 300, ..SampleOptions::default() };
    let first = digest_of_rows(&options);
    assert_eq!(first, digest_of_rows(&options));
    let other = digest_of_rows(&SampleOptions { seed: 2, ..options });
    for table in ["zerver_message", "zerver_usermessage", "zerver_userprofile", "zerver_attachment"] {
        assert_ne!(first[table], other[table], "{table}");
    }
}

#[test]
fn the_same_seed_gives_the_same_files() {
    let options = SampleOptions { messages: 200, odd_name: true, odd_links: true, ..SampleOptions::default() };
    let write = |options: &SampleOptions| {
        let root = tempfile::tempdir().unwrap();
        let report = SampleServer::new(options).unwrap().write_uploads(root.path()).unwrap();
        let tree = tree(root.path());
        assert_eq!(tree.len() as u64, report.files + report.links);
        tree
    };
    let first = write(&options);
    assert_eq!(first, write(&options));
    assert_ne!(first, write(&SampleOptions { seed: 2, ..options }));
    assert!(first.keys().any(|name| std::str::from_utf8(name).is_err()));
    let empty = Sha256::digest(b"").to_vec();
    for wanted in [" ", "|", "ß", "会", ".info", "thumbnail/"] {
        assert!(first.keys().any(|name| String::from_utf8_lossy(name).contains(wanted)), "{wanted:?}");
    }
    assert!(first.values().any(|digest| *digest == empty));
}

#[test]
fn postgresql_finds_every_constraint_kept() {
    let server = Server::start();
    for (database, messages, users) in [("smallest", 100, Some(16)), ("usual", 3000, None)] {
        let options = SampleOptions { messages, users, uploads_bytes: 200_000, ..SampleOptions::default() };
        let sample = SampleServer::new(&options).unwrap();
        let mut client = server.create_database(database);
        let config = server.config(database);
        let loaded = sample.fill_database(&|| config.connect(NoTls)).unwrap();
        let filled: BTreeSet<&str> =
            loaded.tables.iter().filter(|table| table.rows > 0).map(|table| table.table.as_str()).collect();
        for table in &sample.catalog().tables {
            let empty = SampleServer::is_empty(&table.name)
                || (messages < 1000 && matches!(table.name.as_str(), "zerver_submessage" | "zerver_muteduser"));
            assert!(empty || filled.contains(table.name.as_str()), "{} is empty", table.name);
            let count: i64 = one(&mut client, &format!("SELECT count(*) FROM zulip.{}", table.name));
            let told = loaded.tables.iter().find(|rows| rows.table == table.name).map_or(0, |rows| rows.rows);
            assert_eq!(count.cast_unsigned(), told, "{}", table.name);
        }
        check_sense(&mut client, &sample);
    }
}

fn one<T: for<'a> postgres::types::FromSql<'a>>(client: &mut Client, sql: &str) -> T {
    client.query_one(sql, &[]).unwrap().get(0)
}

/// What no constraint says, but every real server keeps.
fn check_sense(client: &mut Client, sample: &SampleServer) {
    let broken = |client: &mut Client, what: &str, sql: &str| {
        let count: i64 = one(client, &format!("SELECT count(*) {sql}"));
        assert_eq!(count, 0, "{what}");
    };
    client.batch_execute("SET search_path = zulip").unwrap();
    for (kind, table) in [(1, "zerver_userprofile"), (2, "zerver_stream"), (3, "zerver_huddle")] {
        let sql = format!(
            "FROM zerver_recipient r WHERE type = {kind} AND NOT EXISTS (SELECT FROM {table} t WHERE t.id = r.type_id AND t.recipient_id = r.id)"
        );
        broken(client, "recipients lead to what refers to them", &sql);
    }
    let sql = "FROM zerver_stream s WHERE first_message_id IS DISTINCT FROM (SELECT min(id) FROM zerver_message m WHERE m.recipient_id = s.recipient_id)";
    broken(client, "first_message_id", sql);
    let sql =
        "FROM zerver_message WHERE NOT EXISTS (SELECT FROM zerver_usermessage WHERE message_id = zerver_message.id)";
    broken(client, "somebody got every message", sql);
    let sql = "FROM zerver_message m WHERE has_attachment <> EXISTS (SELECT FROM zerver_attachment_messages a WHERE a.message_id = m.id)";
    broken(client, "has_attachment", sql);
    let sql = "FROM zerver_archivedmessage JOIN zerver_message USING (id)";
    broken(client, "archived messages are gone", sql);
    let sql = "FROM zerver_archivedusermessage JOIN zerver_usermessage USING (id)";
    broken(client, "archived rows keep ids of their own", sql);
    let sql = "FROM zerver_userpresence p JOIN zerver_presencesequence s USING (realm_id) WHERE p.last_update_id > s.last_update_id";
    broken(client, "presence updates", sql);
    let sql = "FROM zerver_huddle h WHERE group_size <> (SELECT count(*) FROM zerver_subscription s WHERE s.recipient_id = h.recipient_id)";
    broken(client, "group_size", sql);
    let sql = "FROM zerver_usermessage um JOIN zerver_message m ON m.id = message_id WHERE (flags & 2048 <> 0) = is_channel_message";
    broken(client, "is_private", sql);
    let usermessages: i64 = one(client, "SELECT count(*) FROM zerver_usermessage");
    assert_eq!(usermessages.cast_unsigned(), sample.usermessages());
    let behind: i64 = one(client, "SELECT nextval('zerver_message_id_seq') - max(id) FROM zerver_message");
    assert_eq!(behind, 1);
    // The lexemes come from a word list; PostgreSQL's own must be the same but for names of files.
    let sql = "FROM zerver_message WHERE NOT has_attachment AND search_tsvector
        IS DISTINCT FROM to_tsvector('zulip.english_us_search', subject || rendered_content)";
    broken(client, "search_tsvector", sql);
}

#[test]
fn rows_and_files_belong_together_but_for_what_was_asked_for() {
    let options = SampleOptions {
        messages: 400,
        upload_files: Some(60),
        missing_files: 3,
        orphan_files: 2,
        ..SampleOptions::default()
    };
    let sample = SampleServer::new(&options).unwrap();
    let root = tempfile::tempdir().unwrap();
    sample.write_uploads(root.path()).unwrap();
    let mut rows = Vec::new();
    sample.write_rows("zerver_attachment", &mut rows).unwrap();
    let table = sample.catalog().table("zerver_attachment").unwrap();
    let column = table.columns.iter().position(|column| column.name == "path_id").unwrap();
    let size = table.columns.iter().position(|column| column.name == "size").unwrap();
    let (mut known, mut missing) = (BTreeSet::new(), Vec::new());
    for row in std::str::from_utf8(&rows).unwrap().lines() {
        let fields: Vec<&str> = row.split('\t').collect();
        let path = root.path().join("files").join(fields[column]);
        match std::fs::metadata(&path) {
            Ok(metadata) => assert_eq!(metadata.len().to_string(), fields[size], "{}", fields[column]),
            Err(_) => missing.push(fields[column].to_owned()),
        }
        known.insert(fields[column].to_owned());
    }
    assert_eq!(missing, sample.missing_files());
    assert_eq!(missing.len(), 3);
    let orphans: Vec<String> = tree(&root.path().join("files"))
        .into_keys()
        .map(|name| String::from_utf8(name).unwrap())
        .filter(|name| !name.starts_with("thumbnail/") && !known.contains(name))
        .filter(|name| !name.strip_suffix(".info").is_some_and(|file| known.contains(file)))
        .collect();
    let expected: BTreeSet<&str> = sample.orphan_files().into_iter().collect();
    assert_eq!(orphans.iter().map(String::as_str).collect::<BTreeSet<_>>(), expected);
    assert_eq!(expected.len(), 2);
}

#[test]
fn the_host_answers_and_notes_what_was_called() {
    let root = tempfile::tempdir().unwrap();
    let sample = SampleServer::new(&SampleOptions { messages: 100, ..SampleOptions::default() }).unwrap();
    let database =
        DatabaseAddress { host: "/run/pg".into(), port: Some(5433), user: "zulip".into(), name: "sample".into() };
    // Twice: an existing host is written again, not refused.
    sample.write_deployment(root.path(), &database).unwrap();
    sample.write_deployment(root.path(), &database).unwrap();
    let current = root.path().join("home/zulip/deployments/current");
    let run = |script: &str, arguments: &[&str]| {
        let output = Command::new(current.join(script)).args(arguments).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(run("scripts/get-django-setting", &["EXTERNAL_HOST"]), (0, "chat.example.com\n".into()));
    assert_eq!(run("scripts/get-django-setting", &["NOT_THERE"]), (1, String::new()));
    let (_, uploads) = run("scripts/get-django-setting", &["LOCAL_UPLOADS_DIR"]);
    assert_eq!(Path::new(uploads.trim()), root.path().join("home/zulip/uploads"));
    assert!(run("scripts/get-django-setting", &["DATABASES"]).1.contains("'HOST': '/run/pg', 'PORT': '5433'"));
    assert_eq!(run("scripts/restart-server", &["--fill-cache"]).0, 0);
    assert!(run("manage.py", &["showmigrations"]).1.contains(" [X] 0001_initial"));
    let calls = calls(root.path()).unwrap();
    assert_eq!(calls.len(), 6);
    let call = &calls[4];
    assert_eq!((call.script.as_str(), call.arguments.as_str()), ("scripts/restart-server", "--fill-cache"));
    assert_eq!(call.uid, rustix::process::getuid().as_raw());
    let mode = |name: &str| {
        use std::os::unix::fs::PermissionsExt;
        std::fs::metadata(root.path().join(name)).unwrap().permissions().mode() & 0o777
    };
    assert_eq!((mode("etc/zulip/zulip-secrets.conf"), mode("etc/zulip/settings.py")), (0o640, 0o644));
}

#[test]
fn options_that_make_no_sense_are_refused() {
    for options in [
        SampleOptions { messages: 99, ..SampleOptions::default() },
        SampleOptions { zulip_version: "4.0".into(), ..SampleOptions::default() },
    ] {
        assert!(SampleServer::new(&options).is_err());
    }
}
