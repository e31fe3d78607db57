//! Which tables have rows of an organisation, and by which columns: read from the foreign keys of the database itself, so
//! that no table is forgotten.

use std::collections::{BTreeMap, BTreeSet};

use postgres::GenericClient;

use crate::postgres::{ForeignKey, column, error};
use crate::schema::{Catalog, Release};
use crate::{Error, ErrorKind, Result};

pub(super) const REALM: &str = "zerver_realm";
pub(super) const RECIPIENT: &str = "zerver_recipient";

/// Records of Zulip's push and billing service about other servers: theirs, whoever of our users looked after them.
const OF_OTHER_SERVERS: &str = "zilencer_";

/// Tables that name rows of others by a content type and an id, which is no foreign key.
const GENERIC: [&str; 2] = ["confirmation_confirmation", "corporate_event"];

/// A column that refers to a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reference {
    pub(super) column: String,
    pub(super) parent: String,
    pub(super) parent_column: String,
    /// Only rows of this content type.
    pub(super) content_type: Option<i64>,
}

/// How a table's rows say whose they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// By this column, which holds the organisation's id; perhaps it is null, and then by what they refer to.
    Column { name: String, nullable: bool },
    /// By what they refer to.
    References,
    /// Recipients have a type and the id of a user, channel or group, which is no foreign key.
    Recipient,
}

/// A table.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) owner: Owner,
    /// A column that tells its rows apart.
    pub(super) key: String,
    /// Columns that refer to tables with rows of organisations, without the owner's own.
    pub(super) references: Vec<Reference>,
    /// Whether this program knows the table.
    pub(super) known: bool,
}

/// All tables with rows of organisations, and those that refer to them.
#[derive(Debug)]
pub(super) struct Graph {
    pub(super) nodes: BTreeMap<String, Node>,
    /// Tables whose rows belong to other servers.
    pub(super) strangers: BTreeSet<String>,
}

/// In which order rows are deleted.
#[derive(Debug)]
pub(super) struct Order {
    /// Tables that can be emptied one after the other, without any row referring to one that is gone.
    pub(super) ordered: Vec<String>,
    /// Tables that refer to each other: their keys are checked when all of them are done.
    pub(super) entangled: Vec<String>,
}

const PRIMARY: &str = "
    SELECT c.relname::text, a.attname::text FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
    WHERE i.indisprimary AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'zerver_realm'::regclass)";

impl Graph {
    /// Reads the keys of the database.
    pub(super) fn read(client: &mut impl GenericClient) -> Result<Self> {
        let failed = |failure| error("read the primary keys", failure);
        let keys = ForeignKey::all(client)?;
        if let Some(ForeignKey { table, column, .. }) = keys.iter().find(|key| key.columns != 1) {
            let message = format!("{table} has a foreign key of several columns, {column} the first of them");
            return Err(Error::new(ErrorKind::Incompatible, message));
        }
        let mut primary: BTreeMap<String, String> = BTreeMap::new();
        for row in client.query(PRIMARY, &[]).map_err(failed)? {
            primary.insert(column(&row, 0)?, column(&row, 1)?);
        }
        let types = content_types(client, &primary)?;
        Self::new(&keys, &primary, &types)
    }

