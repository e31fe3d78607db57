//! What attachments lead to, and what is known of those that are pictures.

use postgres::Client;
use serde::Deserialize;

use crate::ids::Of;
use crate::import::load::Loaded;
use crate::import::making::Making;
use crate::package::Package;
use crate::postgres::error;
use crate::schema::Release;
use crate::{Error, ErrorKind, Result};

/// An attachment that is a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Picture {
    /// The attachment's old id.
    pub(super) attachment: i64,
    pub(super) path_id: String,
    pub(super) content_type: String,
    pub(super) width: i32,
    pub(super) height: i32,
    pub(super) frames: i32,
}

#[derive(Deserialize)]
struct Links {
    id: i64,
    #[serde(default)]
    messages: Vec<i64>,
    #[serde(default)]
    scheduled_messages: Vec<i64>,
}

/// How many pairs are written at a time.
const PAIRS: usize = 10_000;

/// Writes which messages have which attachments.
///
/// # Errors
/// `Damaged` for one that names what the export has not, and what the database answers.
pub(super) fn links(client: &mut Client, package: &Package, making: &Making<'_>) -> Result<Vec<Loaded>> {
    let mut of_messages = Pairs::new("zerver_attachment_messages", "message_id");
    let mut of_scheduled = Pairs::new("zerver_attachment_scheduled_messages", "scheduledmessage_id");
    for links in package.rows::<Links>("attachment.json", "zerver_attachment")? {
        let Links { id, messages, scheduled_messages } = links?;
        let new = |of: Of, old: i64| {
            making.ids.get(of, old).ok_or_else(|| {
                let message = format!(
                    "attachment.json, zerver_attachment {id}: refers to {of:?} {old}, which is not in the export"
                );
                Error::new(ErrorKind::Damaged, message)
            })
        };
        let attachment = new(Of::Attachment, id)?;
        for message in messages {
            of_messages.add(client, attachment, new(Of::Message, message)?)?;
        }
        for message in scheduled_messages {
            of_scheduled.add(client, attachment, new(Of::ScheduledMessage, message)?)?;
        }
    }
    Ok(vec![of_messages.end(client)?, of_scheduled.end(client)?])
}

/// Rows of a table of pairs.
struct Pairs {
    table: &'static str,
    column: &'static str,
    attachments: Vec<i64>,
    others: Vec<i64>,
    rows: u64,
}

impl Pairs {
    fn new(table: &'static str, column: &'static str) -> Self {
        Self { table, column, attachments: Vec::new(), others: Vec::new(), rows: 0 }
    }

    fn add(&mut self, client: &mut Client, attachment: i64, other: i64) -> Result<()> {
        self.attachments.push(attachment);
        self.others.push(other);
        if self.others.len() < PAIRS { Ok(()) } else { self.flush(client) }
    }

    fn flush(&mut self, client: &mut Client) -> Result<()> {
        let Self { table, column, .. } = self;
        let statement = format!(
            "INSERT INTO {table} (attachment_id, {column})
             SELECT a, o FROM unnest($1::int8[], $2::int8[]) WITH ORDINALITY AS p (a, o, place) ORDER BY place"
        );
        let failed = |failure| error(&format!("write rows of {table}"), failure);
        self.rows += client.execute(&statement, &[&self.attachments, &self.others]).map_err(failed)?;
        self.attachments.clear();
        self.others.clear();
        Ok(())
    }

    fn end(mut self, client: &mut Client) -> Result<Loaded> {
        self.flush(client)?;
        Ok(Loaded { list: self.table.to_owned(), table: self.table.to_owned(), rows: self.rows, left_out: 0 })
    }
}

/// Writes what is known of pictures. Their thumbnails are made by the server.
///
/// # Errors
/// What the database answers.
pub(super) fn images(client: &mut Client, release: &Release, realm: i64, pictures: &[Picture]) -> Result<()> {
    let failed = |failure| error("write rows of zerver_imageattachment", failure);
    if release.catalog.table("zerver_imageattachment").is_err() {
        return Ok(());
    }
    // Since Zulip 10 it says what they are.
    let (column, value) = if release.catalog.has_column("zerver_imageattachment", "content_type") {
        (", content_type", ", type")
    } else {
        ("", "")
    };
    let statement = format!(
        "INSERT INTO zerver_imageattachment
             (realm_id, path_id, original_width_px, original_height_px, frames, thumbnail_metadata{column})
         SELECT $1::int8, path, width, height, frames, '[]'{value}
         FROM unnest($2::text[], $3::text[], $4::int4[], $5::int4[], $6::int4[])
             WITH ORDINALITY AS p (path, type, width, height, frames, place)
         ORDER BY place"
    );
    for some in pictures.chunks(PAIRS) {
        let paths: Vec<&str> = some.iter().map(|picture| picture.path_id.as_str()).collect();
        let types: Vec<&str> = some.iter().map(|picture| picture.content_type.as_str()).collect();
        let numbers = |of: fn(&Picture) -> i32| some.iter().map(of).collect::<Vec<i32>>();
        client
            .execute(
                &statement,
                &[
                    &realm,
                    &paths,
                    &types,
                    &numbers(|picture| picture.width),
                    &numbers(|picture| picture.height),
                    &numbers(|picture| picture.frames),
                ],
            )
            .map_err(failed)?;
    }
    Ok(())
}
