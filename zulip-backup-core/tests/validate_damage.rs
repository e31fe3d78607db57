//! The damage matrix: one fault in a sound export, and exactly the findings that name it.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::panic, clippy::unwrap_used)] // a test
#![allow(clippy::semicolon_if_nothing_returned)] // one line for one damage

#[path = "support/exports.rs"]
mod exports;

use std::collections::BTreeSet;

use exports::{Copy, Stage, codes};
use serde_json::{Value, json};
use zulip_backup_core::Silent;
use zulip_backup_core::export::Kind;
use zulip_backup_core::validate::{ValidateOptions, validate};

/// What is done to an export.
type Damage = fn(&Copy);

const FIRST: &str = "messages-000001.json";

/// What is done to a full export, and the codes of what is found then.
const ANY_KIND: &[(&str, Damage, &[&str])] = &[
    ("nothing", |_| {}, &[]),
    (
        "a file of messages is lost",
        |x| remove(x, FIRST),
        &["message-file-missing", "count-differs", "dangling-reference"],
    ),
    (
        "a file of messages is left over",
        |x| write(x, "messages-000004.json.partial", b"{}"),
        &["message-file-unfinished"],
    ),
    ("a file of messages has a strange number", |x| write(x, "messages-9.json", b"{}"), &["file-unknown"]),
    ("a file nobody knows", |x| write(x, "notes.txt", b"x"), &["file-unknown"]),
    ("no migrations", |x| remove(x, "migration_status.json"), &["file-missing"]),
    ("no statistics", |x| remove(x, "stats.json"), &["file-missing"]),
    ("cut off", |x| cut(x, "analytics.json"), &["json-invalid"]),
    ("cut off in the statistics", |x| cut(x, "stats.json"), &["json-invalid"]),
    (
        "no JSON",
        |x| write(x, "uploads/records.json", b"nothing"),
        &["json-invalid", "count-differs", "file-without-record", "attachment-without-file"],
    ),
    (
        "not UTF-8",
        |x| replace(x, FIRST, b"\"subject\": \"", b"\"subject\": \"\xff"),
        &["json-invalid", "dangling-reference"],
    ),
    ("a number is text", |x| x.row(FIRST, "zerver_message", any, |row| row["type"] = "1".into()), &["value-type"]),
    (
        "a number has a fraction",
        |x| x.row("realm.json", "zerver_stream", any, |row| row["first_message_id"] = json!(1.5)),
        &["value-type"],
    ),
    (
        "a value is null",
        |x| x.row("realm.json", "zerver_stream", any, |row| row["name"] = Value::Null),
        &["value-type"],
    ),
    ("a row is no object", |x| x.add("realm.json", "zerver_defaultstream", json!(5)), &["value-type"]),
    ("a uuid is none", |x| x.row("realm.json", "zerver_realm", any, |row| row["uuid"] = "x".into()), &["value-type"]),
    (
        "a list of ids has text",
        |x| x.row("attachment.json", "zerver_attachment", any, |row| row["scheduled_messages"] = json!(["1"])),
        &["value-type"],
    ),
    (
        "a key is lost",
        |x| {
            x.row("realm.json", "zerver_stream", any, |row| {
                drop(row.as_object_mut().unwrap().shift_remove("description"))
            })
        },
        &["key-missing"],
    ),
    ("a key too many", |x| x.row(FIRST, "zerver_message", any, |row| row["mood"] = 1.into()), &["key-unknown"]),
    ("a key twice", |x| replace(x, FIRST, b"\"type\": ", b"\"type\": 1, \"type\": "), &["key-duplicate"]),
    (
        "a key twice within JSON",
        |x| replace(x, "realm.json", b"\"extra_data\": {}", b"\"extra_data\": {\"x\": 1, \"x\": {}}"),
        &["key-duplicate"],
    ),
    (
        "a list is lost",
        |x| x.edit("realm.json", |file| drop(file.as_object_mut().unwrap().shift_remove("zerver_muteduser"))),
        &["list-missing", "count-differs"],
    ),
    ("a list too many", |x| x.edit("realm.json", |file| file["zerver_draft"] = json!([])), &["list-unknown"]),
    ("a list twice", |x| replace(x, "analytics.json", b"{", b"{\"analytics_realmcount\": [], "), &["list-duplicate"]),
    (
        "a value for a list",
        |x| x.edit("analytics.json", |file| file["analytics_streamcount"] = 5.into()),
        &["list-unknown", "list-missing", "count-differs"],
    ),
    ("two rows with an id", |x| twin(x, "realm.json", "zerver_subscription"), &["id-duplicate"]),
    ("two messages with an id", |x| twin(x, FIRST, "zerver_message"), &["id-duplicate"]),
    (
        "rows out of order",
        |x| x.edit("realm.json", |file| file["zerver_recipient"].as_array_mut().unwrap().swap(0, 1)),
        &["rows-unsorted"],
    ),
    ("a wrong count", |x| x.edit("stats.json", |stats| stats["realm"]["zerver_stream"] = 1.into()), &["count-differs"]),
    (
        "a wrong count of records",
        |x| x.edit("stats.json", |stats| stats["avatars_records"] = 10_000.into()),
        &["count-differs"],
    ),
    (
        "a count of nothing",
        |x| x.edit("stats.json", |stats| stats["messages-000099"] = json!({"zerver_message": 1})),
        &["count-differs"],
    ),
    (
        "no count",
        |x| x.edit("stats.json", |stats| drop(stats["realm"].as_object_mut().unwrap().shift_remove("zerver_stream"))),
        &["count-differs"],
    ),
    ("a sender", |x| x.row(FIRST, "zerver_message", any, |row| row["sender"] = NOBODY.into()), &["dangling-reference"]),
    (
        "a recipient",
        |x| x.row(FIRST, "zerver_message", any, |row| row["recipient"] = NOBODY.into()),
        &["dangling-reference"],
    ),
    (
        "a client",
        |x| x.row(FIRST, "zerver_message", any, |row| row["sending_client"] = NOBODY.into()),
        &["dangling-reference"],
    ),
    (
        "another organisation",
        |x| x.row(FIRST, "zerver_message", any, |row| row["realm"] = NOBODY.into()),
        &["dangling-reference"],
    ),
    (
        "a user message's user",
        |x| x.row(FIRST, "zerver_usermessage", any, |row| row["user_profile"] = NOBODY.into()),
        &["dangling-reference"],
    ),
    (
        "a user message's message",
        |x| x.row(FIRST, "zerver_usermessage", any, |row| row["message"] = NOBODY.into()),
        &["dangling-reference"],
    ),
    (
        "a subscription's user",
        |x| x.row("realm.json", "zerver_subscription", any, |row| row["user_profile"] = NOBODY.into()),
        &["dangling-reference"],
    ),
    (
        "a channel's recipient",
        |x| x.row("realm.json", "zerver_stream", any, |row| row["recipient"] = NOBODY.into()),
        &["dangling-reference"],
    ),
    (
        "a group",
        |x| x.row("realm.json", "zerver_stream", any, |row| row["can_send_message_group"] = NOBODY.into()),
        &["dangling-reference"],
    ),
    (
        "a reaction's message",
        |x| x.row("realm.json", "zerver_reaction", any, |row| row["message"] = NOBODY.into()),
        &["dangling-reference"],
    ),
    (
        "a reaction's emoji",
        |x| {
            x.row("realm.json", "zerver_reaction", any, |row| {
                row["reaction_type"] = "realm_emoji".into();
                row["emoji_code"] = NOBODY.to_string().into();
            })
        },
        &["dangling-reference"],
    ),
    (
        "a reaction's emoji is no number",
        |x| {
            x.row("realm.json", "zerver_reaction", any, |row| {
                row["reaction_type"] = "realm_emoji".into();
                row["emoji_code"] = "1f642".into();
            })
        },
        &["dangling-reference"],
    ),
    (
        "what a recipient is of",
        |x| x.row("realm.json", "zerver_recipient", |row| row["type"] == 2, |row| row["type_id"] = NOBODY.into()),
        &["dangling-reference", "recipient-differs"],
    ),
    (
        "a recipient of no type",
        |x| x.row("realm.json", "zerver_recipient", |row| row["type"] == 2, |row| row["type"] = 7.into()),
        &["value-type", "recipient-differs"],
    ),
    (
        "an attachment's message",
        |x| {
            x.row("attachment.json", "zerver_attachment", any, |row| {
                row["messages"].as_array_mut().unwrap().push(NOBODY.into())
            })
        },
        &["dangling-reference"],
    ),
    (
        "an attachment's owner",
        |x| x.row("attachment.json", "zerver_attachment", any, |row| row["owner"] = NOBODY.into()),
        &["dangling-reference"],
    ),
    (
        "an attachment of nothing",
        |x| x.row("attachment.json", "zerver_attachment", any, |row| row["messages"] = json!([])),
        &["attachment-unlinked"],
    ),
    (
        "a record's user",
        |x| record(x, "uploads", |row| row["user_profile_id"] = NOBODY.into()),
        &["dangling-reference"],
    ),
    (
        "a record's address",
        |x| record(x, "uploads", |row| row["user_profile_email"] = "else@example.com".into()),
        &["record-differs"],
    ),
    ("a record's organisation", |x| record(x, "avatars", |row| row["realm_id"] = NOBODY.into()), &["record-differs"]),
    ("a record's size", |x| record(x, "uploads", |row| row["size"] = 1.into()), &["file-size-differs"]),
    ("an upload is lost", |x| remove(x, &first_path(x, "uploads")), &["record-without-file"]),
    ("an upload is changed", |x| write(x, &first_path(x, "uploads"), b"x"), &["file-size-differs"]),
    ("an upload too many", |x| write(x, "uploads/extra.txt", b"x"), &["file-without-record"]),
    ("an avatar too many", |x| write(x, "avatars/extra.png", b"x"), &["file-without-record"]),
    ("an emoji is lost", |x| remove(x, &first_path(x, "emoji")), &["record-without-file"]),
    (
        "a record of a path outside",
        |x| {
            record(x, "realm_icons", |row| {
                row["path"] = "../realm.json".into();
                row["s3_path"] = "../realm.json".into();
            })
        },
        &["record-without-file", "file-without-record"],
    ),
    (
        "an upload of no attachment",
        |x| {
            x.edit("attachment.json", |file| drop(file["zerver_attachment"].as_array_mut().unwrap().remove(0)));
            x.edit("stats.json", |stats| {
                stats["attachment"]["zerver_attachment"] =
                    (stats["attachment"]["zerver_attachment"].as_u64().unwrap() - 1).into()
            });
        },
        &["file-unjustified"],
    ),
    (
        "an attachment without a file",
        |x| {
            let path = x.list_of("uploads/records.json")[0]["path"].as_str().unwrap().to_owned();
            x.edit("uploads/records.json", |records| drop(records.as_array_mut().unwrap().remove(0)));
            x.edit("stats.json", |stats| {
                stats["uploads_records"] = (stats["uploads_records"].as_u64().unwrap() - 1).into()
            });
            remove(x, &format!("uploads/{path}"));
        },
        &["attachment-without-file"],
    ),
    (
        "two organisations",
        |x| {
            let mut row = x.list("realm.json", "zerver_realm")[0].clone();
            row["id"] = NOBODY.into();
            x.add("realm.json", "zerver_realm", row);
        },
        &["realm-not-one", "record-differs"],
    ),
    (
        "a dummy among the users",
        |x| x.row("realm.json", "zerver_userprofile", any, |row| row["is_mirror_dummy"] = true.into()),
        &["user-list-differs"],
    ),
    (
        "a client that nobody uses",
        |x| x.add("realm.json", "zerver_client", json!({"id": NOBODY, "name": "spy"})),
        &["client-unreferenced"],
    ),
    ("no organisation", |x| cut(x, "realm.json"), &["json-invalid"]),
];

