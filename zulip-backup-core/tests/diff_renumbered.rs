//! The same organisation with other ids is the same, and whatever else differs is found.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::panic, clippy::unwrap_used)] // a test

#[path = "support/exports.rs"]
mod exports;
#[path = "support/renumber.rs"]
mod renumber;

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};
use exports::{Copy, GOLDEN, Stage, golden, pack, unpack};
use renumber::{Renumbered, files, import_by_right, renumber};
use serde_json::{Map, Value, json};
use zulip_backup_core::diff::{DiffOptions, DiffReport, NOT_COMPARED, diff};
use zulip_backup_core::export::Kind;
use zulip_backup_core::schema::{Encoding, Field, Release, RowList, Source};
use zulip_backup_core::{ErrorKind, Silent};

const MESSAGES: u64 = 1200;

fn compare(a: &Utf8Path, b: &Utf8Path) -> DiffReport {
    diff(a, b, &DiffOptions::default().limit(100).jobs(2).renumbered(true), &Silent).unwrap()
}

/// An export, and the same with other ids.
struct Pair {
    stage: Stage,
    a: Copy,
    b: Copy,
    new: Renumbered,
}

impl Pair {
    fn new(seed: u64) -> Self {
        let stage = Stage::with_sample(MESSAGES);
        let a = stage.copy(&stage.of(Kind::Full), "a");
        enrich(&a);
        let b = stage.copy(&a.path, "b");
        let new = renumber(&b, seed);
        Self { stage, a, b, new }
    }

    /// What is found once a file of the second export was changed, which is undone afterwards.
    fn changed(&self, file: &str, change: impl FnOnce(&mut Value)) -> Value {
        let path = self.b.file(file);
        let before = std::fs::read(&path).unwrap();
        self.b.edit(file, change);
        let report = compare(&self.a.path, &self.b.path);
        std::fs::write(&path, before).unwrap();
        assert!(!report.is_same());
        let shown = report.to_string();
        let report = serde_json::to_value(report).unwrap();
        for row in
            report["lists"].as_array().unwrap().iter().flat_map(|list| list["changed"]["first"].as_array().unwrap())
        {
            assert!(shown.contains(&format!("{} and {}\n", row["id"], row["id_b"])), "{shown}");
        }
        report
    }

    /// A row of the first export, by what it is like.
    fn row(&self, file: &str, list: &str, which: impl Fn(&Value) -> bool) -> Value {
        let rows = self.a.list(file, list).into_iter();
        rows.into_iter().find(|row| which(row)).unwrap_or_else(|| panic!("{file} has no such row of {list}"))
    }

    /// The new id of a row.
    fn id(&self, table: &str, row: &Value) -> Value {
        self.new.id(table, row["id"].as_i64().unwrap()).into()
    }
}

