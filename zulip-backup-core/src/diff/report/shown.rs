//! Values for people: as much of each as shows where they differ.

use std::fmt;

use serde_json::Value;

use crate::diff::report::{ChangedRow, ChangedValue};

/// How many characters of a text are shown, and how many of them before the difference.
const SHOWN: usize = 80;
const BEFORE: usize = 20;

impl fmt::Display for ChangedRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.id_b {
            None => return write!(f, "{} ({})", self.id, self.keys.join(", ")),
            Some(id_b) => write!(f, "{} and {id_b}", self.id)?,
        }
        for value in &self.values {
            write!(f, "\n      {value}")?;
        }
        Ok(())
    }
}

impl fmt::Display for ChangedValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.key)?;
        match (&self.a, &self.b) {
            (None, None) => f.write_str("differs"),
            (Some(Value::String(a)), Some(Value::String(b))) => {
                let start = difference(a, b).saturating_sub(BEFORE);
                write!(f, "{:?} and {:?}", excerpt(a, start), excerpt(b, start))
            }
            (a, b) => write!(f, "{} and {}", whole(a.as_ref()), whole(b.as_ref())),
        }
    }
}

fn whole(value: Option<&Value>) -> String {
    value.map_or_else(|| "nothing".to_owned(), |value| excerpt(&value.to_string(), 0))
}

/// The place of the first character that differs. Digits differ in all texts that name something, so they count only
/// where nothing else does.
fn difference(a: &str, b: &str) -> usize {
    let words = |text: &'_ str| {
        let characters: Vec<(usize, char)> = text.chars().enumerate().collect();
        characters.into_iter().filter(|(_, character)| !character.is_ascii_digit())
    };
    let (mut one, mut other) = (words(a), words(b));
    loop {
        match (one.next(), other.next()) {
            (Some((_, x)), Some((_, y))) if x == y => {}
            (Some((at, _)), Some((other, _))) => return at.min(other),
            (Some((at, _)), None) | (None, Some((at, _))) => return at,
            (None, None) => return a.chars().zip(b.chars()).take_while(|(x, y)| x == y).count(),
        }
    }
}

/// Some of a text, from this character on.
fn excerpt(text: &str, start: usize) -> String {
    let count = text.chars().count();
    if count <= SHOWN {
        return text.to_owned();
    }
    let start = start.min(count - SHOWN / 2);
    let shown: String = text.chars().skip(start).take(SHOWN).collect();
    let (before, after) = (if start > 0 { "…" } else { "" }, if count > start + SHOWN { "…" } else { "" });
    format!("{before}{shown}{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_shown() {
        let long = |word: &str| Value::from(format!("{}id 7 {word} {}", "x".repeat(300), "y".repeat(300)));
        let value = |a, b| ChangedValue { key: "k".to_owned(), a, b };
        let shown = value(Some(long("old")), Some(long("new"))).to_string();
        assert!(
            shown.starts_with("k: \"…xxx") && shown.contains("id 7 old y") && shown.contains("id 7 new y"),
            "{shown}"
        );
        assert!(shown.chars().count() < 200);
        assert_eq!(value(Some(5.into()), Some(Value::Null)).to_string(), "k: 5 and null");
        assert_eq!(value(None, Some("a".into())).to_string(), "k: nothing and \"a\"");
        assert_eq!(value(Some("1".into()), Some("2".into())).to_string(), "k: \"1\" and \"2\"");
        assert_eq!(value(None, None).to_string(), "k: differs");
    }
}
