//! All rows of a server, and whether what is gone from them is one organisation's.

use std::collections::{BTreeMap, BTreeSet};

use postgres::Client;
use serde_json::Value;
use zulip_backup_core::schema::Release;

/// Every row of every table, as JSON.
pub type Rows = BTreeMap<String, BTreeSet<String>>;

pub fn rows(client: &mut Client) -> Rows {
    let tables = Release::for_version("10.1").unwrap().catalog.tables.iter();
    tables
        .map(|table| {
            let query = format!("SELECT to_jsonb(t)::text FROM {} t", table.name);
            let found = client.query(&query, &[]).unwrap();
            (table.name.clone(), found.iter().map(|row| row.get(0)).collect())
        })
        .collect()
}

/// Tables whose rows all organisations share.
const SHARED: [&str; 3] = ["zerver_client", "django_content_type", "auth_permission"];

/// Checks what a deletion did, without any knowledge of how it looks for rows. How many rows are gone comes back.
pub fn check_deletion(before: &Rows, after: &Rows, realm: i64, system: i64) -> usize {
    let catalog = &Release::for_version("10.1").unwrap().catalog;
    let mut gone: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for (table, rows) in after {
        let new: Vec<&String> = rows.difference(&before[table]).collect();
        assert!(new.is_empty(), "{table} has rows that were not there, or are changed: {new:?}");
        let lost = before[table].difference(rows).map(|row| serde_json::from_str(row).unwrap());
        gone.insert(table, lost.collect());
    }
    let ids = |table: &str, column: &str| -> BTreeSet<String> {
        gone[table].iter().map(|row: &Value| row[column].to_string()).collect()
    };
    assert_eq!(ids("zerver_realm", "id"), [realm.to_string()].into());
    // Whose rows the organisation may refer to, and share.
    let systems: BTreeSet<String> = after["zerver_userprofile"]
        .iter()
        .map(|row| serde_json::from_str::<Value>(row).unwrap())
        .filter(|row| row["realm_id"] == system)
        .flat_map(|row| [format!("user {}", row["id"]), format!("recipient {}", row["recipient_id"])])
        .collect();
    for table in &catalog.tables {
        let mut keys = Vec::new();
        for key in &table.foreign_keys {
            let parents = ids(&key.references, &key.references_column);
            keys.push((key, parents));
        }
        for row in &gone[table.name.as_str()] {
            if let Some(owner) = row.get("realm_id").filter(|owner| !owner.is_null()) {
                let taken_over = table.name == "zerver_message" && *owner == system;
                assert!(*owner == realm || taken_over, "{}: a row of another organisation is gone: {row}", table.name);
            }
            let mut own = table.name == "zerver_realm" || row.get("realm_id").is_some_and(|owner| *owner == realm);
            for (key, parents) in &keys {
                let value = row[&key.column].to_string();
                if value == "null" || SHARED.contains(&key.references.as_str()) {
                    continue;
                }
                let of_system = match key.references.as_str() {
                    "zerver_userprofile" => systems.contains(&format!("user {value}")),
                    "zerver_recipient" => systems.contains(&format!("recipient {value}")),
                    "zerver_realm" => table.name == "zerver_message" && value == system.to_string(),
                    _ => false,
                };
                let found = parents.contains(&value);
                own |= found;
                assert!(found || of_system, "{}: a row is gone whose {} is still there: {row}", table.name, key.column);
            }
            let without_keys = ["zerver_recipient", "fts_update_log", "django_session", "zerver_archivetransaction"];
            let by_id = table.name == "confirmation_confirmation";
            assert!(
                own || by_id || without_keys.contains(&table.name.as_str()),
                "{}: a row is gone: {row}",
                table.name
            );
        }
    }
    let kind = |row: &Value| usize::try_from(row["type"].as_u64().unwrap()).unwrap();
    for row in &gone["zerver_recipient"] {
        let parent = ["", "zerver_userprofile", "zerver_stream", "zerver_huddle"][kind(row)];
        assert!(ids(parent, "id").contains(&row["type_id"].to_string()), "a recipient is gone: {row}");
    }
    // What is left refers to nothing that is gone.
    for (table, rows) in after {
        let table = catalog.table(table).unwrap();
        let keys: Vec<_> =
            table.foreign_keys.iter().map(|key| (key, ids(&key.references, &key.references_column))).collect();
        let types = ["zerver_userprofile", "zerver_stream", "zerver_huddle"].map(|parent| ids(parent, "id"));
        for row in rows {
            let row: Value = serde_json::from_str(row).unwrap();
            assert!(row.get("realm_id").is_none_or(|owner| *owner != realm), "{}: {row}", table.name);
            for (key, parents) in &keys {
                assert!(!parents.contains(&row[&key.column].to_string()), "{}.{}: {row}", table.name, key.column);
            }
            if table.name == "zerver_recipient" {
                assert!(!types[kind(&row) - 1].contains(&row["type_id"].to_string()), "a recipient is left: {row}");
            }
        }
    }
    gone.values().map(Vec::len).sum()
}
