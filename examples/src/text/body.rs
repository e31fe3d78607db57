//! A message: its Markdown, the HTML that Zulip renders of it, and the words the search index keeps.

use std::io::Write as _;

use super::{Speech, rare_word};
use crate::copy::integer;
use crate::rng::{Domain, Rng};
use crate::world::User;

/// Emoji: name and code.
pub(crate) const EMOJI: [(&str, &str); 12] = [
    ("thumbs_up", "1f44d"),
    ("tada", "1f389"),
    ("heart", "2764"),
    ("octopus", "1f419"),
    ("smile", "1f642"),
    ("working_on_it", "1f6e0"),
    ("check", "2705"),
    ("rocket", "1f680"),
    ("eyes", "1f440"),
    ("sushi", "1f363"),
    ("wave", "1f44b"),
    ("sparkles", "2728"),
];

/// Lexemes of the emoji names above; a name with an underscore is several words to the parser.
const EMOJI_LEXEMES: [&[&str]; 12] = [
    &["thumb", ""],
    &["tada"],
    &["heart"],
    &["octopus"],
    &["smile"],
    &["work", "", ""],
    &["check"],
    &["rocket"],
    &["eye"],
    &["sushi"],
    &["wave"],
    &["sparkl"],
];

/// Pieces of code: language, text, lexemes. Tabs and backslashes are in every one of them.
const CODE: [(&str, &str, &[&str]); 4] = [
    (
        "python",
        "def total(rows):\n\treturn sum(row[\"size\"] for row in rows if row[\"name\"] != '\\\\')",
        &["def", "total", "row", "return", "sum", "row", "size", "", "row", "", "row", "", "row", "name"],
    ),
    (
        "rust",
        "let path = r\"C:\\temp\\new\";\nprintln!(\"{path}\\t{}\", 1 << 20);",
        &["let", "path", "r", "c", "temp", "new", "println", "path", "", "1", "20"],
    ),
    (
        "sql",
        "SELECT id, E'a\\tb' FROM zerver_message\nWHERE subject <> '' AND id > 1000;",
        &["select", "id", "e", "", "tb", "", "zerver", "messag", "", "subject", "", "id", "1000"],
    ),
    (
        "",
        "$ ls -l /srv\\ data\n-rw-r--r--\t1 root\t4096 a\\b.txt",
        &["ls", "l", "/srv", "data", "rw-r", "rw", "r", "r", "1", "root", "4096", "", "b.txt"],
    ),
];

/// Characters that some reader or writer on the way has got wrong before, and their lexemes.
const ODD: (&str, &[&str]) = (
    "C:\\new\\table\t\"quoted\"\t'single' \u{2028} 100% 👩‍👩‍👧‍👦 \u{200f}עברית {brace} $1 \\N \\.",
    &["c", "new", "tabl", "quot", "singl", "100", "עברית", "brace", "1", "n"],
);

/// The buffers of one message, kept from message to message.
#[derive(Default)]
pub(crate) struct Body {
    /// The Markdown.
    pub(crate) content: Vec<u8>,
    /// The HTML.
    pub(crate) html: Vec<u8>,
    /// A `tsvector` as text; PostgreSQL sorts and merges it.
    pub(crate) lexemes: Vec<u8>,
    /// Whether there is a link in it.
    pub(crate) has_link: bool,
    position: i64,
    speech: Speech,
}

/// What a message is to contain beside words.
pub(crate) struct Parts<'a> {
    /// The user to mention.
    pub(crate) mention: Option<&'a User>,
    /// Name and path below `/user_uploads/` of the attachment, and whether it is shown as an image.
    pub(crate) attachment: Option<(&'a str, &'a str, bool)>,
    /// The question and options of a poll, which is then the whole message.
    pub(crate) poll: bool,
    /// The author, the id and the random numbers of an earlier message that is quoted first.
    pub(crate) quote: Option<(&'a User, i64, Rng)>,
}

/// What the programs that write messages have to say of an issue, and the lexeme.
const EVENTS: [(&str, &str); 6] = [
    ("opened", "open"),
    ("closed", "close"),
    ("merged", "merg"),
    ("labeled", "label"),
    ("commented", "comment"),
    ("reviewed", "review"),
];

impl Body {
    /// Begins a message whose topic is `subject`: its words come first in the search index.
    pub(crate) fn begin(&mut self, subject: &str, lexemes: &[String]) {
        self.content.clear();
        self.html.clear();
        self.lexemes.clear();
        self.has_link = false;
        self.position = 0;
        self.speech = Speech::default();
        if !subject.is_empty() {
            for lexeme in lexemes {
                self.lexeme(lexeme);
            }
        }
    }

