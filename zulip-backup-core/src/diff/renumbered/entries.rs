//! A row as its keys and the JSON of their values.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::value::RawValue;

/// Keys and values, in the row's order.
#[derive(Debug, Default)]
pub(super) struct Entries<'r>(Vec<(Cow<'r, str>, &'r RawValue)>);

/// Text without a copy where nothing in it is escaped.
#[derive(Deserialize)]
struct Text<'r>(#[serde(borrow)] Cow<'r, str>);

impl<'r> Entries<'r> {
    /// Keys and the JSON of their values.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &'r str)> {
        self.0.iter().map(|(key, value)| (&**key, value.get()))
    }

    /// The JSON of a key's value.
    pub(super) fn get(&self, key: &str) -> Option<&'r str> {
        self.iter().find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    /// A key's value, where it is a number that an id can be.
    pub(super) fn integer(&self, key: &str) -> Option<i64> {
        self.get(key)?.parse().ok()
    }

    /// A key's value, where it is text.
    pub(super) fn text(&self, key: &str) -> Option<Cow<'r, str>> {
        text(self.get(key)?)
    }
}

/// The text that a JSON string is.
pub(super) fn text(json: &str) -> Option<Cow<'_, str>> {
    if !json.starts_with('"') {
        return None;
    }
    serde_json::from_str(json).ok().map(|Text(text)| text)
}

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Row;
        impl<'de> Visitor<'de> for Row {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a row: an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<'de>, A::Error> {
                let mut entries: Vec<(Cow<'de, str>, &'de RawValue)> = Vec::with_capacity(24);
                while let Some((Text(key), value)) = map.next_entry()? {
                    // The last would count, or the first: who knows which somebody else takes?
                    if entries.iter().any(|(known, _)| *known == key) {
                        return Err(de::Error::custom(format_args!("the key {key} comes twice")));
                    }
                    entries.push((key, value));
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_what_they_stand_for() {
        let row = r#"{"id": 7, "na\u006de": "\u00fc", "x": null, "list": [1, 2]}"#;
        let entries: Entries<'_> = serde_json::from_str(row).unwrap();
        assert_eq!(entries.integer("id"), Some(7));
        assert_eq!(entries.text("name").as_deref(), Some("ü"));
        assert_eq!((entries.get("x"), entries.text("x"), entries.integer("x")), (Some("null"), None, None));
        assert_eq!(entries.get("list"), Some("[1, 2]"));
        assert_eq!(entries.get("y"), None);
        assert!(serde_json::from_str::<Entries<'_>>(r#"{"a": 1, "\u0061": 2}"#).is_err());
        assert!(serde_json::from_str::<Entries<'_>>("[1]").is_err());
    }
}
