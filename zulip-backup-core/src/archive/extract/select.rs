//! Which members were meant.

use std::cell::RefCell;

use crate::archive::{Member, MemberName, member};
use crate::{Error, ErrorKind, Result};

/// The members that were asked for by name or by a directory above them.
#[derive(Debug)]
pub(super) struct Selection {
    /// Names as asked and as meant; empty for everything.
    wanted: Vec<(String, MemberName)>,
    /// Whether the names themselves are left out, and only what is below them counts.
    below: bool,
}

/// Which names were found, and what looks like those that were not.
pub(super) struct Search<'a> {
    selection: &'a Selection,
    found: Vec<bool>,
    close: RefCell<Vec<Vec<(usize, String)>>>,
}

/// How many names are offered in place of one that is not there.
const OFFERS: usize = 3;

impl Selection {
    pub(super) fn new(members: &[String]) -> Result<Self> {
        let wanted = members
            .iter()
            .map(|asked| {
                let bad = |bad| Error::new(ErrorKind::Usage, format!("the member name {asked:?} {bad}"));
                let name = MemberName::try_from(asked.as_str()).map_err(bad)?;
                if name.is_in(member::ROOT.as_bytes()) {
                    return Ok((asked.clone(), name));
                }
                let full = [member::ROOT.as_bytes(), name.as_bytes()].join(&b'/');
                MemberName::new(full).map(|name| (asked.clone(), name)).map_err(bad)
            })
            .collect::<Result<_>>()?;
        Ok(Self { wanted, below: false })
    }

    /// Everything below a directory, and not the directory itself.
    pub(super) fn below(prefix: &MemberName) -> Self {
        Self { wanted: vec![(prefix.to_string(), prefix.clone())], below: true }
    }

    /// Whether the member was asked for.
    pub(super) fn has(&self, member: &Member) -> bool {
        self.wanted.is_empty()
            || self.wanted.iter().any(|(_, name)| {
                if self.below {
                    member.name.below(name.as_bytes()).is_some()
                } else {
                    member.name.is_in(name.as_bytes())
                }
            })
    }

    /// Whether the member was asked for by its own name.
    pub(super) fn is(&self, member: &Member) -> bool {
        self.wanted.iter().any(|(_, name)| *name == member.name)
    }

    pub(super) fn search(&self) -> Search<'_> {
        let wanted = self.wanted.len();
        Search { selection: self, found: vec![self.below; wanted], close: RefCell::new(vec![Vec::new(); wanted]) }
    }
}

impl Search<'_> {
    /// Looks at one member of the archive.
    pub(super) fn see(&mut self, member: &Member) {
        for (at, (_, name)) in self.selection.wanted.iter().enumerate() {
            if self.found[at] {
                continue;
            }
            if member.name.is_in(name.as_bytes()) {
                self.found[at] = true;
                continue;
            }
            let Some(distance) = distance(name.as_bytes(), member.name.as_bytes()) else { continue };
            let mut close = self.close.borrow_mut();
            let close = &mut close[at];
            close.push((distance, member.name.to_string()));
            close.sort();
            close.truncate(OFFERS);
        }
    }

    /// The error for the first name that was not found.
    pub(super) fn missing(&self) -> Option<Error> {
        let at = self.found.iter().position(|&found| !found)?;
        let (asked, _) = &self.selection.wanted[at];
        let error = Error::new(ErrorKind::NotFound, format!("the archive has no member {asked:?}"));
        let close = self.close.borrow();
        Some(match &close[at][..] {
            [] => error.with_hint("`inspect` tells what is in it"),
            close => {
                let names: Vec<_> = close.iter().map(|(_, name)| name.as_str()).collect();
                error.with_hint(format!("close to it: {}", names.join(", ")))
            }
        })
    }
}

/// How far two names are apart; `None` for too far. The same file name elsewhere is close; so are a few wrong letters.
fn distance(wanted: &[u8], found: &[u8]) -> Option<usize> {
    let last = |name: &[u8]| memchr::memrchr(b'/', name).map_or(0, |slash| slash + 1);
    if wanted[last(wanted)..] == found[last(found)..] {
        return Some(1);
    }
    let limit = 3.min(wanted.len() / 4);
    if wanted.len().abs_diff(found.len()) > limit || wanted.len() > 300 {
        return None;
    }
    let mut row: Vec<usize> = (0..=found.len()).collect();
    for (line, one) in wanted.iter().enumerate() {
        let mut diagonal = line;
        row[0] = line + 1;
        for (column, other) in found.iter().enumerate() {
            let replaced = diagonal + usize::from(one != other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row.last().copied().filter(|&edits| edits <= limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_close_by_letters_or_by_their_last_part() {
        assert_eq!(distance(b"zulip-backup/settings/zulip.conf", b"zulip-backup/settings/zulp.conf"), Some(1));
        assert_eq!(distance(b"zulip-backup/zulip.conf", b"zulip-backup/settings/zulip.conf"), Some(1));
        assert_eq!(distance(b"zulip-backup/zulip-version", b"zulip-backup/zulip_versoin"), Some(3));
        assert_eq!(distance(b"zulip-backup/a", b"zulip-backup/uploads/b"), None);
    }

    #[test]
    fn the_first_directory_may_be_left_out() {
        for asked in ["uploads/a", "zulip-backup/uploads/a", "./zulip-backup/uploads/a/"] {
            let selection = Selection::new(&[asked.to_owned()]).unwrap();
            assert_eq!(selection.wanted[0].1.as_str(), Some("zulip-backup/uploads/a"), "{asked}");
        }
        for asked in ["", "/etc/passwd", "../x", "a//b"] {
            assert_eq!(Selection::new(&[asked.to_owned()]).unwrap_err().kind(), ErrorKind::Usage, "{asked}");
        }
    }
}
