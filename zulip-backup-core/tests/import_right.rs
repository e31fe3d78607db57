//! What an import does where Zulip's importer is wrong, each on an export of the sample server that was changed so that it
//! matters. `docs/upstream-differences.md` names these tests.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::panic, clippy::unwrap_used)] // a test

#[path = "support/stage.rs"]
mod stage;

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::{Value, json};
use stage::{Stage, change, stage};
use zulip_backup_core::Silent;
use zulip_backup_core::import::{ImportOptions, ImportReport, plan};

/// A server, an export that could be another server's, and what came of importing it.
struct Scene {
    stage: Stage,
    export: Utf8PathBuf,
    report: Option<ImportReport>,
}

impl Scene {
    fn new() -> Self {
        let stage = stage();
        let export = stage.foreign_export();
        Self { stage, export, report: None }
    }

    fn import(&mut self) -> &ImportReport {
        let site = self.stage.host.site().unwrap();
        let plan = plan(&site, &self.export, &ImportOptions::to("copy").jobs(2), &Silent)
            .unwrap_or_else(|error| panic!("{}\n{:#?}", error.chain(), error.reasons()));
        self.report.insert(plan.execute(&Silent).unwrap())
    }

    /// What a query about the new organisation, `$1`, gives: text, all in one column.
    fn new_rows(&self, query: &str) -> Vec<Option<String>> {
        let realm = self.report.as_ref().unwrap().realm_id;
        self.stage.client().query(query, &[&realm]).unwrap().iter().map(|row| row.get(0)).collect()
    }

    fn new_number(&self, query: &str) -> i64 {
        let realm = self.report.as_ref().unwrap().realm_id;
        self.stage.client().query_one(query, &[&realm]).unwrap().get(0)
    }

    /// The rows of a list of `realm.json`.
    fn list(&self, list: &str) -> Vec<Value> {
        let text = std::fs::read(self.export.join("realm.json")).unwrap();
        let realm: Value = serde_json::from_slice(&text).unwrap();
        realm[list].as_array().unwrap().clone()
    }

    fn avatars(&self) -> Vec<Value> {
        let text = std::fs::read(self.export.join("avatars/records.json")).unwrap();
        serde_json::from_slice(&text).unwrap()
    }
}

/// An id that nothing has.
const NOBODY: i64 = 999_999;

