//! The same organisation from other servers: one that kept its files in S3, and one whose tables have grown another way.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::panic, clippy::unwrap_used)] // a test

#[path = "support/stage.rs"]
mod stage;

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::{Map, Value};
use stage::{Stage, change, stage};
use zulip_backup_core::Silent;
use zulip_backup_core::diff::{DiffOptions, Difference, NameDifference, diff};
use zulip_backup_core::export::ExportOptions;
use zulip_backup_core::import::{ImportOptions, ImportReport, plan};

fn import(stage: &Stage, export: &Utf8Path) -> ImportReport {
    let site = stage.host.site().unwrap();
    let plan = plan(&site, export, &ImportOptions::to("copy").jobs(2), &Silent)
        .unwrap_or_else(|error| panic!("{}\n{:#?}", error.chain(), error.reasons()));
    plan.execute(&Silent).unwrap()
}

/// The export of what was imported; room is made for the next.
fn exported(stage: &Stage, name: &str) -> Utf8PathBuf {
    let path = stage.export(&ExportOptions::of("copy").output(stage.dir.join(name)).jobs(2)).path;
    stage.make_room();
    path
}

fn assert_same(a: &Utf8Path, b: &Utf8Path) {
    let report = diff(a, b, &DiffOptions::default().jobs(2).renumbered(true), &Silent).unwrap();
    assert!(report.is_same(), "{report}");
}

#[test]
fn the_order_of_the_servers_columns_does_not_matter() {
    let stage = stage();
    let export = stage.foreign_export();
    import(&stage, &export);
    let before = exported(&stage, "before");
    // As on a server that was upgraded: columns that were there from the start now stand at the end.
    let moved = [
        ("zerver_message", "edit_history", "text"),
        ("zerver_message", "has_image", "boolean"),
        ("zerver_stream", "description", "varchar(1024)"),
        ("zerver_subscription", "color", "varchar(10)"),
        ("zerver_userprofile", "full_name", "varchar(100)"),
        ("zerver_attachment", "content_type", "text"),
    ];
    let mut client = stage.client();
    for (table, column, kind) in moved {
        let nullable = "SELECT is_nullable = 'YES' FROM information_schema.columns
                        WHERE table_schema = 'zulip' AND table_name = $1 AND column_name = $2";
        let nullable: bool = client.query_one(nullable, &[&table, &column]).unwrap().get(0);
        let indexes = "SELECT indexdef FROM pg_indexes WHERE tablename = $1";
        let indexes = |client: &mut postgres::Client| -> Vec<String> {
            client.query(indexes, &[&table]).unwrap().iter().map(|row| row.get(0)).collect()
        };
        let all = indexes(&mut client);
        client
            .batch_execute(&format!(
                "SET session_replication_role = replica;
                 ALTER TABLE {table} ADD COLUMN moved {kind};
                 UPDATE {table} SET moved = {column};
                 ALTER TABLE {table} DROP COLUMN {column};
                 ALTER TABLE {table} RENAME COLUMN moved TO {column};
                 SET session_replication_role = origin"
            ))
            .unwrap();
        if !nullable {
            client.batch_execute(&format!("ALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL")).unwrap();
        }
        let left = indexes(&mut client);
        for index in all.iter().filter(|index| !left.contains(index)) {
            client.batch_execute(index).unwrap();
        }
    }
    import(&stage, &export);
    assert_same(&before, &exported(&stage, "after"));
}

/// Makes of an export what a server with S3 would have exported: keys of other parts, and records of what S3 tells.
fn as_from_s3(export: &Utf8Path) {
    let read = |name: &str| std::fs::read(export.join(name)).unwrap();
    let realm: Value = serde_json::from_slice(&read("realm.json")).unwrap();
    let emails: BTreeMap<i64, &Value> = realm["zerver_userprofile"]
        .as_array()
        .unwrap()
        .iter()
        .map(|user| (user["id"].as_i64().unwrap(), &user["email"]))
        .collect();
    let somebody = *emails.keys().next().unwrap();
    let mut moved = Vec::new();
    for (directory, bucket) in
        [("uploads", "uploads"), ("avatars", "avatars"), ("emoji", "avatars"), ("realm_icons", "avatars")]
    {
        change(export, &format!("{directory}/records.json"), |records| {
            let records = records.as_array_mut().unwrap();
            let keep =
                |record: &Value| directory != "avatars" || record["path"].as_str().unwrap().ends_with(".original");
            for lost in records.iter().filter(|record| !keep(record)) {
                std::fs::remove_file(export.join(directory).join(lost["path"].as_str().unwrap())).unwrap();
            }
            records.retain(keep);
            for record in records {
                let old = record["path"].as_str().unwrap().to_owned();
                let mut parts: Vec<&str> = old.split('/').collect();
                match directory {
                    // There are no directories to keep small.
                    "uploads" => drop(parts.remove(1)),
                    "realm_icons" => parts.insert(1, "realm"),
                    _ => {}
                }
                let key = parts.join("/");
                let path = export.join(directory).join(&key);
                let content = std::fs::read(export.join(directory).join(&old)).unwrap();
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                if key != old {
                    std::fs::rename(export.join(directory).join(&old), path).unwrap();
                    if directory == "uploads" {
                        moved.push((old, key.clone()));
                    }
                }
                *record = of_s3(directory, bucket, &key, &content, record, (somebody, &emails));
            }
        });
    }
    // Their addresses, wherever they stand.
    for name in stage::read(export)
        .into_keys()
        .filter(|name| Utf8Path::new(name).extension() == Some("json") && !name.contains('/'))
    {
        let mut text = String::from_utf8(read(&name)).unwrap();
        // Zulip leaves a name these alone. The sample has others, whose addresses nobody follows.
        let plain = |old: &str| old.chars().all(|c| c.is_alphanumeric() || "_-./".contains(c));
        for (old, new) in moved.iter().filter(|(old, _)| name == "attachment.json" || plain(old)) {
            text = text.replace(old, new);
        }
        std::fs::write(export.join(&name), text).unwrap();
    }
    assert!(!moved.is_empty());
}

