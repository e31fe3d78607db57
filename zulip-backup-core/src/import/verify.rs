//! The last look before an import becomes visible: whatever is wrong here undoes all of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use postgres::Client;

use crate::ids::Of;
use crate::import::huddles;
use crate::import::ids::Ids;
use crate::import::load::{Loaded, is_written};
use crate::postgres::{Behind, OwnedSequence, column, error};
use crate::validate::Examined;
use crate::{Error, ErrorKind, Finding, Result};

/// What must have no rows, and what it means where it has: each finds rows of the organisation `$1`. The server refuses a
/// parameter that a statement does not name, so those that go by the transaction name it too. Some need a column that not
/// every release has.
const WRONG: [(&str, Option<&str>, &str, &str); 10] = [
    (
        "zerver_userprofile",
        Some("recipient_id"),
        "has a user whose recipient is another's",
        "SELECT u.id::int8 FROM zerver_userprofile u LEFT JOIN zerver_recipient r ON r.id = u.recipient_id
         WHERE u.realm_id = $1::int8 AND u.recipient_id IS NOT NULL AND (r.type <> 1 OR r.type_id <> u.id)",
    ),
    (
        "zerver_stream",
        None,
        "has a channel whose recipient is another's",
        "SELECT s.id FROM zerver_stream s LEFT JOIN zerver_recipient r ON r.id = s.recipient_id
         WHERE s.realm_id = $1::int8 AND (r.id IS NULL OR r.type <> 2 OR r.type_id <> s.id)",
    ),
    (
        "zerver_huddle",
        None,
        "has a group whose recipient is another's",
        "SELECT h.id FROM zerver_huddle h LEFT JOIN zerver_recipient r ON r.id = h.recipient_id
         WHERE h.xmin = pg_current_xact_id()::xid AND $1::int8 IS NOT NULL
           AND (r.id IS NULL OR r.type <> 3 OR r.type_id <> h.id)",
    ),
    (
        "zerver_recipient",
        None,
        "has a recipient that is nobody's",
        "SELECT r.id FROM zerver_recipient r
         LEFT JOIN zerver_userprofile u
             ON r.type = 1 AND u.id = r.type_id AND (to_jsonb(u) ->> 'recipient_id')::int8 = r.id
         LEFT JOIN zerver_stream s ON r.type = 2 AND s.id = r.type_id AND s.recipient_id = r.id
         LEFT JOIN zerver_huddle h ON r.type = 3 AND h.id = r.type_id AND h.recipient_id = r.id
         WHERE r.xmin = pg_current_xact_id()::xid AND $1::int8 IS NOT NULL
           AND u.id IS NULL AND s.id IS NULL AND h.id IS NULL",
    ),
    (
        "zerver_stream",
        None,
        "has a channel whose first message is another",
        "WITH m AS MATERIALIZED (
             SELECT recipient_id, min(id) AS first FROM zerver_message WHERE realm_id = $1::int8 GROUP BY 1
         )
         SELECT s.id FROM zerver_stream s LEFT JOIN m ON m.recipient_id = s.recipient_id
         WHERE s.realm_id = $1::int8 AND s.first_message_id IS DISTINCT FROM m.first",
    ),
    (
        "zerver_subscription",
        None,
        "has a subscription that does not say whether its user is active",
        "SELECT s.id FROM zerver_subscription s JOIN zerver_userprofile u ON u.id = s.user_profile_id
         WHERE u.realm_id = $1::int8 AND s.is_user_active <> u.is_active",
    ),
    (
        "zerver_presencesequence",
        Some("last_update_id"),
        "is behind what users have",
        "SELECT q.id FROM zerver_presencesequence q WHERE q.realm_id = $1::int8
         AND q.last_update_id < (SELECT max(p.last_update_id) FROM zerver_userpresence p WHERE p.realm_id = q.realm_id)",
    ),
    (
        "zerver_userprofile",
        None,
        "has a user in a channel, a group or with an owner of another organisation",
        "SELECT u.id::int8 FROM zerver_userprofile u
         LEFT JOIN zerver_stream s ON s.id = u.default_sending_stream_id
         LEFT JOIN zerver_userprofile o ON o.id = u.bot_owner_id
         WHERE u.realm_id = $1::int8 AND (s.realm_id <> u.realm_id OR o.realm_id <> u.realm_id)",
    ),
    (
        "zerver_namedusergroup",
        Some("creator_id"),
        "has a group whose creator is of another organisation",
        "SELECT g.usergroup_ptr_id FROM zerver_namedusergroup g JOIN zerver_userprofile u ON u.id = g.creator_id
         WHERE (g.realm_id = $1::int8) <> (u.realm_id = $1::int8)",
    ),
    (
        "zerver_attachment",
        None,
        "has an attachment under another organisation's files",
        "SELECT a.id FROM zerver_attachment a WHERE a.realm_id = $1::int8 AND a.path_id NOT LIKE $1::text || '/%'",
    ),
];