/// Adds what the sample lacks: texts that name everything there is, and a row that counts a client's messages.
fn enrich(copy: &Copy) {
    let realm = copy.read("realm.json");
    let id = |list: &str, at: usize| realm[list][at]["id"].as_i64().unwrap();
    let (user, stream, group) = (id("zerver_userprofile", 3), id("zerver_stream", 1), id("zerver_namedusergroup", 0));
    let upload = copy.list("attachment.json", "zerver_attachment")[0]["path_id"].as_str().unwrap().to_owned();
    copy.edit("messages-000001.json", |file| {
        let messages = file["zerver_message"].as_array_mut().unwrap();
        let near = messages[7]["id"].clone();
        let content = format!(
            "@_**Somebody|{user}** [here](#narrow/channel/{stream}-x/topic/y/near/{near}), [there](#narrow/dm/{user}-z) and \
             [a file](/user_uploads/{upload}) @**Somebody|{user}**"
        );
        let html = format!(
            "<span class=\"user-mention\" data-user-id=\"{user}\">x</span><span class=\"user-group-mention\" \
             data-user-group-id=\"{group}\">g</span><a class=\"stream\" data-stream-id=\"{stream}\" \
             href=\"/#narrow/channel/{stream}-x/topic/y/near/{near}\">c</a><a href=\"/user_uploads/{upload}\">f</a>\
             <img src=\"/user_avatars/{}/emoji/images/x.png\">",
            realm["zerver_realm"][0]["id"]
        );
        let history = json!([
            {"user_id": user, "timestamp": 5, "prev_stream": stream, "stream": stream, "prev_content": content,
             "prev_rendered_content": html, "prev_rendered_content_version": 1},
            {"user_id": null, "timestamp": 4, "prev_topic": "t"},
        ]);
        messages[10]["content"] = content.into();
        messages[10]["rendered_content"] = html.into();
        messages[10]["edit_history"] = history.to_string().into();
    });
    let client = id("zerver_client", 0);
    copy.edit("analytics.json", |file| {
        let rows = file["analytics_realmcount"].as_array_mut().unwrap();
        let next = rows.iter().map(|row| row["id"].as_i64().unwrap()).max().unwrap_or(0) + 1;
        rows.push(json!({
            "id": next, "property": "messages_sent:client:day", "subgroup": client.to_string(), "end_time": 1.7e9,
            "value": 5, "realm": realm["zerver_realm"][0]["id"],
        }));
    });
}

#[test]
fn other_ids_are_no_difference() {
    let pair = Pair::new(1);
    let report = compare(&pair.a.path, &pair.a.path);
    assert!(report.is_same(), "{report}");
    let report = compare(&pair.a.path, &pair.stage.of(Kind::Full));
    assert!(!report.is_same());
    assert!(!diff(&pair.a.path, &pair.b.path, &DiffOptions::default(), &Silent).unwrap().is_same());
    for seed in 2..5 {
        let other = pair.stage.copy(&pair.a.path, "other");
        renumber(&other, seed);
        let report = compare(&pair.a.path, &other.path);
        assert!(report.is_same(), "{report}");
        import_by_right(&other);
        let report = compare(&pair.a.path, &other.path);
        assert!(report.is_same(), "{report}");
        // And back again.
        let report = compare(&other.path, &pair.b.path);
        assert!(report.is_same(), "{report}");
        let left_out = |table: &str, what: &str| {
            let one = report.not_compared.iter().find(|one| one.table == table && one.what.starts_with(what));
            one.map(|one| (one.in_a, one.in_b)).unwrap()
        };
        let clients = pair.a.list("realm.json", "zerver_client").len() as u64;
        assert_eq!(left_out("zerver_client", "all rows"), (clients + 1, clients));
        let log = left_out("zerver_realmauditlog", "rows of the types");
        assert_eq!(log.0, log.1 + 3);
        assert_eq!(left_out("zerver_realm", "name"), (1, 1));
        assert!(report.to_string().contains("not compared, since an import changes it: "), "{report}");
    }
    let packed = pair.stage.dir.join("b.tar.gz");
    pack(&pair.b.path, &packed);
    let report = compare(&pair.a.path, &packed);
    assert!(report.is_same(), "{report}");
}

#[test]
fn exports_of_real_servers_with_other_ids_are_the_same() {
    for (name, _) in GOLDEN {
        let Some(tarball) = golden(name) else { return };
        let stage = Stage::new();
        let directory = stage.dir.join("export");
        unpack(&tarball, &directory);
        let other = stage.copy(&directory, "other");
        renumber(&other, 5);
        import_by_right(&other);
        let report = compare(&tarball, &other.path);
        assert!(report.is_same(), "{name}: {report}");
    }
}

/// What a report names, list by list: rows of the first and of the second export alone, and keys of changed rows.
fn summary(report: &Value) -> Vec<(String, u64, u64, Vec<String>)> {
    let lists = report["lists"].as_array().unwrap().iter();
    lists
        .map(|list| {
            let count = |of: &str| list[of]["count"].as_u64().unwrap();
            let rows = list["changed"]["first"].as_array().unwrap().iter();
            let keys = rows.flat_map(|row| row["keys"].as_array().unwrap()).map(|key| key.as_str().unwrap().to_owned());
            (list["list"].as_str().unwrap().to_owned(), count("only_in_a"), count("only_in_b"), keys.collect())
        })
        .collect()
}

