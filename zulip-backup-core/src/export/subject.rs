//! Which rows belong to a single user: upstream's `export_single_user`.

use crate::export::select::{How, Selection};
use crate::postgres::quote_identifier;
use crate::schema::{Encoding, RowRule};

/// Ids of the messages that concern a user: sent, received directly, or reacted to.
pub(super) fn message_ids(realm: i64, user: i64) -> String {
    format!(
        "SELECT m.id, NULL::int FROM (SELECT id FROM zerver_message WHERE realm_id = {realm} AND sender_id = {user}
         UNION SELECT id FROM zerver_message WHERE recipient_id IN (
             SELECT s.recipient_id FROM zerver_subscription s JOIN zerver_recipient r ON r.id = s.recipient_id
             WHERE s.user_profile_id = {user} AND r.type IN (1, 3))
         UNION SELECT message_id FROM zerver_reaction WHERE user_profile_id = {user}) m"
    )
}

/// Which rows, as an SQL condition on `t`.
pub(super) fn condition(rule: &RowRule, user: i64) -> String {
    let subscriptions = format!("SELECT s.recipient_id FROM zerver_subscription s WHERE s.user_profile_id = {user}");
    match rule {
        RowRule::Subject { column } => format!("t.{} = {user}", quote_identifier(column)),
        RowRule::SubjectRecipients => format!("t.id IN ({subscriptions})"),
        RowRule::SubjectChannels => {
            format!("t.id IN (SELECT type_id FROM zerver_recipient WHERE type = 2 AND id IN ({subscriptions}))")
        }
        RowRule::SubjectAuditLog => format!("t.modified_user_id = {user} OR t.acting_user_id = {user}"),
        // Which of them, the ids of the messages tell.
        RowRule::SubjectMessages => {
            format!(
                "EXISTS (SELECT FROM zerver_usermessage u WHERE u.message_id = t.id AND u.user_profile_id = {user})"
            )
        }
        _ => "false".to_owned(),
    }
}

/// Adds what a user has of a message to its row.
pub(super) fn with_flags(selection: &mut Selection<'_>, user: i64) {
    let flags =
        format!("(SELECT u.flags FROM zerver_usermessage u WHERE u.message_id = t.id AND u.user_profile_id = {user})");
    selection.add("flags", &flags, How::Flags);
    selection.add("flags_mask", &flags, How::Value(Encoding::Integer));
    let client = "(SELECT c.name FROM zerver_client c WHERE c.id = t.sending_client_id)";
    selection.add("sending_client_name", client, How::Value(Encoding::Text));
    let recipient = "coalesce(
        (SELECT c.name FROM zerver_recipient r JOIN zerver_stream c ON r.type = 2 AND c.id = r.type_id
         WHERE r.id = t.recipient_id),
        (SELECT string_agg(u.full_name, ', ' ORDER BY u.full_name COLLATE \"C\") FROM zerver_subscription s
         JOIN zerver_userprofile u ON u.id = s.user_profile_id WHERE s.recipient_id = t.recipient_id), '')";
    selection.add("recipient_name", recipient, How::Value(Encoding::Text));
}
