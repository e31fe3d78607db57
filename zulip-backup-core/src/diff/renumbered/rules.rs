//! What an import changes by right, and so what is not compared of two exports with an import between them.

use crate::diff::renumbered::entries::Entries;
use crate::diff::renumbered::learn::{Known, target_of};
use crate::ids::Of;

/// What is not compared where ids differ: a key of a table's rows, or some of its rows.
#[derive(Clone, Copy, Debug)]
pub struct NotCompared {
    /// The table, or the directory of files.
    pub table: &'static str,
    /// The key; or, in words, which rows or files.
    pub what: &'static str,
    /// Whether `what` is a key.
    pub is_key: bool,
    /// Why.
    pub why: &'static str,
    /// Whether a row is one of them.
    pub(super) rows: Option<Which>,
}

/// Whether a row is left out.
pub(super) type Which = fn(&Known, &Entries<'_>) -> bool;

const fn key(table: &'static str, key: &'static str, why: &'static str) -> NotCompared {
    NotCompared { table, what: key, is_key: true, why, rows: None }
}

const fn rows(table: &'static str, what: &'static str, why: &'static str, which: Which) -> NotCompared {
    NotCompared { table, what, is_key: false, why, rows: Some(which) }
}

const PLAN: &str = "follows from the plan that the other server gives";
const POWER: &str = "a power over the whole server, which no file may give";
const DJANGO: &str = "Zulip has no use for it, and no import keeps it";
const GONE: &str = "names what is not in the export: an import leaves it out";
const COUNTED: &str = "counts for what is not in the export, or for a bot of the system: an import leaves it out";

/// What is not compared of files: pictures.
pub(super) const MADE_PICTURES: &str = "made from the original, where the other export has that alone";

/// All of it, in the order of the documentation.
pub const NOT_COMPARED: &[NotCompared] = &[
    key("zerver_realm", "name", "an import names the organisation after its subdomain, unless told to keep the name"),
    key("zerver_realm", "string_id", "the subdomain is chosen anew"),
    key("zerver_realm", "plan_type", PLAN),
    key("zerver_realm", "_max_invites", PLAN),
    key("zerver_realm", "message_visibility_limit", PLAN),
    key("zerver_realm", "first_visible_message_id", PLAN),
    key("zerver_realm", "push_notifications_enabled", "agreed on anew with the push service"),
    key("zerver_realm", "push_notifications_enabled_end_timestamp", "agreed on anew with the push service"),
    key("zerver_userprofile", "tos_version", "nobody has agreed to the other server's terms yet"),
    key("zerver_userprofile", "is_staff", POWER),
    key("zerver_userprofile", "is_superuser", POWER),
    key("zerver_userprofile", "can_forge_sender", POWER),
    key("zerver_userprofile", "can_create_users", POWER),
    key("zerver_userprofile", "can_change_user_emails", POWER),
    key("zerver_userprofile", "groups", DJANGO),
    key("zerver_userprofile", "user_permissions", DJANGO),
    key("zerver_service", "token", "made anew"),
    key("zerver_stream", "first_message_id", "follows from the messages; a moved one may still be named"),
    key("zerver_stream", "subscriber_count", "follows from the subscriptions, which are compared"),
    key("zerver_stream", "is_recently_active", "follows from the day of the import"),
    key("zerver_subscription", "is_user_active", "follows from the user's own `is_active`"),
    key("zerver_huddle", "huddle_hash", "follows from the members' ids; the members are compared"),
    key("zerver_message", "search_tsvector", "the server fills it in when it has time"),
    key("zerver_attachment", "path_id", "a random name; the file itself is compared"),
    rows("zerver_client", "all rows", "shared by all organisations of a server; what names a client is compared", all),
    rows("zerver_realmexport", "all rows", "a server's own exports", all),
    rows(
        "zerver_realmauditlog",
        "rows of the types 204, 206, 215 and 229",
        "written by exports and imports: plan changed, exported, created, imported",
        is_of_import,
    ),
    rows("zerver_onboardingusermessage", "rows of unknown messages", GONE, |known, row| {
        !names(known, row, Of::Message, "message")
    }),
    rows("zerver_scheduledmessage", "rows to unknown recipients", GONE, |known, row| {
        !names(known, row, Of::Recipient, "recipient")
    }),
    rows("zerver_muteduser", "rows of unknown users", GONE, |known, row| !names(known, row, Of::User, "muted_user")),
    rows(
        "analytics_usercount",
        "rows of unknown users and clients, and of bots of the system",
        COUNTED,
        |known, row| {
            !names(known, row, Of::User, "user")
                || row.integer("user").is_some_and(|user| known.numbers.is_named(Of::User, user))
                || is_of_unknown_client(known, row)
        },
    ),
    rows("analytics_realmcount", "rows of unknown clients", COUNTED, is_of_unknown_client),
    rows("analytics_streamcount", "rows of unknown clients", COUNTED, is_of_unknown_client),
    NotCompared {
        table: "avatars",
        what: "pictures of the size that is shown",
        is_key: false,
        why: MADE_PICTURES,
        rows: None,
    },
    NotCompared {
        table: "emoji",
        what: "pictures of the size that is shown",
        is_key: false,
        why: MADE_PICTURES,
        rows: None,
    },
];

/// Keys whose values are shown to nobody.
const SECRETS: [(&str, &str); 6] = [
    ("zerver_realm", "uuid_owner_secret"),
    ("zerver_userprofile", "zoom_token"),
    ("zerver_userprofile", "third_party_api_state"),
    ("zerver_service", "token"),
    ("zerver_botconfigdata", "value"),
    ("zerver_botstoragedata", "value"),
];

/// Whether a difference is told without its values.
pub(super) fn is_secret(table: &str, key: &str) -> bool {
    SECRETS.contains(&(table, key))
}

fn all(_: &Known, _: &Entries<'_>) -> bool {
    true
}

fn is_of_import(_: &Known, row: &Entries<'_>) -> bool {
    matches!(row.integer("event_type"), Some(204 | 206 | 215 | 229))
}

/// Whether a key names something that the export has, or nothing.
fn names(known: &Known, row: &Entries<'_>, of: Of, key: &str) -> bool {
    row.integer(key).is_none_or(|id| known.numbers.of(of, id).is_some())
}

fn is_of_unknown_client(known: &Known, row: &Entries<'_>) -> bool {
    counted_client(row).is_some_and(|client| known.numbers.of(Of::Client, client).is_none())
}

/// The client whose messages a row counts, where that is what it counts.
pub(super) fn counted_client(row: &Entries<'_>) -> Option<i64> {
    let counts = row.text("property").as_deref() == Some("messages_sent:client:day");
    row.text("subgroup").filter(|_| counts)?.parse().ok()
}

/// How a value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Treat {
    /// As it is.
    Plain,
    /// The row's own id: what tells it from others.
    Own,
    /// Not at all, with the place in [`NOT_COMPARED`].
    Not(usize),
    /// As seconds, with a fraction or without.
    Seconds,
    /// As what it is the id of.
    Id(Of),
    /// As what its elements are the ids of, in any order.
    Ids(Of),
    /// `zerver_recipient.type_id`.
    Target,
    /// The id of a message up to which something is true.
    UpTo,
    /// The author of an emoji.
    EmojiAuthor,
    /// The code of an emoji, which is an id where it is one of the organisation's own.
    EmojiCode,
    /// The value of a custom profile field.
    ProfileValue,
    /// What is counted: of clients their ids, as text.
    Subgroup,
    /// What kind of file an attachment is.
    ContentType,
    /// A message's source.
    Markdown,
    /// Rendered HTML.
    Html,
    /// A message's edit history.
    EditHistory,
}

