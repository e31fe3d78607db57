//! Two servers, row by row and byte by byte.

use std::collections::BTreeMap;

use camino::Utf8Path;
use zulip_backup_core::codec::Digest;
use zulip_backup_examples::SampleHost;

use crate::Result;

/// Compares every table and every uploaded file of two servers.
pub(crate) fn servers(first: &SampleHost, second: &SampleHost) -> Result<String> {
    let (one, other) = (tables(first)?, tables(second)?);
    for (name, facts) in &one {
        if other.get(name) != Some(facts) {
            return Err(
                format!("table {name}: {facts:?} in the first server, {:?} in the second", other.get(name)).into()
            );
        }
    }
    if one.len() != other.len() {
        return Err(format!("{} tables in the first server, {} in the second", one.len(), other.len()).into());
    }
    let mut files = 0;
    for below in ["home/zulip/uploads", "etc/zulip"] {
        let (one, other) = (digests(&first.root().join(below))?, digests(&second.root().join(below))?);
        if one != other {
            let differing = one.iter().find(|(name, digest)| other.get(*name) != Some(digest));
            return Err(format!(
                "{below}: {} files and {}; the first that differs: {differing:?}",
                one.len(),
                other.len()
            )
            .into());
        }
        files += one.len();
    }
    Ok(format!("{} tables and {files} files are equal", one.len()))
}

/// Rows of each table and a sum over a hash of each row, which does not depend on their order.
fn tables(host: &SampleHost) -> Result<BTreeMap<String, (i64, String)>> {
    let mut client = host.database().connect("zulip-backup demo")?;
    let names = client.query(
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
         WHERE schemaname NOT IN ('pg_catalog', 'information_schema')",
        &[],
    )?;
    let mut tables = BTreeMap::new();
    for row in names {
        let name: String = row.get(0);
        let query = format!("SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)), 0)::text FROM {name} AS t");
        let row = client.query_one(query.as_str(), &[])?;
        tables.insert(name, (row.get(0), row.get(1)));
    }
    Ok(tables)
}

fn digests(root: &Utf8Path) -> Result<BTreeMap<Vec<u8>, Digest>> {
    let mut digests = BTreeMap::new();
    for entry in zulip_backup_core::fs::Walk::new(root)? {
        if entry.metadata.is_file() {
            digests.insert(entry.relative, Digest::of(&std::fs::read(entry.path)?));
        }
    }
    Ok(digests)
}
