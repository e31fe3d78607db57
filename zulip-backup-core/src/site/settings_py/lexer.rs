//! Python source cut into logical lines of tokens.

use super::Fault;

/// As many brackets as Python itself lets nest.
const MAX_BRACKETS: usize = 200;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Name,
    Number,
    /// A string with its prefix and quotes.
    Str,
    Op,
}

/// One token and where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    /// Offset of the first byte.
    pub(super) start: usize,
    /// Line number, from 1.
    pub(super) line: u32,
}

impl Token<'_> {
    /// Offset behind the last byte.
    pub(super) fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// Whether this is the operator `text`.
    pub(super) fn is_op(&self, text: &str) -> bool {
        self.kind == Kind::Op && self.text == text
    }

    /// Whether this is the name or keyword `text`.
    pub(super) fn is_name(&self, text: &str) -> bool {
        self.kind == Kind::Name && self.text == text
    }
}

/// A logical line: what lies between two newlines that are not inside brackets, strings or continuations.
#[derive(Debug)]
pub(super) struct Line<'a> {
    /// Whether it is indented, so belongs to a block.
    pub(super) indented: bool,
    pub(super) tokens: Vec<Token<'a>>,
}

/// Longest first, so that the first match is the right one.
const OPERATORS: [&str; 25] = [
    "**=", "//=", ">>=", "<<=", "...", ":=", "==", "!=", "<=", ">=", "->", "+=", "-=", "*=", "/=", "%=", "&=", "|=",
    "^=", "@=", "**", "//", "<<", ">>", "<>",
];

/// Cuts `text` into logical lines; comments and empty lines are gone.
pub(super) fn lines(text: &str) -> Result<Vec<Line<'_>>, Fault> {
    let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut lexer = Lexer { text, bytes: text.as_bytes(), at: start, line: 1 };
    let mut lines = Vec::new();
    while lexer.at < lexer.bytes.len() {
        let line = lexer.logical_line()?;
        if !line.tokens.is_empty() {
            lines.push(line);
        }
    }
    Ok(lines)
}

struct Lexer<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    line: u32,
}

