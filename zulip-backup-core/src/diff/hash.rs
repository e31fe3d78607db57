//! A number for a row: the same for the same keys and values, whatever their order and layout.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// A row's id and hash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Hashed {
    /// The value of the key `id`, where the row is an object with a number there.
    pub(super) id: Option<i64>,
    pub(super) hash: u64,
}

/// Reads a row's JSON.
pub(super) fn hash(row: &str) -> Result<Hashed, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(row);
    let hashed = Value.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(hashed)
}

struct Value;

fn of(kind: u8, value: impl Hash) -> Hashed {
    let mut hasher = DefaultHasher::new();
    (kind, value).hash(&mut hasher);
    Hashed { id: None, hash: hasher.finish() }
}

impl<'de> DeserializeSeed<'de> for Value {
    type Value = Hashed;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Hashed, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value {
    type Value = Hashed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Hashed, E> {
        Ok(of(0, ()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Hashed, E> {
        Ok(of(1, value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Hashed, E> {
        Ok(Hashed { id: Some(value), ..of(2, value) })
    }

    fn visit_u64<E>(self, value: u64) -> Result<Hashed, E> {
        Ok(match i64::try_from(value) {
            Ok(value) => Hashed { id: Some(value), ..of(2, value) },
            Err(_) => of(3, value),
        })
    }

    fn visit_f64<E>(self, value: f64) -> Result<Hashed, E> {
        Ok(of(4, value.to_bits()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Hashed, E> {
        Ok(of(5, value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Hashed, A::Error> {
        let mut hasher = DefaultHasher::new();
        6.hash(&mut hasher);
        while let Some(element) = list.next_element_seed(Value)? {
            element.hash.hash(&mut hasher);
        }
        Ok(Hashed { id: None, hash: hasher.finish() })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Hashed, A::Error> {
        // A sum does not know the order of its parts.
        let (mut sum, mut id, mut keys) = (0_u64, None, 0_u64);
        while let Some((key, is_id)) = map.next_key_seed(Key)? {
            let value = map.next_value_seed(Value)?;
            if is_id {
                id = value.id;
            }
            sum = sum.wrapping_add(of(7, (key, value.hash)).hash);
            keys += 1;
        }
        Ok(Hashed { id, ..of(8, (sum, keys)) })
    }
}

/// A key's hash, and whether it is `id`.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = (u64, bool);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(u64, bool), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key {
    type Value = (u64, bool);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<(u64, bool), E> {
        Ok((of(9, key).hash, key == "id"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_layout_do_not_matter_and_all_else_does() {
        let row = hash(r#"{"id": 7, "a": [1, 2, {"x": null}], "b": "\u00fc"}"#).unwrap();
        assert_eq!(hash("{\n\"b\":\"ü\",\"a\":[1,2,{\"x\":null}],\"id\":7}").unwrap(), row);
        assert_eq!(row.id, Some(7));
        for other in [
            r#"{"id": 7, "a": [2, 1, {"x": null}], "b": "ü"}"#,
            r#"{"id": 7, "a": [1, 2, {"x": false}], "b": "ü"}"#,
            r#"{"id": 7, "a": [1, 2, {"x": null}], "c": "ü"}"#,
            r#"{"id": 7, "a": [1, 2.0, {"x": null}], "b": "ü"}"#,
            r#"{"id": 7, "a": "ü", "b": [1, 2, {"x": null}]}"#,
        ] {
            assert_ne!(hash(other).unwrap().hash, row.hash, "{other}");
        }
    }
}