    /// Writes a message.
    pub(crate) fn write(&mut self, rng: &mut Rng, parts: Parts<'_>) {
        if parts.poll {
            self.both("/poll ", "<p>/poll ");
            self.lexeme("/poll");
            self.words(rng, 3);
            for _ in 0..3 {
                self.both("\n", "<br>\n");
                self.words(rng, 1);
            }
            self.both("", "</p>");
            return;
        }
        if let Some((user, id, mut words)) = parts.quote {
            self.quoted(user, id, &mut words);
        }
        self.both("", "<p>");
        if let Some(user) = parts.mention {
            self.mention(user);
        }
        self.prose(rng);
        if let Some((name, path, image)) = parts.attachment {
            self.attachment(name, path, image);
        } else {
            self.both("", "</p>");
        }
        match rng.below(40) {
            0 => self.code(rng),
            1 => self.list(rng),
            2 => self.quote(rng),
            3 => self.odd_characters(),
            _ => {}
        }
    }

    /// Writes what a program reports of issue number `issue`: its title and description are the same every time, for that is
    /// what trackers, builds and monitors send.
    pub(crate) fn notice(&mut self, rng: &mut Rng, seed: u64, issue: u64) {
        self.has_link = true;
        let mut words = Rng::new(seed, Domain::Issue, issue);
        let path = format!("https://tracker.example.com/projects/{}/issues/{issue}", issue % 7);
        let _ = write!(self.content, "[issue {issue}]({path}) ");
        let _ = write!(self.html, "<p><a href=\"{path}\">issue {issue}</a> ");
        self.lexeme("issu");
        self.lexeme(&issue.to_string());
        let (event, lexeme) = *rng.pick(&EVENTS);
        self.same(event);
        self.lexeme(lexeme);
        self.both(": **", ": <strong>");
        self.words(&mut words, 9);
        self.both("**", "</strong></p>");
        if rng.one_in(2) {
            self.both("\n\n> ", "\n<blockquote>\n<p>");
            self.words(&mut words, 45);
            self.both("", "</p>\n</blockquote>");
        }
    }

    /// The words of a message.
    fn prose(&mut self, rng: &mut Rng) {
        let length = match rng.below(100) {
            0..30 => 2 + rng.index(6),
            30..80 => 7 + rng.index(18),
            80..98 => 25 + rng.index(40),
            _ => 65 + rng.index(120),
        };
        self.sentences(rng, length);
    }

    /// An earlier message, as Zulip's “quote message” puts it before a reply.
    fn quoted(&mut self, user: &User, id: i64, words: &mut Rng) {
        self.has_link = true;
        let (name, user_id) = (&user.name, user.id);
        let _ = write!(self.content, "@_**{name}|{user_id}** [said](/#narrow/near/{id}):\n```quote\n");
        let _ = write!(
            self.html,
            "<p><span class=\"user-mention silent\" data-user-id=\"{user_id}\">{}</span> <a \
             href=\"/#narrow/near/{id}\">said</a>:</p>\n<blockquote>\n<p>",
            html_escaped(name)
        );
        for lexeme in &user.name_lexemes {
            self.lexeme(lexeme);
        }
        self.lexeme("said");
        self.prose(words);
        self.both("\n```\n", "</p>\n</blockquote>\n");
        self.speech = Speech::default();
    }

    fn both(&mut self, markdown: &str, html: &str) {
        self.content.extend_from_slice(markdown.as_bytes());
        self.html.extend_from_slice(html.as_bytes());
    }

    fn same(&mut self, text: &str) {
        self.both(text, text);
    }

    fn lexeme(&mut self, lexeme: &str) {
        self.position += 1;
        if lexeme.is_empty() {
            return;
        }
        if !self.lexemes.is_empty() {
            self.lexemes.push(b' ');
        }
        self.lexemes.push(b'\'');
        self.lexemes.extend_from_slice(lexeme.as_bytes());
        self.lexemes.extend_from_slice(b"':");
        integer(&mut self.lexemes, self.position);
    }

    fn words(&mut self, rng: &mut Rng, count: usize) {
        for index in 0..count {
            if index > 0 {
                self.same(" ");
            }
            let word = self.speech.next(rng);
            self.same(word.text);
            self.lexeme(word.lexeme);
        }
    }

