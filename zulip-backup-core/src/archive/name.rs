//! Names of members.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Longest name that is accepted: PATH_MAX of Linux.
const MAX_BYTES: usize = 4096;

/// The name of a member: the bytes that stand in the tar header, without a `/` at the end.
///
/// File names are bytes, and a backup must not lose a file because of its name. In JSON a name is a string where it is
/// UTF-8, else `{"hex": "…"}` with the bytes in hexadecimal.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberName(Vec<u8>);

/// Why a name is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// Nothing at all.
    #[error("is empty")]
    Empty,
    /// Longer than any path.
    #[error("is longer than {MAX_BYTES} bytes")]
    TooLong,
    /// Starts at the root.
    #[error("is an absolute path")]
    Absolute,
    /// Climbs out with `..`.
    #[error("climbs out with \"..\"")]
    Climbs,
    /// Has an empty part, `.` or a NUL byte.
    #[error("is not a clean relative path")]
    Unclean,
}

impl MemberName {
    /// Checks and takes a name: relative, without `..`, `.`, empty parts or NUL bytes; a `./` in front and a `/` at the
    /// end, as other tools write them, are dropped.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, BadName> {
        let mut bytes: Vec<u8> = bytes.into();
        while bytes.starts_with(b"./") {
            bytes.drain(..2);
        }
        while bytes.len() > 1 && bytes.ends_with(b"/") {
            bytes.pop();
        }
        if bytes.is_empty() || bytes == b"." {
            return Err(BadName::Empty);
        }
        if bytes.len() > MAX_BYTES {
            return Err(BadName::TooLong);
        }
        if bytes[0] == b'/' {
            return Err(BadName::Absolute);
        }
        for part in bytes.split(|&byte| byte == b'/') {
            match part {
                b".." => return Err(BadName::Climbs),
                b"" | b"." => return Err(BadName::Unclean),
                part if part.contains(&0) => return Err(BadName::Unclean),
                _ => {}
            }
        }
        Ok(Self(bytes))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text, where it is text.
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// The name below a directory `prefix` (without `/` at its end); `Some("")` never happens: the directory itself
    /// gives `None`.
    pub fn below(&self, prefix: &[u8]) -> Option<&[u8]> {
        self.0.strip_prefix(prefix)?.strip_prefix(b"/")
    }

    /// Whether the name is `prefix` or lies below it.
    pub fn is_in(&self, prefix: &[u8]) -> bool {
        self.0 == prefix || self.below(prefix).is_some()
    }
}

impl fmt::Display for MemberName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii_controls())
    }
}

impl fmt::Debug for MemberName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Shows bytes to people: UTF-8 as it is, but no control characters, which could rewrite a terminal's screen.
trait EscapeControls {
    fn escape_ascii_controls(&self) -> String;
}

impl EscapeControls for [u8] {
    fn escape_ascii_controls(&self) -> String {
        let mut text = String::with_capacity(self.len());
        for chunk in self.utf8_chunks() {
            for character in chunk.valid().chars() {
                if character.is_control() {
                    text.extend(character.escape_default());
                } else {
                    text.push(character);
                }
            }
            for byte in chunk.invalid() {
                text.push_str(&format!("\\x{byte:02x}"));
            }
        }
        text
    }
}

impl TryFrom<&str> for MemberName {
    type Error = BadName;

    fn try_from(text: &str) -> Result<Self, BadName> {
        Self::new(text.as_bytes())
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Json {
    Text(String),
    Bytes { hex: String },
}

impl Serialize for MemberName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.as_str() {
            Some(text) => serializer.serialize_str(text),
            None => {
                let hex = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
                Json::Bytes { hex }.serialize(serializer)
            }
        }
    }
}

impl<'de> Deserialize<'de> for MemberName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let bytes = match Json::deserialize(deserializer)? {
            Json::Text(text) => text.into_bytes(),
            Json::Bytes { hex } => hex
                .as_bytes()
                .chunks(2)
                .map(|pair| {
                    let text = std::str::from_utf8(pair).ok()?;
                    u8::from_str_radix(text, 16).ok().filter(|_| pair.len() == 2)
                })
                .collect::<Option<Vec<u8>>>()
                .ok_or_else(|| D::Error::custom("a name in hexadecimal has a digit that is none"))?,
        };
        MemberName::new(bytes).map_err(|bad| D::Error::custom(format!("a member's name {bad}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_are_refused() {
        for (name, reason) in [
            (&b""[..], BadName::Empty),
            (b"./", BadName::Empty),
            (b"/etc/passwd", BadName::Absolute),
            (b"a/../../etc", BadName::Climbs),
            (b"..", BadName::Climbs),
            (b"a//b", BadName::Unclean),
            (b"a/./b", BadName::Unclean),
            (b"a\0b", BadName::Unclean),
        ] {
            assert_eq!(MemberName::new(name), Err(reason), "{:?}", name.escape_ascii());
        }
        assert_eq!(MemberName::new(vec![b'a'; 5000]), Err(BadName::TooLong));
        assert_eq!(MemberName::new(&b"./a/b/"[..]).unwrap().as_bytes(), b"a/b");
    }

    #[test]
    fn names_survive_json() {
        for bytes in [&b"zulip-backup/uploads/\xff\xfe name"[..], "zulip-backup/ü |.txt".as_bytes()] {
            let name = MemberName::new(bytes).unwrap();
            let json = serde_json::to_string(&name).unwrap();
            assert_eq!(serde_json::from_str::<MemberName>(&json).unwrap(), name);
        }
        assert!(serde_json::from_str::<MemberName>("\"../x\"").is_err());
        assert!(serde_json::from_str::<MemberName>("{\"hex\":\"6\"}").is_err());
    }

    #[test]
    fn nothing_reaches_the_terminal_raw() {
        let name = MemberName::new(&b"a\x1b[2Jb\xff"[..]).unwrap();
        assert_eq!(name.to_string(), "a\\u{1b}[2Jb\\xff");
    }

    #[test]
    fn below_is_a_matter_of_whole_parts() {
        let name = MemberName::new(&b"zulip-backup/uploads-old/x"[..]).unwrap();
        assert_eq!(name.below(b"zulip-backup/uploads"), None);
        assert_eq!(name.below(b"zulip-backup"), Some(&b"uploads-old/x"[..]));
        assert!(!name.is_in(b"zulip-backup/uploads"));
    }
}
