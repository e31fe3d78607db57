//! The bodies of a real organisation, beside what Zulip's own importer made of them.
#![allow(clippy::disallowed_methods)] // a test

use std::collections::HashMap;
use std::process::Command;

use camino::Utf8Path;
use postgres::Client;
use serde_json::Value;

use super::super::Moved;
use super::tokens::normalized;
use super::*;
use crate::postgres::Cluster;

const SHARED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/zulip");

/// Old ids and new ones.
#[derive(Default)]
struct Maps {
    users: HashMap<i64, i64>,
    streams: HashMap<i64, i64>,
    user_groups: HashMap<i64, i64>,
}

impl NewIds for Maps {
    fn realm(&self) -> (i64, i64) {
        (2, 2)
    }

    fn get(&self, of: Of, old: i64) -> Option<i64> {
        let map = match of {
            Of::User => &self.users,
            Of::Stream => &self.streams,
            Of::UserGroup => &self.user_groups,
            _ => return None,
        };
        map.get(&old).copied()
    }

    fn upload(&self, _: &str) -> Option<&str> {
        None
    }
}

/// Starts a server with a dump in it.
fn restored(dump: &Utf8Path, temp: &Utf8Path) -> (Cluster, Client) {
    let cluster = Cluster::builder().start().unwrap();
    cluster.create_database("zulip", "zulip").unwrap();
    let pg_restore = cluster.programs().path("pg_restore");
    let list = Command::new(&pg_restore).args(["-l", dump.as_str()]).output().unwrap();
    // The dictionary's files are on Zulip servers only, and nothing else needs it.
    let list = String::from_utf8(list.stdout).unwrap();
    let wanted: Vec<&str> = list.lines().filter(|line| !line.contains("TEXT SEARCH")).collect();
    let path = temp.join("list");
    std::fs::write(&path, wanted.join("\n")).unwrap();
    let mut command = Command::new(&pg_restore);
    cluster.connect_options("zulip").apply_to_command(&mut command).unwrap();
    let arguments =
        ["--exit-on-error", "--no-owner", "--role=zulip", "-d", "zulip", "-L", path.as_str(), dump.as_str()];
    let done = command.args(arguments).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let client = cluster.connect_options("zulip").connect("test").unwrap();
    (cluster, client)
}

fn read(path: &Utf8Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn rows<'v>(file: &'v Value, list: &str) -> &'v [Value] {
    file[list].as_array().unwrap()
}

/// Old ids to new ones by a name that both have.
fn by_name(client: &mut Client, rows: &[Value], id: &str, name: &str, query: &str) -> HashMap<i64, i64> {
    let new = client.query(query, &[]).unwrap();
    let new: HashMap<String, i64> = new.iter().map(|row| (row.get::<_, String>(0), row.get(1))).collect();
    rows.iter().map(|row| (row[id].as_i64().unwrap(), new[row[name].as_str().unwrap()])).collect()
}