const NOBODY: i64 = 1_999_999_999;

fn any(_: &Value) -> bool {
    true
}

fn remove(copy: &Copy, name: &str) {
    std::fs::remove_file(copy.file(name)).unwrap();
}

fn write(copy: &Copy, name: &str, content: &[u8]) {
    std::fs::write(copy.file(name), content).unwrap();
}

fn cut(copy: &Copy, name: &str) {
    let content = std::fs::read(copy.file(name)).unwrap();
    write(copy, name, &content[..content.len() * 2 / 3]);
}

/// Replaces the first occurrence of some bytes.
fn replace(copy: &Copy, name: &str, from: &[u8], to: &[u8]) {
    let content = std::fs::read(copy.file(name)).unwrap();
    let at = content.windows(from.len()).position(|window| window == from).unwrap();
    write(copy, name, &[&content[..at], to, &content[at + from.len()..]].concat());
}

/// The first row of a list once more, behind itself.
fn twin(copy: &Copy, name: &str, list: &str) {
    copy.edit(name, |file| {
        let rows = file[list].as_array_mut().unwrap();
        rows.insert(1, rows[0].clone());
    });
    let stem = name.trim_end_matches(".json");
    copy.edit("stats.json", |stats| stats[stem][list] = (stats[stem][list].as_u64().unwrap() + 1).into());
}

