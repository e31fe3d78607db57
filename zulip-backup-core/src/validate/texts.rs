//! Texts that have a form of their own: an importer reads them, and a database.

use crate::postgres::tsvector;
use crate::rewrite::edits;
use crate::rows::RowParser;
use crate::{Finding, Result};

/// Checks those of messages, one after the other in the same memory.
#[derive(Debug, Default)]
pub(super) struct Texts {
    vector: Vec<u8>,
}

impl Texts {
    /// What is wrong with a message's. `object` names it.
    pub(super) fn message(&mut self, row: &RowParser<'_>, object: impl Fn() -> String) -> Option<Finding> {
        let history = row.text("edit_history").map(|text| edits(text).map(drop));
        let vector = row.text("search_tsvector").map(|text| {
            self.vector.clear();
            tsvector::encode(text, &mut self.vector)
        });
        let wrong = |key: &str, checked: Option<Result<()>>| {
            let error = checked?.err()?;
            Some(Finding::error("value-type", object(), format!("{key}: {}", error.chain())))
        };
        wrong("edit_history", history).or_else(|| wrong("search_tsvector", vector))
    }
}

/// What is wrong with the value of a custom profile field whose values are lists of users.
pub(super) fn user_list(text: &str) -> Option<String> {
    let error = serde_json::from_str::<Vec<i64>>(text).err()?;
    let shown: String = text.chars().take(40).collect();
    Some(format!("value: {shown:?} is no list of users' ids: {error}"))
}