const TREATS: [(&str, &str, Treat); 18] = [
    ("zerver_recipient", "type_id", Treat::Target),
    ("zerver_userprofile", "last_active_message_id", Treat::UpTo),
    ("zerver_scheduledmessage", "reminder_target_message_id", Treat::Id(Of::Message)),
    ("zerver_realmauditlog", "event_last_message_id", Treat::UpTo),
    ("zerver_stream", "rendered_description", Treat::Html),
    ("zerver_realmemoji", "author", Treat::EmojiAuthor),
    ("zerver_reaction", "emoji_code", Treat::EmojiCode),
    ("zerver_userstatus", "emoji_code", Treat::EmojiCode),
    ("zerver_customprofilefieldvalue", "value", Treat::ProfileValue),
    ("analytics_realmcount", "subgroup", Treat::Subgroup),
    ("analytics_usercount", "subgroup", Treat::Subgroup),
    ("analytics_streamcount", "subgroup", Treat::Subgroup),
    ("zerver_attachment", "content_type", Treat::ContentType),
    ("zerver_message", "content", Treat::Markdown),
    ("zerver_message", "rendered_content", Treat::Html),
    ("zerver_message", "edit_history", Treat::EditHistory),
    ("zerver_scheduledmessage", "content", Treat::Markdown),
    ("zerver_scheduledmessage", "rendered_content", Treat::Html),
];

