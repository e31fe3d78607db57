//! Checks on the restored database.

use std::collections::BTreeMap;

use postgres::Client;

use crate::postgres::{Behind, OwnedSequence, applied_migrations, column, error};
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
pub(super) fn sequences(client: &mut Client, found: &mut dyn FnMut(Finding)) -> Result<u64> {
    let sequences = OwnedSequence::all(client)?;
    for sequence in &sequences {
        if let Some(Behind { last, largest }) = sequence.behind(client)? {
            let OwnedSequence { name, table, column } = sequence;
            let message = format!("is at {last}, but {table}.{column} goes up to {largest}");
            found(Finding::error("sequence-behind", name, message));
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
