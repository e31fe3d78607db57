//! Rendered HTML.

use std::borrow::Cow;
use std::ops::Range;

use memchr::{memchr, memmem};

use super::edit::Edit;
use super::tags::{Attribute, Tags, Token};
use super::unknown::UnknownKind;
use super::{Rewriter, digits, links, uploads};

/// What a tag says by its name and its classes. Where two attributes have one name, HTML and Zulip's importer choose
/// differently: here all count.
#[derive(Default)]
struct Says {
    user: bool,
    user_group: bool,
    stream: bool,
}

pub(super) fn rewrite<'t>(rewriter: &Rewriter<'_>, html: &'t str) -> Cow<'t, str> {
    let uploads = rewriter.fixed() && memmem::find(html.as_bytes(), uploads::NEEDLE.as_bytes()).is_some();
    if !uploads && memchr(b'=', html.as_bytes()).is_none() {
        return Cow::Borrowed(html);
    }
    let (mut edit, mut tags, mut attributes) = (Edit::new(html), Tags::new(html), Vec::new());
    let mut code = 0_usize;
    while let Some(token) = tags.next(&mut attributes) {
        match token {
            Token::Text(text) if uploads && code == 0 => uploads::rewrite(rewriter, &mut edit, text),
            Token::Text(_) => {}
            Token::End(name) => code = code.saturating_sub(usize::from(is_code(&html[name]))),
            Token::Start(name) => {
                code += usize::from(is_code(&html[name.clone()]));
                if !attributes.is_empty() {
                    tag(rewriter, &mut edit, &html[name], &attributes, uploads);
                }
            }
        }
    }
    edit.finish()
}

/// Whether what is in an element is shown as it was written.
fn is_code(name: &str) -> bool {
    name.eq_ignore_ascii_case("code") || name.eq_ignore_ascii_case("pre")
}

fn tag(rewriter: &Rewriter<'_>, edit: &mut Edit<'_>, name: &str, attributes: &[Attribute], uploads: bool) {
    let says = says(edit.text(), name, attributes);
    let (mut user_group, mut stream) = (false, false);
    for attribute in attributes {
        let value = attribute.value.clone();
        let html = edit.text();
        let is = |name: &str| html[attribute.name.clone()].eq_ignore_ascii_case(name);
        if is("data-user-id") {
            if says.user {
                id(rewriter, edit, value, UnknownKind::User);
            }
        } else if is("data-user-group-id") {
            if says.user_group {
                user_group = true;
                id(rewriter, edit, value, UnknownKind::UserGroup);
            }
        } else if is("data-stream-id") {
            stream = true;
            if says.stream || rewriter.fixed() {
                id(rewriter, edit, value, UnknownKind::Stream);
            }
        } else if rewriter.fixed() {
            let value = trimmed(html, value);
            let done = is("href") && links::rewrite(rewriter, edit, value.clone())
                || is("src") && image(rewriter, edit, value.clone());
            if uploads && !done {
                uploads::rewrite(rewriter, edit, value);
            }
        }
    }
    for missing in [says.user_group && !user_group, says.stream && !stream] {
        if missing {
            rewriter.tallies.count(UnknownKind::Value, None);
        }
    }
}

fn says(html: &str, name: &str, attributes: &[Attribute]) -> Says {
    let (span, link) = (name.eq_ignore_ascii_case("span"), name.eq_ignore_ascii_case("a"));
    let mut says = Says::default();
    if span || link {
        let classes = attributes.iter().filter(|attribute| html[attribute.name.clone()].eq_ignore_ascii_case("class"));
        for class in classes.flat_map(|attribute| html[attribute.value.clone()].split_ascii_whitespace()) {
            says.user |= span && class == "user-mention";
            says.user_group |= span && class == "user-group-mention";
            says.stream |= link && class == "stream";
        }
    }
    says
}

/// A value that is an id. A mention of everybody has a star in its place.
fn id(rewriter: &Rewriter<'_>, edit: &mut Edit<'_>, value: Range<usize>, kind: UnknownKind) {
    let value = trimmed(edit.text(), value);
    let text = &edit.text()[value.clone()];
    if !text.is_empty() && digits(text) == text.len() {
        rewriter.renumber(edit, value, kind);
    } else if kind != UnknownKind::User || text != "*" {
        rewriter.tallies.count(UnknownKind::Value, None);
    }
}

/// The image of a custom emoji, or a user's avatar as old messages have it; whether it was one.
fn image(rewriter: &Rewriter<'_>, edit: &mut Edit<'_>, value: Range<usize>) -> bool {
    let text = &edit.text()[value.clone()];
    let number = |prefix: &str| {
        let rest = text.strip_prefix(prefix)?;
        let count = digits(rest);
        let start = value.start + prefix.len();
        (count > 0).then(|| (start..start + count, &rest[count..]))
    };
    if let Some((realm, rest)) = number("/user_avatars/") {
        let (old, new) = rewriter.ids.realm();
        if old != new && rest.starts_with("/emoji/images/") && edit.text()[realm.clone()].parse() == Ok(old) {
            edit.replace(realm, &new.to_string());
        }
        return true;
    }
    if let Some((user, rest)) = number("/avatar/")
        && (rest.is_empty() || rest.starts_with('?'))
    {
        rewriter.renumber(edit, user, UnknownKind::User);
        return true;
    }
    false
}

fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let value = &text[range.clone()];
    let start = range.end - value.trim_ascii_start().len();
    start..start + value.trim_ascii().len()
}
