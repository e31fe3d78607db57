//! A message's source.
//!
//! | source | names |
//! | --- | --- |
//! | `@**Name\|9**`, `@_**Name\|9**` | a user |
//! | `#**channel>topic@123**` | a message |
//! | a relative link, in brackets or bare | see [`links`] |
//! | `user_uploads/…` | a file |
//!
//! What Zulip shows literally stays literally: fenced blocks but quotes and spoilers, and code between backticks. A block
//! that is code because it is indented is not told apart from a list's text.

use std::borrow::Cow;

use memchr::{memchr, memchr2_iter, memmem};

use super::edit::Edit;
use super::unknown::UnknownKind;
use super::{Rewriter, code, digits, links, uploads};

pub(super) fn rewrite<'t>(rewriter: &Rewriter<'_>, content: &'t str) -> Cow<'t, str> {
    let bytes = content.as_bytes();
    let mut marks = memchr2_iter(b'@', b'#', bytes).filter(|&at| begins(content, at)).peekable();
    let mut files = memmem::find_iter(bytes, uploads::NEEDLE).peekable();
    if marks.peek().is_none() && files.peek().is_none() {
        return Cow::Borrowed(content);
    }
    let literal = code::literal(content);
    let mut literal = literal.iter().peekable();
    let (mut edit, mut done) = (Edit::new(content), 0);
    loop {
        let file = match (marks.peek(), files.peek()) {
            (Some(mark), Some(file)) => file < mark,
            (mark, _) => mark.is_none(),
        };
        let Some(at) = (if file { files.next() } else { marks.next() }) else { return edit.finish() };
        while literal.next_if(|range| range.end <= at).is_some() {}
        if at < done || literal.peek().is_some_and(|range| range.start <= at) {
            continue;
        }
        done =
            if file { uploads::address(rewriter, &mut edit, at..content.len()) } else { mark(rewriter, &mut edit, at) };
    }
}

/// Whether something that names an id may begin here.
fn begins(content: &str, at: usize) -> bool {
    let rest = &content[at..];
    if rest.starts_with("@**") || rest.starts_with("@_**") || rest.starts_with("#**") {
        // As Zulip demands it: elsewhere the text is shown as it stands. Versions differ by a few of the characters.
        return content[..at]
            .chars()
            .next_back()
            .is_none_or(|before| before.is_whitespace() || "'\"({[/<,:".contains(before));
    }
    links::BEGINNINGS.iter().any(|beginning| rest.starts_with(beginning)) && relative(&content[..at])
}

/// Whether a link is relative that begins after this text, perhaps with a slash.
fn relative(before: &str) -> bool {
    let before = before.strip_suffix('/').unwrap_or(before);
    before.chars().next_back().is_none_or(|before| before.is_whitespace() || "'\"()[]{}<>,;|*`!".contains(before))
}

/// Rewrites what begins here; where it ends.
fn mark(rewriter: &Rewriter<'_>, edit: &mut Edit<'_>, at: usize) -> usize {
    let text = edit.text();
    let rest = &text[at..];
    for (prefix, kind) in [("@**", UnknownKind::User), ("@_**", UnknownKind::User), ("#**", UnknownKind::Message)] {
        let Some(inside) = rest.strip_prefix(prefix) else { continue };
        let Some(inside) = bold(inside) else { return at + 1 };
        let id = if kind == UnknownKind::User {
            inside.rfind('|')
        } else {
            inside.rfind('@').filter(|&sign| inside[..sign].contains('>'))
        };
        let end = at + prefix.len() + inside.len();
        if let Some(id) = id.map(|sign| &inside[sign + 1..])
            && !id.is_empty()
            && digits(id) == id.len()
        {
            rewriter.renumber(edit, end - id.len()..end, kind);
        }
        return end;
    }
    let ends = |character: char| character.is_whitespace() || ")]<>\"`|\\".contains(character);
    let link = &rest[..rest.find(ends).unwrap_or(rest.len())];
    let link = link.trim_end_matches(['.', ',', ';', ':', '!', '?', '*']);
    links::rewrite(rewriter, edit, at..at + link.len());
    at + link.len()
}

/// What stands up to two stars.
fn bold(inside: &str) -> Option<&str> {
    let end = memchr(b'*', inside.as_bytes())?;
    inside[end..].starts_with("**").then(|| &inside[..end])
}
