//! The columns whose values are not simply the export's, or the new ids of what those name.

use crate::ids::Of;
use crate::import::making::Making;
use crate::import::table::Missing;
use crate::import::texts;
use crate::import::value::Value;
use crate::package::Compat;
use crate::rows::RowParser;
use crate::{Error, ErrorKind, Result, random};

/// Makes a column's value.
pub(super) type Make = for<'r> fn(&'r Making<'_>, &'r RowParser<'_>) -> Result<Value<'r>>;

const RULES: [(&str, &str, Make); 42] = [
    ("zerver_realm", "name", |making, row| Ok(realm_name(making, row))),
    ("zerver_realm", "string_id", |making, _| Ok(Value::text(making.subdomain))),
    ("zerver_realm", "uuid", |_, row| kept_or(row, "uuid", random::uuid)),
    ("zerver_realm", "uuid_owner_secret", |_, row| {
        kept_or(row, "uuid_owner_secret", || Ok(format!("zuliprealm_{}", random::alphanumeric(32)?)))
    }),
    // Which server may push is agreed on anew.
    ("zerver_realm", "push_notifications_enabled", |_, _| Ok(Value::Bool(false))),
    // The plan of a server of one's own.
    ("zerver_realm", "plan_type", |_, _| Ok(Value::Int(1))),
    ("zerver_realm", "max_invites", |_, _| Ok(Value::Null)),
    ("zerver_realm", "upload_quota_gb", |_, _| Ok(Value::Null)),
    ("zerver_realm", "message_visibility_limit", |_, _| Ok(Value::Null)),
    ("zerver_realm", "first_visible_message_id", |_, _| Ok(Value::Int(0))),
    // No password fits: "!" begins what is no hash.
    ("zerver_userprofile", "password", |_, _| Ok(Value::text(format!("!{}", random::alphanumeric(40)?)))),
    ("zerver_userprofile", "api_key", |_, _| Ok(Value::text(random::alphanumeric(32)?))),
    // Only converters say it, and make it up.
    ("zerver_userprofile", "uuid", |making, row| match making.compat {
        Compat::Strict => kept_or(row, "uuid", random::uuid),
        Compat::Fixed => Ok(Value::text(random::uuid()?)),
    }),
    // Nobody has agreed to this server's terms, and nobody has logged in: what `--only-never-logged-in` looks for.
    ("zerver_userprofile", "tos_version", |_, _| Ok(Value::text("-1"))),
    ("zerver_userprofile", "is_staff", |making, row| Ok(power(making, row, "is_staff"))),
    ("zerver_userprofile", "is_superuser", |making, row| Ok(power(making, row, "is_superuser"))),
    ("zerver_userprofile", "can_forge_sender", |making, row| Ok(power(making, row, "can_forge_sender"))),
    ("zerver_userprofile", "can_create_users", |making, row| Ok(power(making, row, "can_create_users"))),
    ("zerver_userprofile", "can_change_user_emails", |making, row| Ok(power(making, row, "can_change_user_emails"))),
    ("zerver_userprofile", "rate_limits", |making, row| Ok(limits(making, row))),
    ("zerver_userprofile", "last_active_message_id", |making, row| Ok(up_to(making, row, "last_active_message_id"))),
    ("zerver_stream", "rendered_description", |making, row| Ok(texts::description(making, row))),
    // Who knows it can write to the channel by e-mail.
    ("zerver_stream", "email_token", |_, _| Ok(Value::text(random::hexadecimal(32)?))),
    // Known when the messages are.
    ("zerver_stream", "first_message_id", |_, _| Ok(Value::Null)),
    ("zerver_recipient", "type_id", type_id),
    ("zerver_subscription", "is_user_active", |making, row| Ok(is_user_active(making, row))),
    ("zerver_huddle", "huddle_hash", huddle_hash),
    ("zerver_realmemoji", "author_id", emoji_author),
    ("zerver_service", "token", |_, _| Ok(Value::text(random::alphanumeric(32)?))),
    ("zerver_realmauditlog", "event_last_message_id", |making, row| Ok(event_last_message(making, row))),
    ("zerver_customprofilefieldvalue", "value", profile_value),
    ("zerver_reaction", "emoji_code", emoji_code),
    ("zerver_userstatus", "emoji_code", emoji_code),
    ("zerver_message", "content", |making, row| Ok(texts::markdown(making, row, "content"))),
    ("zerver_message", "rendered_content", |making, row| Ok(texts::html(making, row, "rendered_content"))),
    ("zerver_message", "edit_history", edit_history),
    ("zerver_scheduledmessage", "content", |making, row| Ok(texts::markdown(making, row, "content"))),
    ("zerver_scheduledmessage", "rendered_content", |making, row| Ok(texts::html(making, row, "rendered_content"))),
    ("zerver_scheduledmessage", "reminder_target_message_id", |making, row| Ok(reminder(making, row))),
    ("zerver_attachment", "path_id", attachment_path),
    ("zerver_attachment", "content_type", |making, row| Ok(content_type(making, row))),
    ("analytics_usercount", "subgroup", client_subgroup),
];