fn compare(export: &Utf8Path, dump: &Utf8Path) {
    let temp = tempfile::tempdir().unwrap();
    let temp = Utf8Path::from_path(temp.path()).unwrap();
    let arguments = ["-xzf", export.as_str(), "-C", temp.as_str(), "--strip-components=1", "--wildcards", "*.json"];
    assert!(Command::new("tar").args(arguments).status().unwrap().success());
    let (_cluster, mut client) = restored(dump, temp);
    let realm = read(&temp.join("realm.json"));
    let mut maps = Maps::default();
    for list in ["zerver_userprofile", "zerver_userprofile_mirrordummy", "zerver_userprofile_crossrealm"] {
        let column = if list.ends_with("crossrealm") { "email" } else { "delivery_email" };
        let query = format!("SELECT {column}, id::int8 FROM zulip.zerver_userprofile ORDER BY id");
        maps.users.extend(by_name(&mut client, rows(&realm, list), "id", column, &query));
    }
    maps.streams = by_name(
        &mut client,
        rows(&realm, "zerver_stream"),
        "id",
        "name",
        "SELECT name, id::int8 FROM zulip.zerver_stream",
    );
    let query = "SELECT name, usergroup_ptr_id::int8 FROM zulip.zerver_namedusergroup ORDER BY usergroup_ptr_id";
    maps.user_groups = by_name(&mut client, rows(&realm, "zerver_namedusergroup"), "usergroup_ptr", "name", query);

    // Messages and attachments keep their order.
    let new = client
        .query(
            "SELECT content, rendered_content, edit_history FROM zulip.zerver_message
             WHERE realm_id = (SELECT id FROM zulip.zerver_realm WHERE string_id = 'imported') ORDER BY id",
            &[],
        )
        .unwrap();
    let attachments = read(&temp.join("attachment.json"));
    let mut attachments: Vec<&Value> = rows(&attachments, "zerver_attachment").iter().collect();
    attachments.sort_by_key(|row| row["id"].as_i64());
    let paths = client.query("SELECT path_id, file_name FROM zulip.zerver_attachment ORDER BY id", &[]).unwrap();
    let mut own: HashMap<i64, Vec<(&str, String)>> = HashMap::new();
    for (old, new) in attachments.iter().zip(&paths) {
        assert_eq!(old["file_name"].as_str(), new.get(1));
        for message in rows(old, "messages") {
            own.entry(message.as_i64().unwrap()).or_default().push((old["path_id"].as_str().unwrap(), new.get(0)));
        }
    }
    let files = (1..).map(|number| temp.join(format!("messages-{number:06}.json"))).take_while(|path| path.exists());
    let messages: Vec<Value> = files.flat_map(|path| rows(&read(&path), "zerver_message").to_vec()).collect();
    assert!(!messages.is_empty() && new.len() >= messages.len());

    let rewriter = Rewriter::new(&maps, Links::Strict);
    let mut changed = [0; 3];
    for (old, new) in messages.iter().zip(&new) {
        let own = own.remove(&old["id"].as_i64().unwrap()).unwrap_or_default();
        let own: Vec<_> = own.iter().map(|(old, new)| Moved { old, new }).collect();
        let content = old["content"].as_str().unwrap();
        assert_eq!(rewriter.markdown(content, &own), new.get::<_, &str>(0));
        let html = old["rendered_content"].as_str().unwrap();
        let rewritten = rewriter.html(html, &own);
        assert_eq!(normalized(&rewritten), normalized(new.get(1)), "{html}");
        changed[0] += usize::from(rewritten != html);
        changed[1] += own.len();
        if let Some(json) = old["edit_history"].as_str() {
            changed[2] += 1;
            history(&rewriter, json, new.get(2));
        }
    }
    assert!(own.is_empty() && changed.iter().all(|&count| count > 3), "{changed:?}");
    // Nothing of the organisation is unknown to it.
    assert!(rewriter.unknown().is_empty(), "{:?}", rewriter.unknown());
}

fn history(rewriter: &Rewriter<'_>, json: &str, upstream: &str) {
    let ours = rewriter.edit_history(json).unwrap();
    // The same text but for what their HTML parser did.
    let without_html = |text: &str| {
        let mut edits: Value = serde_json::from_str(text).unwrap();
        assert_eq!(edits.to_string(), text);
        let list = edits.as_array_mut().unwrap().iter_mut();
        let html: Vec<Value> =
            list.filter_map(|edit| edit.as_object_mut()?.get_mut("prev_rendered_content").map(Value::take)).collect();
        (edits.to_string(), html.iter().map(|html| normalized(html.as_str().unwrap())).collect::<Vec<_>>())
    };
    assert_eq!(without_html(&ours), without_html(upstream));
}

#[test]
fn strict_texts_are_what_zulips_importer_makes() {
    for directory in [SHARED.to_owned(), format!("{SHARED}/9.0")] {
        let directory = Utf8Path::new(&directory);
        if !directory.exists() {
            println!("skipped: no real server's exports at {directory}");
            continue;
        }
        compare(&directory.join("golden-export-zulip.tar.gz"), &directory.join("golden-import-zulip.dump"));
    }
}