fn keys(list: &str, keys: &[&str]) -> Vec<(String, u64, u64, Vec<String>)> {
    vec![(list.to_owned(), 0, 0, keys.iter().map(|&key| key.to_owned()).collect())]
}

#[test]
fn single_changes_are_named() {
    let pair = Pair::new(7);
    let first = "messages-000001.json";
    let find = |file: &mut Value, list: &str, id: &Value| -> Value {
        let rows = file[list].as_array_mut().unwrap();
        let at = rows.iter().position(|row| row["id"] == *id).unwrap();
        json!(at)
    };
    let at = |place: &Value| usize::try_from(place.as_u64().unwrap()).unwrap();
    // Changes one key of the row that this one is in the second export.
    let set = |file: &str, list: &str, table: &str, row: &Value, key: &str, value: Value| -> Value {
        let id = pair.id(table, row);
        let report = pair.changed(file, |json| {
            let place = at(&find(json, list, &id));
            json[list][place][key] = value.clone();
        });
        let expected = keys(list, &[key]);
        assert_eq!(summary(&report), expected, "{list}.{key}");
        let changed = &report["lists"][0]["changed"]["first"][0];
        assert_eq!((&changed["id"], &changed["id_b"]), (&row["id"], &id));
        assert_eq!(changed["values"][0]["b"], value);
        report
    };

    let messages = pair.a.list(first, "zerver_message");
    let rich = &messages[10];
    let text = |key: &str| pair.new.text(rich[key].as_str().unwrap());
    // A word; a mention of somebody else; a link to another message; another file.
    let report = set(
        first,
        "zerver_message",
        "zerver_message",
        rich,
        "content",
        text("content").replace("there", "where").into(),
    );
    assert_eq!(report["lists"][0]["changed"]["first"][0]["values"][0]["a"], rich["content"]);
    let users = pair.a.list("realm.json", "zerver_userprofile");
    let (one, other) = (pair.id("zerver_userprofile", &users[3]), pair.id("zerver_userprofile", &users[4]));
    let replaced = |key: &str, from: String, to: String| -> Value {
        let text = text(key);
        assert!(text.contains(&from), "{text} {from}");
        text.replace(&from, &to).into()
    };
    let mentioned =
        replaced("rendered_content", format!("data-user-id=\"{one}\""), format!("data-user-id=\"{other}\""));
    set(first, "zerver_message", "zerver_message", rich, "rendered_content", mentioned);
    let silent = replaced("content", format!("|{one}**"), format!("|{other}**"));
    set(first, "zerver_message", "zerver_message", rich, "content", silent);
    let (near, far) = (pair.id("zerver_message", &messages[7]), pair.id("zerver_message", &messages[8]));
    let linked = replaced("content", format!("/near/{near}"), format!("/near/{far}"));
    set(first, "zerver_message", "zerver_message", rich, "content", linked);
    let paths: Vec<&String> = pair.new.paths.values().collect();
    let path = paths.iter().find(|path| text("content").contains(path.as_str())).unwrap();
    let another = paths.iter().find(|another| another != &path).unwrap();
    set(
        first,
        "zerver_message",
        "zerver_message",
        rich,
        "content",
        replaced("content", (*path).clone(), (*another).clone()),
    );

    // Another recipient.
    let recipient = messages.iter().map(|message| &message["recipient"]).find(|id| **id != rich["recipient"]).unwrap();
    let recipient = pair.new.id("zerver_recipient", recipient.as_i64().unwrap());
    set(first, "zerver_message", "zerver_message", rich, "recipient", recipient.into());
    let subscription = pair.row("realm.json", "zerver_subscription", |_| true);
    set("realm.json", "zerver_subscription", "zerver_subscription", &subscription, "color", "#123456".into());
    // Somebody who is not subscribed to it yet.
    let taken: BTreeSet<i64> = pair
        .a
        .list("realm.json", "zerver_subscription")
        .iter()
        .filter(|row| row["recipient"] == subscription["recipient"])
        .map(|row| row["user_profile"].as_i64().unwrap())
        .collect();
    let stranger = users.iter().find(|user| !taken.contains(&user["id"].as_i64().unwrap())).unwrap();
    let stranger = pair.id("zerver_userprofile", stranger);
    set("realm.json", "zerver_subscription", "zerver_subscription", &subscription, "user_profile", stranger);
    let emoji = pair.row("realm.json", "zerver_reaction", |row| row["reaction_type"] == "realm_emoji");
    let code = emoji["emoji_code"].as_str().unwrap();
    let others = pair.a.list("realm.json", "zerver_realmemoji");
    let others = others.iter().find(|other| other["id"].as_i64() != code.parse().ok()).unwrap();
    let new = pair.id("zerver_realmemoji", others).to_string();
    set("realm.json", "zerver_reaction", "zerver_reaction", &emoji, "emoji_code", new.into());

    missing_and_added(&pair);
    missing_message(&pair, &messages);
    other_files(&pair);
}