#[test]
fn what_rows_name_is_the_same_afterwards() {
    let mut scene = Scene::new();
    let creators = scene.list("zerver_namedusergroup").iter().filter(|group| !group["creator"].is_null()).count();
    let used: Vec<i64> =
        scene.list("zerver_recipient").iter().map(|recipient| recipient["id"].as_i64().unwrap()).collect();
    assert!(creators > 0 && !used.is_empty());
    // A user field that names somebody who is not there beside two who are.
    let people: Vec<i64> = scene.list("zerver_userprofile").iter().map(|user| user["id"].as_i64().unwrap()).collect();
    let fields = scene.list("zerver_customprofilefield");
    let field = fields.iter().find(|field| field["field_type"] == 6).expect("a field of users")["id"].clone();
    change(&scene.export, "realm.json", |realm| {
        let values = realm["zerver_customprofilefieldvalue"].as_array_mut().unwrap();
        let value = values.iter_mut().find(|value| value["field"] == field).unwrap();
        value["value"] = format!("[{},{NOBODY},{}]", people[0], people[1]).into();
        // The last message of a time before some audit line.
        let line = realm["zerver_realmauditlog"].as_array_mut().unwrap().last_mut().unwrap();
        line["event_last_message_id"] = i64::from(i32::MAX).into();
        // Somebody muted who has not been exported.
        let muted = realm["zerver_muteduser"].as_array_mut().unwrap();
        let mut row = muted[0].clone();
        row["id"] = (NOBODY + 1).into();
        row["muted_user"] = NOBODY.into();
        muted.push(row);
    });
    change(&scene.export, "messages-000001.json", |file| {
        for message in file["zerver_message"].as_array_mut().unwrap() {
            if let Some(history) = message["edit_history"].as_str() {
                let mut history: Value = serde_json::from_str(history).unwrap();
                for edit in history.as_array_mut().unwrap() {
                    edit["user_id"] = NOBODY.into();
                }
                message["edit_history"] = history.to_string().into();
            }
        }
    });
    let report = scene.import();
    assert_eq!(report.left_out.get("zerver_muteduser"), Some(&1), "{report}");
    assert!(report.findings.iter().any(|finding| finding.code == "rows-left-out"), "{report}");

    let own = "SELECT count(*) FROM zerver_namedusergroup g JOIN zerver_userprofile u ON u.id = g.creator_id
               WHERE g.realm_id = $1::int8 AND u.realm_id = g.realm_id";
    assert_eq!(scene.new_number(own), i64::try_from(creators).unwrap());
    let foreign = "SELECT count(*) FROM zerver_namedusergroup g JOIN zerver_userprofile u ON u.id = g.creator_id
                   WHERE u.realm_id <> g.realm_id AND $1::int8 > 0";
    assert_eq!(scene.new_number(foreign), 0, "creators of other organisations' groups stay as they are");

    let named =
        "SELECT v.value FROM zerver_customprofilefieldvalue v JOIN zerver_customprofilefield f ON f.id = v.field_id
                 WHERE f.realm_id = $1::int8 AND f.field_type = 6";
    let members = "SELECT id::text FROM zerver_userprofile WHERE realm_id = $1::int8";
    let members = scene.new_rows(members);
    let mut longest = 0;
    for value in scene.new_rows(named).into_iter().flatten() {
        let users: Vec<i64> = serde_json::from_str(&value).unwrap();
        assert!(users.iter().all(|user| members.contains(&Some(user.to_string()))), "{value}");
        longest = longest.max(users.len());
    }
    assert_eq!(longest, 2);

    // Each by its own creator, told by the address.
    let (groups, users) = (scene.list("zerver_namedusergroup"), scene.list("zerver_userprofile"));
    let address = |id: &Value| {
        let user = users.iter().find(|user| user["id"] == *id);
        user.map(|user| user["delivery_email"].as_str().unwrap().to_owned())
    };
    let mut expected: Vec<Option<String>> = groups
        .iter()
        .map(|group| Some(format!("{} {:?}", group["name"].as_str().unwrap(), address(&group["creator"]))))
        .collect();
    expected.sort_unstable();
    let found = "SELECT g.name || ' ' || coalesce('Some(\"' || u.delivery_email || '\")', 'None')
                 FROM zerver_namedusergroup g LEFT JOIN zerver_userprofile u ON u.id = g.creator_id WHERE g.realm_id = $1::int8";
    let mut found = scene.new_rows(found);
    found.sort_unstable();
    assert_eq!(found, expected);

    // Whoever has the old server's token must not be able to send here.
    let tokens = scene.list("zerver_service");
    let kept = "SELECT v.token::text FROM zerver_service v JOIN zerver_userprofile u ON u.id = v.user_profile_id
                WHERE u.realm_id = $1::int8";
    let kept = scene.new_rows(kept).into_iter().flatten().collect::<Vec<_>>();
    assert!(!kept.is_empty() && kept.len() == tokens.len());
    assert!(tokens.iter().all(|service| !kept.iter().any(|token| service["token"] == **token)), "{kept:?}");

    let beyond = "SELECT count(*) FROM zerver_realmauditlog l WHERE l.realm_id = $1::int8 AND l.event_last_message_id =
                  (SELECT max(id) FROM zerver_message m WHERE m.realm_id = l.realm_id)";
    assert_eq!(scene.new_number(beyond), 1);

    let editors = "SELECT e->>'user_id' FROM zerver_message m, jsonb_array_elements(m.edit_history::jsonb) e
                   WHERE m.realm_id = $1::int8 AND m.edit_history LIKE '%\"user_id\":null%'";
    let editors = scene.new_rows(editors);
    assert!(!editors.is_empty() && editors.iter().all(Option::is_none), "{editors:?}");

    let told = "SELECT count(*) FROM zerver_message m JOIN zerver_userprofile u ON u.id = m.sender_id
                WHERE m.realm_id = $1::int8 AND m.date_sent > now() - interval '1 hour'";
    assert_eq!(scene.new_number(told), 0, "nobody announces anything into it");
}

