//! What Zulip makes new things with: defaults that its models keep in Python, and what every server begins with.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

/// What one Zulip version makes new things with. Read off databases that it made.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Defaults {
    /// Columns of `zerver_realm`.
    pub(crate) realm: Map<String, Value>,
    /// Columns of `zerver_realm` that name a group, and the system group.
    pub(crate) realm_groups: BTreeMap<String, String>,
    /// Columns of `zerver_stream` that name a group, and the system group.
    pub(crate) stream_groups: BTreeMap<String, String>,
    /// Columns that `zerver_realmuserdefault` and `zerver_userprofile` share.
    pub(crate) preferences: Map<String, Value>,
    /// Other columns of `zerver_userprofile`.
    pub(crate) user: Map<String, Value>,
    /// Columns of a system group, in `zerver_namedusergroup` where there is one.
    pub(crate) group: Map<String, Value>,
    /// Columns of a system group that name a group: nobody may do anything to a system group.
    pub(crate) group_settings: Vec<String>,
    /// The groups every organisation has, in the order they are made; each but the first two has the one before it as a
    /// subgroup.
    pub(crate) system_groups: Vec<SystemGroup>,
    /// All ways to log in, in Zulip's order.
    pub(crate) authentication_methods: Vec<String>,
    /// The clients a new server has.
    pub(crate) clients: Vec<String>,
    /// Columns of `zerver_userprofile` in which the bots of the internal organisation are not as other new users.
    pub(crate) internal_bot: Map<String, Value>,
    /// The bots of the internal organisation.
    pub(crate) internal_bots: Vec<InternalBot>,
}

/// A group every organisation has.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SystemGroup {
    pub(crate) name: String,
    pub(crate) description: String,
}

/// A bot of the internal organisation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct InternalBot {
    pub(crate) email: String,
    pub(crate) full_name: String,
    #[serde(default)]
    pub(crate) can_forge_sender: bool,
}

#[cfg(test)]
mod tests {
    use crate::schema::Release;

    /// The table with the names of groups.
    fn groups(release: &Release) -> &'static str {
        let named = "zerver_namedusergroup";
        if release.catalog.table(named).is_ok() { named } else { "zerver_usergroup" }
    }

    #[test]
    fn nothing_is_missing_that_a_new_row_needs() {
        for release in Release::all().unwrap() {
            let defaults = &release.defaults;
            let needs = |table: &str, given: Vec<&String>, made: &[&str]| {
                for column in &release.catalog.table(table).unwrap().columns {
                    let itself = column.nullable || column.default.is_some() || column.identity.is_some();
                    let is_given = given.contains(&&column.name) || made.contains(&column.name.as_str());
                    assert!(itself || is_given, "{}: {table}.{}", release.name, column.name);
                }
            };
            let (preferences, user) = (defaults.preferences.keys(), defaults.user.keys());
            let made = ["name", "string_id", "date_created", "uuid", "uuid_owner_secret"];
            needs("zerver_realm", defaults.realm.keys().chain(defaults.realm_groups.keys()).collect(), &made);
            needs("zerver_realmuserdefault", preferences.clone().collect(), &["realm_id"]);
            let made = [
                "realm_id",
                "email",
                "delivery_email",
                "full_name",
                "date_joined",
                "last_login",
                "password",
                "api_key",
                "uuid",
            ];
            needs("zerver_userprofile", preferences.chain(user).collect(), &made);
            let made = ["usergroup_ptr_id", "realm_id", "name", "description"];
            needs(groups(release), defaults.group.keys().chain(&defaults.group_settings).collect(), &made);
        }
    }

    #[test]
    fn every_default_is_of_a_column_that_there_is() {
        for release in Release::all().unwrap() {
            let (defaults, catalog) = (&release.defaults, &release.catalog);
            let is = |table: &str, column: &str| {
                assert!(catalog.table(table).unwrap().column(column).is_some(), "{table}.{column}");
            };
            defaults.realm.keys().chain(defaults.realm_groups.keys()).for_each(|column| is("zerver_realm", column));
            defaults.stream_groups.keys().for_each(|column| is("zerver_stream", column));
            let of_users = defaults.user.keys().chain(defaults.internal_bot.keys());
            of_users.for_each(|column| is("zerver_userprofile", column));
            let of_group = defaults.group.keys().chain(&defaults.group_settings);
            of_group.for_each(|column| is(groups(release), column));
            for column in defaults.preferences.keys() {
                is("zerver_userprofile", column);
                is("zerver_realmuserdefault", column);
            }
            let named = |name: &String| defaults.system_groups.iter().any(|group| group.name == *name);
            assert!(defaults.realm_groups.values().chain(defaults.stream_groups.values()).all(named));
        }
    }
}
