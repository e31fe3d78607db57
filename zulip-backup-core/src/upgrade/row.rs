//! A row as it stands in a file: its keys in order, and their values as JSON.

use serde::Deserialize;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::{Error, ErrorKind, Result};

/// A row.
#[derive(Clone, Debug, Default)]
pub(super) struct RawRow(Vec<(String, String)>);

impl RawRow {
    /// The value of a key, as JSON.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == key).map(|(_, json)| json.as_str())
    }

    /// The value of a key as a type; nothing where it is another.
    pub(super) fn value<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        serde_json::from_str(self.get(key)?).ok()
    }

    /// The row's own id.
    pub(super) fn id(&self) -> i64 {
        self.value("id").unwrap_or(0)
    }

    pub(super) fn set(&mut self, key: &str, json: impl Into<String>) {
        match self.0.iter_mut().find(|(known, _)| known == key) {
            Some((_, old)) => *old = json.into(),
            None => self.0.push((key.to_owned(), json.into())),
        }
    }

    pub(super) fn remove(&mut self, key: &str) {
        self.0.retain(|(known, _)| known != key);
    }

    /// Puts the keys into an order, which has to name all of them.
    ///
    /// # Errors
    /// `Damaged` for a key that is missing, or one too many.
    pub(super) fn in_order<'k>(mut self, keys: impl Iterator<Item = &'k str>) -> Result<Self> {
        let mut ordered = Vec::with_capacity(self.0.len());
        for key in keys {
            let at = self.0.iter().position(|(known, _)| known == key);
            let at = at.ok_or_else(|| Error::new(ErrorKind::Damaged, format!("has no key {key}")))?;
            ordered.push(self.0.swap_remove(at));
        }
        match self.0.first() {
            None => Ok(Self(ordered)),
            Some((key, _)) => Err(Error::new(ErrorKind::Damaged, format!("has a key {key} that no row has"))),
        }
    }

    /// Writes it as an element of a list of a file.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\n    {");
        for (place, (key, json)) in self.0.iter().enumerate() {
            if place > 0 {
                out.push(b',');
            }
            out.extend_from_slice(b"\n      \"");
            out.extend_from_slice(key.as_bytes());
            out.extend_from_slice(b"\": ");
            out.extend_from_slice(json.as_bytes());
        }
        out.extend_from_slice(b"\n    }");
    }
}

impl<const N: usize> From<[(&str, String); N]> for RawRow {
    fn from(pairs: [(&str, String); N]) -> Self {
        Self(pairs.map(|(key, json)| (key.to_owned(), json)).into())
    }
}

impl<'de> Deserialize<'de> for RawRow {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = RawRow;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a row")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawRow, A::Error> {
                let mut pairs = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    pairs.push((key, value.get().to_owned()));
                }
                Ok(RawRow(pairs))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_as_they_stand() {
        let json = r#"{"id": 7, "a": 1.10, "b": {"x":  [1]}, "c": "\u00e9"}"#;
        let mut row: RawRow = serde_json::from_str(json).unwrap();
        row.set("d", "null");
        row.remove("c");
        assert_eq!((row.id(), row.get("a"), row.value::<String>("b")), (7, Some("1.10"), None));
        let row = row.in_order(["d", "b", "a", "id"].into_iter()).unwrap();
        let mut out = Vec::new();
        row.write(&mut out);
        let expected =
            "\n    {\n      \"d\": null,\n      \"b\": {\"x\":  [1]},\n      \"a\": 1.10,\n      \"id\": 7\n    }";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        let error = row.clone().in_order(["d", "b", "a"].into_iter()).unwrap_err();
        assert!(error.to_string().contains("key id"), "{error}");
        assert!(row.in_order(["x"].into_iter()).unwrap_err().to_string().contains("no key x"));
    }
}