/// What Zulip's exporter may leave open, each kind once: the row is left out, or names nobody. A number that was kept would
/// be somebody else's.
#[test]
fn references_that_exporters_leave_open_hit_nobody() {
    let mut scene = Scene::new();
    change(&scene.export, "realm.json", |realm| {
        let first = |realm: &Value, list: &str| realm[list][0].clone();
        let mut line = first(realm, "zerver_realmauditlog");
        (line["id"], line["modified_user"], line["event_type"]) = (NOBODY.into(), NOBODY.into(), 4242.into());
        realm["zerver_realmauditlog"].as_array_mut().unwrap().push(line);
        let (user, recipient) =
            (realm["zerver_userprofile"][0]["id"].clone(), realm["zerver_recipient"][0]["id"].clone());
        let (client, stream) = (realm["zerver_client"][0]["id"].clone(), realm["zerver_stream"][0]["id"].clone());
        let scheduled = |id: i64, recipient: Value, delivered: Value| {
            json!({
                "id": id, "sender": user, "recipient": recipient, "subject": "later", "content": "x",
                "rendered_content": "<p>x</p>", "sending_client": client, "stream": stream, "realm": realm["zerver_realm"][0]["id"],
                "scheduled_timestamp": 1_900_000_000.0, "read_by_sender": true, "delivered": true, "has_attachment": false,
                "request_timestamp": 1_700_000_000.0, "failed": false, "failure_message": null, "delivery_type": 1,
                "reminder_target_message_id": null, "reminder_note": null, "delivered_message": delivered,
            })
        };
        let keys: Vec<String> = scheduled_keys();
        let only = |row: Value| Value::Object(keys.iter().map(|key| (key.clone(), row[key].clone())).collect());
        let rows = [
            only(scheduled(NOBODY, recipient.clone(), NOBODY.into())),
            only(scheduled(NOBODY + 1, NOBODY.into(), Value::Null)),
        ];
        realm["zerver_scheduledmessage"].as_array_mut().unwrap().extend(rows);
        let onboarding =
            json!({"id": NOBODY, "realm": realm["zerver_realm"][0]["id"], "message": NOBODY, "flags_mask": 0});
        realm["zerver_onboardingusermessage"].as_array_mut().unwrap().push(onboarding);
    });
    change(&scene.export, "analytics.json", |analytics| {
        let counts = analytics["analytics_usercount"].as_array_mut().unwrap();
        let mut row = counts[0].clone();
        (row["id"], row["user"]) = (NOBODY.into(), NOBODY.into());
        counts.push(row);
    });
    let left_out = scene.import().left_out.clone();
    for list in ["zerver_scheduledmessage", "zerver_onboardingusermessage"] {
        assert_eq!(left_out.get(list), Some(&1), "{left_out:?}");
    }
    assert!(left_out["analytics_usercount"] >= 1, "{left_out:?}");
    let line =
        "SELECT modified_user_id::text FROM zerver_realmauditlog WHERE realm_id = $1::int8 AND event_type = 4242";
    assert_eq!(scene.new_rows(line), [None]);
    let delivered = "SELECT delivered_message_id::text FROM zerver_scheduledmessage
                     WHERE realm_id = $1::int8 AND subject = 'later'";
    assert_eq!(scene.new_rows(delivered), [None]);
}

/// The keys of a scheduled message, in their order.
fn scheduled_keys() -> Vec<String> {
    let schema = &zulip_backup_core::schema::Release::for_version("10.1").unwrap().export;
    schema.table("zerver_scheduledmessage").unwrap().fields.iter().map(|field| field.key.clone()).collect()
}