fn record(copy: &Copy, directory: &str, change: impl FnOnce(&mut Value)) {
    copy.edit(&format!("{directory}/records.json"), |records| change(&mut records[0]));
}

fn first_path(copy: &Copy, directory: &str) -> String {
    let records = copy.list_of(&format!("{directory}/records.json"));
    format!("{directory}/{}", records[0]["path"].as_str().unwrap())
}

/// Does each damage to a copy of the export of one kind. All that is found otherwise than expected comes at once.
fn judge(stage: &Stage, kind: Kind, damages: &[(&str, Damage, &[&str])]) {
    let mut wrong = Vec::new();
    for (name, damage, expected) in damages {
        let copy = stage.copy(&stage.of(kind), "copy");
        damage(&copy);
        let report = validate(&copy.path, &ValidateOptions::default().jobs(2), &Silent).unwrap();
        let expected: BTreeSet<&str> = expected.iter().copied().collect();
        let found = codes(&report.findings);
        if found != expected {
            let first = report.findings.list.first().map(ToString::to_string).unwrap_or_default();
            wrong.push(format!("{kind}, {name}: expected {expected:?}, found {found:?}: {first}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_damage_has_its_name() {
    let stage = Stage::with_sample(2500);
    judge(&stage, Kind::Full, ANY_KIND);
    judge(&stage, Kind::FullWithConsent, CONSENT);
    judge(&stage, Kind::Public, PUBLIC);
}

/// The full export beside a copy.
fn full(copy: &Copy) -> Copy {
    // Not removed when it is dropped: the stage owns it.
    Copy { path: copy.path.parent().unwrap().join("full"), keep: true }
}

/// Puts a message of the full export into one that has it not, where its id belongs.
fn smuggle(copy: &Copy, which: impl Fn(&Value) -> bool) {
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

fn message_files(copy: &Copy) -> Vec<String> {
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

fn messages(copy: &Copy) -> Vec<Value> {
    message_files(copy).iter().flat_map(|name| copy.list(name, "zerver_message")).collect()
}

/// A row of the full export that another has not, at the end of its list.
fn smuggle_row(copy: &Copy, list: &str) {
    let full = full(copy);
    let known = copy.list("realm.json", list);
    let row =
        full.list("realm.json", list).into_iter().rev().find(|row| !known.iter().any(|other| other["id"] == row["id"]));
    let row = row.unwrap_or_else(|| panic!("no more rows of {list}"));
    copy.add("realm.json", list, row);
    copy.edit("realm.json", |file| file[list].as_array_mut().unwrap().sort_by_key(|row| row["id"].as_i64()));
}

/// The row of a user as the full export has it.
fn original(copy: &Copy, id: &Value) -> Value {
    let users = full(copy);
    let mut rows = users.list("realm.json", "zerver_userprofile");
    rows.extend(users.list("realm.json", "zerver_userprofile_mirrordummy"));
    rows.into_iter().find(|row| row["id"] == *id).unwrap()
}

fn recipient_type(copy: &Copy, row: &Value) -> i64 {
    let recipients = full(copy).list("realm.json", "zerver_recipient");
    recipients.iter().find(|other| other["id"] == row["recipient"]).map_or(0, |other| other["type"].as_i64().unwrap())
}

fn consented(copy: &Copy) -> Vec<i64> {
    copy.list_of("consented_user_ids.json").iter().map(|id| id.as_i64().unwrap()).collect()
}

/// The place of the first user who does not consent among the mirror dummies.
fn hidden(copy: &Copy) -> Value {
    let ids = consented(copy);
    let users = copy.list("realm.json", "zerver_userprofile_mirrordummy");
    users.into_iter().find(|user| !ids.contains(&user["id"].as_i64().unwrap())).expect("a hidden user")
}

/// What is done to an export with consent.
const CONSENT: &[(&str, Damage, &[&str])] = &[
    ("nothing", |_| {}, &[]),
    (
        "a direct message of two who do not consent",
        |x| smuggle(x, |row| recipient_type(x, row) == 1),
        &["message-unjustified"],
    ),
    ("a message of a private channel", |x| smuggle(x, |row| recipient_type(x, row) == 2), &["message-unjustified"]),
    (
        "a message nobody who consents has",
        |x| {
            let hidden = |row: &Value| row["invite_only"] == true && row["history_public_to_subscribers"] == false;
            let streams = x.list("realm.json", "zerver_stream");
            let is_hidden =
                |message: &&Value| streams.iter().any(|row| hidden(row) && row["recipient"] == message["recipient"]);
            let message = x.list(FIRST, "zerver_message").iter().find(is_hidden).expect("a message")["id"].clone();
            x.edit(FIRST, |file| {
                file["zerver_usermessage"].as_array_mut().unwrap().retain(|row| row["message"] != message)
            });
            recount(x);
        },
        &["message-unjustified"],
    ),
    (
        "a user message of one who does not consent",
        |x| {
            let user = hidden(x)["id"].clone();
            x.row(FIRST, "zerver_usermessage", any, |row| row["user_profile"] = user);
        },
        &["user-message-unjustified"],
    ),
    (
        "a chosen colour",
        |x| {
            let user = hidden(x)["id"].clone();
            x.row(
                "realm.json",
                "zerver_subscription",
                |row| row["user_profile"] == user,
                |row| row["color"] = "#123456".into(),
            );
        },
        &["subscription-unscrubbed"],
    ),
    (
        "a muted channel",
        |x| {
            let user = hidden(x)["id"].clone();
            x.row(
                "realm.json",
                "zerver_subscription",
                |row| row["user_profile"] == user,
                |row| row["is_muted"] = true.into(),
            );
        },
        &["subscription-unscrubbed"],
    ),
    (
        "an override",
        |x| {
            let user = hidden(x)["id"].clone();
            x.row(
                "realm.json",
                "zerver_subscription",
                |row| row["user_profile"] == user,
                |row| row["push_notifications"] = false.into(),
            );
        },
        &["subscription-unscrubbed"],
    ),
    (
        "a preference",
        |x| {
            let user = hidden(x)["id"].clone();
            let of = |row: &Value| row["id"] == user;
            x.row("realm.json", "zerver_userprofile_mirrordummy", of, |row| row["web_font_size_px"] = 99.into());
        },
        &["user-unscrubbed"],
    ),
    (
        "an active user who was not asked",
        |x| {
            let user = hidden(x);
            x.edit("realm.json", |file| {
                let dummies = file["zerver_userprofile_mirrordummy"].as_array_mut().unwrap();
                let at = dummies.iter().position(|row| row["id"] == user["id"]).unwrap();
                let mut row = dummies.remove(at);
                row["is_mirror_dummy"] = false.into();
                row["is_active"] = true.into();
                let users = file["zerver_userprofile"].as_array_mut().unwrap();
                users.push(row);
                users.sort_by_key(|row| row["id"].as_i64());
            });
            recount(x);
        },
        &["user-not-dummy"],
    ),
    (
        "a hidden address",
        |x| {
            let ids = consented(x);
            let users = x.list("realm.json", "zerver_userprofile_mirrordummy");
            let is = |row: &Value| row["email_address_visibility"] == 4 && !ids.contains(&row["id"].as_i64().unwrap());
            let user = users.into_iter().find(is).expect("a user with a hidden address");
            let address = original(x, &user["id"])["delivery_email"].clone();
            let of = |row: &Value| row["id"] == user["id"];
            x.row("realm.json", "zerver_userprofile_mirrordummy", of, |row| row["delivery_email"] = address);
        },
        &["address-shown"],
    ),
    ("a muted user", |x| smuggle_row(x, "zerver_muteduser"), &["row-unjustified"]),
    ("a muted topic", |x| smuggle_row(x, "zerver_usertopic"), &["row-unjustified"]),
    ("a line of the audit log", |x| smuggle_row(x, "zerver_realmauditlog"), &["row-unjustified"]),
    ("a message to be sent", |x| smuggle_row(x, "zerver_scheduledmessage"), &["row-unjustified"]),
    (
        "a client",
        |x| x.add("realm.json", "zerver_client", json!({"id": NOBODY, "name": "spy"})),
        &["client-unreferenced"],
    ),
    (
        "nobody said to consent",
        |x| remove(x, "consented_user_ids.json"),
        &[
            "consent-missing",
            "message-unjustified",
            "row-unjustified",
            "subscription-unscrubbed",
            "user-message-unjustified",
            "user-not-dummy",
            "user-unscrubbed",
        ],
    ),
    (
        "somebody said to consent who is nobody",
        |x| {
            let mut ids = consented(x);
            ids.push(NOBODY);
            x.write("consented_user_ids.json", &json!(ids));
        },
        &["consent-unjustified"],
    ),
];

/// What is done to an export of public channels.
const PUBLIC: &[(&str, Damage, &[&str])] = &[
    ("nothing", |_| {}, &[]),
    ("a direct message", |x| smuggle(x, |row| recipient_type(x, row) == 1), &["message-unjustified"]),
    ("a message of a private channel", |x| smuggle(x, |row| recipient_type(x, row) == 2), &["message-unjustified"]),
    (
        "a chosen colour",
        |x| x.row("realm.json", "zerver_subscription", any, |row| row["color"] = "#123456".into()),
        &["subscription-unscrubbed"],
    ),
    (
        "a preference",
        |x| x.row("realm.json", "zerver_userprofile", any, |row| row["web_font_size_px"] = 99.into()),
        &["user-unscrubbed"],
    ),
    ("an alert word", |x| smuggle_row(x, "zerver_alertword"), &["row-unjustified"]),
    ("a message to be sent", |x| smuggle_row(x, "zerver_scheduledmessage"), &["row-unjustified"]),
    (
        "a user whose address nobody may see",
        |x| x.row("realm.json", "zerver_userprofile", any, |row| row["email_address_visibility"] = 4.into()),
        &["user-not-dummy", "address-shown"],
    ),
    (
        "a channel said to be private",
        |x| {
            let messages = messages(x);
            x.row(
                "realm.json",
                "zerver_stream",
                |row| messages.iter().any(|message| message["recipient"] == row["recipient"]),
                |row| row["invite_only"] = true.into(),
            );
        },
        &["message-unjustified"],
    ),
    (
        "a list of those who consent",
        |x| write(x, "consented_user_ids.json", b"[]"),
        &["export-kind-differs", "user-message-unjustified", "user-not-dummy"],
    ),
];

/// Makes the statistics those of the rows.
fn recount(copy: &Copy) {
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
