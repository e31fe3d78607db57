//! How exports that Zulip's converters make of other services' data differ from those of a Zulip server.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::schema::Encoding;

/// What a converter's export may have otherwise. Read off what the converters of one Zulip version wrote.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Conversion {
    /// The lists it has; others may be there or not.
    pub(crate) lists: Vec<String>,
    /// Keys of a list's rows that may be missing.
    pub(crate) absent: BTreeMap<String, Vec<String>>,
    /// Keys of a list's rows that may be null although their columns may not: an import knows what stands there.
    pub(crate) null: BTreeMap<String, Vec<String>>,
    /// Keys of a list's rows that may be numbers although their columns are texts.
    pub(crate) numbers: BTreeMap<String, Vec<String>>,
    /// Keys of a list's rows that have no column.
    pub(crate) extra: BTreeMap<String, BTreeMap<String, Encoding>>,
}

impl Conversion {
    /// Whether a row of a list may lack a key.
    pub(crate) fn may_lack(&self, list: &str, key: &str) -> bool {
        has(&self.absent, list, key)
    }

    /// Whether a text of a list's rows may be a number.
    pub(crate) fn may_be_number(&self, list: &str, key: &str) -> bool {
        has(&self.numbers, list, key)
    }

    /// Whether a key of a list's rows may be null.
    pub(crate) fn may_be_null(&self, list: &str, key: &str) -> bool {
        has(&self.null, list, key) || self.may_lack(list, key)
    }
}

fn has(keys: &BTreeMap<String, Vec<String>>, list: &str, key: &str) -> bool {
    keys.get(list).is_some_and(|keys| keys.iter().any(|other| other == key))
}

#[cfg(test)]
mod tests {
    use crate::schema::{Release, RowList};

    #[test]
    fn it_speaks_of_lists_and_keys_that_there_are() {
        for release in Release::all().unwrap() {
            let (conversion, schema) = (&release.conversion, &release.export);
            let files = &schema.files;
            let lists = files.realm.iter().chain(&files.messages).chain(&files.attachment);
            let known: Vec<&RowList> = lists.collect();
            let table = |list: &str| known.iter().find(|known| known.key == list).unwrap().table().to_owned();
            conversion.lists.iter().for_each(|list| drop(table(list)));
            for (list, keys) in conversion.null.iter().chain(&conversion.absent).chain(&conversion.numbers) {
                let fields = &schema.table(&table(list)).unwrap().fields;
                assert!(keys.iter().all(|key| fields.iter().any(|field| field.key == *key)), "{list}");
            }
            for (list, keys) in &conversion.extra {
                let fields = &schema.table(&table(list)).unwrap().fields;
                assert!(keys.keys().all(|key| fields.iter().all(|field| field.key != *key)), "{list}");
            }
        }
    }
}
