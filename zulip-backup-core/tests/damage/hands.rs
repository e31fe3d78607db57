//! The hands that do the damage.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::exports::Copy;

pub const FIRST: &str = "messages-000001.json";

/// An id that nothing has.
pub const NOBODY: i64 = 1_999_999_999;

pub fn any(_: &Value) -> bool {
    true
}

pub fn remove(copy: &Copy, name: &str) {
    std::fs::remove_file(copy.file(name)).unwrap();
}

pub fn write(copy: &Copy, name: &str, content: &[u8]) {
    std::fs::write(copy.file(name), content).unwrap();
}

pub fn cut(copy: &Copy, name: &str) {
    let content = std::fs::read(copy.file(name)).unwrap();
    write(copy, name, &content[..content.len() * 2 / 3]);
}

/// Replaces the first occurrence of some bytes.
pub fn replace(copy: &Copy, name: &str, from: &[u8], to: &[u8]) {
    let content = std::fs::read(copy.file(name)).unwrap();
    let at = content.windows(from.len()).position(|window| window == from).unwrap();
    write(copy, name, &[&content[..at], to, &content[at + from.len()..]].concat());
}

/// The first row of a list once more, behind itself.
pub fn twin(copy: &Copy, name: &str, list: &str) {
    copy.edit(name, |file| {
        let rows = file[list].as_array_mut().unwrap();
        rows.insert(1, rows[0].clone());
    });
    let stem = name.trim_end_matches(".json");
    copy.edit("stats.json", |stats| stats[stem][list] = (stats[stem][list].as_u64().unwrap() + 1).into());
}

pub fn record(copy: &Copy, directory: &str, change: impl FnOnce(&mut Value)) {
    copy.edit(&format!("{directory}/records.json"), |records| change(&mut records[0]));
}

pub fn first_path(copy: &Copy, directory: &str) -> String {
    let records = copy.list_of(&format!("{directory}/records.json"));
    format!("{directory}/{}", records[0]["path"].as_str().unwrap())
}

/// The full export beside a copy.
pub fn full(copy: &Copy) -> Copy {
    // Not removed when it is dropped: the stage owns it.
    Copy { path: copy.path.parent().unwrap().join("full"), keep: true }
}

/// Puts a message of the full export into one that has it not, where its id belongs.
pub fn smuggle(copy: &Copy, which: impl Fn(&Value) -> bool) {
    let full = full(copy);
    let known: BTreeSet<i64> = messages(copy).iter().map(|row| row["id"].as_i64().unwrap()).collect();
    let all = messages(&full);
    let row = all.iter().find(|row| !known.contains(&row["id"].as_i64().unwrap()) && which(row)).expect("a message");
    let files = message_files(copy);
    let fits = |name: &&String| copy.list(name, "zerver_message").last().unwrap()["id"].as_i64() > row["id"].as_i64();
    let name = files.iter().find(fits).unwrap_or_else(|| files.last().unwrap()).clone();
    copy.edit(&name, |file| {
        let rows = file["zerver_message"].as_array_mut().unwrap();
        let at = rows.iter().position(|other| other["id"].as_i64() > row["id"].as_i64()).unwrap_or(rows.len());
        rows.insert(at, row.clone());
    });
    let stem = name.trim_end_matches(".json");
    copy.edit("stats.json", |stats| {
        stats[stem]["zerver_message"] = (stats[stem]["zerver_message"].as_u64().unwrap() + 1).into();
    });
}

pub fn message_files(copy: &Copy) -> Vec<String> {
    let mut names: Vec<String> = copy
        .path
        .read_dir_utf8()
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_owned())
        .filter(|name| name.starts_with("messages-"))
        .collect();
    names.sort_unstable();
    names
}

pub fn messages(copy: &Copy) -> Vec<Value> {
    message_files(copy).iter().flat_map(|name| copy.list(name, "zerver_message")).collect()
}

/// A row of the full export that another has not, at the end of its list.
pub fn smuggle_row(copy: &Copy, list: &str) {
    let full = full(copy);
    let known = copy.list("realm.json", list);
    let row =
        full.list("realm.json", list).into_iter().rev().find(|row| !known.iter().any(|other| other["id"] == row["id"]));
    let row = row.unwrap_or_else(|| panic!("no more rows of {list}"));
    copy.add("realm.json", list, row);
    copy.edit("realm.json", |file| file[list].as_array_mut().unwrap().sort_by_key(|row| row["id"].as_i64()));
}

/// The row of a user as the full export has it.
pub fn original(copy: &Copy, id: &Value) -> Value {
    let users = full(copy);
    let mut rows = users.list("realm.json", "zerver_userprofile");
    rows.extend(users.list("realm.json", "zerver_userprofile_mirrordummy"));
    rows.into_iter().find(|row| row["id"] == *id).unwrap()
}

pub fn recipient_type(copy: &Copy, row: &Value) -> i64 {
    let recipients = full(copy).list("realm.json", "zerver_recipient");
    recipients.iter().find(|other| other["id"] == row["recipient"]).map_or(0, |other| other["type"].as_i64().unwrap())
}

pub fn consented(copy: &Copy) -> Vec<i64> {
    copy.list_of("consented_user_ids.json").iter().map(|id| id.as_i64().unwrap()).collect()
}

/// The place of the first user who does not consent among the mirror dummies.
pub fn hidden(copy: &Copy) -> Value {
    let ids = consented(copy);
    let users = copy.list("realm.json", "zerver_userprofile_mirrordummy");
    users.into_iter().find(|user| !ids.contains(&user["id"].as_i64().unwrap())).expect("a hidden user")
}

/// Makes the statistics those of the rows.
pub fn recount(copy: &Copy) {
    for name in ["realm.json", FIRST] {
        let file = copy.read(name);
        let stem = name.trim_end_matches(".json");
        copy.edit("stats.json", |stats| {
            for (list, count) in stats[stem].as_object_mut().unwrap() {
                *count = file[list].as_array().unwrap().len().into();
            }
        });
    }
}