    fn new(keys: &[ForeignKey], primary: &BTreeMap<String, String>, types: &[(String, i64, String)]) -> Result<Self> {
        let mut owned: BTreeSet<&str> = [REALM, RECIPIENT].into();
        let mut strangers = BTreeSet::new();
        loop {
            let before = owned.len() + strangers.len();
            let referring: Vec<&ForeignKey> = keys.iter().filter(|key| owned.contains(key.parent.as_str())).collect();
            for key in referring {
                if key.table.starts_with(OF_OTHER_SERVERS) {
                    strangers.insert(key.table.clone());
                } else {
                    owned.insert(&key.table);
                }
            }
            if owned.len() + strangers.len() == before {
                break;
            }
        }
        let catalogs: Vec<&Catalog> = Release::all()?.into_iter().map(|release| &release.catalog).collect();
        let mut nodes = BTreeMap::new();
        for table in owned.iter().copied().chain(strangers.iter().map(String::as_str)) {
            let mut node = Node {
                owner: if table == RECIPIENT { Owner::Recipient } else { Owner::References },
                key: primary.get(table).cloned().unwrap_or_else(|| "ctid".to_owned()),
                references: Vec::new(),
                known: catalogs.iter().any(|catalog| catalog.table(table).is_ok()),
            };
            if table == REALM {
                node.owner = Owner::Column { name: "id".to_owned(), nullable: false };
            }
            for key in keys.iter().filter(|key| key.table == table && owned.contains(key.parent.as_str())) {
                if key.parent == REALM && key.column == "realm_id" {
                    node.owner = Owner::Column { name: "realm_id".to_owned(), nullable: key.nullable };
                } else {
                    node.references.push(Reference {
                        column: key.column.clone(),
                        parent: key.parent.clone(),
                        parent_column: key.parent_column.clone(),
                        content_type: None,
                    });
                }
            }
            for (_, number, parent) in
                types.iter().filter(|(generic, _, parent)| generic == table && owned.contains(parent.as_str()))
            {
                node.references.push(Reference {
                    column: "object_id".to_owned(),
                    parent: parent.clone(),
                    parent_column: primary.get(parent).cloned().unwrap_or_else(|| "id".to_owned()),
                    content_type: Some(*number),
                });
            }
            nodes.insert(table.to_owned(), node);
        }
        Ok(Self { nodes, strangers })
    }

    /// Tables with rows of organisations.
    pub(super) fn owned(&self) -> impl Iterator<Item = (&str, &Node)> {
        let own = self.nodes.iter().filter(|(table, _)| !self.strangers.contains(*table));
        own.map(|(table, node)| (table.as_str(), node))
    }

    /// In which order rows are deleted: a table after all that refer to it, as far as that goes.
    pub(super) fn order(&self) -> Order {
        let mut left: BTreeSet<&str> = self.owned().map(|(table, _)| table).collect();
        let mut ordered = Vec::new();
        loop {
            let referred: BTreeSet<&str> = left
                .iter()
                .flat_map(|table| self.nodes[*table].references.iter().filter(move |key| key.parent != **table))
                .map(|key| key.parent.as_str())
                .chain([REALM])
                .collect();
            let free: Vec<&str> = left.iter().copied().filter(|table| !referred.contains(table)).collect();
            if free.is_empty() {
                break;
            }
            for table in free {
                left.remove(table);
                ordered.push(table.to_owned());
            }
        }
        let depths = self.depths();
        let mut entangled: Vec<String> = left.into_iter().map(str::to_owned).collect();
        // What says by other rows whose it is goes before these.
        entangled.sort_by_key(|table| std::cmp::Reverse(depths.get(table.as_str()).copied().unwrap_or(usize::MAX)));
        Order { ordered, entangled }
    }

    /// How many references away from a table that says itself whose its rows are; the organisations come last of all.
    fn depths(&self) -> BTreeMap<&str, usize> {
        let mut depths: BTreeMap<&str, usize> = BTreeMap::new();
        for (table, node) in self.owned() {
            match node.owner {
                _ if table == REALM => drop(depths.insert(table, 0)),
                Owner::Column { .. } | Owner::Recipient => drop(depths.insert(table, 1)),
                Owner::References => {}
            }
        }
        loop {
            let mut more = Vec::new();
            for (table, node) in self.owned().filter(|(table, _)| !depths.contains_key(table)) {
                let nearest = node.references.iter().filter_map(|key| depths.get(key.parent.as_str())).min();
                more.extend(nearest.map(|depth| (table, depth + 1)));
            }
            if more.is_empty() {
                return depths;
            }
            depths.extend(more);
        }
    }
}

