//! What each statement of a settings file does to the names at its top level.

use std::ops::Range;

use super::lexer::{Kind, Line, Token};
use super::literal::{self, Literal};

/// One thing done to one name.
#[derive(Debug)]
pub(super) struct Event {
    /// Place in the order of execution.
    pub(super) order: usize,
    /// Line number, from 1.
    pub(super) line: u32,
    /// What the name is afterwards, or why that cannot be said.
    pub(super) value: Result<Literal, &'static str>,
    /// Where the value's text stands, if this is a plain assignment to this name alone.
    pub(super) span: Option<Range<usize>>,
}

/// What a statement does.
#[derive(Debug)]
pub(super) enum Effect<'a> {
    /// A name gets a value.
    Bind { name: &'a str, line: u32, value: Result<Literal, &'static str>, span: Option<Range<usize>> },
    /// Every name may get a value.
    StarImport { line: u32 },
    /// A name (or any name) may get a value at a time that cannot be told.
    Poison { name: Option<&'a str>, line: u32, reason: &'static str },
}

/// Names whose mere use means that variables may be set behind the text's back.
const REFLECTION: [&str; 7] = ["exec", "execfile", "globals", "locals", "vars", "setattr", "__dict__"];

const IN_BLOCK: &str = "assigns it inside a block";
const COMPUTED: &str = "computes it";
const CHANGED: &str = "changes it in place";

/// More names than anybody assigns in one statement; each gets its own copy of the value, so a hostile file could
/// otherwise fill the memory.
const MAX_TARGETS: usize = 16;

/// The effects of all statements, in order.
pub(super) fn effects<'a>(lines: &[Line<'a>]) -> Vec<Effect<'a>> {
    let mut effects = Vec::new();
    for line in lines {
        anywhere(&line.tokens, &mut effects);
        let (header, body) = split_block(&line.tokens);
        block_header(header, &mut effects);
        let conditional = line.indented || !header.is_empty();
        for statement in split(body, ";") {
            simple(statement, conditional, &mut effects);
        }
    }
    effects
}

/// What counts wherever it stands in a line.
fn anywhere<'a>(tokens: &[Token<'a>], effects: &mut Vec<Effect<'a>>) {
    for (index, token) in tokens.iter().enumerate() {
        if token.kind != Kind::Name {
            continue;
        }
        if REFLECTION.contains(&token.text) {
            effects.push(Effect::Poison { name: None, line: token.line, reason: "sets names by reflection" });
        }
        if tokens.get(index + 1).is_some_and(|next| next.is_op(":=")) {
            effects.push(unknown(token, COMPUTED));
        }
    }
}

/// A compound statement's header up to its colon, and what stands behind it; for others, nothing and everything.
fn split_block<'t, 'a>(tokens: &'t [Token<'a>]) -> (&'t [Token<'a>], &'t [Token<'a>]) {
    const KEYWORDS: [&str; 13] =
        ["if", "elif", "else", "for", "while", "try", "except", "finally", "with", "def", "class", "async", "match"];
    let Some(first) = tokens.first().filter(|token| token.kind == Kind::Name) else { return (&[], tokens) };
    let colon = top_level(tokens).find(|(_, token)| token.is_op(":")).map(|(index, _)| index);
    // `match` and `case` are words one may also use as names: `case = 1` has no colon.
    let is_block = KEYWORDS.contains(&first.text) || first.text == "case";
    match colon {
        Some(colon) if is_block && !tokens.get(1).is_some_and(|next| next.is_op("=")) => tokens.split_at(colon + 1),
        _ => (&[], tokens),
    }
}

fn block_header<'a>(header: &[Token<'a>], effects: &mut Vec<Effect<'a>>) {
    let Some(first) = header.iter().find(|token| !token.is_name("async")) else { return };
    match first.text {
        "for" => {
            let targets =
                header.iter().skip_while(|token| !token.is_name("for")).take_while(|token| !token.is_name("in"));
            effects.extend(names(targets).map(|token| unknown(token, IN_BLOCK)));
        }
        "with" | "except" => {
            let mut after_as = false;
            for token in header {
                if token.is_name("as") {
                    after_as = true;
                } else if token.is_op(",") {
                    after_as = false;
                } else if after_as && token.kind == Kind::Name {
                    effects.push(unknown(token, IN_BLOCK));
                }
            }
        }
        "def" | "class" => {
            let mut words = names(header.iter()).skip_while(|token| token.text == "async").skip(1);
            effects.extend(words.next().map(|token| unknown(token, COMPUTED)));
        }
        "case" => effects.extend(names(header.iter()).map(|token| unknown(token, IN_BLOCK))),
        _ => {}
    }
}

