//! The start tags of an HTML text and where their attributes are, by the rules of HTML's own tokenizer.
//!
//! A rewriting parser would write a changed tag anew, quotes and all; here every byte but the value's stays.

use std::ops::Range;

use memchr::{memchr, memchr_iter, memchr2, memmem};

/// Elements whose content is text up to their end tag, whatever it looks like.
const RAW: [&str; 8] = ["script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes"];

/// An attribute: where its name and its value are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attribute {
    pub(super) name: Range<usize>,
    /// Without quotes; empty where the attribute has no value.
    pub(super) value: Range<usize>,
}

/// A piece of the text. Comments, declarations and the content of elements like `script` are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// Text between tags.
    Text(Range<usize>),
    /// A start tag with this name.
    Start(Range<usize>),
    /// An end tag with this name.
    End(Range<usize>),
}

/// Walks through a text.
pub(super) struct Tags<'t> {
    html: &'t str,
    at: usize,
}

impl<'t> Tags<'t> {
    pub(super) fn new(html: &'t str) -> Self {
        Self { html, at: 0 }
    }

    /// The next piece. The attributes are those of a start tag.
    pub(super) fn next(&mut self, attributes: &mut Vec<Attribute>) -> Option<Token> {
        let bytes = self.html.as_bytes();
        loop {
            let text = self.at;
            let open = markup(bytes, text);
            if open > text {
                self.at = open;
                return Some(Token::Text(text..open));
            }
            match *bytes.get(open + 1)? {
                b'/' if bytes.get(open + 2).is_some_and(u8::is_ascii_alphabetic) => {
                    return self.tag(open + 2, attributes).map(Token::End);
                }
                letter if letter.is_ascii_alphabetic() => {
                    let name = self.tag(open + 1, attributes)?;
                    self.at = after_raw(bytes, &bytes[name.clone()], self.at);
                    return Some(Token::Start(name));
                }
                _ => self.at = after_comment(bytes, open + 2),
            }
        }
    }

    /// Reads a tag from its name on. One that does not end is none.
    fn tag(&mut self, start: usize, attributes: &mut Vec<Attribute>) -> Option<Range<usize>> {
        let bytes = self.html.as_bytes();
        attributes.clear();
        self.at = bytes.len();
        let mut at = until(bytes, start, |byte| blank(byte) || matches!(byte, b'/' | b'>'));
        let name = start..at;
        loop {
            at = until(bytes, at, |byte| !blank(byte) && byte != b'/');
            if *bytes.get(at)? == b'>' {
                self.at = at + 1;
                return Some(name);
            }
            let attribute = at;
            at = until(bytes, at + 1, |byte| blank(byte) || matches!(byte, b'/' | b'>' | b'='));
            let attribute = attribute..at;
            let mut value = at..at;
            let equals = until(bytes, at, |byte| !blank(byte));
            if bytes.get(equals) == Some(&b'=') {
                at = until(bytes, equals + 1, |byte| !blank(byte));
                let quote = *bytes.get(at)?;
                if matches!(quote, b'"' | b'\'') {
                    let end = at + 1 + memchr(quote, &bytes[at + 1..])?;
                    value = at + 1..end;
                    at = end + 1;
                } else {
                    value = at..until(bytes, at, |byte| blank(byte) || byte == b'>');
                    at = value.end;
                }
            }
            attributes.push(Attribute { name: attribute, value });
        }
    }
}

fn blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0c)
}

/// Where from `at` on the first byte is that is so, or the end.
fn until(bytes: &[u8], at: usize, is: impl Fn(u8) -> bool) -> usize {
    bytes[at..].iter().position(|&byte| is(byte)).map_or(bytes.len(), |found| at + found)
}

/// Where from `at` on the next tag, comment or declaration begins, or the end.
fn markup(bytes: &[u8], at: usize) -> usize {
    let begins = |open: usize| match bytes.get(open + 1) {
        Some(b'/') => open + 2 < bytes.len(),
        Some(byte) => byte.is_ascii_alphabetic() || matches!(byte, b'!' | b'?'),
        None => false,
    };
    memchr_iter(b'<', &bytes[at..]).map(|found| at + found).find(|&open| begins(open)).unwrap_or(bytes.len())
}

/// Where a comment, a declaration or what passes for one ends, whose content begins at `at`.
fn after_comment(bytes: &[u8], at: usize) -> usize {
    let real = bytes[..at].ends_with(b"<!") && bytes[at..].starts_with(b"--");
    // The dashes that open a comment may also close it, but not with an exclamation mark.
    let closes = |end: usize| {
        !real || bytes[at..end].ends_with(b"--") && end >= at + 2 || end >= at + 5 && bytes[..end].ends_with(b"--!")
    };
    memchr_iter(b'>', &bytes[at..]).map(|found| at + found).find(|&end| closes(end)).map_or(bytes.len(), |end| end + 1)
}

