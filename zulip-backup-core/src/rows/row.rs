//! One row: read once, its keys and types checked, its values kept until the next.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::rows::shape::{Fits, Shape, ValueShape};
use crate::rows::strict::Strict;
use crate::schema::Encoding;

/// A value of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Cell {
    /// The key is not there.
    #[default]
    Missing,
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    /// From and to in the row's texts.
    Text(usize, usize),
    /// From and to in the row's ids.
    Ids(usize, usize),
    /// JSON of any kind, from and to in the row's texts.
    Json(usize, usize),
    /// Of no type the key may have.
    Wrong,
}

/// What is wrong with a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    KeyUnknown(String),
    KeyMissing(usize),
    KeyDuplicate(String),
    /// The field, and what was found instead.
    Type(usize, String),
    /// The field, and what is more than its column takes.
    Range(usize, String),
}

/// Reads rows of one shape into the same memory again and again.
#[derive(Debug)]
pub(crate) struct RowParser<'s> {
    pub(crate) shape: &'s Shape,
    cells: Vec<Cell>,
    texts: String,
    ids: Vec<i64>,
    /// What is wrong with the row.
    pub(crate) faults: Vec<Fault>,
    /// Whether the keys came in another order than declared.
    pub(crate) reordered: bool,
}

impl<'s> RowParser<'s> {
    pub(crate) fn new(shape: &'s Shape) -> Self {
        let cells = vec![Cell::Missing; shape.fields.len()];
        Self { shape, cells, texts: String::new(), ids: Vec::new(), faults: Vec::new(), reordered: false }
    }

    /// Reads a row. Its faults are in `faults`; the error is one of JSON.
    pub(crate) fn parse(&mut self, row: &str) -> Result<(), serde_json::Error> {
        self.cells.fill(Cell::Missing);
        self.texts.clear();
        self.ids.clear();
        self.faults.clear();
        self.reordered = false;
        let mut deserializer = serde_json::Deserializer::from_str(row);
        deserializer.deserialize_map(&mut *self)?;
        deserializer.end()?;
        for (at, cell) in self.cells.iter().enumerate() {
            if *cell == Cell::Missing && !self.shape.fields[at].optional {
                self.faults.push(Fault::KeyMissing(at));
            }
        }
        Ok(())
    }

    /// Keeps a value that is JSON as it is.
    fn json(&mut self, at: usize, json: &str) -> Result<(), serde_json::Error> {
        if json == "null" {
            self.cells[at] = Cell::Null;
            return Ok(());
        }
        let mut duplicates = Vec::new();
        Strict(&mut duplicates).deserialize(&mut serde_json::Deserializer::from_str(json))?;
        self.faults.extend(duplicates.into_iter().map(Fault::KeyDuplicate));
        if has_nul(json) {
            self.faults.push(Fault::Range(at, "text with the character NUL".to_owned()));
        }
        let from = self.texts.len();
        self.texts.push_str(json);
        self.cells[at] = Cell::Json(from, self.texts.len());
        Ok(())
    }

    pub(crate) fn cell(&self, at: usize) -> Cell {
        self.cells.get(at).copied().unwrap_or_default()
    }

    /// A value by its key.
    pub(crate) fn get(&self, key: &str) -> Cell {
        self.shape.position(key).map_or(Cell::Missing, |at| self.cell(at))
    }

    pub(crate) fn integer(&self, key: &str) -> Option<i64> {
        match self.get(key) {
            Cell::Int(value) => Some(value),
            _ => None,
        }
    }

    pub(crate) fn boolean(&self, key: &str) -> Option<bool> {
        match self.get(key) {
            Cell::Bool(value) => Some(value),
            _ => None,
        }
    }

    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        match self.get(key) {
            Cell::Text(from, to) => self.texts.get(from..to),
            _ => None,
        }
    }

    /// The text of a cell that is text or JSON.
    pub(crate) fn text_of(&self, cell: Cell) -> Option<&str> {
        match cell {
            Cell::Text(from, to) | Cell::Json(from, to) => self.texts.get(from..to),
            _ => None,
        }
    }

    pub(crate) fn ids(&self, key: &str) -> &[i64] {
        match self.get(key) {
            Cell::Ids(from, to) => self.ids.get(from..to).unwrap_or_default(),
            _ => &[],
        }
    }

    /// The ids of a cell that is a list of ids.
    pub(crate) fn ids_of(&self, cell: Cell) -> &[i64] {
        match cell {
            Cell::Ids(from, to) => self.ids.get(from..to).unwrap_or_default(),
            _ => &[],
        }
    }
}

impl<'de> Visitor<'de> for &mut RowParser<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row: an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut next = 0;
        while let Some(key) = map.next_key_seed(Key { shape: self.shape, next })? {
            let at = match key {
                Found::At(at) => at,
                Found::Unknown(key) => {
                    self.faults.push(Fault::KeyUnknown(key));
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            self.reordered |= at != next;
            next = at + 1;
            if self.cells[at] != Cell::Missing {
                self.faults.push(Fault::KeyDuplicate(self.shape.fields[at].key.clone()));
            }
            if self.shape.fields[at].value == ValueShape::Column(Encoding::Json) {
                let json = map.next_value::<&RawValue>()?;
                self.json(at, json.get()).map_err(A::Error::custom)?;
            } else {
                map.next_value_seed(Value { parser: self, at })?;
            }
        }
        Ok(())
    }
}

