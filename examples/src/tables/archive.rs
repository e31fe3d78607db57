//! Deleted messages, as the retention archive keeps them for a while.

use std::io;

use crate::copy::{Rows, at};
use crate::time::{DAY, NOW};
use crate::world::{World, deleted_ids};

/// How many of the deleted messages are still in the archive. Archived rows keep their ids, so the tables they came from
/// leave the first ones free: this many of `zerver_usermessage`, and one of each other table.
pub(super) const KEPT: usize = 40;

const PATH: &str = "2/1f/deleted-deleted-deleted-/doomed.txt";

pub(super) fn write(world: &World, rows: &mut Rows<'_>) -> io::Result<bool> {
    let realm = &world.realms[World::MAIN];
    let stream = &world.streams[realm.streams.start];
    let reader = world.users[stream.members[0] as usize].id;
    let writer = world.users[stream.members[1 % stream.members.len()] as usize].id;
    let ids: Vec<i64> = deleted_ids(world.options.messages).take(KEPT).collect();
    match rows.table().name.as_str() {
        "zerver_archivetransaction" => {
            for kind in [1, 2] {
                rows.row(&[("timestamp", at(NOW - 5 * DAY)), ("type", kind.into()), ("realm_id", realm.id.into())])?;
            }
        }
        "zerver_archivedmessage" => {
            for id in ids {
                rows.row(&[
                    ("id", id.into()),
                    ("type", 1.into()),
                    ("subject", "doomed".into()),
                    ("content", format!("doomed [doomed.txt](/user_uploads/{PATH})").into()),
                    (
                        "rendered_content",
                        format!("<p>doomed <a href=\"/user_uploads/{PATH}\">doomed.txt</a></p>").into(),
                    ),
                    ("rendered_content_version", 1.into()),
                    ("date_sent", at(NOW - 40 * DAY)),
                    ("has_attachment", (id == 51).into()),
                    ("has_link", true.into()),
                    ("sender_id", writer.into()),
                    ("sending_client_id", 2.into()),
                    ("realm_id", realm.id.into()),
                    ("recipient_id", stream.recipient.into()),
                    ("is_channel_message", true.into()),
                    ("archive_transaction_id", (1 + id % 2).into()),
                ])?;
            }
        }
        "zerver_archivedusermessage" => {
            for id in ids {
                rows.row(&[("user_profile_id", reader.into()), ("message_id", id.into()), ("flags", 1.into())])?;
            }
        }
        "zerver_archivedreaction" => {
            rows.row(&[
                ("user_profile_id", reader.into()),
                ("message_id", ids[0].into()),
                ("emoji_name", "octopus".into()),
                ("emoji_code", "1f419".into()),
                ("reaction_type", "unicode_emoji".into()),
            ])?;
        }
        "zerver_archivedsubmessage" => {
            rows.row(&[
                ("message_id", ids[0].into()),
                ("sender_id", reader.into()),
                ("msg_type", "widget".into()),
                ("content", r#"{"type":"vote","key":"canned,0","vote":1}"#.into()),
            ])?;
        }
        "zerver_archivedattachment" => {
            rows.row(&[
                ("file_name", "doomed.txt".into()),
                ("path_id", PATH.into()),
                ("owner_id", writer.into()),
                ("realm_id", realm.id.into()),
                ("create_time", at(NOW - 41 * DAY)),
                ("size", 6.into()),
                ("content_type", "text/plain".into()),
                ("is_realm_public", true.into()),
            ])?;
        }
        "zerver_archivedattachment_messages" => {
            rows.row(&[("archivedattachment_id", 1.into()), ("archivedmessage_id", ids[0].into())])?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}