/// The content types that rows name: table, number, and the table meant.
fn content_types(
    client: &mut impl GenericClient,
    primary: &BTreeMap<String, String>,
) -> Result<Vec<(String, i64, String)>> {
    let failed = |failure| error("read the content types", failure);
    let mut types = Vec::new();
    for table in GENERIC.into_iter().filter(|table| primary.contains_key(*table)) {
        let query = format!(
            "SELECT c.id::int8, c.app_label || '_' || c.model FROM django_content_type c
             WHERE c.id IN (SELECT content_type_id FROM {table})"
        );
        for row in client.query(&query, &[]).map_err(failed)? {
            let parent: String = column(&row, 1)?;
            if primary.contains_key(&parent) {
                types.push((table.to_owned(), column(&row, 0)?, parent));
            }
        }
    }
    Ok(types)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The keys of the built-in catalog.
    fn graph() -> Graph {
        let catalog = &Release::for_version("10.1").unwrap().catalog;
        let keys = catalog.tables.iter().flat_map(|table| {
            table.foreign_keys.iter().map(|key| ForeignKey {
                name: String::new(),
                table: table.name.clone(),
                column: key.column.clone(),
                nullable: table.column(&key.column).unwrap().nullable,
                parent: key.references.clone(),
                parent_column: key.references_column.clone(),
                columns: 1,
            })
        });
        let primary = catalog.tables.iter().map(|table| (table.name.clone(), table.primary_key[0].clone())).collect();
        let types = [("confirmation_confirmation".to_owned(), 7, "zerver_preregistrationuser".to_owned())];
        Graph::new(&keys.collect::<Vec<_>>(), &primary, &types).unwrap()
    }

    #[test]
    fn no_table_that_refers_to_an_organisation_is_forgotten() {
        let (graph, catalog) = (graph(), &Release::for_version("10.1").unwrap().catalog);
        let mut reached: BTreeSet<&str> = [REALM, RECIPIENT].into();
        let mut todo = vec![REALM, RECIPIENT];
        while let Some(table) = todo.pop() {
            for (from, _) in catalog.references_to(table) {
                if reached.insert(&from.name) {
                    todo.push(&from.name);
                }
            }
        }
        assert_eq!(graph.nodes.keys().map(String::as_str).collect::<BTreeSet<_>>(), reached);
        assert!(graph.strangers.iter().all(|table| table.starts_with("zilencer_")) && graph.strangers.len() == 2);
        // What has no key to anybody's rows: server-wide, shared, or short-lived.
        let left: Vec<&str> =
            catalog.tables.iter().map(|table| table.name.as_str()).filter(|table| !reached.contains(table)).collect();
        for table in left {
            let server_wide = [
                "analytics_",
                "auth_",
                "django_",
                "social_auth_",
                "zilencer_",
                "third_party_",
                "corporate_event",
                "confirmation_realm",
                "fts_",
                "zerver_client",
            ];
            assert!(server_wide.iter().any(|start| table.starts_with(start)), "{table}");
        }
    }

    #[test]
    fn rows_go_before_what_they_refer_to() {
        let graph = graph();
        let order = graph.order();
        let mut gone: BTreeSet<&str> = BTreeSet::new();
        for table in &order.ordered {
            for (other, node) in graph.owned().filter(|(other, _)| other != table) {
                let refers = node.references.iter().any(|key| key.parent == *table);
                assert!(!refers || gone.contains(other), "{other} refers to {table}");
            }
            gone.insert(table);
        }
        assert!(gone.contains("zerver_message") && gone.contains("zerver_attachment"), "{gone:?}");
        assert_eq!(order.entangled.last().map(String::as_str), Some(REALM));
        let at = |table: &str| order.entangled.iter().position(|other| other == table).unwrap();
        assert!(at("corporate_licenseledger") < at("corporate_customerplan"));
        assert!(at("corporate_customerplan") < at("corporate_customer"));
        assert_eq!(order.ordered.len() + order.entangled.len(), graph.owned().count());
    }
}
