//! What a deletion will do.

use std::fmt;

use postgres::Transaction;
use serde::Serialize;

use crate::postgres::{column, error};
use crate::realm::change::Change;
use crate::realm::delete::files::{FileCount, RealmFiles};
use crate::realm::delete::graph::Graph;
use crate::realm::delete::scope::{SEARCH_QUEUE, Scope};
use crate::site::Site;
use crate::uploads::{self, Uploads};
use crate::{Error, ErrorKind, Finding, Result};

/// How many tables a person is shown.
const SHOWN: usize = 8;

/// What a deletion will do, before anything is done. This is the dry run.
#[derive(Debug, Serialize)]
pub struct DeletePlan {
    /// The organisation's id.
    pub realm_id: i64,
    /// Its `string_id`: what has to be typed to confirm it.
    pub realm: String,
    /// Its name.
    pub name: String,
    /// Whether it is deactivated: while it is not, its users can go on until the end.
    pub deactivated: bool,
    /// Its rows, by table, the most first; as many as there are now.
    pub tables: Vec<TableRows>,
    /// All of them.
    pub rows: u64,
    /// Its files.
    pub files: FileCount,
    #[serde(skip)]
    pub(super) change: Change,
    #[serde(skip)]
    pub(super) uploads: Box<dyn Uploads>,
}

/// Rows of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TableRows {
    /// The table.
    pub table: String,
    /// How many rows.
    pub rows: u64,
}

/// Looks at the organisation with this id or `string_id`, and says what its deletion will do. Changes nothing.
///
/// # Errors
/// `NotFound` for an organisation that is not there; `Refused`, with all reasons, where rows of others refer to rows of this
/// one, and for the organisation of the system's bots; `Incompatible` for uploads that cannot be removed from here; `Locked`
/// while Zulip is upgraded; and what the database answers.
pub fn plan(site: &Site, realm: &str) -> Result<DeletePlan> {
    let (change, mut client) = Change::of(site, realm, "delete")?;
    let uploads = uploads::open(&site.uploads()?.value)?;
    let failed = |failure| error("look at the organisation's rows", failure);
    client.batch_execute("SET jit = off").map_err(failed)?;
    // It is taken back: only a table of its own for the time being is made in it.
    let mut transaction = client.transaction().map_err(failed)?;
    let graph = Graph::read(&mut transaction)?;
    let scope = Scope::new(&mut transaction, &graph, change.realm.id)?;
    let tables = count(&mut transaction, &scope)?;
    refuse(&mut transaction, &scope, &tables)?;
    let files = RealmFiles::of(&mut transaction, change.realm.id)?.count(&*uploads)?;
    transaction.rollback().map_err(failed)?;
    Ok(DeletePlan {
        realm_id: change.realm.id,
        realm: change.realm.string_id.clone(),
        name: change.realm.name.clone(),
        deactivated: change.realm.deactivated,
        rows: tables.iter().map(|table| table.rows).sum(),
        tables,
        files,
        change,
        uploads,
    })
}

fn count(transaction: &mut Transaction<'_>, scope: &Scope<'_>) -> Result<Vec<TableRows>> {
    let mut tables = Vec::new();
    for (table, _) in scope.graph.owned() {
        let ways = scope.ways(table);
        let mut rows = 0;
        for (at, way) in ways.iter().enumerate() {
            let query = way.count(table, &ways[..at]);
            let row = transaction
                .query_one(&query, &[])
                .map_err(|failure| error(&format!("count the rows of {table}"), failure))?;
            rows += u64::try_from(column::<i64>(&row, 0)?).unwrap_or(0);
        }
        if rows > 0 {
            tables.push(TableRows { table: table.to_owned(), rows });
        }
    }
    let query = "SELECT count(*) FROM fts_update_log l JOIN zerver_message m ON m.id = l.message_id WHERE m.realm_id = $1::int8";
    let row = transaction
        .query_one(query, &[&scope.realm])
        .map_err(|failure| error("count what waits for the search index", failure))?;
    match u64::try_from(column::<i64>(&row, 0)?) {
        Ok(rows) if rows > 0 => tables.push(TableRows { table: SEARCH_QUEUE.to_owned(), rows }),
        _ => {}
    }
    tables.sort_by_key(|table| std::cmp::Reverse(table.rows));
    Ok(tables)
}

/// Refuses what would touch somebody else's.
pub(super) fn refuse(transaction: &mut Transaction<'_>, scope: &Scope<'_>, tables: &[TableRows]) -> Result<()> {
    let mut reasons = scope.conflicts(transaction)?;
    reasons.extend(RealmFiles::conflicts(transaction, scope.realm)?);
    for TableRows { table, rows } in
        tables.iter().filter(|rows| scope.graph.nodes.get(&rows.table).is_some_and(|node| !node.known))
    {
        let message = format!("is a table that is not known, and has {rows} rows that refer to the organisation");
        reasons.push(Finding::error("table-unknown", table, message));
    }
    if reasons.is_empty() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Refused, "the organisation cannot be deleted without touching what is not its own")
        .with_reasons(reasons)
        .with_hint("end these references first, or deactivate the organisation instead"))
}

impl fmt::Display for DeletePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "realm     {:?} (id {}), {}", self.realm, self.realm_id, self.name)?;
        if !self.deactivated {
            writeln!(f, "note      it is active: its users can go on until the end")?;
        }
        writeln!(f, "delete    {} rows in {} tables, in one transaction:", self.rows, self.tables.len())?;
        for TableRows { table, rows } in self.tables.iter().take(SHOWN) {
            writeln!(f, "          {rows:>9}  {table}")?;
        }
        if self.tables.len() > SHOWN {
            let others: u64 = self.tables.iter().skip(SHOWN).map(|table| table.rows).sum();
            writeln!(f, "          {others:>9}  in {} others", self.tables.len() - SHOWN)?;
        }
        write!(f, "then      {}", self.files)
    }
}