/// How many rows each list has in the export, with the pairs that attachments make with messages.
fn expected(examined: &Examined) -> BTreeMap<&str, u64> {
    let Examined { release, facts, message_counts, .. } = examined;
    let lists = release.export.files.of_organisation();
    let is_written: BTreeSet<&str> = lists.filter(|list| is_written(list)).map(|list| list.key.as_str()).collect();
    let mut expected: BTreeMap<&str, u64> = BTreeMap::new();
    for (list, count) in facts.counts.values().chain([message_counts]).flatten() {
        if is_written.contains(list.as_str()) {
            *expected.entry(list).or_default() += count;
        }
    }
    for (table, key) in
        [("zerver_attachment_messages", "messages"), ("zerver_attachment_scheduled_messages", "scheduled_messages")]
    {
        expected.insert(table, facts.links.values("zerver_attachment", key).map(|(_, uses)| uses.count).sum());
    }
    expected
}

/// Recipients whose subscriptions are not as many as in the export: the new id, and both numbers.
fn subscriptions(client: &mut Client, examined: &Examined, ids: &Ids) -> Result<Vec<(i64, String)>> {
    let mut expected: HashMap<i64, i64> = HashMap::new();
    for (recipient, _) in &examined.facts.members {
        if let Some(new) = ids.get(Of::Recipient, *recipient) {
            *expected.entry(new).or_default() += 1;
        }
    }
    let statement = "SELECT recipient_id::int8, count(*) FROM zerver_subscription
                     WHERE xmin = pg_current_xact_id()::xid GROUP BY 1";
    let rows = client.query(statement, &[]).map_err(|failure| error("count the subscriptions", failure))?;
    let mut wrong = Vec::new();
    for row in rows {
        let (recipient, count): (i64, i64) = (column(&row, 0)?, column(&row, 1)?);
        let of_export = expected.remove(&recipient).unwrap_or(0);
        // The bots of a new server come with it.
        let is_of_export = ids.ranges(Of::Recipient).any(|range| range.contains(&recipient));
        if is_of_export && of_export != count {
            wrong.push((recipient, format!("{count}, and {of_export} in the export")));
        }
    }
    wrong
        .extend(expected.into_iter().map(|(recipient, count)| (recipient, format!("none, and {count} in the export"))));
    wrong.sort_unstable();
    wrong.truncate(3);
    Ok(wrong)
}

/// Checks what was written.
///
/// # Errors
/// `Damaged` with all that is wrong, and what the database answers.
pub(super) fn check(client: &mut Client, examined: &Examined, ids: &Ids, realm: i64, loaded: &[Loaded]) -> Result<()> {
    let failed = |failure| error("check what was written", failure);
    // The server knows nothing of the new rows, takes them for few, and would look for each of them in all others.
    client.batch_execute("SET LOCAL enable_nestloop = off").map_err(failed)?;
    let mut reasons = Vec::new();
    let mut wrong = |object: &str, message: String| reasons.push(Finding::error("import-wrong", object, message));
    let mut written: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for Loaded { list, rows, left_out, .. } in loaded {
        let (all, all_left_out) = written.entry(list).or_default();
        (*all, *all_left_out) = (*all + rows, *all_left_out + left_out);
    }
    for (list, count) in expected(examined) {
        let (rows, left_out) = written.get(list).copied().unwrap_or_default();
        if rows + left_out != count {
            wrong(list, format!("{rows} rows were written and {left_out} left out, the export has {count}"));
        }
    }
    for (recipient, count) in subscriptions(client, examined, ids)? {
        wrong("zerver_subscription", format!("recipient {recipient} has {count}"));
    }
    for (table, needs, what, statement) in WRONG {
        if needs.is_some_and(|column| !examined.release.catalog.has_column(table, column)) {
            continue;
        }
        // Some ids are of four bytes, some of eight.
        let some = format!("SELECT id::int8 FROM ({statement}) wrong (id) LIMIT 3");
        let found = client.query(&some, &[&realm]).map_err(failed)?;
        if !found.is_empty() {
            let rows: Vec<String> =
                found.iter().map(|row| Ok(column::<i64>(row, 0)?.to_string())).collect::<Result<_>>()?;
            wrong(table, format!("{what}: {}", rows.join(", ")));
        }
    }
    for (id, hash) in huddles::wrong(client, ids, &examined.facts)? {
        wrong("zerver_huddle", format!("group {id} has the hash {hash}, which its members do not have"));
    }
    let row = client
        .query_one(
            "SELECT (SELECT count(*) FROM zerver_message WHERE realm_id = $1::int8),
                    (SELECT count(*) FROM fts_update_log f JOIN zerver_message m ON m.id = f.message_id WHERE m.realm_id = $1::int8)",
            &[&realm],
        )
        .map_err(failed)?;
    let (messages, queued): (i64, i64) = (column(&row, 0)?, column(&row, 1)?);
    if u64::try_from(messages) != Ok(examined.messages.len()) {
        wrong(
            "zerver_message",
            format!("the organisation has {messages} messages, expected {}", examined.messages.len()),
        );
    }
    if queued < messages {
        wrong("fts_update_log", format!("{queued} messages are queued for the search index, expected {messages}"));
    }
    let sequences = OwnedSequence::all(client)?;
    for sequence in sequences.iter().filter(|sequence| loaded.iter().any(|loaded| loaded.table == sequence.table)) {
        if let Some(Behind { last, largest }) = sequence.behind(client)? {
            let OwnedSequence { table, column, .. } = sequence;
            wrong(table, format!("the largest {column} is {largest}, and its sequence is at {last}"));
        }
    }
    if reasons.is_empty() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Damaged, "what was written is not what the export holds").with_reasons(reasons))
}