/// A row that is missing, one too many, and two that changed places.
fn missing_and_added(pair: &Pair) {
    let reactions = pair.a.list("realm.json", "zerver_reaction");
    let gone = &reactions[reactions.len() / 2];
    let id = pair.id("zerver_reaction", gone);
    let report = pair.changed("realm.json", |file| {
        file["zerver_reaction"].as_array_mut().unwrap().retain(|row| row["id"] != id);
    });
    assert_eq!(summary(&report), [("zerver_reaction".to_owned(), 1, 0, Vec::new())]);
    assert_eq!(report["lists"][0]["only_in_a"]["first"], json!([gone["id"]]));
    let report = pair.changed("realm.json", |file| {
        let rows = file["zerver_realmauditlog"].as_array_mut().unwrap();
        let mut row = rows[rows.len() / 2].clone();
        row["id"] = 900_000.into();
        row["event_type"] = 105.into();
        rows.push(row);
    });
    assert_eq!(summary(&report), [("zerver_realmauditlog".to_owned(), 0, 1, Vec::new())]);
    assert_eq!(report["lists"][0]["only_in_b"]["first"], json!([900_000]));

    // Addresses of two channels that changed places.
    let report = pair.changed("realm.json", |file| {
        let rows = file["zerver_recipient"].as_array_mut().unwrap();
        let mut of_channels = rows.iter_mut().filter(|row| row["type"] == 2);
        let (one, other) = (of_channels.next().unwrap(), of_channels.next().unwrap());
        std::mem::swap(&mut one["type_id"], &mut other["type_id"]);
    });
    assert_eq!(summary(&report), keys("zerver_recipient", &["type_id", "type_id"]));
}

