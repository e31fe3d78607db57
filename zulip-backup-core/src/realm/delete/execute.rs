//! Doing what the plan says.

use std::collections::BTreeMap;
use std::time::Instant;

use postgres::Transaction;

use crate::postgres::{column, error};
use crate::realm::delete::DeletePlan;
use crate::realm::delete::files::RealmFiles;
use crate::realm::delete::graph::{Graph, Order, REALM};
use crate::realm::delete::plan::{TableRows, refuse};
use crate::realm::delete::report::DeleteReport;
use crate::realm::delete::scope::{MESSAGES, SEARCH_QUEUE, Scope};
use crate::realm::sessions::end_sessions;
use crate::{Error, Findings, Progress, Result, Task};

const TASK: &str = "delete";

/// How many messages are deleted by one statement. Each is looked for in the tables that may refer to it, and the server
/// remembers until the statement's end that it has to be.
const MESSAGES_AT_ONCE: i64 = 20_000;

impl DeletePlan {
    /// Deletes it.
    ///
    /// # Errors
    /// `Locked` while somebody else changes or exports the organisation; `Refused` when it is not what it was for the plan;
    /// `Interrupted` when `progress` asks to stop; and what the database answers. All rows are there then, and all files:
    /// but for an error that says otherwise, where the connection was lost at the last moment.
    pub fn execute(&self, progress: &dyn Progress) -> Result<DeleteReport> {
        let begun = Instant::now();
        let (mut findings, mut next_steps) = (Findings::default(), Vec::new());
        let (_reservation, mut client) = self.change.begin(&mut findings)?;
        let failed = |failure| error("delete the organisation", failure);
        let mut transaction = client.transaction().map_err(failed)?;
        self.change.lock(&mut transaction)?;
        let graph = Graph::read(&mut transaction)?;
        let scope = Scope::new(&mut transaction, &graph, self.realm_id)?;
        // What the plan saw may have changed since.
        refuse(&mut transaction, &scope, &self.tables)?;
        let files = RealmFiles::of(&mut transaction, self.realm_id)?;
        let (tables, ended_sessions) = delete_rows(&mut transaction, &scope, progress)?;
        progress.checkpoint()?;
        self.change.journals.write(&mut transaction, (self.realm_id, &self.realm), &files)?;
        transaction.commit().map_err(|failure| {
            error("delete the organisation", failure).with_hint(
                "see with `realm list` whether it is there: its files are removed by the next `realm` command if not",
            )
        })?;
        let (files, left) = files.remove(&*self.uploads);
        if left.is_empty() {
            self.change.journals.remove(self.realm_id).map_err(|error| {
                error.with_hint(
                    "the organisation is deleted, and its files; only the journal is left beside the uploads",
                )
            })?;
        }
        for finding in left {
            findings.push(finding);
        }
        self.change.flush_caches(&mut findings, &mut next_steps);
        Ok(DeleteReport {
            realm_id: self.realm_id,
            realm: self.realm.clone(),
            rows: tables.values().sum(),
            tables: sorted(tables),
            ended_sessions,
            files,
            findings,
            next_steps,
            seconds: begun.elapsed().as_secs_f64(),
        })
    }
}

fn sorted(tables: BTreeMap<String, u64>) -> Vec<TableRows> {
    let rows = tables.into_iter().filter(|(_, rows)| *rows > 0);
    let mut rows: Vec<TableRows> = rows.map(|(table, rows)| TableRows { table, rows }).collect();
    rows.sort_by_key(|table| std::cmp::Reverse(table.rows));
    rows
}

