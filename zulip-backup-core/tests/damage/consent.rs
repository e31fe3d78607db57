//! What is done to an export with consent.
#![allow(clippy::semicolon_if_nothing_returned)] // one line for one damage

use serde_json::{Value, json};

use crate::Matrix;
use crate::hands::*;

pub const MATRIX: Matrix = &[
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
