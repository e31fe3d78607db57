//! Texts that name users, channels, messages and files.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::Result;
use crate::ids::Of;
use crate::images::content_type_of;
use crate::import::ids::Ids;
use crate::import::making::Making;
use crate::import::value::Value;
use crate::package::Package;
use crate::rewrite::{Links, Moved, NewIds};
use crate::rows::{Cell, RowParser};

/// What texts name, by its old ids.
#[derive(Debug)]
pub(super) struct Names<'a> {
    pub(super) ids: &'a Ids,
    /// The organisation's old and new id.
    pub(super) realm: (i64, i64),
    /// `path_id` by the export's.
    pub(super) paths: &'a HashMap<String, String>,
}

impl NewIds for Names<'_> {
    fn realm(&self) -> (i64, i64) {
        self.realm
    }

    fn get(&self, of: Of, old: i64) -> Option<i64> {
        self.ids.get(of, old)
    }

    fn upload(&self, old_path_id: &str) -> Option<&str> {
        self.paths.get(old_path_id).map(String::as_str)
    }
}

/// Which attachments a message has, by its old id: what Zulip's importer goes by. Nobody else needs it.
#[derive(Debug, Default)]
pub(super) struct OwnAttachments {
    messages: HashMap<i64, Vec<String>>,
    scheduled: HashMap<i64, Vec<String>>,
}

#[derive(serde::Deserialize)]
struct Attachment {
    path_id: String,
    #[serde(default)]
    messages: Vec<i64>,
    #[serde(default)]
    scheduled_messages: Vec<i64>,
}

impl OwnAttachments {
    /// Reads them, where they are needed.
    pub(super) fn read(package: &Package, links: Links) -> Result<Self> {
        let mut own = Self::default();
        if links == Links::Strict {
            for attachment in package.rows::<Attachment>("attachment.json", "zerver_attachment")? {
                let Attachment { path_id, messages, scheduled_messages } = attachment?;
                for message in messages {
                    own.messages.entry(message).or_default().push(path_id.clone());
                }
                for message in scheduled_messages {
                    own.scheduled.entry(message).or_default().push(path_id.clone());
                }
            }
        }
        Ok(own)
    }
}

/// Rendered HTML.
pub(super) fn html<'r>(making: &'r Making<'_>, row: &'r RowParser<'_>, key: &str) -> Value<'r> {
    changed(row, key, |text| making.rewriter.html(text, &own(making, row)))
}

/// A channel's description as HTML. Converters leave it to the importer: as plain text it is shown at least.
pub(super) fn description<'r>(making: &'r Making<'_>, row: &'r RowParser<'_>) -> Value<'r> {
    let rendered = row.text("rendered_description").unwrap_or_default();
    match row.text("description") {
        Some(text) if rendered.is_empty() && !text.is_empty() => {
            let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            Value::text(format!("<p>{escaped}</p>"))
        }
        _ => html(making, row, "rendered_description"),
    }
}

/// Markdown.
pub(super) fn markdown<'r>(making: &'r Making<'_>, row: &'r RowParser<'_>, key: &str) -> Value<'r> {
    changed(row, key, |text| making.rewriter.markdown(text, &own(making, row)))
}

/// `zerver_message.edit_history`.
pub(super) fn edit_history<'r>(making: &'r Making<'_>, row: &'r RowParser<'_>, key: &str) -> Result<Value<'r>> {
    match row.text_of(row.get(key)) {
        Some(text) => Ok(Value::Text(making.rewriter.edit_history(text)?)),
        None => Ok(Value::Null),
    }
}

fn changed<'r>(row: &'r RowParser<'_>, key: &str, change: impl FnOnce(&'r str) -> Cow<'r, str>) -> Value<'r> {
    row.text_of(row.get(key)).map_or(Value::Null, |text| Value::Text(change(text)))
}

/// A message's own attachments.
fn own<'r>(making: &'r Making<'_>, row: &RowParser<'_>) -> Vec<Moved<'r>> {
    if making.links == Links::Fixed || row.boolean("has_attachment") != Some(true) {
        return Vec::new();
    }
    if !making.links_by_attachment {
        let content = row.text("content").unwrap_or_default();
        let paths = making.paths.iter().filter(|(old, _)| content.contains(old.as_str()));
        return paths.map(|(old, new)| Moved { old, new }).collect();
    }
    let scheduled = row.shape.table == "zerver_scheduledmessage";
    let of = if scheduled { &making.own.scheduled } else { &making.own.messages };
    let old = row.integer("id").and_then(|id| of.get(&id)).into_iter().flatten();
    old.filter_map(|old| Some(Moved { old, new: making.paths.get(old)? })).collect()
}

/// What an attachment is: said, or told by its name where it is a picture.
pub(super) fn content_type<'r>(row: &'r RowParser<'_>) -> Value<'r> {
    match row.get("content_type") {
        Cell::Null | Cell::Missing => {
            let name = row.text("file_name").unwrap_or_default();
            content_type_of(name).map_or(Value::Null, Value::text)
        }
        cell => Value::of(row, cell),
    }
}