impl<'a> Lexer<'a> {
    fn logical_line(&mut self) -> Result<Line<'a>, Fault> {
        let mut brackets: Vec<u8> = Vec::new();
        let mut tokens = Vec::new();
        let indent_start = self.at;
        let mut indented = false;
        while let Some(byte) = self.peek(0) {
            match byte {
                0 => return Err(self.fault("a NUL byte")),
                b'\n' | b'\r' => {
                    self.newline();
                    if brackets.is_empty() {
                        break;
                    }
                }
                b' ' | b'\t' | b'\x0c' => self.at += 1,
                b'#' => {
                    while !matches!(self.peek(0), None | Some(b'\n' | b'\r')) {
                        self.at += 1;
                    }
                }
                b'\\' if matches!(self.peek(1), Some(b'\n' | b'\r')) => {
                    self.at += 1;
                    self.newline();
                }
                _ => {
                    if tokens.is_empty() {
                        let before = self.text.get(indent_start..self.at).unwrap_or_default();
                        // A form feed sets the column back to zero.
                        indented = before.bytes().next_back().is_some_and(|last| last != b'\x0c');
                    }
                    let token = self.token(byte)?;
                    if token.kind == Kind::Op {
                        self.bracket(token.text, &mut brackets)?;
                    }
                    tokens.push(token);
                }
            }
        }
        if brackets.is_empty() { Ok(Line { indented, tokens }) } else { Err(self.fault("a bracket is not closed")) }
    }

    fn token(&mut self, byte: u8) -> Result<Token<'a>, Fault> {
        let (start, line) = (self.at, self.line);
        let kind = if matches!(byte, b'"' | b'\'') {
            self.string("")?;
            Kind::Str
        } else if byte.is_ascii_digit() || (byte == b'.' && self.peek(1).is_some_and(|next| next.is_ascii_digit())) {
            self.number();
            Kind::Number
        } else if is_name_byte(byte) {
            while self.peek(0).is_some_and(is_name_byte) {
                self.at += 1;
            }
            let word = self.text.get(start..self.at).unwrap_or_default();
            if matches!(self.peek(0), Some(b'"' | b'\'')) && is_string_prefix(word) {
                self.string(word)?;
                Kind::Str
            } else {
                Kind::Name
            }
        } else {
            let rest = self.text.get(start..).unwrap_or_default();
            self.at +=
                OPERATORS.iter().find(|operator| rest.starts_with(**operator)).map_or(1, |operator| operator.len());
            Kind::Op
        };
        let text = self.text.get(start..self.at).unwrap_or_default();
        Ok(Token { kind, text, start, line })
    }

    /// Goes behind the string whose opening quote is next.
    fn string(&mut self, prefix: &str) -> Result<(), Fault> {
        let opened = self.line;
        let quote = self.peek(0).unwrap_or_default();
        let triple = self.peek(1) == Some(quote) && self.peek(2) == Some(quote);
        self.at += if triple { 3 } else { 1 };
        let body = self.at;
        let unclosed = Fault { line: opened, what: "a string is not closed" };
        loop {
            match self.peek(0) {
                Some(0) => return Err(self.fault("a NUL byte")),
                Some(b'\\') => {
                    self.at += 1;
                    match self.peek(0) {
                        None => return Err(unclosed),
                        Some(b'\n' | b'\r') => self.newline(),
                        Some(_) => self.at += 1,
                    }
                }
                Some(b'\n' | b'\r') if triple => self.newline(),
                None | Some(b'\n' | b'\r') => return Err(unclosed),
                Some(byte)
                    if byte == quote && (!triple || self.peek(1) == Some(quote) && self.peek(2) == Some(quote)) =>
                {
                    break;
                }
                Some(_) => self.at += 1,
            }
        }
        let content = self.text.get(body..self.at).unwrap_or_default();
        self.at += if triple { 3 } else { 1 };
        // Since Python 3.12 an f-string may hold its own quotes inside braces. Then the end found here is not its end,
        // and everything behind it would be misread.
        let count = |wanted: char| content.matches(wanted).count();
        if prefix.bytes().any(|letter| matches!(letter, b'f' | b'F' | b't' | b'T')) && count('{') != count('}') {
            return Err(Fault { line: opened, what: "an f-string is too intricate to be read as text" });
        }
        Ok(())
    }

    fn number(&mut self) {
        let start = self.at;
        while let Some(byte) = self.peek(0) {
            let exponent_sign = matches!(byte, b'+' | b'-')
                && self.at > start
                && matches!(self.bytes.get(self.at - 1), Some(b'e' | b'E'))
                && !self.bytes[start..self.at].iter().any(|byte| matches!(byte, b'x' | b'X'));
            if !(byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.' || exponent_sign) {
                break;
            }
            self.at += 1;
        }
    }

    fn bracket(&self, text: &str, open: &mut Vec<u8>) -> Result<(), Fault> {
        match text.as_bytes().first() {
            Some(byte @ (b'(' | b'[' | b'{')) => {
                if open.len() == MAX_BRACKETS {
                    return Err(self.fault("brackets are nested too deep"));
                }
                open.push(*byte);
            }
            Some(byte @ (b')' | b']' | b'}')) => {
                let wanted = match byte {
                    b')' => b'(',
                    b']' => b'[',
                    _ => b'{',
                };
                if open.pop() != Some(wanted) {
                    return Err(self.fault("a bracket closes what was not opened"));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn newline(&mut self) {
        let crlf = self.peek(0) == Some(b'\r') && self.peek(1) == Some(b'\n');
        self.at += if crlf { 2 } else { 1 };
        self.line = self.line.saturating_add(1);
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at + ahead).copied()
    }

    fn fault(&self, what: &'static str) -> Fault {
        Fault { line: self.line, what }
    }
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn is_string_prefix(word: &str) -> bool {
    word.len() <= 2
        && word.bytes().all(|letter| matches!(letter.to_ascii_lowercase(), b'r' | b'b' | b'u' | b'f' | b't'))
}