/// The first export of an organisation has no line about an export; Zulip's importer takes it for another service's data.
#[test]
fn the_first_export_is_imported_with_its_dates() {
    let mut scene = Scene::new();
    assert!(scene.list("zerver_realmauditlog").iter().all(|line| line["event_type"] != 206));
    let dates = [
        "scheduled_deletion_date",
        "demo_organization_scheduled_deletion_date",
        "push_notifications_enabled_end_timestamp",
    ];
    change(&scene.export, "realm.json", |realm| {
        for key in dates {
            realm["zerver_realm"][0][key] = "2031-02-03T04:05:06.000007+00:00".into();
        }
        // Renamed since somebody reacted with it, and a deactivated one of its name.
        let mut other = realm["zerver_realmemoji"][0].clone();
        (other["id"], other["deactivated"]) = (NOBODY.into(), true.into());
        other["file_name"] = "older.png".into();
        let name = other["name"].clone();
        realm["zerver_realmemoji"][0]["name"] = "renamed".into();
        realm["zerver_realmemoji"].as_array_mut().unwrap().push(other);
        let emoji = realm["zerver_realmemoji"][0]["id"].to_string();
        let mut reaction = realm["zerver_reaction"][0].clone();
        reaction["id"] = NOBODY.into();
        (reaction["reaction_type"], reaction["emoji_code"]) = ("realm_emoji".into(), emoji.into());
        reaction["emoji_name"] = name;
        realm["zerver_reaction"].as_array_mut().unwrap().push(reaction);
    });
    scene.import();
    for date in dates {
        let kept = format!("SELECT ({date} AT TIME ZONE 'UTC')::text FROM zerver_realm WHERE id = $1::int8");
        assert_eq!(scene.new_rows(&kept), [Some("2031-02-03 04:05:06.000007".to_owned())], "{date}");
    }
    let strange = "SELECT count(*) FROM zerver_reaction r JOIN zerver_message m ON m.id = r.message_id
                   LEFT JOIN zerver_realmemoji e ON e.id::text = r.emoji_code AND e.realm_id = m.realm_id
                   WHERE m.realm_id = $1::int8 AND r.reaction_type = 'realm_emoji' AND e.id IS NULL";
    assert_eq!(scene.new_number(strange), 0);
    let renamed = "SELECT count(*) FROM zerver_reaction r JOIN zerver_realmemoji e ON e.id::text = r.emoji_code
                   WHERE e.realm_id = $1::int8 AND e.name = 'renamed' AND r.emoji_name <> e.name";
    assert!(scene.new_number(renamed) > 0);
}

/// Nobody has written anything: there is no file of messages.
#[test]
fn an_organisation_without_messages_is_one() {
    let mut scene = Scene::new();
    change(&scene.export, "realm.json", |realm| {
        for list in ["zerver_reaction", "zerver_onboardingusermessage"] {
            realm[list] = json!([]);
        }
    });
    change(&scene.export, "attachment.json", |file| file["zerver_attachment"] = json!([]));
    change(&scene.export, "uploads/records.json", |records| *records = json!([]));
    for entry in scene.export.join("uploads").read_dir_utf8().unwrap() {
        let path = entry.unwrap().into_path();
        if path.is_dir() {
            std::fs::remove_dir_all(path).unwrap();
        }
    }
    let files: Vec<Utf8PathBuf> =
        scene.export.read_dir_utf8().unwrap().map(|entry| entry.unwrap().into_path()).collect();
    let stats = scene.export.join("stats.json");
    let mut counted: Value = serde_json::from_slice(&std::fs::read(&stats).unwrap()).unwrap();
    for path in files.iter().filter(|path| path.file_name().unwrap().starts_with("messages-")) {
        std::fs::remove_file(path).unwrap();
        drop(counted.as_object_mut().unwrap().remove(path.file_stem().unwrap()));
    }
    std::fs::write(&stats, counted.to_string()).unwrap();
    let report = scene.import();
    assert!(!report.rows.contains_key("zerver_message") || report.rows["zerver_message"] == 0, "{report}");
    assert_eq!(scene.new_number("SELECT count(*) FROM zerver_message WHERE realm_id = $1::int8"), 0);
    let first = "SELECT count(*) FROM zerver_stream WHERE realm_id = $1::int8 AND first_message_id IS NOT NULL";
    assert_eq!(scene.new_number(first), 0);
}

#[test]
fn channels_know_their_own_first_message_or_none() {
    let mut scene = Scene::new();
    // A channel that nobody has written to; the number is of the old server.
    change(&scene.export, "realm.json", |realm| {
        let rows = |list: &str| realm[list].as_array().unwrap().clone();
        let mut channel = rows("zerver_stream")[0].clone();
        let mut recipient = rows("zerver_recipient")
            .into_iter()
            .find(|recipient| recipient["type"] == 2 && recipient["type_id"] == channel["id"])
            .unwrap();
        recipient["id"] = NOBODY.into();
        recipient["type_id"] = NOBODY.into();
        for (key, value) in [
            ("id", json!(NOBODY)),
            ("recipient", json!(NOBODY)),
            ("name", json!("Nobody wrote here")),
            ("first_message_id", json!(1)),
        ] {
            channel[key] = value;
        }
        realm["zerver_stream"].as_array_mut().unwrap().push(channel);
        realm["zerver_recipient"].as_array_mut().unwrap().push(recipient);
    });
    scene.import();
    let first =
        "SELECT first_message_id::text FROM zerver_stream WHERE realm_id = $1::int8 AND name = 'Nobody wrote here'";
    assert_eq!(scene.new_rows(first), [None]);
    let wrong =
        "SELECT count(*) FROM zerver_stream s WHERE s.realm_id = $1::int8 AND s.first_message_id IS DISTINCT FROM
                 (SELECT min(m.id) FROM zerver_message m WHERE m.recipient_id = s.recipient_id)";
    assert_eq!(scene.new_number(wrong), 0);
}

