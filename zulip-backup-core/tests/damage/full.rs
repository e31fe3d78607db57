//! What is done to a full export.
#![allow(clippy::semicolon_if_nothing_returned)] // one line for one damage

use serde_json::{Value, json};

use crate::Matrix;
use crate::hands::*;

pub const MATRIX: Matrix = &[
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
        "an edit history is cut off",
        |x| x.row(FIRST, "zerver_message", any, |row| row["edit_history"] = "[{\"timestamp\": 1".into()),
        &["value-type"],
    ),
    (
        "an edit is nobody's",
        |x| x.row(FIRST, "zerver_message", any, |row| row["edit_history"] = "[{\"user_id\": \"iago\"}]".into()),
        &["value-type"],
    ),
    (
        "words for the search have no end",
        |x| x.row(FIRST, "zerver_message", any, |row| row["search_tsvector"] = "'a':1 'b".into()),
        &["value-type"],
    ),
    (
        "words for the search are at places that come twice",
        |x| x.row(FIRST, "zerver_message", any, |row| row["search_tsvector"] = "'a':1,1".into()),
        &["value-type"],
    ),
    (
        "a field of users has a name",
        |x| {
            let of_users = |row: &Value| row["value"].as_str().is_some_and(|value| value.starts_with('['));
            x.row("realm.json", "zerver_customprofilefieldvalue", of_users, |row| row["value"] = "[iago]".into())
        },
        &["value-type"],
    ),
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
        "somebody else is said to be a bot that all share",
        |x| {
            x.add(
                "realm.json",
                "zerver_userprofile_crossrealm",
                json!({"email": "iago@zulip.com", "id": NOBODY, "recipient_id": NOBODY}),
            );
            x.row("realm.json", "zerver_alertword", any, |row| row["user_profile"] = NOBODY.into());
            x.row("realm.json", "zerver_subscription", any, |row| row["recipient"] = NOBODY.into());
        },
        &["bot-unknown", "bot-named"],
    ),
    (
        "a bot that all share gets rows of its own",
        |x| {
            let bot = x.list("realm.json", "zerver_userprofile_crossrealm")[0]["id"].clone();
            x.row("realm.json", "zerver_alertword", any, |row| row["user_profile"] = bot.clone());
        },
        &["bot-named"],
    ),
    (
        "a client that nobody uses",
        |x| x.add("realm.json", "zerver_client", json!({"id": NOBODY, "name": "spy"})),
        &["client-unreferenced"],
    ),
    (
        "a message that a user has twice",
        |x| {
            let mut row = x.list(FIRST, "zerver_usermessage")[0].clone();
            row["id"] = NOBODY.into();
            x.add(FIRST, "zerver_usermessage", row);
        },
        &["value-duplicate"],
    ),
    (
        "groups in a circle",
        |x| {
            let mut row = x.list("realm.json", "zerver_groupgroupmembership")[0].clone();
            let (group, part) = (row["supergroup"].clone(), row["subgroup"].clone());
            (row["id"], row["supergroup"], row["subgroup"]) = (NOBODY.into(), part, group);
            x.add("realm.json", "zerver_groupgroupmembership", row);
        },
        &["group-cycle"],
    ),
    (
        "a record leads out of the uploads",
        |x| record(x, "uploads", |row| row["path"] = "../../../etc/passwd".into()),
        &[
            "record-without-file",
            "file-without-record",
            "attachment-without-file",
            "file-unjustified",
            "record-differs",
        ],
    ),
    (
        "an emoji leads out of the emoji",
        |x| {
            x.row("realm.json", "zerver_realmemoji", any, |row| row["file_name"] = "../../../1.png".into());
        },
        &["hostile-name", "record-differs", "file-unjustified"],
    ),
    (
        "an emoji's record is of another file",
        |x| record(x, "emoji", |row| row["file_name"] = "another.png".into()),
        &["record-differs"],
    ),
    (
        "a number that no column takes",
        |x| x.row("realm.json", "zerver_reaction", any, |row| row["user_profile"] = json!(1e30)),
        &["value-type"],
    ),
    (
        "a time that no calendar has",
        |x| x.row("realm.json", "zerver_realm", any, |row| row["date_created"] = json!(1e20)),
        &["value-range"],
    ),
    ("no organisation", |x| cut(x, "realm.json"), &["json-invalid"]),
];
