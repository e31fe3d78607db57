//! A message's edit history.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::Rewriter;
use super::unknown::UnknownKind;
use crate::{Error, ErrorKind, Result};

pub(super) fn rewrite<'t>(rewriter: &Rewriter<'_>, json: &'t str) -> Result<Cow<'t, str>> {
    let damaged = |what: &str| Error::new(ErrorKind::Damaged, format!("the edit history {what}"));
    let mut edits: Vec<Value> = match serde_json::from_str(json) {
        Ok(Value::Array(edits)) => edits,
        Ok(_) => return Err(damaged("is no list of edits")),
        Err(error) => return Err(damaged("is no valid JSON").with_source(error)),
    };
    for edit in &mut edits {
        let edit = edit.as_object_mut().ok_or_else(|| damaged("has an entry that is no object"))?;
        if !user(rewriter, edit) {
            return Err(damaged("has a user_id that is no id"));
        }
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
    let text = Value::Array(edits).to_string();
    Ok(if text == json { Cow::Borrowed(json) } else { Cow::Owned(text) })
}

/// Who edited; whether the value is one that there may be.
fn user(rewriter: &Rewriter<'_>, edit: &mut Map<String, Value>) -> bool {
    let Some(user) = edit.get_mut("user_id") else { return true };
    if user.is_null() {
        return true;
    }
    let Some(old) = user.as_i64() else { return false };
    match rewriter.id(UnknownKind::User, old) {
        Some(new) => *user = new.into(),
        None if rewriter.fixed() => *user = Value::Null,
        None => {}
    }
    true
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
