//! What an export is after an import elsewhere: other ids, other paths, and what an import changes by right. Made here by
//! hand, from the declaration of exports and from what is known of importers, and not by the code that is tested.
#![allow(dead_code)] // each test uses what it needs

use std::collections::BTreeMap;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use serde_json::{Map, Value, json};
use zulip_backup_core::schema::{Release, RowList, Source};

use super::exports::Copy;

/// New ids by table and old id.
pub type Ids = BTreeMap<String, BTreeMap<i64, i64>>;

pub struct Renumbered {
    pub ids: Ids,
    /// `path_id` of attachments, by the old one.
    pub paths: BTreeMap<String, String>,
}

/// The files with rows, with their lists.
pub fn files(copy: &Copy) -> Vec<(String, &'static [RowList])> {
    let files = &Release::for_version("10.1").unwrap().export.files;
    let mut found = vec![
        ("realm.json".to_owned(), &files.realm[..]),
        ("analytics.json".to_owned(), &files.analytics[..]),
        ("attachment.json".to_owned(), &files.attachment[..]),
    ];
    for entry in copy.path.read_dir_utf8().unwrap() {
        let name = entry.unwrap().file_name().to_owned();
        if name.starts_with("messages-") {
            found.push((name, &files.messages[..]));
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

/// The table whose ids a list's rows have.
fn ids_of(list: &RowList) -> &str {
    match list.table() {
        "zerver_namedusergroup" => "zerver_usergroup",
        table => table,
    }
}

/// Gives everything in an export other ids.
pub fn renumber(copy: &Copy, seed: u64) -> Renumbered {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut old: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    let files = files(copy);
    for (name, lists) in &files {
        let file = copy.read(name);
        for list in *lists {
            let rows = file[&list.key].as_array().unwrap();
            let known = old.entry(ids_of(list).to_owned()).or_default();
            known.extend(rows.iter().map(|row| row["id"].as_i64().unwrap()));
        }
    }
    let mut ids = Ids::new();
    for (table, mut old) in old {
        old.sort_unstable();
        old.dedup();
        let mut next = i64::try_from(random.next_u64() % 40).unwrap();
        let mut new: Vec<i64> = old
            .iter()
            .map(|_| {
                next += 1 + i64::try_from(random.next_u64() % 3).unwrap();
                next
            })
            .collect();
        // Where an import does not keep the order: what the server has already, and what its database numbers.
        if ["zerver_client", "zerver_usermessage"].contains(&table.as_str()) {
            for at in (1..new.len()).rev() {
                new.swap(at, usize::try_from(random.next_u64()).unwrap() % (at + 1));
            }
        }
        ids.insert(table, old.into_iter().zip(new).collect());
    }
    // Bots of the system stand before all users, in no order.
    let realm = copy.read("realm.json");
    let bots = realm["zerver_userprofile_crossrealm"].as_array().unwrap();
    for (at, bot) in bots.iter().rev().enumerate() {
        let new = -10 - i64::try_from(at).unwrap();
        ids.get_mut("zerver_userprofile").unwrap().insert(bot["id"].as_i64().unwrap(), new);
        ids.get_mut("zerver_recipient").unwrap().insert(bot["recipient_id"].as_i64().unwrap(), new);
    }
    let realm_id = *ids["zerver_realm"].values().next().unwrap();
    let token = |random: &mut Xoshiro256PlusPlus| format!("{:016x}{:08x}", random.next_u64(), random.next_u64() >> 32);
    let mut paths = BTreeMap::new();
    for row in copy.list("attachment.json", "zerver_attachment") {
        let path = row["path_id"].as_str().unwrap();
        let name = path.rsplit('/').next().unwrap();
        paths
            .insert(path.to_owned(), format!("{realm_id}/{:x}/{}/{name}", random.next_u64() % 256, token(&mut random)));
    }
    let renumbered = Renumbered { ids, paths };
    for (name, lists) in files {
        copy.edit(&name, |file| {
            for list in lists {
                for row in file[&list.key].as_array_mut().unwrap() {
                    renumbered.row(list, row.as_object_mut().unwrap());
                }
            }
        });
    }
    if copy.file("consented_user_ids.json").exists() {
        copy.edit("consented_user_ids.json", |users| {
            users.as_array_mut().unwrap().iter_mut().for_each(|user| renumbered.value("zerver_userprofile", user));
        });
    }
    renumbered.files(copy, realm_id, &mut random);
    renumbered
}

impl Renumbered {
    pub fn id(&self, table: &str, old: i64) -> i64 {
        *self.ids[table].get(&old).unwrap_or_else(|| panic!("{table} has no {old}"))
    }

    fn value(&self, table: &str, value: &mut Value) {
        let table = if table == "zerver_namedusergroup" { "zerver_usergroup" } else { table };
        if let Some(old) = value.as_i64()
            && let Some(ids) = self.ids.get(table)
        {
            *value = ids.get(&old).map_or(Value::Null, |new| (*new).into());
        }
    }

    fn row(&self, list: &RowList, row: &mut Map<String, Value>) {
        let table = list.table();
        if list.key == "zerver_userprofile_crossrealm" {
            self.value("zerver_userprofile", &mut row["id"]);
            self.value("zerver_recipient", &mut row["recipient_id"]);
            return;
        }
        let target = match row.get("type").and_then(Value::as_i64) {
            Some(1) => "zerver_userprofile",
            Some(2) => "zerver_stream",
            _ => "zerver_huddle",
        };
        let of_emoji = row.get("reaction_type").is_some_and(|kind| kind == "realm_emoji");
        let of_client = row.get("property").is_some_and(|property| property == "messages_sent:client:day");
        for field in &Release::for_version("10.1").unwrap().export.table(table).unwrap().fields {
            let Some(value) = row.get_mut(&field.key) else { continue };
            match (&field.source, field.key.as_str()) {
                (_, "id") => self.value(ids_of(list), value),
                (Source::Column { references: Some(references), .. }, _) => self.value(references, value),
                (Source::Ids { references: Some(references), .. }, _) => {
                    value.as_array_mut().unwrap().iter_mut().for_each(|id| self.value(references, id));
                }
                (_, "type_id") => self.value(target, value),
                (_, "last_active_message_id" | "event_last_message_id") => self.up_to(value),
                (_, "first_message_id") => self.value("zerver_message", value),
                (_, "emoji_code") if of_emoji => {
                    let old = value.as_str().unwrap().parse().unwrap();
                    *value = self.id("zerver_realmemoji", old).to_string().into();
                }
                (_, "subgroup") if of_client => {
                    let old = value.as_str().unwrap().parse().unwrap();
                    *value = self.id("zerver_client", old).to_string().into();
                }
                (_, "value") if table == "zerver_customprofilefieldvalue" => {
                    let users: Option<Vec<i64>> = value.as_str().and_then(|text| serde_json::from_str(text).ok());
                    if let Some(users) = users {
                        let new: Vec<i64> = users.into_iter().map(|old| self.id("zerver_userprofile", old)).collect();
                        *value = serde_json::to_string(&new).unwrap().into();
                    }
                }
                (_, "path_id") => *value = self.paths[value.as_str().unwrap()].clone().into(),
                (_, "content" | "rendered_content" | "rendered_description") if table != "zerver_savedsnippet" => {
                    if let Some(text) = value.as_str() {
                        *value = self.text(text).into();
                    }
                }
                (_, "edit_history") => {
                    if let Some(text) = value.as_str() {
                        *value = self.edit_history(text).into();
                    }
                }
                _ => {}
            }
        }
    }

    /// The newest message that is not newer.
    fn up_to(&self, value: &mut Value) {
        if let Some(old) = value.as_i64() {
            *value = self.ids["zerver_message"].range(..=old).next_back().map_or(0, |(_, new)| *new).into();
        }
    }

    fn edit_history(&self, text: &str) -> String {
        let mut edits: Vec<Map<String, Value>> = serde_json::from_str(text).unwrap();
        for (key, value) in edits.iter_mut().flatten() {
            match key.as_str() {
                "user_id" => self.value("zerver_userprofile", value),
                "stream" | "prev_stream" => self.value("zerver_stream", value),
                "prev_content" | "prev_rendered_content" => {
                    if let Some(text) = value.as_str() {
                        *value = self.text(text).into();
                    }
                }
                _ => {}
            }
        }
        serde_json::to_string(&edits).unwrap()
    }

    /// A text in which what stands behind certain words is an id.
    pub fn text(&self, text: &str) -> String {
        const BEFORE: [(&str, &str); 12] = [
            ("data-user-id=\"", "zerver_userprofile"),
            ("data-user-group-id=\"", "zerver_usergroup"),
            ("data-stream-id=\"", "zerver_stream"),
            ("#narrow/near/", "zerver_message"),
            ("/near/", "zerver_message"),
            ("/with/", "zerver_message"),
            ("#narrow/channel/", "zerver_stream"),
            ("#narrow/dm/", "zerver_userprofile"),
            ("#user/", "zerver_userprofile"),
            ("|", "zerver_userprofile"),
            ("@", "zerver_message"),
            ("/user_avatars/", "zerver_realm"),
        ];
        let (mut out, mut at, mut absolute) = (String::new(), 0, false);
        'text: while at < text.len() {
            let rest = &text[at..];
            // Whose server is it? Only files are followed there.
            absolute |= rest.starts_with("http://") || rest.starts_with("https://");
            absolute &= !rest.starts_with(|next: char| next.is_whitespace() || "\"')<>".contains(next));
            // Zulip leaves no such character in a name, so no importer looks for it.
            for (old, new) in self.paths.iter().filter(|(old, _)| !old.contains('|')) {
                if rest.starts_with(old.as_str()) {
                    out.push_str(new);
                    at += old.len();
                    continue 'text;
                }
            }
            for (before, table) in BEFORE.into_iter().filter(|_| !absolute) {
                let Some(behind) = rest.strip_prefix(before) else { continue };
                let digits: String = behind.chars().take_while(char::is_ascii_digit).collect();
                let names = !["|", "@"].contains(&before) || behind[digits.len()..].starts_with("**");
                if let Some(new) = digits.parse().ok().filter(|_| names).and_then(|old: i64| self.ids[table].get(&old))
                {
                    out.push_str(before);
                    out.push_str(&new.to_string());
                    at += before.len() + digits.len();
                    continue 'text;
                }
            }
            let next = rest.chars().next().unwrap();
            out.push(next);
            at += next.len_utf8();
        }
        out
    }

    /// Files where they lie now, and their records.
    fn files(&self, copy: &Copy, realm: i64, random: &mut Xoshiro256PlusPlus) {
        let mut avatars: BTreeMap<i64, String> = BTreeMap::new();
        for directory in ["uploads", "avatars", "emoji", "realm_icons"] {
            let old = copy.file(&format!("{directory}.old"));
            std::fs::rename(copy.file(directory), &old).unwrap();
            let mut records: Vec<Value> =
                serde_json::from_slice(&std::fs::read(old.join("records.json")).unwrap()).unwrap();
            for record in &mut records {
                let path = record["path"].as_str().unwrap().to_owned();
                let (_, rest) = path.split_once('/').unwrap();
                let new = match directory {
                    "uploads" => self.paths[&path].clone(),
                    "avatars" => {
                        let user = record["user_profile_id"].as_i64().unwrap();
                        let name = avatars.entry(user).or_insert_with(|| format!("{:040x}", random.next_u64()));
                        format!("{realm}/{name}.{}", path.rsplit('.').next().unwrap())
                    }
                    _ => format!("{realm}/{rest}"),
                };
                let target = copy.file(&format!("{directory}/{new}"));
                std::fs::create_dir_all(target.parent().unwrap()).unwrap();
                std::fs::rename(old.join(&path), target).unwrap();
                let record = record.as_object_mut().unwrap();
                for key in ["path", "s3_path"] {
                    record.insert(key.to_owned(), new.clone().into());
                }
                record["realm_id"] = realm.into();
                for key in ["user_profile_id", "author"] {
                    if let Some(user) = record.get_mut(key) {
                        self.value("zerver_userprofile", user);
                    }
                }
                if record.contains_key("last_modified") {
                    record["last_modified"] = 1.5.into();
                }
            }
            std::fs::create_dir_all(copy.file(directory)).unwrap();
            copy.write(&format!("{directory}/records.json"), &Value::Array(records));
            std::fs::remove_dir_all(old).unwrap();
        }
    }
}

/// Changes what an import changes by right, everywhere.
pub fn import_by_right(copy: &Copy) {
    copy.edit("realm.json", |file| {
        let realm = &mut file["zerver_realm"][0];
        for (key, value) in [
            ("name", json!("elsewhere")),
            ("string_id", json!("elsewhere")),
            ("plan_type", json!(2)),
            ("_max_invites", json!(100)),
            ("message_visibility_limit", json!(10000)),
            ("first_visible_message_id", json!(7)),
        ] {
            realm[key] = value;
        }
        realm["push_notifications_enabled"] = (!realm["push_notifications_enabled"].as_bool().unwrap()).into();
        let realm_id = realm["id"].clone();
        for list in ["zerver_userprofile", "zerver_userprofile_mirrordummy"] {
            for user in file[list].as_array_mut().unwrap() {
                user["tos_version"] = "-1".into();
                for power in
                    ["is_staff", "is_superuser", "can_forge_sender", "can_create_users", "can_change_user_emails"]
                {
                    user[power] = false.into();
                }
            }
        }
        for (list, key, value) in [
            ("zerver_service", "token", json!("other")),
            ("zerver_huddle", "huddle_hash", json!("other")),
            ("zerver_stream", "is_recently_active", json!(false)),
            ("zerver_subscription", "is_user_active", json!(false)),
        ] {
            file[list].as_array_mut().unwrap().iter_mut().for_each(|row| row[key] = value.clone());
        }
        let clients = file["zerver_client"].as_array_mut().unwrap();
        clients.push(json!({"id": 900_000, "name": "only here"}));
        file["zerver_realmexport"].as_array_mut().unwrap().clear();
        let log = file["zerver_realmauditlog"].as_array_mut().unwrap();
        let last = log.iter().map(|row| row["id"].as_i64().unwrap()).max().unwrap();
        for (at, event) in [(1, 204), (2, 229), (3, 206)] {
            log.push(json!({
                "id": last + at, "event_time": 1.0e9, "backfilled": false, "extra_data": {"new_value": 1},
                "event_type": event, "realm": realm_id, "acting_user": null, "modified_user": null,
                "modified_stream": null, "modified_user_group": null, "event_last_message_id": null,
            }));
        }
        // Order means nothing.
        file["zerver_reaction"].as_array_mut().unwrap().reverse();
    });
    copy.edit("messages-000001.json", |file| {
        for message in file["zerver_message"].as_array_mut().unwrap() {
            message["search_tsvector"] = "'word':1".into();
        }
    });
    copy.edit("migration_status.json", |file| file["zulip_version"] = "10.9".into());
}
