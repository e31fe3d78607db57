//! Statistics: without them the first queries after a restore are planned blindly. `pg_restore` gathers none.

use std::sync::Mutex;

use crate::postgres::{ConnectOptions, column, error};
use crate::restore::APPLICATION;
use crate::{Error, Progress, Result};

const TABLES: &str = "
    SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
      AND n.nspname !~ '^pg_toast'
    ORDER BY pg_table_size(c.oid)";

pub(super) fn analyze(target: &ConnectOptions, jobs: usize, progress: &dyn Progress) -> Result<()> {
    let mut client = target.connect(APPLICATION)?;
    let rows = client.query(TABLES, &[]).map_err(|failure| error("list the tables", failure))?;
    // Taken from the end: the largest first.
    let tables: Mutex<Vec<String>> = Mutex::new(rows.iter().map(|row| column(row, 0)).collect::<Result<_>>()?);
    drop(client);
    let work = || {
        let mut client = target.connect(APPLICATION)?;
        client.batch_execute("SET statement_timeout = 0").map_err(|failure| error("gather statistics", failure))?;
        while let Some(table) = tables.lock().ok().and_then(|mut tables| tables.pop()) {
            progress.checkpoint()?;
            client
                .batch_execute(&format!("ANALYZE {table}"))
                .map_err(|failure| error(&format!("gather statistics of {table}"), failure))?;
        }
        Ok::<_, Error>(())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().unwrap_or_else(|_| Err(Error::interrupted())))
    })
}