/// How a key's value is compared whose declaration does not say it.
pub(super) fn special(table: &str, key: &str) -> Option<Treat> {
    let not = NOT_COMPARED.iter().position(|one| one.is_key && one.table == table && one.what == key);
    not.map(Treat::Not)
        .or_else(|| TREATS.iter().find(|(of, name, _)| *of == table && *name == key).map(|(.., treat)| *treat))
}

/// The rules by which rows of a table are left out, with their places in [`NOT_COMPARED`].
pub(super) fn left_out(table: &str) -> Vec<(usize, Which)> {
    let all = NOT_COMPARED.iter().enumerate();
    all.filter(|(_, one)| one.table == table).filter_map(|(at, one)| Some((at, one.rows?))).collect()
}

/// The keys that tell a row from all others of its table, where no other table names its ids: what the database says is
/// unique.
const UNIQUE: [(&str, &[&str]); 28] = [
    ("zerver_realmauthenticationmethod", &["name"]),
    ("zerver_presencesequence", &[]),
    ("zerver_realmuserdefault", &[]),
    ("zerver_defaultstream", &["stream"]),
    ("zerver_realmdomain", &["domain"]),
    ("zerver_realmfilter", &["pattern"]),
    ("zerver_realmplayground", &["pygments_language", "name"]),
    ("zerver_onboardingusermessage", &["message"]),
    ("zerver_botstoragedata", &["bot_profile", "key"]),
    ("zerver_botconfigdata", &["bot_profile", "key"]),
    ("zerver_alertword", &["user_profile", "word"]),
    ("zerver_customprofilefieldvalue", &["user_profile", "field"]),
    ("zerver_muteduser", &["user_profile", "muted_user"]),
    ("zerver_onboardingstep", &["user", "onboarding_step"]),
    ("zerver_navigationview", &["user", "fragment"]),
    ("zerver_externalauthid", &["user", "external_auth_method_name"]),
    ("zerver_useractivity", &["user_profile", "client", "query"]),
    ("zerver_userpresence", &["user_profile"]),
    ("zerver_userstatus", &["user_profile"]),
    ("zerver_usertopic", &["user_profile", "stream", "topic_name"]),
    ("zerver_usergroupmembership", &["user_group", "user_profile"]),
    ("zerver_groupgroupmembership", &["supergroup", "subgroup"]),
    ("zerver_subscription", &["user_profile", "recipient"]),
    ("zerver_reaction", &["user_profile", "message", "reaction_type", "emoji_code"]),
    ("zerver_usermessage", &["user_profile", "message"]),
    ("analytics_realmcount", &["property", "subgroup", "end_time"]),
    ("analytics_usercount", &["property", "subgroup", "end_time", "user"]),
    ("analytics_streamcount", &["property", "subgroup", "end_time", "stream"]),
];

/// The keys that tell rows apart.
pub(super) fn unique(table: &str) -> Option<&'static [&'static str]> {
    UNIQUE.iter().find(|(of, _)| *of == table).map(|(_, keys)| *keys)
}

/// The kind of what a recipient's row names.
pub(super) fn target(row: &Entries<'_>) -> Option<Of> {
    row.integer("type").map(target_of)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Release;

    /// Whether exports of some release have a key.
    fn exists(table: &str, key: &str) -> bool {
        let known = Release::all().unwrap();
        let mut tables = known.iter().filter_map(|release| release.export.table(table).ok());
        tables.any(|table| table.fields.iter().any(|field| field.key == key))
    }

    #[test]
    fn every_rule_is_of_what_there_is() {
        for rule in NOT_COMPARED {
            match rule.is_key {
                true => assert!(exists(rule.table, rule.what), "{}.{}", rule.table, rule.what),
                false if rule.rows.is_some() => assert!(exists(rule.table, "id")),
                false => assert!(["avatars", "emoji"].contains(&rule.table)),
            }
        }
        for (table, key, _) in TREATS {
            assert!(exists(table, key), "{table}.{key}");
        }
        for (table, keys) in UNIQUE {
            assert!(Of::of_table(table).is_none(), "{table}");
            assert!(keys.iter().all(|key| exists(table, key)), "{table}");
        }
        for (table, key) in SECRETS {
            assert!(exists(table, key), "{table}.{key}");
        }
    }
}
