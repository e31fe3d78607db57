//! Python literals: read from tokens, written as Python writes them.

use std::fmt::Write as _;

use super::lexer::{Kind, Token};

/// How deep lists may nest; keeps the recursion bounded whatever the file says.
const MAX_DEPTH: usize = 64;

/// More keys than any setting has; finding a repeated key takes a look at all before it.
const MAX_KEYS: usize = 4096;

/// A Python value that can be written down.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// `None`
    None,
    /// `True` or `False`
    Bool(bool),
    /// A whole number.
    Int(i128),
    /// A number with a point or an exponent.
    Float(f64),
    /// A string.
    Str(String),
    /// A list.
    List(Vec<Literal>),
    /// A tuple.
    Tuple(Vec<Literal>),
    /// A dictionary, in the order written.
    Dict(Vec<(Literal, Literal)>),
}

impl Literal {
    /// What Python's `str()` makes of it, so what `get-django-setting` would print.
    pub fn to_python_str(&self) -> String {
        match self {
            Self::Str(text) => text.clone(),
            other => other.to_python_repr(),
        }
    }

    /// What Python's `repr()` makes of it.
    pub fn to_python_repr(&self) -> String {
        let list = |items: &[Literal]| items.iter().map(Self::to_python_repr).collect::<Vec<_>>().join(", ");
        match self {
            Self::None => "None".to_owned(),
            Self::Bool(true) => "True".to_owned(),
            Self::Bool(false) => "False".to_owned(),
            Self::Int(number) => number.to_string(),
            Self::Float(number) => format!("{number:?}"),
            Self::Str(text) => quote(text),
            Self::List(items) => format!("[{}]", list(items)),
            Self::Tuple(items) if items.len() == 1 => format!("({},)", list(items)),
            Self::Tuple(items) => format!("({})", list(items)),
            Self::Dict(items) => {
                let pairs =
                    items.iter().map(|(key, value)| format!("{}: {}", key.to_python_repr(), value.to_python_repr()));
                format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
            }
        }
    }
}

/// A Python string literal for `text`: single quotes, unless there is one in the text and no double quote.
pub(super) fn quote(text: &str) -> String {
    let mark = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push(mark);
    for letter in text.chars() {
        match letter {
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            _ if letter == mark => {
                quoted.push('\\');
                quoted.push(mark);
            }
            _ if letter.is_control() => {
                // Control characters all lie below U+00A0. Writing to a String cannot fail.
                let _ = write!(quoted, "\\x{:02x}", u32::from(letter));
            }
            _ => quoted.push(letter),
        }
    }
    quoted.push(mark);
    quoted
}

/// The value of an expression, or `None` where it is not made of literals alone.
pub(super) fn evaluate(tokens: &[Token<'_>]) -> Option<Literal> {
    let mut parser = Parser { tokens, at: 0 };
    let first = parser.value(0)?;
    if !parser.next_is(",") {
        return parser.done().then_some(first);
    }
    let mut items = vec![first];
    while parser.take(",") && !parser.done() {
        items.push(parser.value(0)?);
    }
    parser.done().then_some(Literal::Tuple(items))
}

struct Parser<'t, 'a> {
    tokens: &'t [Token<'a>],
    at: usize,
}

impl<'a> Parser<'_, 'a> {
    fn value(&mut self, depth: usize) -> Option<Literal> {
        if depth > MAX_DEPTH {
            return None;
        }
        let token = *self.tokens.get(self.at)?;
        match token.kind {
            Kind::Number => {
                self.at += 1;
                number(token.text)
            }
            Kind::Str => self.strings(),
            Kind::Name => {
                self.at += 1;
                match token.text {
                    "None" => Some(Literal::None),
                    "True" => Some(Literal::Bool(true)),
                    "False" => Some(Literal::Bool(false)),
                    "os" => self.path_join(depth),
                    _ => None,
                }
            }
            Kind::Op => {
                self.at += 1;
                match token.text {
                    "-" | "+" => self.signed(token.text == "-"),
                    "(" => self.parenthesised(depth),
                    "[" => self.items("]", depth).map(Literal::List),
                    "{" => self.dict(depth),
                    _ => None,
                }
            }
        }
    }

    fn signed(&mut self, negative: bool) -> Option<Literal> {
        let token = self.tokens.get(self.at).filter(|token| token.kind == Kind::Number)?;
        self.at += 1;
        match number(token.text)? {
            Literal::Int(value) => Some(Literal::Int(if negative { -value } else { value })),
            Literal::Float(value) => Some(Literal::Float(if negative { -value } else { value })),
            _ => None,
        }
    }

    fn parenthesised(&mut self, depth: usize) -> Option<Literal> {
        if self.take(")") {
            return Some(Literal::Tuple(Vec::new()));
        }
        let first = self.value(depth + 1)?;
        if self.take(")") {
            return Some(first);
        }
        if !self.take(",") {
            return None;
        }
        let mut items = vec![first];
        items.extend(self.items(")", depth)?);
        Some(Literal::Tuple(items))
    }

    /// Values up to `close`, a comma between them and one more allowed at the end.
    fn items(&mut self, close: &str, depth: usize) -> Option<Vec<Literal>> {
        let mut items = Vec::new();
        while !self.take(close) {
            items.push(self.value(depth + 1)?);
            if !self.take(",") && !self.next_is(close) {
                return None;
            }
        }
        Some(items)
    }

    fn dict(&mut self, depth: usize) -> Option<Literal> {
        let mut items: Vec<(Literal, Literal)> = Vec::new();
        while !self.take("}") {
            let key = self.value(depth + 1)?;
            if items.len() == MAX_KEYS || !self.take(":") {
                return None;
            }
            let value = self.value(depth + 1)?;
            match items.iter_mut().find(|(known, _)| *known == key) {
                Some(item) => item.1 = value,
                None => items.push((key, value)),
            }
            if !self.take(",") && !self.next_is("}") {
                return None;
            }
        }
        Some(Literal::Dict(items))
    }

    /// `.path.join(…)` behind `os`: how hand-written settings spell a directory.
    fn path_join(&mut self, depth: usize) -> Option<Literal> {
        for word in [".", "path", ".", "join", "("] {
            if self.tokens.get(self.at)?.text != word {
                return None;
            }
            self.at += 1;
        }
        let mut path = String::new();
        for (index, part) in self.items(")", depth)?.into_iter().enumerate() {
            let Literal::Str(part) = part else { return None };
            if index == 0 || part.starts_with('/') {
                path = part;
            } else {
                if !path.is_empty() && !path.ends_with('/') {
                    path.push('/');
                }
                path.push_str(&part);
            }
        }
        Some(Literal::Str(path))
    }

    fn strings(&mut self) -> Option<Literal> {
        let mut joined = String::new();
        while let Some(token) = self.tokens.get(self.at).filter(|token| token.kind == Kind::Str) {
            joined.push_str(&string(token.text)?);
            self.at += 1;
        }
        Some(Literal::Str(joined))
    }

    fn next_is(&self, op: &str) -> bool {
        self.tokens.get(self.at).is_some_and(|token: &Token<'a>| token.is_op(op))
    }

    fn take(&mut self, op: &str) -> bool {
        let found = self.next_is(op);
        self.at += usize::from(found);
        found
    }

    fn done(&self) -> bool {
        self.at == self.tokens.len()
    }
}

