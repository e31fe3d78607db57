//! Addresses of uploaded files: `/user_uploads/` and an attachment's path id, on any host.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memmem;

use super::edit::Edit;
use super::unknown::UnknownKind;
use super::{Moved, Rewriter, digits};

/// What every address of an upload has.
pub(super) const NEEDLE: &str = "user_uploads";

/// As many components as a path id and the name of a thumbnail have.
const COMPONENTS: usize = 5;

/// Replaces the path ids of attachments wherever they stand, as Zulip's importer does, but in one pass: what was put in is
/// not looked at again.
pub(super) fn everywhere<'t>(text: &'t str, moved: &[Moved<'_>]) -> Cow<'t, str> {
    let mut found: Vec<(usize, Moved<'_>)> = Vec::new();
    // Every path id has slashes. A file that says "e" is one would have every e replaced.
    for &one in moved.iter().filter(|moved| moved.old.matches('/').count() >= 2) {
        found.extend(memmem::find_iter(text.as_bytes(), one.old).map(|at| (at, one)));
    }
    found.sort_by_key(|&(at, one)| (at, usize::MAX - one.old.len()));
    let (mut edit, mut done) = (Edit::new(text), 0);
    for (at, one) in found {
        if at >= done {
            done = at + one.old.len();
            if one.old != one.new {
                edit.replace(at..done, one.new);
            }
        }
    }
    edit.finish()
}

/// Rewrites all addresses in a piece of the text.
pub(super) fn rewrite(rewriter: &Rewriter<'_>, edit: &mut Edit<'_>, piece: Range<usize>) {
    let text = edit.text();
    let mut end = piece.start;
    for found in memmem::find_iter(&text.as_bytes()[piece.clone()], NEEDLE) {
        let at = piece.start + found;
        if at >= end {
            end = address(rewriter, edit, at..piece.end);
        }
    }
}

/// Rewrites one address, which begins with the needle and ends somewhere in `place`; where what was replaced ends.
pub(super) fn address(rewriter: &Rewriter<'_>, edit: &mut Edit<'_>, place: Range<usize>) -> usize {
    let text = edit.text();
    let start = place.start + NEEDLE.len();
    let rest = &text[start..place.end];
    // In the parameter of an address of thumbnails, as Zulip had them once, the slashes are encoded too.
    let Some(slash) = ["/", "%2F", "%2f"].iter().find(|&&slash| rest.starts_with(slash)) else { return start };
    let mut at = start + slash.len();
    for detour in ["thumbnail", "download"] {
        let rest = &text[at..place.end];
        if rest.strip_prefix(detour).is_some_and(|rest| rest.starts_with(slash)) {
            at += detour.len() + slash.len();
            break;
        }
    }
    let path = extent(&text[at..place.end], slash);
    let realm = digits(path);
    if realm == 0 || !path[realm..].starts_with(slash) {
        return at;
    }
    // The longest that is known: a thumbnail's name may follow, or the full stop of a sentence.
    let mut candidate = path;
    loop {
        let shorter = Some(candidate.trim_end_matches('.')).filter(|shorter| *shorter != candidate);
        for name in std::iter::once(candidate).chain(shorter) {
            let old = decoded(name);
            if let Some(new) = rewriter.ids.upload(&old) {
                let end = at + name.len();
                if new != old {
                    edit.replace(at..end, &encoded(new, name.contains('%'), *slash != "/"));
                }
                return end;
            }
        }
        match candidate.rfind(slash) {
            Some(shorter) if shorter > realm => candidate = &candidate[..shorter],
            _ => break,
        }
    }
    rewriter.tallies.count(UnknownKind::Upload, None);
    at
}

/// Whether a character may stand in a path id: Zulip leaves names letters, digits and these.
fn plain(character: char) -> bool {
    character.is_ascii_alphanumeric()
        || matches!(character, '_' | '-' | '.' | '/')
        || !character.is_ascii() && !character.is_whitespace() && !character.is_control()
}

/// What may be a path at the start of a text.
fn extent<'t>(text: &'t str, slash: &str) -> &'t str {
    // First as many components as matter, so that a text of nothing but addresses costs what its length is.
    let text = memmem::find_iter(text.as_bytes(), slash).nth(COMPONENTS - 1).map_or(text, |end| &text[..end]);
    text.find(|character| !plain(character) && character != '%').map_or(text, |end| &text[..end])
}

/// A path without percent signs.
fn decoded(path: &str) -> Cow<'_, str> {
    if !path.contains('%') {
        return Cow::Borrowed(path);
    }
    let (from, mut bytes, mut at) = (path.as_bytes(), Vec::with_capacity(path.len()), 0);
    let hex = |at: usize| from.get(at).and_then(|&byte| char::from(byte).to_digit(16));
    while at < from.len() {
        let code = (from[at] == b'%').then(|| hex(at + 1).zip(hex(at + 2))).flatten();
        match code.and_then(|(high, low)| u8::try_from(high * 16 + low).ok()) {
            Some(byte) => {
                bytes.push(byte);
                at += 3;
            }
            None => {
                bytes.push(from[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(bytes).map_or(Cow::Borrowed(path), Cow::Owned)
}

/// A path as it stands in an address. What could mean something around it is encoded always.
fn encoded(path: &str, beyond_ascii: bool, slashes: bool) -> String {
    let mut out = String::with_capacity(path.len() + 8);
    for character in path.chars() {
        if plain(character) && (character.is_ascii() || !beyond_ascii) && (character != '/' || !slashes) {
            out.push(character);
        } else {
            let mut bytes = [0; 4];
            for byte in character.encode_utf8(&mut bytes).bytes() {
                out.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    out
}
