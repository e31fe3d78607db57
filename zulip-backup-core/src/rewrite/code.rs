//! Where a message's source is shown as it stands.

use std::collections::HashMap;
use std::ops::Range;

use memchr::{memchr, memchr_iter, memmem};

/// The ranges of code, in their order: fenced blocks and what is between backticks.
pub(super) fn literal(content: &str) -> Vec<Range<usize>> {
    let bytes = content.as_bytes();
    let mut found = Vec::new();
    if memchr(b'`', bytes).is_none() && memmem::find(bytes, b"~~~").is_none() {
        return found;
    }
    // Fences of quotes and spoilers, whose content is text, and at last perhaps one of code.
    let mut fences: Vec<&str> = Vec::new();
    let mut code = None;
    let (mut at, mut paragraph) = (0, 0);
    for line in content.split_inclusive('\n') {
        let (start, end) = (at, at + line.len());
        at = end;
        let bare = line.trim_end();
        if let Some(begin) = code {
            if fences.last() == Some(&bare) {
                fences.pop();
                code = None;
                found.push(begin..end);
                paragraph = end;
            }
            continue;
        }
        let closes = fences.last() == Some(&bare);
        let opens = if closes { None } else { fence(bare) };
        if closes || opens.is_some() || bare.is_empty() {
            spans(content, paragraph..start, &mut found);
            paragraph = end;
        }
        if closes {
            fences.pop();
        } else if let Some(Fence { mark, text }) = opens {
            fences.push(mark);
            code = (!text).then_some(start);
        }
    }
    match code {
        Some(begin) => found.push(begin..content.len()),
        None => spans(content, paragraph..content.len(), &mut found),
    }
    found
}

struct Fence<'t> {
    mark: &'t str,
    /// Whether what it holds is text.
    text: bool,
}

/// The fence that a line opens.
fn fence(line: &str) -> Option<Fence<'_>> {
    let first = line.chars().next().filter(|first| matches!(first, '~' | '`'))?;
    let rest = line.trim_start_matches(first);
    let mark = &line[..line.len() - rest.len()];
    if mark.len() < 3 || rest.contains(['~', '`']) {
        return None;
    }
    let rest = rest.trim_start_matches(' ');
    let name = rest.strip_prefix('{').unwrap_or(rest);
    let letters = |character: char| character.is_ascii_alphanumeric() || "_+-./#,".contains(character);
    let end = name.find(|character| !letters(character)).unwrap_or(name.len());
    if end == 0 && !rest.is_empty() {
        return None;
    }
    let language = name[..end].trim_start_matches('.');
    Some(Fence { mark, text: ["quote", "quoted", "spoiler"].iter().any(|text| language.eq_ignore_ascii_case(text)) })
}

/// Adds what is between backticks in one paragraph: from a run of them to the next of the same length.
fn spans(content: &str, paragraph: Range<usize>, found: &mut Vec<Range<usize>>) {
    let bytes = &content.as_bytes()[..paragraph.end];
    let mut runs: Vec<Range<usize>> = Vec::new();
    for at in memchr_iter(b'`', &bytes[paragraph.clone()]).map(|at| paragraph.start + at) {
        match runs.last_mut() {
            Some(run) if run.end == at => run.end = at + 1,
            _ => runs.push(at..at + 1),
        }
    }
    let mut of_length: HashMap<usize, Vec<usize>> = HashMap::new();
    for (index, run) in runs.iter().enumerate() {
        of_length.entry(run.len()).or_default().push(index);
    }
    let mut next = 0;
    while let Some(run) = runs.get(next) {
        let escaped = bytes[paragraph.start..run.start].iter().rev().take_while(|&&byte| byte == b'\\').count() % 2;
        let closing = of_length.get(&(run.len() - escaped)).and_then(|same| {
            let after = same.partition_point(|&index| index <= next);
            same.get(after).copied()
        });
        next = match closing {
            Some(closing) => {
                found.push(run.start + escaped..runs[closing].end);
                closing + 1
            }
            None => next + 1,
        };
    }
}