/// A message that is missing, with what belongs to it: nothing else differs.
fn missing_message(pair: &Pair, messages: &[Value]) {
    let first = "messages-000001.json";
    let realm = pair.a.read("realm.json");
    let named: BTreeSet<i64> = [
        ("zerver_realmauditlog", "event_last_message_id"),
        ("zerver_userprofile", "last_active_message_id"),
        ("zerver_stream", "first_message_id"),
        ("zerver_onboardingusermessage", "message"),
        ("zerver_scheduledmessage", "delivered_message"),
    ]
    .into_iter()
    .flat_map(|(list, key)| realm[list].as_array().unwrap().iter().filter_map(move |row| row[key].as_i64()))
    .collect();
    let linked: Vec<Value> = pair.a.list("attachment.json", "zerver_attachment");
    let gone = messages[20..]
        .iter()
        .find(|message| {
            let id = message["id"].as_i64().unwrap();
            // Nothing else may name it; texts of the sample name few.
            let quoted = |other: &Value| other["content"].as_str().unwrap().contains(&format!("near/{id})"));
            !named.contains(&id)
                && linked.iter().all(|row| !row["messages"].as_array().unwrap().contains(&message["id"]))
                && !messages.iter().any(quoted)
        })
        .unwrap();
    let id = pair.id("zerver_message", gone);
    let (mut of_users, mut reactions) = (0, 0);
    let path = pair.b.file("realm.json");
    let before = std::fs::read(&path).unwrap();
    pair.b.edit("realm.json", |file| {
        let rows = file["zerver_reaction"].as_array_mut().unwrap();
        reactions = rows.len();
        rows.retain(|row| row["message"] != id);
        reactions -= rows.len();
    });
    let report = pair.changed(first, |file| {
        file["zerver_message"].as_array_mut().unwrap().retain(|row| row["id"] != id);
        let rows = file["zerver_usermessage"].as_array_mut().unwrap();
        of_users = rows.len();
        rows.retain(|row| row["message"] != id);
        of_users -= rows.len();
    });
    std::fs::write(&path, before).unwrap();
    let mut expected = vec![("zerver_message".to_owned(), 1, 0, Vec::new())];
    expected.push(("zerver_usermessage".to_owned(), of_users as u64, 0, Vec::new()));
    if reactions > 0 {
        expected.push(("zerver_reaction".to_owned(), reactions as u64, 0, Vec::new()));
    }
    assert_eq!(summary(&report), expected);
    assert_eq!(report["lists"][0]["only_in_a"]["first"], json!([gone["id"]]));
}

/// Other bytes in a file of every directory, a file of nobody, and a record that says otherwise.
fn other_files(pair: &Pair) {
    for directory in ["uploads", "avatars", "emoji", "realm_icons"] {
        let old = pair.a.list_of(&format!("{directory}/records.json"))[0]["path"].as_str().unwrap().to_owned();
        let name = |path: &str| path.rsplit('/').next().unwrap().to_owned();
        let bytes = std::fs::read(pair.a.file(&format!("{directory}/{old}"))).unwrap();
        let records = pair.b.list_of(&format!("{directory}/records.json"));
        let of_same_bytes = records.iter().map(|record| record["path"].as_str().unwrap()).find(|path| {
            std::fs::read(pair.b.file(&format!("{directory}/{path}"))).unwrap() == bytes
                && (directory == "avatars" || name(path) == name(&old))
        });
        let new = of_same_bytes.unwrap().to_owned();
        let path = pair.b.file(&format!("{directory}/{new}"));
        let before = std::fs::read(&path).unwrap();
        std::fs::write(&path, b"other").unwrap();
        let report = serde_json::to_value(compare(&pair.a.path, &pair.b.path)).unwrap();
        std::fs::write(&path, before).unwrap();
        assert_eq!(report["lists"], json!([]));
        assert_eq!(report["files"][0]["directory"], directory);
        assert_eq!(report["files"][0]["changed"]["count"], 1);
        let named = report["files"][0]["changed"]["first"][0].as_str().unwrap();
        assert!(named.ends_with(&new), "{named}");

        let stray = pair.b.file(&format!("{directory}/stray"));
        std::fs::write(&stray, b"x").unwrap();
        let report = serde_json::to_value(compare(&pair.a.path, &pair.b.path)).unwrap();
        std::fs::remove_file(stray).unwrap();
        assert_eq!(report["files"][0]["only_in_b"]["first"], json!(["stray"]));
    }
    let users = pair.b.list("realm.json", "zerver_userprofile");
    let report = pair.changed("uploads/records.json", |records| {
        let owner = records[0]["user_profile_id"].clone();
        records[0]["user_profile_id"] = users.iter().map(|user| &user["id"]).find(|id| **id != owner).unwrap().clone();
    });
    assert_eq!(
        (&report["records"][0]["directory"], &report["records"][0]["changed"]["count"]),
        (&json!("uploads"), &json!(1))
    );

    // Of an avatar the importer makes the small picture again.
    let records: Vec<Value> = pair.a.list_of("avatars/records.json");
    let small = records
        .iter()
        .filter_map(|record| record["path"].as_str())
        .find(|path| path.rsplit('.').next() == Some("png"))
        .unwrap();
    let kept: Vec<&Value> = records.iter().filter(|record| record["path"] != small).collect();
    let path: Utf8PathBuf = pair.a.file(&format!("avatars/{small}"));
    let before = [std::fs::read(&path).unwrap(), std::fs::read(pair.a.file("avatars/records.json")).unwrap()];
    pair.a.write("avatars/records.json", &json!(kept));
    std::fs::remove_file(&path).unwrap();
    let report = compare(&pair.a.path, &pair.b.path);
    std::fs::write(&path, &before[0]).unwrap();
    std::fs::write(pair.a.file("avatars/records.json"), &before[1]).unwrap();
    assert!(report.is_same(), "{report}");
    let made = report.not_compared.iter().find(|one| one.table == "avatars").unwrap();
    assert_eq!((made.in_a, made.in_b), (0, 1));

    // Who consents is compared by who it is.
    pair.a.write("consented_user_ids.json", &json!([users_of(&pair.a)[0], users_of(&pair.a)[2]]));
    pair.b.write("consented_user_ids.json", &json!([users_of(&pair.b)[2], users_of(&pair.b)[0]]));
    assert!(compare(&pair.a.path, &pair.b.path).is_same());
    pair.b.write("consented_user_ids.json", &json!([users_of(&pair.b)[0], users_of(&pair.b)[1]]));
    let report = serde_json::to_value(compare(&pair.a.path, &pair.b.path)).unwrap();
    assert_eq!(report["consented"]["only_in_a"]["first"], json!([users_of(&pair.a)[2]]));
    assert_eq!(report["consented"]["only_in_b"]["first"], json!([users_of(&pair.b)[1]]));
}

