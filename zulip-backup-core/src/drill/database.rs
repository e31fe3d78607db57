//! Checks on the restored database.

use std::collections::BTreeMap;

use postgres::Client;

use crate::postgres::{applied_migrations, column, error, quote_identifier};
use crate::{Finding, Result};

/// Every foreign key, looked up row by row and not taken on trust: rows whose reference leads nowhere. Returns how many
/// keys there are.
pub(super) fn foreign_keys(client: &mut Client, found: &mut dyn FnMut(Finding)) -> Result<u64> {
    let failed = |failure| error("check the foreign keys", failure);
    let keys = client
        .query(
            "SELECT c.conname::text, c.convalidated,
                    format('SELECT count(*) FROM ONLY %s AS child WHERE %s AND NOT EXISTS (SELECT FROM %s AS parent WHERE %s)',
                        c.conrelid::regclass,
                        (SELECT string_agg(format('child.%I IS NOT NULL', a.attname), ' AND ')
                         FROM unnest(c.conkey) k JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k),
                        c.confrelid::regclass,
                        (SELECT string_agg(format('parent.%I = child.%I', pa.attname, ca.attname), ' AND ')
                         FROM unnest(c.conkey, c.confkey) AS pair(child, parent)
                         JOIN pg_attribute ca ON ca.attrelid = c.conrelid AND ca.attnum = pair.child
                         JOIN pg_attribute pa ON pa.attrelid = c.confrelid AND pa.attnum = pair.parent)),
                    c.conrelid::regclass::text
             FROM pg_constraint c WHERE c.contype = 'f' ORDER BY c.conrelid::regclass::text, c.conname",
            &[],
        )
        .map_err(failed)?;
    for key in &keys {
        let (name, validated): (String, bool) = (column(key, 0)?, column(key, 1)?);
        let (query, table): (String, String) = (column(key, 2)?, column(key, 3)?);
        let row = client.query_one(query.as_str(), &[]).map_err(failed)?;
        let orphans: i64 = column(&row, 0)?;
        if orphans > 0 || !validated {
            found(Finding::error(
                "foreign-key-broken",
                format!("{table}.{name}"),
                format!("{orphans} rows refer to rows that are not there (validated: {validated})"),
            ));
        }
    }
    Ok(keys.len() as u64)
}

/// Every sequence that a column takes its values from must be beyond the column's largest value, or the next insert
/// fails. Returns how many there are.
///
/// Zulip's archive tables keep the numbers of the rows that were moved into them and never ask their sequences.
pub(super) fn sequences(client: &mut Client, found: &mut dyn FnMut(Finding)) -> Result<u64> {
    let failed = |failure| error("check the sequences", failure);
    let sequences = client
        .query(
            "SELECT s.oid::regclass::text, t.oid::regclass::text, a.attname::text
             FROM pg_class s JOIN pg_depend d ON d.objid = s.oid AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
             JOIN pg_class t ON t.oid = d.refobjid AND d.refclassid = 'pg_class'::regclass
             JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
             WHERE s.relkind = 'S' AND NOT starts_with(t.relname, 'zerver_archived') ORDER BY 1",
            &[],
        )
        .map_err(failed)?;
    for sequence in &sequences {
        let (name, table, key): (String, String, String) =
            (column(sequence, 0)?, column(sequence, 1)?, column(sequence, 2)?);
        // A sequence that was never used is at 1 and has not been called: the first value it gives is 1.
        let query = format!(
            "SELECT (SELECT max({key}) FROM {table})::int8,
                    (SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM {name})::int8",
            key = quote_identifier(&key)
        );
        let row = client.query_one(query.as_str(), &[]).map_err(failed)?;
        let (largest, last): (Option<i64>, i64) = (column(&row, 0)?, column(&row, 1)?);
        if largest.is_some_and(|largest| largest > last) {
            found(Finding::error(
                "sequence-behind",
                name,
                format!("is at {last}, but {table}.{key} goes up to {}", largest.unwrap_or_default()),
            ));
        }
    }
    Ok(sequences.len() as u64)
}

/// The applied migrations against those the manifest says. Returns how many there are.
pub(super) fn migrations(
    client: &mut Client,
    expected: Option<&BTreeMap<String, Vec<String>>>,
    found: &mut dyn FnMut(Finding),
) -> Result<u64> {
    let mut restored = BTreeMap::<String, Vec<String>>::new();
    for (app, name) in applied_migrations(client)? {
        restored.entry(app).or_default().push(name);
    }
    let count = restored.values().map(Vec::len).sum::<usize>() as u64;
    if !restored.contains_key("zerver") {
        found(Finding::error("migrations-missing", "django_migrations", "names no migration of Zulip's app zerver"));
    }
    if let Some(expected) = expected
        && *expected != restored
    {
        let total = expected.values().map(Vec::len).sum::<usize>();
        found(Finding::error(
            "migrations-differ",
            "django_migrations",
            format!("the database has {count} applied migrations, the manifest says {total}"),
        ));
    }
    Ok(count)
}