/// A key, looked for where it ought to be before it is looked up.
struct Key<'s> {
    shape: &'s Shape,
    next: usize,
}

enum Found {
    At(usize),
    Unknown(String),
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Found;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Found, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Found;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Found, E> {
        if self.shape.fields.get(self.next).is_some_and(|field| field.key == key) {
            return Ok(Found::At(self.next));
        }
        Ok(self.shape.position(key).map_or_else(|| Found::Unknown(key.to_owned()), Found::At))
    }
}

struct Value<'p, 's> {
    parser: &'p mut RowParser<'s>,
    at: usize,
}

/// The times that PostgreSQL knows, in seconds since 1970: 4714 BC to 294276 AD.
const TIMES: std::ops::RangeInclusive<f64> = -210_866_803_200.0..=9_224_318_015_999.0;

fn is_time(time: jiff::Timestamp) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "a double holds the seconds of any calendar")]
    TIMES.contains(&(time.as_second() as f64))
}

impl Value<'_, '_> {
    fn take(self, cell: Cell) {
        self.parser.cells[self.at] = cell;
    }

    /// Notes that the value is none the key may have.
    fn wrong(self, found: impl Into<String>) {
        self.parser.faults.push(Fault::Type(self.at, found.into()));
        self.take(Cell::Wrong);
    }

    fn seconds(self, value: f64) {
        if !TIMES.contains(&value) {
            self.parser.faults.push(Fault::Range(self.at, format!("{value} seconds since 1970")));
        }
        self.take(Cell::Float(value));
    }

    fn fits(&self) -> Fits {
        self.parser.shape.fields[self.at].fits
    }

    fn shape(&self) -> ValueShape {
        self.parser.shape.fields[self.at].value
    }

    fn is(&self, encoding: Encoding) -> bool {
        self.shape() == ValueShape::Column(encoding)
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        if self.parser.shape.fields[self.at].nullable {
            self.take(Cell::Null);
        } else {
            self.wrong("null");
        }
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        if self.is(Encoding::Boolean) {
            self.take(Cell::Bool(value));
        } else {
            self.wrong(value.to_string());
        }
        Ok(())
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        #[expect(clippy::cast_precision_loss, reason = "a time in seconds is one that a double holds")]
        match self.shape() {
            ValueShape::Column(Encoding::Integer) => {
                if !self.fits().integer(value) {
                    self.parser.faults.push(Fault::Range(self.at, value.to_string()));
                }
                self.take(Cell::Int(value));
            }
            ValueShape::Column(Encoding::Seconds) => self.seconds(value as f64),
            ValueShape::Column(Encoding::Text) if self.parser.shape.fields[self.at].number => {
                return self.visit_str(&value.to_string());
            }
            _ => self.wrong(value.to_string()),
        }
        Ok(())
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        match i64::try_from(value) {
            Ok(value) => self.visit_i64(value),
            Err(_) => {
                self.wrong(value.to_string());
                Ok(())
            }
        }
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        if self.is(Encoding::Seconds) {
            self.seconds(value);
        } else {
            self.wrong(value.to_string());
        }
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        let well_formed = match self.shape() {
            ValueShape::Column(Encoding::Text | Encoding::Tsvector) => true,
            ValueShape::Column(Encoding::Uuid) => is_uuid(value),
            ValueShape::Column(Encoding::Iso) => value.parse().is_ok_and(is_time),
            _ => false,
        };
        if !well_formed {
            let shown: String = value.chars().take(40).collect();
            self.wrong(format!("{shown:?}"));
            return Ok(());
        }
        if let Some(what) = self.fits().too_much(value) {
            self.parser.faults.push(Fault::Range(self.at, what));
        }
        let from = self.parser.texts.len();
        self.parser.texts.push_str(value);
        let to = self.parser.texts.len();
        self.take(Cell::Text(from, to));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        match self.shape() {
            ValueShape::Ids => {
                let from = self.parser.ids.len();
                let mut strange = false;
                while let Some(element) = list.next_element::<Element>()? {
                    match element {
                        Element::Id(id) => self.parser.ids.push(id),
                        Element::Other(_) => strange = true,
                    }
                }
                let to = self.parser.ids.len();
                if strange { self.wrong("a list of other things than ids") } else { self.take(Cell::Ids(from, to)) }
            }
            ValueShape::Column(_) => {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                self.wrong("a list");
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        self.wrong("an object");
        Ok(())
    }
}

/// Whether a string of the JSON has the character NUL, which PostgreSQL has no place for.
fn has_nul(json: &str) -> bool {
    memchr::memmem::find_iter(json.as_bytes(), b"\\u0000").any(|at| {
        // A backslash that is itself escaped escapes nothing.
        json.as_bytes()[..at].iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 0
    })
}

/// An element of a list of ids.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Element {
    Id(i64),
    Other(IgnoredAny),
}

/// Lower-case hexadecimal digits in groups of 8, 4, 4, 4 and 12.
fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}