/// Users in the order of their ids, which renumbering keeps.
fn users_of(copy: &Copy) -> Vec<i64> {
    let mut ids: Vec<i64> =
        copy.list("realm.json", "zerver_userprofile").iter().map(|row| row["id"].as_i64().unwrap()).collect();
    ids.sort_unstable();
    ids
}

/// Every key of every list that is compared: another value in one row, each in another one, is found.
#[test]
fn no_key_is_forgotten() {
    let pair = Pair::new(11);
    let schema = &Release::for_version("10.1").unwrap().export;
    let mut tried = 0;
    for (name, lists) in files(&pair.b) {
        if name.starts_with("messages-") && name != "messages-000001.json" {
            continue;
        }
        for list in lists {
            let rows = pair.b.list(&name, &list.key);
            let left_out = NOT_COMPARED.iter().any(|rule| rule.table == list.table() && rule.what == "all rows");
            if rows.is_empty() || left_out || list.key == "zerver_userprofile_crossrealm" {
                continue;
            }
            let fields: Vec<&Field> =
                schema.table(list.table()).unwrap().fields.iter().filter(|field| compared(list, field)).collect();
            if fields.is_empty() {
                continue; // nothing but its id
            }
            let mut expected: Vec<(usize, &str)> = Vec::new();
            let report = pair.changed(&name, |file| {
                let rows = file[&list.key].as_array_mut().unwrap();
                // A row that is left out would not show what was changed in it.
                let written_by_imports =
                    |row: &Value| matches!(row["event_type"].as_i64(), Some(204 | 206 | 215 | 229));
                let usable: Vec<usize> = (0..rows.len()).filter(|at| !written_by_imports(&rows[*at])).collect();
                let at = |place: usize| usable[(place * 7) % usable.len()];
                for (place, field) in fields.iter().enumerate() {
                    let row = rows[at(place)].as_object_mut().unwrap();
                    if let Some(value) = other_value(&pair, field, row) {
                        row[&field.key] = value;
                        expected.push((at(place), &field.key));
                    }
                }
            });
            tried += expected.len();
            let found = &report["lists"].as_array().unwrap().iter().find(|one| one["list"] == list.key);
            let Some(found) = found else { panic!("nothing is found in {}", list.key) };
            for (place, key) in expected {
                let id = &rows[place]["id"];
                // With the other value it may be what another row is.
                let mut changed = found["changed"]["first"].as_array().unwrap().iter();
                let named = changed.any(|row| row["keys"].as_array().unwrap().iter().any(|name| name == key));
                let alone = found["only_in_b"]["first"].as_array().unwrap().contains(id);
                assert!(named || alone, "{}.{key} of {id}: {found}", list.key);
            }
        }
    }
    assert!(tried > 350, "{tried}");
}

