//! Texts that name users, channels, messages and files.

use crate::Result;
use crate::import::making::Making;
use crate::import::value::Value;
use crate::rows::RowParser;

/// Rendered HTML.
pub(super) fn html<'r>(_making: &'r Making<'_>, row: &'r RowParser<'_>, key: &str) -> Result<Value<'r>> {
    Ok(Value::of(row, row.get(key)))
}

/// Markdown.
pub(super) fn markdown<'r>(_making: &'r Making<'_>, row: &'r RowParser<'_>, key: &str) -> Result<Value<'r>> {
    Ok(Value::of(row, row.get(key)))
}

/// `zerver_message.edit_history`.
pub(super) fn edit_history<'r>(_making: &'r Making<'_>, row: &'r RowParser<'_>, key: &str) -> Result<Value<'r>> {
    Ok(Value::of(row, row.get(key)))
}

/// What an attachment is.
pub(super) fn content_type<'r>(_making: &'r Making<'_>, row: &'r RowParser<'_>) -> Result<Value<'r>> {
    Ok(Value::of(row, row.get("content_type")))
}