    fn sentences(&mut self, rng: &mut Rng, words: usize) {
        let mut left = words;
        while left > 0 {
            let take = left.min(3 + rng.index(9));
            let start = (self.content.len(), self.html.len());
            self.words(rng, take);
            for (text, start) in [(&mut self.content, start.0), (&mut self.html, start.1)] {
                text[start].make_ascii_uppercase();
            }
            left -= take;
            match rng.below(24) {
                0 => self.emoji(rng),
                1 => self.marked(rng, ("**", "**"), ("<strong>", "</strong>")),
                2 => self.marked(rng, ("*", "*"), ("<em>", "</em>")),
                3 => self.marked(rng, ("`", "`"), ("<code>", "</code>")),
                4 => self.link(rng),
                5 => self.both(" & <3", " &amp; &lt;3"),
                _ => {}
            }
            if self.content.ends_with(b"<3") {
                self.lexeme("3");
            }
            match rng.below(8) {
                0 => self.same("!"),
                1 => self.same("?"),
                _ => self.same("."),
            }
            if left > 0 {
                match rng.below(12) {
                    0 => self.both("\n\n", "</p>\n<p>"),
                    1 => self.both("\n", "<br>\n"),
                    _ => self.same(" "),
                }
            }
        }
    }

    fn emoji(&mut self, rng: &mut Rng) {
        let index = rng.index(EMOJI.len());
        let (name, code) = EMOJI[index];
        let title = name.replace('_', " ");
        let _ = write!(self.content, " :{name}:");
        let _ = write!(
            self.html,
            " <span aria-label=\"{title}\" class=\"emoji emoji-{code}\" role=\"img\" title=\"{title}\">:{name}:</span>"
        );
        for lexeme in EMOJI_LEXEMES[index] {
            self.lexeme(lexeme);
        }
    }

    fn marked(&mut self, rng: &mut Rng, markdown: (&str, &str), html: (&str, &str)) {
        self.same(" ");
        self.both(markdown.0, html.0);
        self.words(rng, 2);
        self.both(markdown.1, html.1);
    }

    fn link(&mut self, rng: &mut Rng) {
        self.has_link = true;
        let (name, number) = (rare_word(rng), rng.below(10_000));
        let _ = write!(self.content, " [{}](https://example.com/wiki/page?id={number})", name.text);
        let _ = write!(self.html, " <a href=\"https://example.com/wiki/page?id={number}\">{}</a>", name.text);
        self.lexeme(name.lexeme);
    }

    fn mention(&mut self, user: &User) {
        let (name, id) = (&user.name, user.id);
        let _ = write!(self.content, "@**{name}** ");
        let escaped = html_escaped(name);
        let _ = write!(self.html, "<span class=\"user-mention\" data-user-id=\"{id}\">@{escaped}</span> ");
        for lexeme in &user.name_lexemes {
            self.lexeme(lexeme);
        }
    }

    fn attachment(&mut self, name: &str, path: &str, image: bool) {
        self.has_link = true;
        // As Zulip writes it: percent signs are left to the browser, the five HTML characters are not.
        let label = name.replace('[', "(").replace(']', ")");
        let escaped = html_escaped(&label);
        let target = html_escaped(path);
        let _ = write!(self.content, " [{label}](/user_uploads/{path})");
        let _ = write!(self.html, " <a href=\"/user_uploads/{target}\">{escaped}</a></p>");
        if image {
            let _ = write!(
                self.html,
                "\n<div class=\"message_inline_image\"><a href=\"/user_uploads/{target}\" title=\"{escaped}\"><img \
                 data-original-dimensions=\"1200x800\" src=\"/user_uploads/thumbnail/{target}/840x560.webp\"></a></div>"
            );
        }
    }

    fn code(&mut self, rng: &mut Rng) {
        let (language, code, lexemes) = *rng.pick(&CODE);
        let _ = write!(self.content, "\n\n```{language}\n{code}\n```");
        let attribute = match language {
            "" => String::new(),
            language => format!(" data-code-language=\"{}{}\"", language[..1].to_uppercase(), &language[1..]),
        };
        let escaped = html_escaped(code);
        let _ = write!(
            self.html,
            "\n<div class=\"codehilite\"{attribute}><pre><span></span><code>{escaped}\n</code></pre></div>"
        );
        for lexeme in lexemes {
            self.lexeme(lexeme);
        }
    }

    fn list(&mut self, rng: &mut Rng) {
        self.both("\n", "\n<ul>");
        for _ in 0..2 + rng.index(4) {
            self.both("\n* ", "\n<li>");
            self.words(rng, 3);
            self.both("", "</li>");
        }
        self.both("", "\n</ul>");
    }

    fn quote(&mut self, rng: &mut Rng) {
        self.both("\n\n> ", "\n<blockquote>\n<p>");
        self.words(rng, 6);
        self.both("", "</p>\n</blockquote>");
    }

    fn odd_characters(&mut self) {
        let (text, lexemes) = ODD;
        self.both("\n\n", "\n<p>");
        self.content.extend_from_slice(text.as_bytes());
        self.html.extend_from_slice(html_escaped(text).as_bytes());
        self.both("", "</p>");
        for lexeme in lexemes {
            self.lexeme(lexeme);
        }
    }
}

/// Text with HTML's special characters escaped.
pub(crate) fn html_escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            other => out.push(other),
        }
    }
    out
}
