//! Attachments and what messages they are in.

use std::io;

use crate::copy::{Rows, Value, at};
use crate::files::{FileEntry, content_type, thumbnail_size};
use crate::time::{DAY, NOW};
use crate::world::{StreamKind, Target, World};

pub(super) fn write(world: &World, rows: &mut Rows<'_>) -> io::Result<bool> {
    match rows.table().name.as_str() {
        "zerver_attachment" => {
            for file in world.files.rows() {
                let (public, web_public) = visibility(world, file);
                rows.row(&[
                    ("id", id(file).into()),
                    ("file_name", file.name.as_str().into()),
                    ("path_id", file.path_id.as_str().into()),
                    ("owner_id", world.users[file.owner as usize].id.into()),
                    ("realm_id", world.realms[file.realm].id.into()),
                    ("create_time", at(file.created)),
                    ("size", (file.size as i64).into()),
                    ("content_type", content_type(file.kind).into()),
                    ("is_realm_public", public),
                    ("is_web_public", web_public),
                ])?;
            }
        }
        "zerver_attachment_messages" => {
            for file in world.files.rows() {
                if let Some(number) = file.message {
                    let message = world.head(number).id;
                    rows.row(&[("attachment_id", id(file).into()), ("message_id", message.into())])?;
                }
            }
        }
        "zerver_attachment_scheduled_messages" => {
            if let Some(file) = scheduled(world) {
                rows.row(&[("attachment_id", id(file).into()), ("scheduledmessage_id", 1.into())])?;
            }
        }
        "zerver_imageattachment" => {
            for file in world.files.rows().filter(|file| file.kind.is_image()) {
                let thumbnail = serde_json::json!([{
                    "width": 840, "height": 560, "animated": false, "byte_size": thumbnail_size(file),
                    "extension": "webp", "max_width": 840, "max_height": 560, "content_type": "image/webp",
                }]);
                rows.row(&[
                    ("realm_id", world.realms[file.realm].id.into()),
                    ("path_id", file.path_id.as_str().into()),
                    ("original_width_px", 1200.into()),
                    ("original_height_px", 800.into()),
                    ("frames", 1.into()),
                    ("thumbnail_metadata", thumbnail.to_string().into()),
                    ("content_type", content_type(file.kind).into()),
                ])?;
            }
        }
        "zerver_scheduledmessage" => {
            let realm = &world.realms[World::MAIN];
            let stream = &world.streams[realm.streams.start];
            for (index, user) in realm.writers.iter().take(12).enumerate() {
                let sender = match (index, scheduled(world)) {
                    (0, Some(file)) => file.owner,
                    _ => *user,
                };
                let with_file = scheduled(world).filter(|_| index == 0);
                let content = match with_file {
                    Some(file) => format!("Later: [{}](/user_uploads/{})", file.name, file.path_id),
                    None => "Later \\ today\tor not".to_owned(),
                };
                rows.row(&[
                    ("sender_id", world.users[sender as usize].id.into()),
                    ("recipient_id", stream.recipient.into()),
                    ("subject", "plans".into()),
                    ("rendered_content", format!("<p>{}</p>", crate::text::html_escaped(&content)).into()),
                    ("content", content.into()),
                    ("sending_client_id", 2.into()),
                    ("stream_id", stream.id.into()),
                    ("realm_id", realm.id.into()),
                    ("scheduled_timestamp", at(NOW + (index as i64 + 1) * DAY)),
                    ("read_by_sender", true.into()),
                    ("has_attachment", with_file.is_some().into()),
                    ("delivery_type", 1.into()),
                    ("request_timestamp", at(NOW - DAY)),
                    ("reminder_target_message_id", (index == 3).then(|| world.head(5).id).into()),
                ])?;
            }
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// The first id is that of an archived attachment.
fn id(file: &FileEntry) -> i64 {
    file.number as i64 + 2
}

/// The attachment of the first scheduled message: one that no message has yet.
fn scheduled(world: &World) -> Option<&FileEntry> {
    world.files.rows().find(|file| file.message.is_none() && file.realm == World::MAIN)
}

/// Whether everybody in the organisation, and everybody at all, may see it: NULL until something has looked.
fn visibility(world: &World, file: &FileEntry) -> (Value, Value) {
    let Some(number) = file.message else { return (Value::Null, Value::Null) };
    match world.head(number).target {
        Target::Stream { stream, .. } => {
            let kind = world.streams[stream as usize].kind;
            let private = matches!(kind, StreamKind::Private | StreamKind::PrivateSharedHistory);
            ((!private).into(), (kind == StreamKind::WebPublic).into())
        }
        _ => (false.into(), false.into()),
    }
}