/// The rule of a column.
pub(super) fn of(table: &str, column: &str) -> Option<Make> {
    // The three tables of counts are alike.
    let table = match (table, column) {
        ("analytics_realmcount" | "analytics_streamcount", "subgroup") => "analytics_usercount",
        _ => table,
    };
    RULES.iter().find(|(of, named, _)| *of == table && *named == column).map(|(.., make)| *make)
}

/// What is done where a column names what the export does not have. Zulip's own exporter leaves these open, and only
/// these.
pub(super) fn missing(table: &str, column: &str) -> Missing {
    match (table, column) {
        ("zerver_scheduledmessage", "delivered_message_id")
        | ("zerver_realmauditlog", "modified_user_id")
        | ("zerver_userprofile", "recipient_id") => Missing::Null,
        ("zerver_onboardingusermessage", "message_id")
        | ("zerver_scheduledmessage", "recipient_id")
        | ("zerver_muteduser", "muted_user_id")
        | ("analytics_usercount", "user_id") => Missing::LeaveOut,
        _ => Missing::Refuse,
    }
}

/// Which rows of a table are left out.
pub(super) fn skip(table: &str) -> Option<fn(&Making<'_>, &RowParser<'_>) -> bool> {
    match table {
        // What the bots of the system did is counted by the server they are on.
        "analytics_usercount" => Some(|making, row| {
            let of_bot = row.integer("user").is_some_and(|user| making.ids.is_named(Of::User, user));
            of_bot && making.drops_bot_counts || is_of_unknown_client(making, row)
        }),
        "analytics_realmcount" | "analytics_streamcount" => Some(is_of_unknown_client),
        _ => None,
    }
}

fn kept<'r>(row: &'r RowParser<'_>, key: &str) -> Value<'r> {
    Value::of(row, row.get(key))
}

fn kept_or<'r>(row: &'r RowParser<'_>, key: &str, make: impl FnOnce() -> Result<String>) -> Result<Value<'r>> {
    match kept(row, key) {
        Value::Null => Ok(Value::text(make()?)),
        value => Ok(value),
    }
}

fn realm_name<'r>(making: &'r Making<'_>, row: &'r RowParser<'_>) -> Value<'r> {
    match row.text("name").filter(|name| making.keep_name && !name.is_empty()) {
        Some(name) => Value::text(name),
        None => Value::text(making.subdomain),
    }
}

/// A power over the whole server. Who wrote the file must not hand it out.
fn power<'r>(making: &Making<'_>, row: &'r RowParser<'_>, key: &str) -> Value<'r> {
    if making.trust_server_powers { kept(row, key) } else { Value::Bool(false) }
}

/// How often a user may ask the server for something, where that is not the server's own measure.
fn limits<'r>(making: &Making<'_>, row: &'r RowParser<'_>) -> Value<'r> {
    if making.trust_server_powers { kept(row, "rate_limits") } else { Value::text("") }
}

/// The id of a message up to which something was true.
fn up_to<'r>(making: &Making<'_>, row: &'r RowParser<'_>, key: &str) -> Value<'r> {
    row.integer(key).map_or(Value::Null, |old| Value::Int(making.ids.message_up_to(old)))
}

/// The message that somebody wants to be reminded of. Upstream keeps the old server's number.
fn reminder<'r>(making: &'r Making<'_>, row: &'r RowParser<'_>) -> Value<'r> {
    const KEY: &str = "reminder_target_message_id";
    if making.compat == Compat::Strict {
        return kept(row, KEY);
    }
    row.integer(KEY).and_then(|old| making.ids.get(Of::Message, old)).map_or(Value::Null, Value::Int)
}

fn event_last_message<'r>(making: &Making<'_>, row: &'r RowParser<'_>) -> Value<'r> {
    const KEY: &str = "event_last_message_id";
    // Zulip's importer keeps the old server's number.
    if making.compat == Compat::Strict { kept(row, KEY) } else { up_to(making, row, KEY) }
}

/// `zerver_recipient.type_id` names a row of one of three tables.
fn type_id<'r>(making: &'r Making<'_>, row: &'r RowParser<'_>) -> Result<Value<'r>> {
    let of = match row.integer("type") {
        Some(1) => Of::User,
        Some(2) => Of::Stream,
        _ => Of::Huddle,
    };
    let old = row.integer("type_id").unwrap_or(0);
    known(making, of, old).map(Value::Int)
}

fn known(making: &Making<'_>, of: Of, old: i64) -> Result<i64> {
    making
        .ids
        .get(of, old)
        .ok_or_else(|| Error::new(ErrorKind::Damaged, format!("refers to {of:?} {old}, which is not in the export")))
}

fn is_user_active<'r>(making: &Making<'_>, row: &'r RowParser<'_>) -> Value<'r> {
    let user = row.integer("user_profile").and_then(|user| making.facts.users.get(&user));
    Value::Bool(user.is_none_or(|user| user.is_active))
}

