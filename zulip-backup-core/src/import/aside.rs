//! Indexes and foreign keys of large tables, set aside while their rows are written and made again afterwards, all in the
//! import's transaction: a row costs nothing then but its place, and each index is built at once.

use std::collections::BTreeSet;

use postgres::Client;

use crate::postgres::{column, error};
use crate::{Error, ErrorKind, Progress, Result, Task};

/// The task told to [`Progress`]: indexes and keys.
pub(super) const TASK: &str = "make indexes";

/// The trigger that queues messages for the search index, whose work is done for all of them at once.
const QUEUE_TRIGGER: (&str, &str) = ("zerver_message", "zerver_message_update_search_tsvector_async");

/// What was set aside.
#[derive(Debug)]
pub(super) struct Aside {
    /// What makes it again, in order: what it is, and the statement.
    again: Vec<(String, String)>,
    /// How everything of the tables was defined.
    before: BTreeSet<String>,
    tables: Vec<String>,
    /// Whether the search queue has to be filled.
    queue: bool,
}

/// Everything that defines a table beside its columns, as text, to be compared.
const DEFINITIONS: &str = "
    SELECT format('constraint %s.%s %s validated %s, %s', c.conrelid::regclass, c.conname, pg_get_constraintdef(c.oid),
                  c.convalidated, obj_description(c.oid, 'pg_constraint'))
    FROM pg_constraint c WHERE c.conrelid = ANY ($1::text[]::regclass[]) OR c.confrelid = ANY ($1::text[]::regclass[])
    UNION ALL
    SELECT format('index %s clustered %s, valid %s, replica identity %s, options %s, %s', pg_get_indexdef(i.indexrelid),
                  i.indisclustered, i.indisvalid, i.indisreplident, t.reloptions, obj_description(i.indexrelid, 'pg_class'))
    FROM pg_index i JOIN pg_class t ON t.oid = i.indexrelid WHERE i.indrelid = ANY ($1::text[]::regclass[])
    UNION ALL
    SELECT format('trigger %s %s', pg_get_triggerdef(t.oid), t.tgenabled)
    FROM pg_trigger t WHERE t.tgrelid = ANY ($1::text[]::regclass[]) AND NOT t.tgisinternal";

/// Foreign keys of the tables and to them; then keys; then indexes. What is special in a way that no definition tells
/// stays: it is slower, and never wrong.
const OBJECTS: &str = "
    SELECT 1 AS step, c.conrelid::regclass::text, quote_ident(c.conname), pg_get_constraintdef(c.oid), ''::text
    FROM pg_constraint c
    WHERE c.contype = 'f' AND c.convalidated AND c.conparentid = 0
      AND (c.conrelid = ANY ($1::text[]::regclass[]) OR c.confrelid = ANY ($1::text[]::regclass[]))
      AND obj_description(c.oid, 'pg_constraint') IS NULL
    UNION ALL
    SELECT 2, c.conrelid::regclass::text, quote_ident(c.conname), pg_get_constraintdef(c.oid), ''
    FROM pg_constraint c JOIN pg_index i ON i.indexrelid = c.conindid JOIN pg_class t ON t.oid = i.indexrelid
    WHERE c.contype IN ('p', 'u') AND c.conrelid = ANY ($1::text[]::regclass[]) AND c.conparentid = 0
      AND NOT i.indisclustered AND NOT i.indisreplident AND i.indisvalid AND t.reltablespace = 0
      AND t.reloptions IS NULL AND obj_description(c.oid, 'pg_constraint') IS NULL
      AND obj_description(t.oid, 'pg_class') IS NULL
    UNION ALL
    SELECT 3, i.indrelid::regclass::text, i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid), ''
    FROM pg_index i JOIN pg_class t ON t.oid = i.indexrelid
    WHERE i.indrelid = ANY ($1::text[]::regclass[]) AND i.indisvalid AND NOT i.indisclustered AND NOT i.indisreplident
      AND t.reltablespace = 0 AND obj_description(t.oid, 'pg_class') IS NULL
      AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid AND c.contype IN ('p', 'u', 'x'))
      AND NOT EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = i.indexrelid)
    ORDER BY 1, 2, 3";

