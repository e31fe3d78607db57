//! What becomes of the rows of an export when its release gives way to the next: what that release's migrations do.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The step from the release before. Read off the migrations of the release.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Upgrade {
    /// The release before, by its name. Nothing where no step is known.
    pub(crate) from: Option<String>,
    /// What is no matter of one row alone.
    pub(crate) also: Vec<Also>,
    /// What becomes of the rows of each table; those of others stay as they are.
    pub(crate) tables: BTreeMap<String, TableStep>,
}

/// What becomes of a table's rows. Keys are those of the export.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TableStep {
    /// New keys, by the old ones that they are.
    pub(crate) renamed: BTreeMap<String, String>,
    /// New keys with the values that old ones have as well.
    pub(crate) copied: BTreeMap<String, String>,
    /// New keys whose values follow from others'.
    pub(crate) derived: BTreeMap<String, ByValue<Value>>,
    /// New keys that name a group of the system.
    pub(crate) groups: BTreeMap<String, String>,
    /// The same, where the group follows from another value.
    pub(crate) groups_by: BTreeMap<String, ByValue<String>>,
    /// New keys whose value is the same in all rows.
    pub(crate) defaulted: BTreeMap<String, Value>,
    /// Values that are called otherwise.
    pub(crate) replaced: BTreeMap<String, BTreeMap<String, Value>>,
    /// Values that all rows get, whatever they had.
    pub(crate) reset: BTreeMap<String, Value>,
    /// Old keys that nothing is made of.
    pub(crate) lost: Vec<String>,
    /// Old keys that something is made of, beside those that are named above.
    pub(crate) used: Vec<String>,
    /// New keys that are made of more than the row.
    pub(crate) computed: Vec<String>,
}

/// A value for each of another's.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ByValue<T> {
    /// The old key.
    pub(crate) of: String,
    /// By its values, as JSON or, where they are texts, as these.
    pub(crate) is: BTreeMap<String, T>,
    /// For all others.
    #[serde(rename = "else")]
    pub(crate) otherwise: Option<T>,
}

/// What is made of more than a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Also {
    /// Groups have their names in a table of its own.
    NamedGroups,
    /// A row counts updates of presence.
    PresenceSequences,
    /// Channels say who made them, where the audit log knows.
    CreatorsOfChannels,
    /// Records of avatars say their versions.
    VersionsOfAvatars,
    /// Users who only stand for messages have their recipients.
    RecipientsOfDummies,
    /// Who manages billing is a group.
    BillingGroups,
    /// Archived channels have their own names back.
    ArchivedChannels,
    /// Groups say who may add members.
    GroupsOfGroups,
    /// Groups say who made them, and when, where the audit log knows.
    CreatorsOfGroups,
    /// Groups of direct messages say how many they are.
    SizesOfGroups,
    /// Messages say whether they are to a channel.
    ChannelMessages,
    /// Only clients are exported that something names.
    ReferencedClients,
    /// Channels say how many subscribers they have.
    SubscriberCounts,
    /// Direct messages have the topic that stands for none.
    TopicsOfDirectMessages,
    /// Conversations of two are groups like others.
    DirectMessageGroups,
    /// Emoji have authors.
    EmojiAuthors,
    /// What users have with other services has a key of its own for each.
    ApiState,
    /// Only avatars are exported that somebody uploaded, and records do not say addresses.
    UploadedAvatars,
}

impl TableStep {
    /// Old keys that are gone afterwards.
    pub(crate) fn gone(&self) -> impl Iterator<Item = &String> {
        let of = self.derived.values().map(|by| &by.of).chain(self.groups_by.values().map(|by| &by.of));
        of.chain(self.renamed.values()).chain(&self.lost).chain(&self.used)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::schema::Release;

    /// The keys of a table's rows are those of the release before, but for what the step says, and nothing is said of what
    /// is not there.
    #[test]
    fn a_step_says_all_that_changes() {
        let releases = Release::all().unwrap();
        for pair in releases.windows(2) {
            let [before, after] = pair else { continue };
            let step = &after.upgrade;
            assert_eq!(step.from.as_deref(), Some(before.name));
            assert!(step.tables.keys().all(|table| after.export.tables.contains_key(table)));
            let keys = |release: &Release, table: &str| -> BTreeSet<String> {
                let fields = release.export.tables.get(table).into_iter().flat_map(|table| &table.fields);
                fields.map(|field| field.key.clone()).collect()
            };
            for table in after.export.tables.keys().filter(|table| before.export.tables.contains_key(*table)) {
                let mut expected = keys(before, table);
                if let Some(step) = step.tables.get(table) {
                    for key in step.gone() {
                        assert!(keys(before, table).contains(key), "{} {table}.{key}", after.name);
                        expected.remove(key);
                    }
                    let one = step.renamed.keys().chain(step.copied.keys()).chain(step.derived.keys());
                    let other = step.groups.keys().chain(step.groups_by.keys()).chain(step.defaulted.keys());
                    for key in one.chain(other).chain(&step.computed) {
                        assert!(expected.insert(key.clone()), "{} {table}.{key}", after.name);
                    }
                    for key in step.replaced.keys().chain(step.reset.keys()) {
                        assert!(expected.contains(key), "{} {table}.{key}", after.name);
                    }
                }
                assert_eq!(expected, keys(after, table), "{} {table}", after.name);
            }
        }
        assert_eq!(releases[0].upgrade.from, None);
    }
}
