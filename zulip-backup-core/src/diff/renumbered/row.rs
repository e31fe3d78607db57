//! Rows without the ids of their export.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::diff::hash::{hash, mix, text as hash_text};
use crate::diff::renumbered::entries::{Entries, text};
use crate::diff::renumbered::learn::Known;
use crate::diff::renumbered::numbers::Names;
use crate::diff::renumbered::rules::{self, NOT_COMPARED, Treat, Which};
use crate::ids::Of;
use crate::images::content_type_of;
use crate::rewrite::{Links, Rewriter};
use crate::schema::{Encoding, ExportSchema, Field, RowList, RowRule, Source};

/// What tells a row of a list from the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Identity {
    /// The number of its id.
    Number(Of),
    /// The values of these keys.
    Keys(&'static [&'static str]),
    /// Nothing but its place.
    Place,
}

/// How the rows of a list are compared.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) key: String,
    pub(super) table: String,
    pub(super) identity: Identity,
    treats: Vec<(String, Treat)>,
    left_out: Vec<(usize, Which)>,
}

impl Plan {
    /// For every list of an organisation's export.
    pub(super) fn all(schema: &ExportSchema) -> Vec<Self> {
        schema.files.of_organisation().map(|list| Self::new(schema, list)).collect()
    }

    fn new(schema: &ExportSchema, list: &RowList) -> Self {
        let table = list.table();
        if list.rows == RowRule::CrossRealmBots {
            return Self {
                key: list.key.clone(),
                table: list.key.clone(),
                identity: Identity::Keys(&["email"]),
                treats: [("id", Treat::Own), ("recipient_id", Treat::Own)]
                    .map(|(key, treat)| (key.to_owned(), treat))
                    .into(),
                left_out: Vec::new(),
            };
        }
        let own = Of::of_table(table);
        let identity = match (own, rules::unique(table)) {
            (Some(of), _) => Identity::Number(of),
            (None, Some(keys)) => Identity::Keys(keys),
            (None, None) => Identity::Place,
        };
        let fields = schema.tables.get(table).map(|table| table.fields.as_slice()).unwrap_or_default();
        let treats = fields.iter().map(|field| (field.key.clone(), treat(table, field))).collect();
        Self { key: list.key.clone(), table: table.to_owned(), identity, treats, left_out: rules::left_out(table) }
    }

    /// For a list that no declaration knows.
    pub(super) fn unknown(key: &str) -> Self {
        Self {
            key: key.to_owned(),
            table: key.to_owned(),
            identity: Identity::Place,
            treats: vec![("id".to_owned(), Treat::Own)],
            left_out: Vec::new(),
        }
    }

    /// How a key's value is compared; `next` is where it stands if keys come in their order.
    fn treat(&self, next: usize, key: &str) -> Treat {
        match self.treats.get(next) {
            Some((name, treat)) if name == key => *treat,
            _ => self.treats.iter().find(|(name, _)| name == key).map_or(Treat::Plain, |(_, treat)| *treat),
        }
    }
}

fn treat(table: &str, field: &Field) -> Treat {
    if let Some(special) = rules::special(table, &field.key) {
        return special;
    }
    match &field.source {
        _ if field.key == "id" => Treat::Own,
        Source::Column { references: Some(references), .. } => Of::of_table(references).map_or(Treat::Plain, Treat::Id),
        Source::Column { encoding: Encoding::Seconds, .. } => Treat::Seconds,
        Source::Column { .. } => Treat::Plain,
        Source::Ids { references, .. } => references.as_deref().and_then(Of::of_table).map_or(Treat::Plain, Treat::Ids),
    }
}

/// A row without its export's ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Row {
    /// The same for the row of the other export that is compared with it.
    pub(super) identity: u64,
    pub(super) hash: u64,
    pub(super) id: i64,
}

/// How many values or rows were not compared, by their places in [`NOT_COMPARED`].
#[derive(Debug)]
pub(super) struct Counts([AtomicU64; NOT_COMPARED.len()]);

impl Counts {
    pub(super) fn new() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }

    pub(super) fn add(&self, rule: usize) {
        if let Some(count) = self.0.get(rule) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn get(&self, rule: usize) -> u64 {
        self.0.get(rule).map_or(0, |count| count.load(Ordering::Relaxed))
    }
}

/// Looks at the rows of one export.
pub(super) struct Side<'k> {
    known: &'k Known,
    rewriter: Rewriter<'k>,
    pub(super) counts: Counts,
}

/// The hash of nothing, and of what leads nowhere: an import makes nothing of that where it may.
fn nothing() -> u64 {
    hash("null").map_or(0, |hashed| hashed.hash)
}

fn plain(json: &str) -> u64 {
    // A row is JSON when it comes here.
    hash(json).map_or_else(|_| hash_text(10, json), |hashed| hashed.hash)
}

fn string(value: &str) -> u64 {
    hash_text(5, value)
}

fn numbered(of: Of, number: Option<u64>) -> u64 {
    number.map_or_else(nothing, |number| mix(mix(20, of as u64), number))
}

