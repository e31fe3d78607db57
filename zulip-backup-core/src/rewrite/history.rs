//! A message's edit history.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::Rewriter;
use super::unknown::UnknownKind;
use crate::{Error, ErrorKind, Result};

/// The edits of a history.
///
/// # Errors
/// `Damaged` where it is none; the message does not name the object.
pub(crate) fn edits(json: &str) -> Result<Vec<Map<String, Value>>> {
    let damaged = |what: &str| Error::new(ErrorKind::Damaged, format!("the edit history {what}"));
    let edits = match serde_json::from_str(json) {
        Ok(Value::Array(edits)) => edits,
        Ok(_) => return Err(damaged("is no list of edits")),
        Err(error) => return Err(damaged("is no valid JSON").with_source(error)),
    };
    let edit = |edit| match edit {
        Value::Object(edit) if edit.get(USER).is_none_or(|user| user.is_null() || user.is_i64()) => Ok(edit),
        Value::Object(_) => Err(damaged("has a user_id that is no id")),
        _ => Err(damaged("has an entry that is no object")),
    };
    edits.into_iter().map(edit).collect()
}

/// The key of who edited.
const USER: &str = "user_id";

pub(super) fn rewrite<'t>(rewriter: &Rewriter<'_>, json: &'t str) -> Result<Cow<'t, str>> {
    let mut edits = edits(json)?;
    for edit in &mut edits {
        user(rewriter, edit);
        if let Some(Value::String(html)) = edit.get_mut("prev_rendered_content") {
            change(html, |html| rewriter.html(html, &[]));
        }
        if rewriter.fixed() {
            if let Some(Value::String(content)) = edit.get_mut("prev_content") {
                change(content, |content| rewriter.markdown(content, &[]));
            }
            stream(rewriter, edit, "stream");
            stream(rewriter, edit, "prev_stream");
        }
    }
    let text = Value::from(edits).to_string();
    Ok(if text == json { Cow::Borrowed(json) } else { Cow::Owned(text) })
}

/// Who edited.
fn user(rewriter: &Rewriter<'_>, edit: &mut Map<String, Value>) {
    let Some(user) = edit.get_mut(USER) else { return };
    let Some(old) = user.as_i64() else { return };
    match rewriter.id(UnknownKind::User, old) {
        Some(new) => *user = new.into(),
        None if rewriter.fixed() => *user = Value::Null,
        None => {}
    }
}

fn stream(rewriter: &Rewriter<'_>, edit: &mut Map<String, Value>, key: &str) {
    if let Some(stream) = edit.get_mut(key)
        && let Some(old) = stream.as_i64()
        && let Some(new) = rewriter.id(UnknownKind::Stream, old)
    {
        *stream = new.into();
    }
}

fn change(text: &mut String, with: impl Fn(&str) -> Cow<'_, str>) {
    if let Cow::Owned(new) = with(text) {
        *text = new;
    }
}
