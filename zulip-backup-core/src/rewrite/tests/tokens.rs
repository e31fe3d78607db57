//! HTML as html5ever's tokenizer sees it.

use std::cell::RefCell;
use std::collections::BTreeMap;

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{BufferQueue, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts};

/// Stands among the attributes where one is there twice, of which html5ever shows the first.
pub(super) const TWICE: &str = "";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// A start tag with its attributes.
    Start(String, BTreeMap<String, String>),
    End(String),
    Text {
        text: String,
        code: bool,
        raw: bool,
    },
    Comment(String),
}

#[derive(Default)]
struct Sink {
    pieces: RefCell<Vec<Piece>>,
    code: RefCell<usize>,
    raw: RefCell<bool>,
}

impl TokenSink for Sink {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let mut pieces = self.pieces.borrow_mut();
        match token {
            Token::CharacterTokens(more) => {
                let (code, raw) = (*self.code.borrow() > 0, *self.raw.borrow());
                match pieces.last_mut() {
                    Some(Piece::Text { text, raw: was, .. }) if raw == *was => text.push_str(&more),
                    _ => pieces.push(Piece::Text { text: more.to_string(), code, raw }),
                }
            }
            Token::CommentToken(text) => pieces.push(Piece::Comment(text.to_string())),
            Token::DoctypeToken(doctype) => pieces.push(Piece::Comment(format!("{doctype:?}"))),
            Token::TagToken(tag) => {
                let name = tag.name.to_string();
                let is_code = usize::from(name == "code" || name == "pre");
                self.raw.replace(false);
                if tag.kind == TagKind::EndTag {
                    self.code.replace_with(|open| open.saturating_sub(is_code));
                    pieces.push(Piece::End(name));
                    return TokenSinkResult::Continue;
                }
                self.code.replace_with(|open| *open + is_code);
                let attributes = tag.attrs.iter().map(|one| (one.name.local.to_string(), one.value.to_string()));
                let mut attributes: BTreeMap<_, _> = attributes.collect();
                if tag.had_duplicate_attributes {
                    attributes.insert(TWICE.to_owned(), String::new());
                }
                pieces.push(Piece::Start(name.clone(), attributes));
                let kind = match name.as_str() {
                    "script" => RawKind::ScriptData,
                    "textarea" | "title" => RawKind::Rcdata,
                    "style" | "xmp" | "iframe" | "noembed" | "noframes" => RawKind::Rawtext,
                    _ => return TokenSinkResult::Continue,
                };
                self.raw.replace(true);
                return TokenSinkResult::RawData(kind);
            }
            Token::NullCharacterToken | Token::EOFToken | Token::ParseError(_) => {}
        }
        TokenSinkResult::Continue
    }
}

pub(super) fn tokens(html: &str) -> Vec<Piece> {
    let tokenizer = Tokenizer::new(Sink::default(), TokenizerOpts::default());
    let input = BufferQueue::default();
    input.push_back(StrTendril::from(html));
    let _ = tokenizer.feed(&input);
    tokenizer.end();
    tokenizer.sink.pieces.take()
}

/// As the parser of Zulip's importer leaves it: white space between elements is one blank or one line end.
pub(super) fn normalized(html: &str) -> Vec<Piece> {
    let mut pieces = tokens(html);
    for piece in &mut pieces {
        match piece {
            Piece::Text { text, code: false, .. } if text.bytes().all(|byte| byte.is_ascii_whitespace()) => {
                *text = if text.contains('\n') { "\n" } else { " " }.to_owned();
            }
            Piece::Start(_, attributes) => {
                if let Some(class) = attributes.get_mut("class") {
                    *class = class.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
                }
            }
            _ => {}
        }
    }
    pieces
}