#[test]
fn statistics_follow_clients_and_go_on_where_they_end() {
    let mut scene = Scene::new();
    let client = scene.list("zerver_client")[0]["id"].as_i64().unwrap();
    let name = scene.list("zerver_client")[0]["name"].as_str().unwrap().to_owned();
    change(&scene.export, "analytics.json", |analytics| {
        let counts = analytics["analytics_realmcount"].as_array_mut().unwrap();
        for (at, subgroup) in [client, NOBODY].into_iter().enumerate() {
            let mut row = counts[0].clone();
            row["id"] = (NOBODY + 10 + i64::try_from(at).unwrap()).into();
            row["property"] = "messages_sent:client:day".into();
            row["subgroup"] = subgroup.to_string().into();
            row["end_time"] = 1_234_483_200.0.into();
            counts.push(row);
        }
    });
    // As on a server whose first hour is not over.
    scene.stage.client().batch_execute("DELETE FROM analytics_fillstate").unwrap();
    // Another number for the same client.
    let moved = format!(
        "SET session_replication_role = replica; UPDATE zerver_client SET id = 4242 WHERE id = {client};
         UPDATE zerver_message SET sending_client_id = 4242 WHERE sending_client_id = {client};
         UPDATE zerver_useractivity SET client_id = 4242 WHERE client_id = {client}"
    );
    scene.stage.client().batch_execute(&moved).unwrap();
    let left_out = scene.import().left_out.get("analytics_realmcount").copied();
    assert!(left_out >= Some(1), "the client that nobody knows: {left_out:?}");
    let counted = "SELECT c.name::text FROM analytics_realmcount r LEFT JOIN zerver_client c ON c.id = r.subgroup::int4
                   WHERE r.realm_id = $1::int8 AND r.end_time < '2010-01-01'";
    assert_eq!(scene.new_rows(counted), [Some(name)]);
    let behind = "SELECT count(*) FROM analytics_realmcount r WHERE r.realm_id = $1::int8 AND NOT EXISTS
                  (SELECT FROM analytics_fillstate f WHERE f.property = r.property AND f.end_time >= r.end_time AND f.state = 2)";
    assert_eq!(scene.new_number(behind), 0, "the first count would begin before what is there");
}