impl<'k> Side<'k> {
    pub(super) fn new(known: &'k Known, names: &'k Names<'k>) -> Self {
        Self { known, rewriter: Rewriter::new(names, Links::Fixed), counts: Counts::new() }
    }

    /// A row as it is compared; nothing for one that is not. `place` is the identity of one that has no id.
    pub(super) fn row(&self, plan: &Plan, entries: &Entries<'_>, place: i64) -> Option<Row> {
        if let Some((rule, _)) = plan.left_out.iter().find(|(_, which)| which(self.known, entries)) {
            self.counts.add(*rule);
            return None;
        }
        let id = entries.integer("id").unwrap_or(place);
        // A sum does not know the order of its parts.
        let (mut sum, mut identity) = (0_u64, 0_u64);
        let keys = match plan.identity {
            Identity::Keys(keys) => keys,
            Identity::Number(of) => {
                identity = self.known.numbers.of(of, id).unwrap_or_else(|| mix(30, id.cast_unsigned()));
                &[]
            }
            Identity::Place => &[],
        };
        for (next, (key, json)) in entries.iter().enumerate() {
            let treat = plan.treat(next, key);
            match treat {
                Treat::Own => continue,
                Treat::Not(rule) => {
                    self.counts.add(rule);
                    continue;
                }
                _ => {}
            }
            let value = self.value(treat, entries, json);
            sum = sum.wrapping_add(mix(hash_text(9, key), value));
            if let Some(at) = keys.iter().position(|name| *name == key) {
                identity = identity.wrapping_add(mix(at as u64, value));
            }
        }
        Some(Row { identity, hash: sum, id })
    }

    /// The keys of a row that are compared, with a hash and the JSON of each value.
    pub(super) fn values(&self, plan: &Plan, entries: &Entries<'_>) -> Vec<(String, u64, String)> {
        let mut values = Vec::new();
        for (next, (key, json)) in entries.iter().enumerate() {
            let treat = plan.treat(next, key);
            if !matches!(treat, Treat::Own | Treat::Not(_)) {
                values.push((key.to_owned(), self.value(treat, entries, json), json.to_owned()));
            }
        }
        values
    }

    fn value(&self, treat: Treat, row: &Entries<'_>, json: &str) -> u64 {
        let numbers = &self.known.numbers;
        let number = |of, id: Option<i64>| numbered(of, id.and_then(|id| numbers.of(of, id)));
        let id = || json.parse::<i64>().ok();
        match treat {
            // An import tells it by the name where a row does not say it.
            Treat::ContentType if json == "null" => {
                let name = row.text("file_name").unwrap_or_default();
                content_type_of(&name).map_or_else(nothing, string)
            }
            Treat::Plain | Treat::Own | Treat::Not(_) | Treat::ContentType => plain(json),
            Treat::Seconds => json.parse::<f64>().map_or_else(|_| plain(json), |seconds| mix(21, seconds.to_bits())),
            Treat::Id(of) => number(of, id()),
            Treat::Ids(of) => {
                let Ok(ids) = serde_json::from_str::<Vec<i64>>(json) else { return plain(json) };
                ids.into_iter().filter_map(|id| numbers.of(of, id)).fold(22, |sum, id| sum.wrapping_add(mix(23, id)))
            }
            Treat::Target => rules::target(row).map_or_else(|| plain(json), |of| number(of, id())),
            Treat::UpTo => id().map_or_else(|| plain(json), |id| numbers.up_to(id).map_or(24, |up_to| mix(25, up_to))),
            Treat::EmojiAuthor => number(Of::User, id().or(self.known.default_owner)),
            Treat::EmojiCode => {
                let own = row.text("reaction_type").as_deref() == Some("realm_emoji");
                let emoji = text(json).filter(|_| own).and_then(|code| numbers.of(Of::Emoji, code.parse().ok()?));
                emoji.map_or_else(|| plain(json), |number| numbered(Of::Emoji, Some(number)))
            }
            Treat::ProfileValue => self.profile_value(row, json),
            Treat::Subgroup => {
                rules::counted_client(row).map_or_else(|| plain(json), |id| number(Of::Client, Some(id)))
            }
            Treat::Markdown => {
                text(json).map_or_else(|| plain(json), |text| string(&self.rewriter.markdown(&text, &[])))
            }
            Treat::Html => text(json).map_or_else(|| plain(json), |text| string(&self.rewriter.html(&text, &[]))),
            Treat::EditHistory => text(json).map_or_else(
                || plain(json),
                |text| string(self.rewriter.edit_history(&text).as_deref().unwrap_or(&text)),
            ),
        }
    }

    /// Users, in some fields; who is not in the export is left out, as an import does.
    fn profile_value(&self, row: &Entries<'_>, json: &str) -> u64 {
        let of_users = row.integer("field").is_some_and(|field| self.known.user_fields.contains(&field));
        let users = text(json).filter(|_| of_users).and_then(|text| serde_json::from_str::<Vec<i64>>(&text).ok());
        let Some(users) = users else { return plain(json) };
        users.into_iter().filter_map(|id| self.known.numbers.of(Of::User, id)).fold(26, mix)
    }
}
