//! Links within an organisation: what stands behind the `#`.
//!
//! | after the `#` | names |
//! | --- | --- |
//! | `narrow/` and pairs of operator and operand, each operator perhaps after a `-` | see [`operand`] |
//! | `user/9…` | a user |
//! | `channels/4…`, formerly `streams/4…` | a channel's settings |
//! | `groups/35…` | a user group's settings |
//!
//! Behind an id a `-` and a name may follow. A channel without an id, as links had it once, is its name: it stays.

use std::ops::Range;

use super::edit::Edit;
use super::unknown::UnknownKind;
use super::{Rewriter, digits};

/// What a relative link within the organisation may begin with, after a slash or none.
pub(super) const BEGINNINGS: [&str; 5] = ["#narrow/", "#user/", "#channels/", "#streams/", "#groups/"];

/// How a comma may stand in a list of ids: as it is, or encoded in a web address's way or in Zulip's own.
const COMMAS: [&str; 5] = [",", "%2C", "%2c", ".2C", ".2c"];

/// What an operator's operand is.
#[derive(Clone, Copy)]
enum Operand {
    Channel,
    Users,
    Message,
}

/// What the operand of an operator names, in any version of Zulip's links.
fn operand(operator: &str) -> Option<Operand> {
    match operator {
        "channel" | "stream" => Some(Operand::Channel),
        "dm" | "dm-including" | "pm-with" | "group-pm-with" | "sender" | "from" => Some(Operand::Users),
        "near" | "id" | "with" => Some(Operand::Message),
        _ => None,
    }
}

/// Rewrites the ids of a relative link; whether it was one.
pub(super) fn rewrite(rewriter: &Rewriter<'_>, edit: &mut Edit<'_>, link: Range<usize>) -> bool {
    let text = &edit.text()[link.clone()];
    let path = text.strip_prefix('/').unwrap_or(text);
    let Some(beginning) = BEGINNINGS.iter().find(|&&beginning| path.starts_with(beginning)) else { return false };
    let rest = link.end - path.len() + beginning.len()..link.end;
    match *beginning {
        "#narrow/" => narrow(rewriter, edit, rest),
        "#user/" => first(rewriter, edit, rest, UnknownKind::User),
        "#groups/" => first(rewriter, edit, rest, UnknownKind::UserGroup),
        _ => first(rewriter, edit, rest, UnknownKind::Stream),
    }
    true
}

/// An id that is all of the first component.
fn first(rewriter: &Rewriter<'_>, edit: &mut Edit<'_>, path: Range<usize>, kind: UnknownKind) {
    let text = &edit.text()[path.clone()];
    let count = digits(text);
    if count > 0 && matches!(text.as_bytes().get(count), None | Some(b'/')) {
        rewriter.renumber(edit, path.start..path.start + count, kind);
    }
}

fn narrow(rewriter: &Rewriter<'_>, edit: &mut Edit<'_>, terms: Range<usize>) {
    let mut at = terms.start;
    let mut components = edit.text()[terms].split('/');
    while let (Some(operator), Some(value)) = (components.next(), components.next()) {
        let start = at + operator.len() + 1;
        match operand(operator.strip_prefix('-').unwrap_or(operator)) {
            Some(Operand::Channel) => ids(rewriter, edit, value, start, UnknownKind::Stream, false),
            Some(Operand::Users) => ids(rewriter, edit, value, start, UnknownKind::User, true),
            Some(Operand::Message) if !value.is_empty() && digits(value) == value.len() => {
                rewriter.renumber(edit, start..start + value.len(), UnknownKind::Message);
            }
            _ => {}
        }
        at = start + value.len() + 1;
    }
}

/// One id, or a list of them, up to the end or a dash.
fn ids(rewriter: &Rewriter<'_>, edit: &mut Edit<'_>, value: &str, start: usize, kind: UnknownKind, list: bool) {
    let comma =
        |rest: &str| COMMAS.iter().find(|&&comma| list && rest.starts_with(comma)).map_or(0, |comma| comma.len());
    // Once to see that it is one, since only the end tells: `9,10@example.com` is somebody's address.
    for replace in [false, true] {
        let mut at = 0;
        loop {
            let count = digits(&value[at..]);
            if count == 0 {
                return;
            }
            if replace {
                rewriter.renumber(edit, start + at..start + at + count, kind);
            }
            at += count;
            let skip = comma(&value[at..]);
            if skip == 0 {
                break;
            }
            at += skip;
        }
        if !matches!(value.as_bytes().get(at), None | Some(b'-')) {
            return;
        }
    }
}
