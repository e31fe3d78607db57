//! HTML for messages whose export has none: who imports may bring along what renders it.

use postgres::Client;
use serde::Serialize;

use crate::postgres::{column, error};
use crate::{Error, ErrorKind, Progress, Result, Task, Unit};

/// The task told to [`Progress`]: messages.
const TASK: &str = "render";

/// How many messages are rendered at a time.
const BATCH: usize = 500;

/// `zerver_message.rendered_content_version`, as Zulip writes it: the version of its Markdown.
const VERSION: i32 = 1;

/// A message without HTML, as it is on this server now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Unrendered {
    /// Its new id.
    pub id: i64,
    /// The new organisation's id.
    pub realm_id: i64,
    /// Its sender's new id.
    pub sender_id: i64,
    /// Whether its sender is a bot: some of Markdown is for people only.
    pub sender_is_bot: bool,
    /// Whether its sender wants `:)` to become an emoji.
    pub translate_emoticons: bool,
    /// Its Markdown.
    pub content: String,
}

/// Renders messages: Zulip's own Markdown, usually.
pub trait Render {
    /// The HTML of each message, in their order; nothing for one that Zulip renders itself when it is first looked at.
    ///
    /// # Errors
    /// An error ends the import, and nothing of it is there.
    fn render(&self, messages: &[Unrendered]) -> Result<Vec<Option<String>>>;
}

/// Renders all messages without HTML; how many were rendered. The organisation is not visible yet to anybody else.
///
/// # Errors
/// What the renderer and the database answer.
pub(super) fn messages(client: &mut Client, realm: i64, render: &dyn Render, progress: &dyn Progress) -> Result<u64> {
    let failed = |failure| error("give messages their HTML", failure);
    progress.begin(Task { name: TASK, unit: Unit::Rows, total: None });
    // By their places: while indexes are set aside, nothing finds them by their ids.
    let declare = format!(
        "DECLARE unrendered NO SCROLL CURSOR FOR
         SELECT m.ctid::text, m.id::int8, m.sender_id::int8, u.is_bot, u.translate_emoticons, m.content
         FROM zerver_message m JOIN zerver_userprofile u ON u.id = m.sender_id
         WHERE m.realm_id = {realm} AND m.rendered_content IS NULL"
    );
    client.batch_execute(&declare).map_err(failed)?;
    let fetch = format!("FETCH {BATCH} FROM unrendered");
    let mut rendered = 0;
    loop {
        progress.checkpoint()?;
        let rows = client.query(&fetch, &[]).map_err(failed)?;
        if rows.is_empty() {
            break;
        }
        let (mut places, mut messages) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
        for row in &rows {
            places.push(column::<String>(row, 0)?);
            messages.push(Unrendered {
                id: column(row, 1)?,
                realm_id: realm,
                sender_id: column(row, 2)?,
                sender_is_bot: column(row, 3)?,
                translate_emoticons: column(row, 4)?,
                content: column(row, 5)?,
            });
        }
        let html = render.render(&messages)?;
        if html.len() != messages.len() {
            let message = format!("{} messages were to be rendered, {} came back", messages.len(), html.len());
            return Err(Error::new(ErrorKind::Usage, message));
        }
        // PostgreSQL has no place for it.
        if let Some((message, _)) =
            messages.iter().zip(&html).find(|(_, html)| html.iter().any(|html| html.contains('\0')))
        {
            let message = format!("the HTML of message {} has the character NUL", message.id);
            return Err(Error::new(ErrorKind::Usage, message));
        }
        let updated = client
            .execute(
                "UPDATE zerver_message m SET rendered_content = made.html, rendered_content_version = $3
                 FROM unnest($1::text[], $2::text[]) made (place, html)
                 WHERE m.ctid = made.place::tid AND made.html IS NOT NULL",
                &[&places, &html, &VERSION],
            )
            .map_err(failed)?;
        rendered += updated;
        progress.advance(TASK, messages.len() as u64);
    }
    client.batch_execute("CLOSE unrendered").map_err(failed)?;
    progress.end(TASK);
    Ok(rendered)
}
