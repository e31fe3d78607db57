//! Importing beside others: no lock that anybody would wait for, and what the export names of the server itself.

use std::collections::BTreeMap;

use postgres::Client;

use crate::ids::Of;
use crate::import::ids::Ids;
use crate::import::internal;
use crate::postgres::{ForeignKey, OwnedSequence, column, error, quote_identifier};
use crate::validate::Facts;
use crate::{Error, ErrorKind, Finding, Progress, Result, Task};

/// The task told to [`Progress`]: foreign keys.
const TASK: &str = "check keys";

/// Tables whose rows are far more than those of all others.
const MESSAGES: [&str; 2] = ["zerver_message", "zerver_usermessage"];

/// Names the bots that all organisations of a server share. Nobody else is taken for one, whatever the export says: its
/// rows would be theirs.
///
/// # Errors
/// `Refused` where this server does not have one, and what the database answers.
pub(super) fn name_bots(client: &mut Client, ids: &mut Ids, facts: &Facts) -> Result<()> {
    for (old, bot) in facts.bots() {
        let (user, to_it) = find_bot(client, &bot.email)?
            .ok_or_else(|| Error::new(ErrorKind::Refused, format!("{} {LACKS_BOT}", bot.email)).with_hint(MAKE_BOTS))?;
        ids.name(Of::User, old, user);
        if let (Some(recipient), Some(new)) = (bot.recipient, to_it) {
            ids.name(Of::Recipient, recipient, new);
        }
    }
    Ok(())
}

const LACKS_BOT: &str = "is a bot of the system that this server has not";
const MAKE_BOTS: &str = "manage.py create_realm_internal_bots makes the bots of the system";

/// Those that the server lacks. One without any organisation gets them with its first.
///
/// # Errors
/// What the database answers.
pub(super) fn missing_bots(client: &mut Client, facts: &Facts) -> Result<Vec<Finding>> {
    let mut missing = Vec::new();
    if internal::is_missing(client)? {
        return Ok(missing);
    }
    for (_, bot) in facts.bots() {
        if find_bot(client, &bot.email)?.is_none() {
            missing.push(Finding::error("bot-missing", &bot.email, LACKS_BOT).with_hint(MAKE_BOTS));
        }
    }
    Ok(missing)
}

/// Its id, and that of its recipient.
fn find_bot(client: &mut Client, email: &str) -> Result<Option<(i64, Option<i64>)>> {
    let found = client
        .query_opt(
            "SELECT id::int8, (to_jsonb(zerver_userprofile) ->> 'recipient_id')::int8 FROM zerver_userprofile
             WHERE upper(email) = upper($1) AND is_bot
               AND realm_id = (SELECT id FROM zerver_realm WHERE string_id = 'zulipinternal')
             ORDER BY id LIMIT 1",
            &[&email],
        )
        .map_err(|failure| error("look for the bots of the system", failure))?;
    found.map(|row| Ok((column(&row, 0)?, column(&row, 1)?))).transpose()
}

/// An import beside others.
#[derive(Debug)]
pub(super) struct Shared {
    /// Whether triggers are off: keys are checked for all rows at once then.
    bulk: bool,
    /// The largest id of each table that no new row has.
    before: BTreeMap<String, i64>,
    keys: Vec<ForeignKey>,
}

impl Shared {
    /// Begins one.
    ///
    /// # Errors
    /// What the database answers.
    pub(super) fn begin(client: &mut Client, bulk: bool, ids: &Ids) -> Result<Self> {
        let failed = |failure| error("prepare the import beside others", failure);
        // Zulip's own: no row of an import is in a table with others.
        let keys: Vec<ForeignKey> = ForeignKey::all(client)?.into_iter().filter(|key| key.columns == 1).collect();
        let mut before = BTreeMap::new();
        if bulk {
            for sequence in OwnedSequence::all(client)?.into_iter().filter(|sequence| sequence.column == "id") {
                // Ids that were taken already are new rows'.
                let taken = Of::of_table(&sequence.table).and_then(|of| ids.range(of));
                let last = sequence.last(client)?;
                before.insert(sequence.table, taken.map_or(last, |(first, _)| last.min(first - 1)));
            }
            client.batch_execute("SET LOCAL session_replication_role = replica").map_err(failed)?;
        }
        Ok(Self { bulk, before, keys })
    }

    /// Whether the trigger that queues messages for the search index is off.
    pub(super) fn queue_is_off(&self) -> bool {
        self.bulk
    }

    /// Lets the keys of messages be checked with each statement from now on, since what they lead to is there: kept for
    /// later, the server would remember every row. Those of clients wait where there are `new_clients`, which are written
    /// late.
    ///
    /// # Errors
    /// What the database answers.
    pub(super) fn messages_follow(&self, client: &mut Client, new_clients: bool) -> Result<()> {
        let waits = |key: &&ForeignKey| new_clients && key.parent == "zerver_client";
        let keys = self.keys.iter().filter(|key| MESSAGES.contains(&key.table.as_str()) && !waits(key));
        let names: Vec<String> = keys.map(|key| quote_identifier(&key.name)).collect();
        if self.bulk || names.is_empty() {
            return Ok(());
        }
        client
            .batch_execute(&format!("SET CONSTRAINTS {} IMMEDIATE", names.join(", ")))
            .map_err(|failure| error("have the foreign keys of messages checked", failure))
    }

    /// Checks the keys of all new rows, where that was put off, and lets triggers work again.
    ///
    /// # Errors
    /// `Damaged` for a row that leads nowhere, and what the database answers.
    pub(super) fn end(self, client: &mut Client, progress: &dyn Progress) -> Result<()> {
        if !self.bulk {
            return Ok(());
        }
        let failed = |failure| error("check the foreign keys", failure);
        client.batch_execute("SET LOCAL session_replication_role = origin").map_err(failed)?;
        progress.begin(Task::steps(TASK, self.keys.len() as u64));
        for key in &self.keys {
            progress.checkpoint()?;
            progress.advance(TASK, 1);
            // A half of another table has no id of its own, and few rows.
            let newer = self.before.get(&key.table).map_or(String::new(), |before| format!("AND n.id > {before}"));
            let (column_name, referenced) = (quote_identifier(&key.column), quote_identifier(&key.parent_column));
            let statement = format!(
                "SELECT n.{column_name}::int8 FROM {table} n
                 WHERE n.xmin = pg_current_xact_id()::xid {newer} AND n.{column_name} IS NOT NULL
                   AND NOT EXISTS (SELECT FROM {references} r WHERE r.{referenced} = n.{column_name}) LIMIT 1",
                table = quote_identifier(&key.table),
                references = quote_identifier(&key.parent),
            );
            if let Some(row) = client.query_opt(&statement, &[]).map_err(failed)? {
                let found: i64 = column(&row, 0)?;
                let message = format!("{}.{} is {found}, which {} has not", key.table, key.column, key.parent);
                return Err(Error::new(ErrorKind::Damaged, message));
            }
        }
        progress.end(TASK);
        Ok(())
    }
}