fn delete_rows(
    transaction: &mut Transaction<'_>,
    scope: &Scope<'_>,
    progress: &dyn Progress,
) -> Result<(BTreeMap<String, u64>, u64)> {
    let Order { ordered, entangled } = scope.graph.order();
    progress.begin(Task::steps(TASK, (ordered.len() + entangled.len()) as u64));
    let sessions = end_sessions(transaction, scope.realm)?;
    scope.take_messages(transaction)?;
    let lone = lone_transactions(transaction, scope)?;
    let mut deleted = BTreeMap::new();
    // Each key is checked when its statement ends, and nothing is left to remember: of a million messages with eight tables
    // that refer to them it would be hundreds of megabytes in the server's process.
    constraints(transaction, "IMMEDIATE")?;
    for table in &ordered {
        progress.checkpoint()?;
        let rows = if table == MESSAGES[0] {
            let (messages, waiting) = delete_messages(transaction, scope.realm, progress)?;
            deleted.insert(SEARCH_QUEUE.to_owned(), waiting);
            messages
        } else {
            delete_table(transaction, scope, table)?
        };
        deleted.insert(table.clone(), rows);
        progress.advance(TASK, 1);
    }
    constraints(transaction, "DEFERRED")?;
    for table in &entangled {
        progress.checkpoint()?;
        deleted.insert(table.clone(), delete_table(transaction, scope, table)?);
        progress.advance(TASK, 1);
    }
    let statement = "DELETE FROM zerver_archivetransaction t WHERE t.id = ANY ($1::int8[])
                     AND NOT EXISTS (SELECT FROM zerver_archivedmessage m WHERE m.archive_transaction_id = t.id)";
    let rows =
        transaction.execute(statement, &[&lone]).map_err(|failure| error("delete the archive's entries", failure))?;
    *deleted.entry("zerver_archivetransaction".to_owned()).or_default() += rows;
    // Now, so that a row that refers to one of these is found before anything is written down.
    constraints(transaction, "IMMEDIATE")?;
    progress.end(TASK);
    if deleted.get(REALM) == Some(&1) {
        return Ok((deleted, sessions));
    }
    Err(Error::new(crate::ErrorKind::Refused, "the organisation is gone: somebody else deleted it meanwhile"))
}

fn constraints(transaction: &mut Transaction<'_>, when: &str) -> Result<()> {
    let checked = transaction.batch_execute(&format!("SET CONSTRAINTS ALL {when}"));
    checked.map_err(|failure| {
        error("delete the organisation: rows are left that refer to it", failure)
            .with_hint("was something written meanwhile? Deactivate the organisation, and try again")
    })
}

/// Entries of the archive that are of no organisation, and have messages of this one.
fn lone_transactions(transaction: &mut Transaction<'_>, scope: &Scope<'_>) -> Result<Vec<i64>> {
    let query = "SELECT DISTINCT t.id FROM zerver_archivetransaction t
                 JOIN zerver_archivedmessage m ON m.archive_transaction_id = t.id
                 WHERE t.realm_id IS NULL AND m.realm_id = $1::int8";
    let rows =
        transaction.query(query, &[&scope.realm]).map_err(|failure| error("read the archive's entries", failure))?;
    rows.iter().map(|row| column(row, 0)).collect()
}

fn delete_table(transaction: &mut Transaction<'_>, scope: &Scope<'_>, table: &str) -> Result<u64> {
    let mut rows = 0;
    for way in scope.ways(table) {
        let done = transaction.execute(&way.delete(table), &[]);
        rows += done.map_err(|failure| error(&format!("delete the organisation's rows of {table}"), failure))?;
    }
    Ok(rows)
}

/// Messages by the stretch, and what waits for the search index of each stretch: in the order in which the daemon that
/// works on it takes its locks. How many of both there were comes back.
fn delete_messages(transaction: &mut Transaction<'_>, realm: i64, progress: &dyn Progress) -> Result<(u64, u64)> {
    let failed = |failure| error("delete the organisation's messages", failure);
    let (mut last, mut deleted, mut waiting) = (-1_i64, 0, 0);
    loop {
        progress.checkpoint()?;
        let rows = transaction
            .query(
                "SELECT id::int8 FROM zerver_message WHERE realm_id = $1::int8 AND id > $2::int8 ORDER BY id LIMIT $3",
                &[&realm, &last, &MESSAGES_AT_ONCE],
            )
            .map_err(failed)?;
        let ids: Vec<i64> = rows.iter().map(|row| column(row, 0)).collect::<Result<_>>()?;
        let Some(newest) = ids.last() else { return Ok((deleted, waiting)) };
        last = *newest;
        deleted += transaction
            .execute("DELETE FROM zerver_message WHERE id = ANY ($1::int8[]::int4[])", &[&ids])
            .map_err(failed)?;
        waiting += transaction
            .execute("DELETE FROM fts_update_log WHERE message_id = ANY ($1::int8[]::int4[])", &[&ids])
            .map_err(failed)?;
    }
}
