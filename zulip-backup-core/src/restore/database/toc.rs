//! A table of contents made to fit the target.

use std::collections::{BTreeMap, BTreeSet};

use crate::postgres::dump::{Toc, TocEntry};

/// The role that owns most of the dump's tables.
pub(crate) fn main_owner(toc: &Toc) -> Option<String> {
    let mut counts = BTreeMap::<&str, usize>::new();
    for owner in toc.entries.iter().filter(|entry| entry.is("TABLE")).filter_map(|entry| entry.owner.as_deref()) {
        *counts.entry(owner).or_default() += 1;
    }
    counts.into_iter().max_by_key(|&(_, count)| count).map(|(owner, _)| owner.to_owned())
}

/// Gives what the dump's main owner owned to `owner`. True when that changed anything.
pub(super) fn hand_over(toc: &mut Toc, owner: &str) -> bool {
    let Some(main) = main_owner(toc).filter(|main| main != owner) else { return false };
    for entry in toc.entries.iter_mut().filter(|entry| entry.owner.as_deref() == Some(&main)) {
        entry.owner = Some(owner.to_owned());
    }
    true
}

/// The entries that must go with the dictionaries `missing` (as `schema.name`): themselves, and the configurations that
/// need them, by their dump ids.
pub(super) fn dependents(toc: &Toc, missing: &BTreeSet<String>) -> BTreeSet<i64> {
    let full = |entry: &TocEntry| {
        format!("{}.{}", entry.namespace.as_deref().unwrap_or_default(), entry.tag.as_deref().unwrap_or_default())
    };
    let mut gone: BTreeSet<i64> = toc
        .entries
        .iter()
        .filter(|entry| entry.is("TEXT SEARCH DICTIONARY") && missing.contains(&full(entry)))
        .map(|entry| entry.dump_id)
        .collect();
    let configurations: Vec<i64> = toc
        .entries
        .iter()
        .filter(|entry| entry.is("TEXT SEARCH CONFIGURATION"))
        .filter(|entry| entry.dependencies.iter().any(|id| id.parse().is_ok_and(|id| gone.contains(&id))))
        .map(|entry| entry.dump_id)
        .collect();
    gone.extend(configurations);
    // Comments and the like on what is gone.
    let attached: Vec<i64> = toc
        .entries
        .iter()
        .filter(|entry| entry.is("COMMENT") || entry.is("ACL"))
        .filter(|entry| entry.dependencies.iter().any(|id| id.parse().is_ok_and(|id| gone.contains(&id))))
        .map(|entry| entry.dump_id)
        .collect();
    gone.extend(attached);
    gone
}

/// How an entry is shown: `TEXT SEARCH DICTIONARY zulip.english_us_hunspell`.
pub(super) fn shown(entry: &TocEntry) -> String {
    format!(
        "{} {}.{}",
        entry.desc.as_deref().unwrap_or("?"),
        entry.namespace.as_deref().unwrap_or_default(),
        entry.tag.as_deref().unwrap_or_default()
    )
}
