//! The paths of stored files, which are made up anew at every import.

use std::collections::BTreeMap;

use postgres::Transaction;

use super::table::Table;

/// How long the random part of a path is.
const TOKEN_LENGTH: usize = 24;

/// Of each path in a database what it is put as when two databases are compared.
pub(super) struct Stored(Vec<(String, String)>);

impl Stored {
    pub(super) fn of(transaction: &mut Transaction, tables: &BTreeMap<String, Table>) -> Self {
        if !tables.contains_key("zerver_attachment") {
            return Self(Vec::new());
        }
        let sql = "SELECT path_id::text, id::text FROM zulip.zerver_attachment";
        let rows = transaction.query(sql, &[]).unwrap();
        Self(rows.iter().filter_map(|row| Some((row.get(0), nameless(row.get(0), row.get(1))?))).collect())
    }

    /// A text with every path told by the number of the attachment it is of.
    pub(super) fn equal(&self, text: &str) -> String {
        let present = self.0.iter().filter(|(path, _)| text.contains(path.as_str()));
        present.fold(text.to_owned(), |text, (path, nameless)| text.replace(path, nameless))
    }
}

/// A path without what is random in it; `None` where it is not as Zulip makes paths, which then have to be equal.
fn nameless(path: &str, attachment: &str) -> Option<String> {
    let mut parts = path.splitn(4, '/');
    let (realm, directory, token, name) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    // A number from 0 to 255 in hexadecimal digits, without a nought in front.
    let number = u8::from_str_radix(directory, 16).is_ok_and(|number| format!("{number:x}") == directory);
    let letter = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
    let made = number && token.len() == TOKEN_LENGTH && token.chars().all(letter) && !name.is_empty();
    made.then(|| format!("{realm}/[file {attachment}]/{name}"))
}