impl Aside {
    /// Sets aside what belongs to these tables.
    ///
    /// # Errors
    /// What the database answers: the role has to own the tables, and nobody may be at work on them.
    pub(super) fn set(client: &mut Client, tables: Vec<String>) -> Result<Self> {
        let failed = |failure| error("set indexes and foreign keys aside", failure);
        let before = definitions(client, &tables)?;
        let mut again = Vec::new();
        // Foreign keys go first: they hold on to the keys they lead to.
        for row in client.query(OBJECTS, &[&tables]).map_err(failed)? {
            let (step, table, name): (i32, String, String) = (column(&row, 0)?, column(&row, 1)?, column(&row, 2)?);
            let definition: String = column(&row, 3)?;
            let (drop, make) = match step {
                1 | 2 => (
                    format!("ALTER TABLE {table} DROP CONSTRAINT {name}"),
                    format!("ALTER TABLE {table} ADD CONSTRAINT {name} {definition}"),
                ),
                _ => (format!("DROP INDEX {name}"), definition),
            };
            client.batch_execute(&drop).map_err(failed)?;
            again.push((step, format!("{table} {name}"), make));
        }
        // Keys before what leads to them.
        again.sort_by_key(|(step, ..)| match step {
            2 => 0,
            3 => 1,
            _ => 2,
        });
        let (table, trigger) = QUEUE_TRIGGER;
        let queue = tables.iter().any(|name| name == table)
            && client
                .query_opt(
                    "SELECT FROM pg_trigger WHERE tgrelid = $1::text::regclass AND tgname = $2 AND tgenabled = 'O'",
                    &[&table, &trigger],
                )
                .map_err(failed)?
                .is_some();
        if queue {
            client.batch_execute(&format!("ALTER TABLE {table} DISABLE TRIGGER {trigger}")).map_err(failed)?;
        }
        let again = again.into_iter().map(|(_, name, make)| (name, make)).collect();
        Ok(Self { again, before, tables, queue })
    }

    /// Whether the trigger that queues messages for the search index is off.
    pub(super) fn queue_is_off(&self) -> bool {
        self.queue
    }

    /// How many indexes and keys that are.
    pub(super) fn len(&self) -> u64 {
        self.again.len() as u64
    }

    /// Makes all of it again, and sees that it is as it was.
    ///
    /// # Errors
    /// What the database answers: a row that a key does not allow is named there.
    pub(super) fn restore(self, client: &mut Client, progress: &dyn Progress) -> Result<()> {
        progress.begin(Task::steps(TASK, self.again.len() as u64));
        if self.queue {
            let (table, trigger) = QUEUE_TRIGGER;
            client
                .batch_execute(&format!("ALTER TABLE {table} ENABLE TRIGGER {trigger}"))
                .map_err(|failure| error("switch the trigger on again", failure))?;
        }
        for (name, make) in &self.again {
            progress.checkpoint()?;
            client.batch_execute(make).map_err(|failure| error(&format!("make {name} again"), failure))?;
            progress.advance(TASK, 1);
        }
        progress.end(TASK);
        let after = definitions(client, &self.tables)?;
        if after == self.before {
            return Ok(());
        }
        let differ: Vec<&str> = self.before.symmetric_difference(&after).take(3).map(String::as_str).collect();
        Err(Error::new(ErrorKind::Postgres, format!("indexes and keys are not what they were: {}", differ.join("; "))))
    }
}

fn definitions(client: &mut Client, tables: &[String]) -> Result<BTreeSet<String>> {
    let failed = |failure| error("read the definitions of indexes and keys", failure);
    client.query(DEFINITIONS, &[&tables]).map_err(failed)?.iter().map(|row| column(row, 0)).collect()
}