fn simple<'a>(statement: &[Token<'a>], conditional: bool, effects: &mut Vec<Effect<'a>>) {
    let Some(first) = statement.first() else { return };
    match (first.kind, first.text) {
        (Kind::Name, "from" | "import") => import(statement, effects),
        (Kind::Name, "del") => effects.extend(names(statement.iter()).map(|token| unknown(token, "deletes it"))),
        (Kind::Name, "global" | "nonlocal") => effects.extend(names(statement.iter()).map(|token| Effect::Poison {
            name: Some(token.text),
            line: token.line,
            reason: "lets a function set it",
        })),
        _ => assignment(statement, conditional, effects),
    }
}

fn import<'a>(statement: &[Token<'a>], effects: &mut Vec<Effect<'a>>) {
    let Some(keyword) = statement.iter().position(|token| token.is_name("import")) else { return };
    let imported = &statement[keyword + 1..];
    if imported.iter().any(|token| token.is_op("*")) {
        effects.extend(imported.first().map(|token| Effect::StarImport { line: token.line }));
        return;
    }
    let inner: Vec<Token<'a>> =
        imported.iter().copied().filter(|token| !token.is_op("(") && !token.is_op(")")).collect();
    for part in split(&inner, ",") {
        let bound = if part.iter().any(|token| token.is_name("as")) { part.last() } else { part.first() };
        effects.extend(bound.map(|token| unknown(token, "imports it")));
    }
}

fn assignment<'a>(statement: &[Token<'a>], conditional: bool, effects: &mut Vec<Effect<'a>>) {
    if let Some((index, _)) = top_level(statement).find(|(_, token)| is_augmented(token)) {
        effects.extend(names(statement[..index].iter()).map(|token| unknown(token, CHANGED)));
        return;
    }
    let parts: Vec<&[Token<'a>]> = split(statement, "=");
    let Some((value, targets)) = parts.split_last().filter(|(_, targets)| !targets.is_empty()) else {
        // `NAME.append(…)`, `NAME["key"].update(…)`
        if let [name, next, ..] = statement
            && name.kind == Kind::Name
            && (next.is_op(".") || next.is_op("["))
        {
            effects.push(unknown(name, CHANGED));
        }
        return;
    };
    let span = value.first().zip(value.last()).map(|(first, last)| first.start..last.end());
    let evaluated = if targets.len() <= MAX_TARGETS { literal::evaluate(value) } else { None };
    for target in targets {
        // `NAME: str = …`
        let annotated = target.len() > 2 && target[1].is_op(":");
        match target {
            [name, ..] if name.kind == Kind::Name && (target.len() == 1 || annotated) => {
                let value = match &evaluated {
                    _ if conditional => Err(IN_BLOCK),
                    Some(value) => Ok(value.clone()),
                    None => Err(COMPUTED),
                };
                let span = span.clone().filter(|_| !conditional && targets.len() == 1);
                effects.push(Effect::Bind { name: name.text, line: name.line, value, span });
            }
            _ => effects.extend(names(target.iter()).map(|token| unknown(token, CHANGED))),
        }
    }
}

fn is_augmented(token: &Token<'_>) -> bool {
    token.kind == Kind::Op
        && token.text.len() > 1
        && token.text.ends_with('=')
        && !matches!(token.text, "==" | "!=" | "<=" | ">=" | ":=")
}

fn unknown<'a>(token: &Token<'a>, reason: &'static str) -> Effect<'a> {
    Effect::Bind { name: token.text, line: token.line, value: Err(reason), span: None }
}

fn names<'t, 'a: 't>(tokens: impl Iterator<Item = &'t Token<'a>>) -> impl Iterator<Item = &'t Token<'a>> {
    tokens.filter(|token| token.kind == Kind::Name)
}

/// The tokens outside all brackets, with their places.
fn top_level<'t, 'a>(tokens: &'t [Token<'a>]) -> impl Iterator<Item = (usize, &'t Token<'a>)> {
    let mut depth = 0_usize;
    tokens.iter().enumerate().filter(move |(_, token)| {
        match token.text {
            "(" | "[" | "{" if token.kind == Kind::Op => depth += 1,
            ")" | "]" | "}" if token.kind == Kind::Op => depth = depth.saturating_sub(1),
            _ => return depth == 0,
        }
        false
    })
}

/// Cuts at every `separator` outside brackets.
fn split<'t, 'a>(tokens: &'t [Token<'a>], separator: &str) -> Vec<&'t [Token<'a>]> {
    let mut parts = Vec::new();
    let mut start = 0;
    for (index, token) in top_level(tokens) {
        if token.is_op(separator) {
            parts.push(&tokens[start..index]);
            start = index + 1;
        }
    }
    parts.push(&tokens[start..]);
    parts
}
