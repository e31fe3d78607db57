//! The operating system's name and version.

use std::fmt;

use serde::Serialize;

use super::host::Host;
use crate::{Error, ErrorKind, Result};

const MAX_BYTES: u64 = 64 << 10;

/// `ID` and `VERSION_ID` of `/etc/os-release`; its text is the line `os-version` of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OsRelease {
    /// `ubuntu`, `debian`, `rhel`…
    pub id: String,
    /// `22.04`, `12`…; rolling releases have none.
    pub version_id: Option<String>,
}

impl OsRelease {
    /// Reads the text of an `os-release` file; without an `ID` it is `linux`, as the file's specification says.
    pub fn parse(text: &str) -> Self {
        let value = |name: &str| {
            let mut lines = text.lines().rev();
            lines
                .find_map(|line| unquote(line.trim().strip_prefix(name)?.strip_prefix('=')?))
                .filter(|value| !value.is_empty())
        };
        Self { id: value("ID").unwrap_or_else(|| "linux".to_owned()), version_id: value("VERSION_ID") }
    }

    pub(super) fn of(host: &Host) -> Result<Self> {
        for path in ["/etc/os-release", "/usr/lib/os-release"] {
            if let Some(text) = host.read(&host.path(path), MAX_BYTES)? {
                return Ok(Self::parse(&text));
            }
        }
        let path = host.path("/etc/os-release");
        Err(Error::new(ErrorKind::NotFound, format!("cannot tell the operating system: there is no {path}"))
            .with_path(path))
    }
}

impl fmt::Display for OsRelease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id)?;
        self.version_id.as_ref().map_or(Ok(()), |version| write!(f, " {version}"))
    }
}

/// A shell word with at most one pair of quotes; `None` where the quotes do not match. Line breaks would forge lines in
/// the backup's version file, so the word ends at the first control character.
fn unquote(word: &str) -> Option<String> {
    let word = word.trim();
    let (inner, escapes) = match word.as_bytes().first() {
        Some(b'"') => (word.get(1..)?.strip_suffix('"')?, true),
        Some(b'\'') => (word.get(1..)?.strip_suffix('\'')?, false),
        _ => (word, true),
    };
    let mut value = String::new();
    let mut letters = inner.chars();
    while let Some(letter) = letters.next() {
        let letter = if letter == '\\' && escapes { letters.next()? } else { letter };
        if letter.is_control() {
            break;
        }
        value.push(letter);
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_quoting_is_read() {
        let release = OsRelease::parse("NAME=\"Ubuntu\"\nVERSION_ID=\"22.04\"\nID=ubuntu\nID_LIKE=debian\n");
        assert_eq!(release.to_string(), "ubuntu 22.04");
        assert_eq!(OsRelease::parse("ID='debian'\nVERSION_ID=12\n").to_string(), "debian 12");
        assert_eq!(OsRelease::parse("ID=arch\n").to_string(), "arch");
        assert_eq!(OsRelease::parse("ID=\"unclosed\nVERSION_ID=\"a\\\"b\"").to_string(), "linux a\"b");
        assert_eq!(OsRelease::parse("\0").to_string(), "linux");
    }
}
