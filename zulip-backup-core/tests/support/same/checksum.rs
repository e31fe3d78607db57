//! A database's state in few numbers: for saying that nothing has changed.

use std::collections::BTreeMap;

use postgres::Client;

use super::{reading, table};

/// Of every table of the schema: how many rows it has, and a sum over them that does not depend on their order.
pub fn checksums(client: &mut Client) -> BTreeMap<String, (i64, String)> {
    checksums_where(client, "true")
}

/// The same of the rows for which a condition holds.
pub fn checksums_where(client: &mut Client, condition: &str) -> BTreeMap<String, (i64, String)> {
    let mut transaction = reading(client);
    let tables = table::tables(&mut transaction);
    tables.into_iter().map(|(name, table)| (name, table.sum_where(&mut transaction, condition))).collect()
}