fn huddle_hash<'r>(making: &'r Making<'_>, row: &'r RowParser<'_>) -> Result<Value<'r>> {
    let hash = row.integer("id").and_then(|id| making.group_hashes.get(&id));
    hash.map(|hash| Value::text(hash.as_str()))
        .ok_or_else(|| Error::new(ErrorKind::Damaged, "the group has no members"))
}

fn emoji_author<'r>(making: &'r Making<'_>, row: &'r RowParser<'_>) -> Result<Value<'r>> {
    // Emoji from before authors were kept: the oldest owner answers for them, as with upstream.
    let author = row.integer("author").or(making.default_owner);
    author.map_or(Ok(Value::Null), |author| known(making, Of::User, author).map(Value::Int))
}

/// The code of an emoji of the organisation's own is its id.
fn emoji_code<'r>(making: &'r Making<'_>, row: &'r RowParser<'_>) -> Result<Value<'r>> {
    if row.text("reaction_type") != Some("realm_emoji") {
        return Ok(kept(row, "emoji_code"));
    }
    let old = row.text("emoji_code").and_then(|code| code.parse().ok());
    let old: i64 = old.ok_or_else(|| Error::new(ErrorKind::Damaged, "the code is no emoji's id"))?;
    known(making, Of::Emoji, old).map(|new| Value::text(new.to_string()))
}

/// The value of a custom profile field: users, by their ids, in some.
fn profile_value<'r>(making: &'r Making<'_>, row: &'r RowParser<'_>) -> Result<Value<'r>> {
    let value = kept(row, "value");
    let of_users = row.integer("field").is_some_and(|field| making.facts.user_fields.contains(&field));
    let Value::Text(text) = &value else { return Ok(value) };
    if !of_users {
        return Ok(value);
    }
    let users: Vec<i64> = serde_json::from_str(text)
        .map_err(|error| Error::new(ErrorKind::Damaged, format!("{text:?} is no list of users' ids: {error}")))?;
    // Who is not in the export is nobody here: a number that is kept would be somebody else.
    let known = users.into_iter().filter_map(|old| making.ids.get(Of::User, old));
    let known: Vec<String> = known.map(|new| new.to_string()).collect();
    Ok(Value::text(format!("[{}]", known.join(","))))
}

fn attachment_path<'r>(making: &'r Making<'_>, row: &'r RowParser<'_>) -> Result<Value<'r>> {
    let old = row.text("path_id").unwrap_or_default();
    let new = making
        .paths
        .get(old)
        .ok_or_else(|| Error::new(ErrorKind::Damaged, format!("{old:?} has no record in uploads/records.json")))?;
    Ok(Value::text(new.as_str()))
}

fn edit_history<'r>(making: &'r Making<'_>, row: &'r RowParser<'_>) -> Result<Value<'r>> {
    const KEY: &str = "edit_history";
    if making.maps_edit_history { texts::edit_history(making, row, KEY) } else { Ok(kept(row, KEY)) }
}

/// What an attachment is. Where the importer looks into pictures it guesses what is not said.
fn content_type<'r>(making: &Making<'_>, row: &'r RowParser<'_>) -> Value<'r> {
    if making.pictures.recorded { texts::content_type(row) } else { kept(row, "content_type") }
}

/// Messages are counted by client, whose id is text here.
fn client_subgroup<'r>(making: &'r Making<'_>, row: &'r RowParser<'_>) -> Result<Value<'r>> {
    match counted_client(making, row) {
        None => Ok(kept(row, "subgroup")),
        Some(old) => known(making, Of::Client, old).map(|new| Value::text(new.to_string())),
    }
}

/// The client whose messages a row counts, where that is what it counts. Zulip's importer keeps the old server's number.
fn counted_client(making: &Making<'_>, row: &RowParser<'_>) -> Option<i64> {
    let counts = row.text("property") == Some("messages_sent:client:day") && making.compat == Compat::Fixed;
    row.text("subgroup").filter(|_| counts)?.parse().ok()
}

/// A client that no exported row names is not in the export either: its number would be another's.
fn is_of_unknown_client(making: &Making<'_>, row: &RowParser<'_>) -> bool {
    counted_client(making, row).is_some_and(|old| making.ids.get(Of::Client, old).is_none())
}

#[cfg(test)]
mod tests {
    use crate::import::load::is_written;
    use crate::import::table::Table;
    use crate::rows::Shape;
    use crate::schema::Release;

    #[test]
    fn every_list_can_be_written() {
        for release in Release::all().unwrap() {
            for list in release.export.files.of_organisation() {
                if is_written(list) {
                    let table = Table::new(list, &Shape::new(release, list).unwrap()).unwrap();
                    assert!(table.copy().starts_with("COPY \""));
                }
            }
        }
    }

    #[test]
    fn every_rule_is_of_a_column_that_there_is() {
        for (table, column, _) in super::RULES {
            let has = |release: &Release| release.catalog.has_column(table, column);
            assert!(Release::all().unwrap().into_iter().any(has), "{table}.{column}");
        }
    }
}