/// Where the content of an element ends that began before `at`: at `at`, unless it is one whose content is raw.
fn after_raw(bytes: &[u8], name: &[u8], at: usize) -> usize {
    if name.eq_ignore_ascii_case(b"plaintext") {
        return bytes.len();
    }
    let Some(raw) = RAW.iter().find(|raw| name.eq_ignore_ascii_case(raw.as_bytes())) else { return at };
    if *raw == "script" {
        return after_script(bytes, at);
    }
    memmem::find_iter(&bytes[at..], "</")
        .map(|found| at + found)
        .find(|&end| named(bytes, end + 2, raw))
        .unwrap_or(bytes.len())
}

/// Whether a tag of this name stands here.
fn named(bytes: &[u8], at: usize, name: &str) -> bool {
    let end = at + name.len();
    bytes.get(at..end).is_some_and(|found| found.eq_ignore_ascii_case(name.as_bytes()))
        && bytes.get(end).is_some_and(|&byte| blank(byte) || matches!(byte, b'/' | b'>'))
}

/// Where a script ends. In what looks like a comment there, a second script may begin and end.
fn after_script(bytes: &[u8], start: usize) -> usize {
    let (mut at, mut comment, mut inner) = (start, false, false);
    while let Some(found) = memchr2(b'<', b'-', &bytes[at..]) {
        at += found;
        let rest = &bytes[at..];
        if rest.starts_with(b"-->") {
            (comment, inner) = (false, false);
        } else if !comment && rest.starts_with(b"<!--") {
            comment = true;
            at += 1; // its dashes may close it
        } else if comment && !inner && named(bytes, at + 1, "script") {
            inner = true;
        } else if rest.starts_with(b"</") && named(bytes, at + 2, "script") {
            if !inner {
                return at;
            }
            inner = false;
        }
        at += 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The start tags with their attributes, and `/` before end tags, as the text has them.
    fn tags(html: &str) -> Vec<String> {
        let (mut tags, mut attributes, mut found) = (Tags::new(html), Vec::new(), Vec::new());
        while let Some(token) = tags.next(&mut attributes) {
            match token {
                Token::Text(_) => {}
                Token::End(name) => found.push(format!("/{}", &html[name])),
                Token::Start(name) => {
                    let list = attributes.iter().map(|attribute| {
                        format!(" {}={}", &html[attribute.name.clone()], &html[attribute.value.clone()])
                    });
                    found.push(format!("{}{}", &html[name], list.collect::<String>()));
                }
            }
        }
        found
    }

    #[test]
    fn tags_are_found_as_html_says() {
        for (html, expected) in [
            ("a<b>c</b >", vec!["b", "/b"]),
            ("<a b=c d='e\"' f=\"g'>\" h i = j/k l=>", vec!["a b=c d=e\" f=g'> h= i=j/k l="]),
            ("<a\nb/c/=d e='f'g=h>", vec!["a b= c= =d= e=f g=h"]),
            ("1 < 2 <3 </ <a>", vec![]),
            ("</ <a> <b>", vec!["b"]),
            ("<a b='c> <i>", vec![]),
            ("<a b", vec![]),
            ("<a b=c", vec![]),
            ("<", vec![]),
            ("</", vec![]),
            ("</a", vec![]),
            ("<!", vec![]),
            ("<!-- <a> --> <b> <!--> <c> <!---> <d> <!----!> <e> <!--!> <f>", vec!["b", "c", "d", "e"]),
            ("<!---!> <a>", vec![]),
            ("<!-- - -- --- ---><a>", vec!["a"]),
            ("<!doctype html '<b>'><a> <?x <b> ?><i> <!x <b>><u></><s>", vec!["a", "i", "u", "s"]),
            ("<!><!><?><a>", vec!["a"]),
            ("<STYLE><a></styles></style\n><b>", vec!["STYLE", "/style", "b"]),
            ("<textarea><a></TEXTAREA><b>", vec!["textarea", "/TEXTAREA", "b"]),
            ("<title><a>", vec!["title"]),
            ("<plaintext><a></plaintext>", vec!["plaintext"]),
            ("<script><!-- <script> <a> </script> <b> </script><i>", vec!["script", "/script", "i"]),
            ("<script><!--><script></script><i>", vec!["script", "/script", "i"]),
            ("<script><!-- --> <script></script><i>", vec!["script", "/script", "i"]),
            ("<pre><a>ü</pre>", vec!["pre", "a", "/pre"]),
        ] {
            assert_eq!(tags(html), expected, "{html}");
        }
    }
}