fn number(text: &str) -> Option<Literal> {
    if text.starts_with('_') || text.ends_with('_') || text.contains("__") {
        return None;
    }
    let plain = text.replace('_', "").to_ascii_lowercase();
    let radix = |digits: &str, radix| i128::from_str_radix(digits, radix).ok().map(Literal::Int);
    if let Some(digits) = plain.strip_prefix("0x") {
        radix(digits, 16)
    } else if let Some(digits) = plain.strip_prefix("0o") {
        radix(digits, 8)
    } else if let Some(digits) = plain.strip_prefix("0b") {
        radix(digits, 2)
    } else if plain.bytes().all(|byte| byte.is_ascii_digit()) {
        // Python refuses 007 but takes 000.
        let octal_of_old = plain.len() > 1 && plain.starts_with('0') && plain.bytes().any(|byte| byte != b'0');
        if octal_of_old { None } else { radix(&plain, 10) }
    } else if plain.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'+' | b'-')) {
        plain.parse().ok().map(Literal::Float)
    } else {
        None
    }
}

/// The value of one string token; `None` for bytes, f-strings and what only Python's tables can resolve.
fn string(token: &str) -> Option<String> {
    let opening = token.find(['"', '\''])?;
    let (prefix, quoted) = token.split_at(opening);
    if prefix.bytes().any(|letter| matches!(letter.to_ascii_lowercase(), b'b' | b'f' | b't')) {
        return None;
    }
    let mark = if quoted.len() >= 6 && (quoted.starts_with("\"\"\"") || quoted.starts_with("'''")) { 3 } else { 1 };
    let body = quoted.get(mark..quoted.len().checked_sub(mark)?)?;
    // Python reads every line end as \n, inside strings as well.
    let body = body.replace("\r\n", "\n").replace('\r', "\n");
    if prefix.bytes().any(|letter| matches!(letter, b'r' | b'R')) { Some(body) } else { unescape(&body) }
}

fn unescape(body: &str) -> Option<String> {
    let mut text = String::with_capacity(body.len());
    let mut letters = body.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            text.push(letter);
            continue;
        }
        match letters.next()? {
            '\n' => {}
            plain @ ('\\' | '\'' | '"') => text.push(plain),
            'a' => text.push('\x07'),
            'b' => text.push('\x08'),
            'f' => text.push('\x0c'),
            'n' => text.push('\n'),
            'r' => text.push('\r'),
            't' => text.push('\t'),
            'v' => text.push('\x0b'),
            digit @ '0'..='7' => {
                let mut code = digit.to_digit(8)?;
                for _ in 0..2 {
                    let Some(next) = letters.peek().and_then(|letter| letter.to_digit(8)) else { break };
                    code = code * 8 + next;
                    letters.next();
                }
                text.push(char::from_u32(code)?);
            }
            form @ ('x' | 'u' | 'U') => {
                let digits = match form {
                    'x' => 2,
                    'u' => 4,
                    _ => 8,
                };
                let mut code = 0_u32;
                for _ in 0..digits {
                    code = code.checked_mul(16)?.checked_add(letters.next()?.to_digit(16)?)?;
                }
                text.push(char::from_u32(code)?);
            }
            'N' => return None,
            other => {
                text.push('\\');
                text.push(other);
            }
        }
    }
    Some(text)
}