fn compared(list: &RowList, field: &Field) -> bool {
    let rule = NOT_COMPARED.iter().any(|rule| rule.is_key && rule.table == list.table() && rule.what == field.key);
    // Whose id it is, and in which of two lists it stands; what a recipient is the address of.
    let own = ["id", "usergroup_ptr", "realm", "realm_for_sharding"].contains(&field.key.as_str());
    let kind = list.table() == "zerver_recipient" && field.key == "type";
    !(rule || own || kind)
}

/// Another value of the key's kind; none where there is no other.
fn other_value(pair: &Pair, field: &Field, row: &Map<String, Value>) -> Option<Value> {
    let value = row.get(&field.key)?;
    let another = |table: &str, than: Option<i64>| {
        pair.new.ids.get(table)?.values().rev().find(|id| **id > 0 && Some(**id) != than).copied()
    };
    let number = value.as_i64();
    Some(match (&field.source, field.key.as_str()) {
        (Source::Column { references: Some(references), .. }, _) => {
            another(references.replace("zerver_namedusergroup", "zerver_usergroup").as_str(), number)?.into()
        }
        (_, "last_active_message_id" | "event_last_message_id" | "first_message_id") => {
            another("zerver_message", number)?.into()
        }
        (_, "type_id") => {
            let table = match row["type"].as_i64() {
                Some(1) => "zerver_userprofile",
                Some(2) => "zerver_stream",
                _ => "zerver_huddle",
            };
            another(table, number)?.into()
        }
        (_, "emoji_code") if row["reaction_type"] == "realm_emoji" => {
            let old = value.as_str().and_then(|code| code.parse().ok());
            another("zerver_realmemoji", old)?.to_string().into()
        }
        (Source::Ids { references: Some(references), .. }, _) => {
            let mut ids = value.as_array()?.clone();
            let new = another(references, None)?;
            match ids.iter().position(|id| *id == new) {
                Some(at) => drop(ids.remove(at)),
                None => ids.push(new.into()),
            }
            ids.into()
        }
        (Source::Ids { .. }, _) => return None,
        (Source::Column { encoding, .. }, _) => match encoding {
            Encoding::Integer => (number.unwrap_or(0) + 1).into(),
            Encoding::Boolean => (!value.as_bool().unwrap_or(false)).into(),
            Encoding::Seconds => (value.as_f64().unwrap_or(0.0) + 1.0).into(),
            Encoding::Json => json!({"changed": value}),
            Encoding::Iso => "2001-01-01T00:00:00+00:00".into(),
            Encoding::Text | Encoding::Uuid | Encoding::Tsvector => format!("{}x", value.as_str().unwrap_or("")).into(),
        },
    })
}

#[test]
fn what_nothing_imports_is_refused() {
    let stage = Stage::new();
    let directory = stage.dir.join("single");
    std::fs::create_dir(&directory).unwrap();
    std::fs::write(directory.join("user.json"), b"{\"zerver_userprofile\": []}").unwrap();
    let other = stage.copy(&directory, "other");
    let options = DiffOptions::default().renumbered(true);
    let error = diff(&directory, &other.path, &options, &Silent).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
    std::fs::write(other.file("user.json"), b"{\"zerver_userprofile\": [{\"id\": 1, \"id\": 2}]}").unwrap();
    let error = diff(&directory, &other.path, &options, &Silent).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
    assert!(error.to_string().contains("comes twice"), "{error}");
}
