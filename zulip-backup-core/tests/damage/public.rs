//! What is done to an export of public channels.
#![allow(clippy::semicolon_if_nothing_returned)] // one line for one damage

use crate::Matrix;
use crate::hands::*;

pub const MATRIX: Matrix = &[
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
