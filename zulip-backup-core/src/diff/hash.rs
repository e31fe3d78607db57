//! A number for a row: the same for the same keys and values, whatever their order and layout.

use std::fmt;

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

/// Mixes a word into a hash: both halves of a product, in which every bit depends on all. Against accidents, as all here:
/// who wants two rows to have one hash can make them.
pub(super) fn mix(hash: u64, word: u64) -> u64 {
    let product =
        u128::from(hash ^ word ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xd1b5_4a32_d192_ed03_8cb9_2ba7_2f3d_8dd7);
    let [low, high] = [product, product >> 64].map(|half| u64::try_from(half & u128::from(u64::MAX)).unwrap_or(0));
    low ^ high.rotate_left(23)
}

/// A text of a kind.
pub(super) fn text(kind: u64, value: &str) -> u64 {
    let mut hash = mix(kind, value.len() as u64);
    let (words, rest) = value.as_bytes().as_chunks::<8>();
    for word in words {
        hash = mix(hash, u64::from_le_bytes(*word));
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    mix(hash, u64::from_le_bytes(last))
}

fn of(kind: u64, value: u64) -> Hashed {
    Hashed { id: None, hash: mix(mix(kind, 1), value) }
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
        Ok(of(0, 0))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Hashed, E> {
        Ok(of(1, value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Hashed, E> {
        Ok(Hashed { id: Some(value), ..of(2, value.cast_unsigned()) })
    }

    fn visit_u64<E>(self, value: u64) -> Result<Hashed, E> {
        Ok(match i64::try_from(value) {
            Ok(id) => Hashed { id: Some(id), ..of(2, value) },
            Err(_) => of(3, value),
        })
    }

    fn visit_f64<E>(self, value: f64) -> Result<Hashed, E> {
        Ok(of(4, value.to_bits()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Hashed, E> {
        Ok(Hashed { id: None, hash: text(5, value) })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Hashed, A::Error> {
        let mut hash = mix(6, 0);
        while let Some(element) = list.next_element_seed(Value)? {
            hash = mix(hash, element.hash);
        }
        Ok(Hashed { id: None, hash })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Hashed, A::Error> {
        // A sum does not know the order of its parts.
        let (mut sum, mut id, mut keys) = (0_u64, None, 0_u64);
        while let Some((key, is_id)) = map.next_key_seed(Key)? {
            let value = map.next_value_seed(Value)?;
            if is_id {
                id = value.id;
            }
            sum = sum.wrapping_add(mix(mix(7, key), value.hash));
            keys += 1;
        }
        Ok(Hashed { id, ..of(mix(8, keys), sum) })
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
        Ok((text(9, key), key == "id"))
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