/// A record as Zulip writes it of an object.
fn of_s3(
    directory: &str,
    bucket: &str,
    key: &str,
    content: &[u8],
    local: &Value,
    (somebody, emails): (i64, &BTreeMap<i64, &Value>),
) -> Value {
    let owner = local["user_profile_id"].as_i64().or(local["author"].as_i64()).unwrap_or(somebody);
    let mut record = Map::new();
    let mut put = |key: &str, value: Value| drop(record.insert(key.to_owned(), value));
    put("s3_path", key.into());
    put("bucket", bucket.into());
    put("size", content.len().into());
    put("last_modified", "2026-11-21T20:12:56+00:00".into());
    put("content_type", "image/png".into());
    put("md5", "\"d41d8cd98f00b204e9800998ecf8427e\"".into());
    put("user_profile_id", owner.into());
    put("realm_id", local["realm_id"].clone());
    if directory == "avatars" {
        put("avatar_version", local["avatar_version"].clone());
    }
    if directory == "emoji" {
        let name = key.rsplit('/').next().unwrap();
        put("file_name", name.strip_suffix(".original").unwrap_or(name).into());
    }
    let email = local.get("user_profile_email").filter(|email| !email.is_null()).or(emails.get(&owner).copied());
    put("user_profile_email", email.cloned().unwrap());
    put("path", key.into());
    record.into()
}

/// The files of an organisation, by their names without what is made anew for each import.
fn files(stage: &Stage, realm: i64) -> Vec<(String, Vec<u8>)> {
    let uploads = stage.host.uploads_dir();
    let mut files = Vec::new();
    for (path, content) in stage::read(&uploads.join(format!("files/{realm}"))) {
        assert_eq!(path.split('/').count(), 3, "{path}");
        files.push((format!("files/{}", path.rsplit('/').next().unwrap()), content));
    }
    for (path, content) in stage::read(&uploads.join(format!("avatars/{realm}"))) {
        match path.split_once('.') {
            // Sizes that Zulip once made and those that are made now are other bytes.
            Some((hash, size)) if !path.contains('/') => {
                let medium = if hash.ends_with("-medium") { "-medium" } else { "" };
                let content = if size == "original" { content } else { Vec::new() };
                files.push((format!("avatar{medium}.{size}"), content));
            }
            _ => files.push((format!("avatars/{path}"), content)),
        }
    }
    files.sort_unstable();
    files
}

#[test]
fn exports_from_s3_give_the_same_files() {
    let stage = stage();
    let export = stage.foreign_export();
    let local = import(&stage, &export);
    let before = exported(&stage, "local");
    as_from_s3(&export);
    let from_s3 = import(&stage, &export);
    let after = exported(&stage, "from-s3");
    let expected = files(&stage, local.realm_id);
    for kind in
        ["files/", "avatar.original", "avatar.png", "avatar-medium.png", "avatars/emoji/images/", "avatars/realm/"]
    {
        assert!(expected.iter().any(|(name, _)| name.starts_with(kind)), "{kind}");
    }
    let names = |files: &[(String, Vec<u8>)]| files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    let found = files(&stage, from_s3.realm_id);
    assert_eq!(names(&found), names(&expected));
    assert!(found == expected);
    // Owners and links too: small avatars, which S3's exports lack, are all that differs.
    let report = diff(&before, &after, &DiffOptions::default().limit(1000).jobs(2).renumbered(true), &Silent).unwrap();
    let small = |name: &NameDifference| {
        let png = |path: &String| Utf8Path::new(path.split(' ').next().unwrap()).extension() == Some("png");
        name.directory == "avatars" && name.changed.first.iter().all(png) && name.names == Difference::default()
    };
    assert!(report.lists.is_empty() && report.records.iter().chain(&report.files).all(small), "{report}");
}