#[test]
fn avatars_have_all_sizes_and_what_is_no_picture_is_told() {
    let mut scene = Scene::new();
    let bases: Vec<String> = scene
        .avatars()
        .iter()
        .filter_map(|record| record["path"].as_str()?.strip_suffix(".original").map(str::to_owned))
        .collect();
    let [from_s3, no_picture] = [&bases[0], &bases[1]];
    let owner = |base: &str| {
        let records = scene.avatars();
        records.iter().find(|record| record["path"] == format!("{base}.original")).unwrap()["user_profile_email"]
            .clone()
    };
    let (from_s3_owner, no_picture_owner) = (owner(from_s3), owner(no_picture));
    // As exports from S3 have it: the original alone.
    std::fs::remove_file(scene.export.join("avatars").join(format!("{from_s3}.png"))).unwrap();
    let broken = b"this is no picture";
    std::fs::write(scene.export.join("avatars").join(format!("{no_picture}.original")), broken).unwrap();
    change(&scene.export, "avatars/records.json", |records| {
        let records = records.as_array_mut().unwrap();
        records.retain(|record| record["path"] != format!("{from_s3}.png"));
        for record in records.iter_mut().filter(|record| record["path"] == format!("{no_picture}.original")) {
            record["size"] = broken.len().into();
        }
    });
    let report = scene.import();
    let realm = report.realm_id;
    assert_eq!(report.findings.iter().filter(|finding| finding.code == "picture-bad").count(), 1, "{report}");
    let email = |owner: &Value| owner.as_str().unwrap().to_owned();
    let source = |owner: &Value| {
        let query = "SELECT avatar_source::text FROM zerver_userprofile WHERE realm_id = $1::int8 AND $2 IN (email, delivery_email)";
        stage_query(&scene.stage, query, realm, &email(owner))
    };
    assert_eq!((source(&from_s3_owner), source(&no_picture_owner)), ("U".to_owned(), "G".to_owned()));
    let told = "SELECT count(*) FROM zerver_realmauditlog WHERE realm_id = $1::int8 AND event_type = 123
                AND event_time > now() - interval '1 hour'";
    assert_eq!(scene.new_number(told), 1);
    // Every user with an avatar of their own has its three files, under names that only this server's secret tells.
    let files = stage::read(&scene.stage.host.uploads_dir().join(format!("avatars/{realm}")));
    let originals = files.keys().filter_map(|name| name.strip_suffix(".original")).filter(|base| !base.contains('/'));
    let mut complete = 0;
    for base in originals {
        let sizes = ["", "-medium"].map(|size| files.get(&format!("{base}{size}.png")));
        complete += usize::from(sizes.iter().all(|file| file.is_some_and(|file| is_png(file))));
    }
    assert_eq!(complete, bases.len() - 1, "all but the one that is no picture");
}

fn stage_query(stage: &Stage, query: &str, realm: i64, text: &str) -> String {
    stage.client().query_one(query, &[&realm, &text]).unwrap().get(0)
}

fn is_png(content: &[u8]) -> bool {
    content.starts_with(b"\x89PNG")
}

/// A message that names another's file keeps leading to it.
#[test]
fn links_to_files_that_a_message_only_mentions_follow() {
    let mut scene = Scene::new();
    let attachment = attachment(&scene.export);
    change(&scene.export, "messages-000001.json", |file| {
        let message = file["zerver_message"]
            .as_array_mut()
            .unwrap()
            .iter_mut()
            .find(|message| message["has_attachment"] == false)
            .unwrap();
        message["subject"] = "mentions a file".into();
        message["content"] = format!("see [this](/user_uploads/{attachment})").into();
        message["rendered_content"] = format!("<p>see <a href=\"/user_uploads/{attachment}\">this</a></p>").into();
    });
    scene.import();
    for column in ["content", "rendered_content"] {
        let led = format!(
            "SELECT count(*) FROM zerver_message m JOIN zerver_attachment a ON a.realm_id = m.realm_id
                 AND m.{column} LIKE '%/user_uploads/' || a.path_id || '%'
             WHERE m.realm_id = $1::int8 AND m.subject = 'mentions a file'"
        );
        assert_eq!(scene.new_number(&led), 1, "{column}");
    }
}

/// The path of some attachment.
fn attachment(export: &Utf8Path) -> String {
    let file: Value = serde_json::from_slice(&std::fs::read(export.join("attachment.json")).unwrap()).unwrap();
    file["zerver_attachment"][0]["path_id"].as_str().unwrap().to_owned()
}

/// Where each message of a file has thousands of readers, its rows are more than ought to be in memory at a time.
#[test]
fn files_of_any_size_are_read_in_pieces() {
    let mut scene = Scene::new();
    let mut messages = 0;
    change(&scene.export, "messages-000001.json", |file| {
        for message in file["zerver_message"].as_array_mut().unwrap() {
            message["content"] = "long ".repeat(2_000).into();
            messages += 1;
        }
    });
    assert_eq!(messages, 1_000);
    let whole = "SELECT count(*) FROM zerver_message WHERE realm_id = $1::int8 AND length(content) = 10000";
    scene.import();
    assert_eq!(scene.new_number(whole), messages);

    // A file of a tarball that no thread is handed.
    let file = scene.export.join("messages-000001.json");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, [&text, &*" ".repeat(17 << 20)].concat()).unwrap();
    let tarball = scene.stage.dir.join("crowded.tar.gz");
    stage::pack(&scene.export, &tarball);
    scene.stage.make_room();
    scene.export = tarball;
    scene.import();
    assert_eq!(scene.new_number(whole), messages);
}
