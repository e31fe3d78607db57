//! Whose a row is, as SQL.
//!
//! A row with a column for its organisation belongs to that. Any other belongs to the organisation whose rows it refers to.
//! One that refers to rows of two organisations belongs to nobody alone: it is a reason not to delete either.

use postgres::Transaction;

use crate::postgres::{column, error, quote_identifier};
use crate::realm::SYSTEM_REALM;
use crate::realm::delete::graph::{Graph, Node, Owner, Reference};
use crate::{Finding, Result};

/// The organisation's recipients, for as long as the transaction lasts: once its users and channels are gone, nothing says
/// any more which they were.
const OWN_RECIPIENTS: &str = "zulip_backup_recipients";

/// Messages are of whoever sent or got them, even where an old version of Zulip wrote that they are of the organisation
/// of the system's bots.
pub(super) const MESSAGES: [&str; 2] = ["zerver_message", "zerver_archivedmessage"];

/// Messages that wait for the search index: it has no key to them.
pub(super) const SEARCH_QUEUE: &str = "fts_update_log";

/// One organisation's rows.
#[derive(Debug)]
pub(super) struct Scope<'a> {
    pub(super) graph: &'a Graph,
    pub(super) realm: i64,
    /// The organisation of the system's bots, which touches all others.
    pub(super) system: i64,
}

impl<'a> Scope<'a> {
    /// Finds out what has to be known before. The table that is made for it ends with the transaction.
    pub(super) fn new(transaction: &mut Transaction<'_>, graph: &'a Graph, realm: i64) -> Result<Self> {
        let failed = |failure| error("look for the organisation's recipients", failure);
        let groups = |table: &str| {
            format!(
                "SELECT m.recipient_id FROM {table} m JOIN zerver_recipient r ON r.id = m.recipient_id AND r.type = 3
                 WHERE m.realm_id = {realm}"
            )
        };
        let statement = format!(
            "CREATE TEMPORARY TABLE {OWN_RECIPIENTS} ON COMMIT DROP AS
             SELECT r.id FROM zerver_recipient r JOIN zerver_userprofile u ON r.type = 1 AND u.id = r.type_id
             WHERE u.realm_id = {realm}
             UNION SELECT r.id FROM zerver_recipient r JOIN zerver_stream s ON r.type = 2 AND s.id = r.type_id
             WHERE s.realm_id = {realm}
             UNION SELECT s.recipient_id FROM zerver_subscription s
             JOIN zerver_recipient r ON r.id = s.recipient_id AND r.type = 3
             JOIN zerver_userprofile u ON u.id = s.user_profile_id WHERE u.realm_id = {realm}
             UNION {} UNION {};
             CREATE UNIQUE INDEX ON {OWN_RECIPIENTS} (id); ANALYZE {OWN_RECIPIENTS}",
            groups(MESSAGES[0]),
            groups(MESSAGES[1])
        );
        transaction.batch_execute(&statement).map_err(failed)?;
        let query = "SELECT id::int8 FROM zerver_realm WHERE string_id = $1";
        let system = match transaction.query_opt(query, &[&SYSTEM_REALM]).map_err(failed)? {
            Some(row) => column(&row, 0)?,
            None => -1,
        };
        Ok(Self { graph, realm, system })
    }

    /// Whether the row `t` of a table is the organisation's, as an SQL condition.
    fn owns(&self, table: &str, t: &str, above: &[&str]) -> String {
        let node = &self.graph.nodes[table];
        let by_references = || {
            let keys = Self::followed(table, node, above).into_iter();
            any(&keys.map(|key| self.through(key, table, t, above, Self::owns)).collect::<Vec<_>>())
        };
        match &node.owner {
            Owner::Column { name, nullable: false } => format!("{t}.{name} = {}", self.realm),
            Owner::Column { name, nullable: true } => {
                format!("({t}.{name} = {} OR {t}.{name} IS NULL AND {})", self.realm, by_references())
            }
            Owner::Recipient => format!("EXISTS (SELECT FROM {OWN_RECIPIENTS} o WHERE o.id = {t}.id)"),
            Owner::References => by_references(),
        }
    }

    /// Whether the row `t` of a table is of an organisation that has nothing to do with it, as an SQL condition.
    fn is_foreign(&self, table: &str, t: &str, above: &[&str]) -> String {
        let (realm, system) = (self.realm, self.system);
        let node = &self.graph.nodes[table];
        match &node.owner {
            Owner::Column { name, .. } => format!("{t}.{name} NOT IN ({realm}, {system})"),
            Owner::Recipient => format!(
                "({t}.type = 1 AND EXISTS (SELECT FROM zerver_userprofile u WHERE u.id = {t}.type_id
                                           AND u.realm_id NOT IN ({realm}, {system}))
                  OR {t}.type = 2 AND EXISTS (SELECT FROM zerver_stream s WHERE s.id = {t}.type_id
                                              AND s.realm_id NOT IN ({realm}, {system})))"
            ),
            Owner::References => {
                let keys = Self::followed(table, node, above).into_iter();
                any(&keys.map(|key| self.through(key, table, t, above, Self::is_foreign)).collect::<Vec<_>>())
            }
        }
    }

    /// References that do not lead in a circle.
    fn followed<'b>(table: &str, node: &'b Node, above: &[&str]) -> Vec<&'b Reference> {
        node.references.iter().filter(|key| key.parent != table && !above.contains(&key.parent.as_str())).collect()
    }

    fn through(
        &self,
        key: &Reference,
        table: &str,
        t: &str,
        above: &[&str],
        condition: fn(&Self, &str, &str, &[&str]) -> String,
    ) -> String {
        let p = format!("{t}{}", above.len() + 1);
        let above: Vec<&str> = above.iter().copied().chain([table]).collect();
        format!(
            "EXISTS (SELECT FROM {} {p} WHERE {p}.{} = {t}.{}{} AND {})",
            quote_identifier(&key.parent),
            quote_identifier(&key.parent_column),
            quote_identifier(&key.column),
            of_type(key, t),
            condition(self, &key.parent, &p, &above)
        )
    }

    /// The ways by which rows of a table are found to be the organisation's, as what follows `DELETE FROM table t`: one for
    /// each column, because a condition with OR is looked up row by row.
    pub(super) fn ways(&self, table: &str) -> Vec<Way> {
        let node = &self.graph.nodes[table];
        let mut ways = Vec::new();
        let mut only = String::new();
        match &node.owner {
            Owner::Column { name, nullable } => {
                ways.push(Way { using: None, condition: format!("t.{name} = {}", self.realm) });
                if !nullable {
                    return ways;
                }
                only = format!(" AND t.{name} IS NULL");
            }
            Owner::Recipient => {
                ways.push(Way { using: Some(OWN_RECIPIENTS.to_owned()), condition: "p.id = t.id".to_owned() });
                return ways;
            }
            Owner::References => {}
        }
        for key in &node.references {
            ways.push(Way {
                using: Some(quote_identifier(&key.parent)),
                condition: format!("{}{only} AND {}", joined(key, "t", "p"), self.owns(&key.parent, "p", &[table])),
            });
        }
        ways
    }

    /// Rows of others that refer to rows of the organisation, or rows of nobody alone: why it cannot be deleted.
    pub(super) fn conflicts(&self, transaction: &mut Transaction<'_>) -> Result<Vec<Finding>> {
        let mut findings = Vec::new();
        for (table, node) in &self.graph.nodes {
            for key in &node.references {
                for Suspicion { from, condition, what } in self.suspicions(table, node, key) {
                    let id = quote_identifier(&node.key);
                    let query = format!("SELECT count(*), min(t.{id}::text) FROM {from} WHERE {condition}");
                    let doing = format!("look for rows of others in {table}");
                    let row = transaction.query_one(&query, &[]).map_err(|failure| error(&doing, failure))?;
                    let count: i64 = column(&row, 0)?;
                    if count > 0 {
                        let first: Option<String> = column(&row, 1)?;
                        let (first, parent) = (first.unwrap_or_default(), &key.parent);
                        let message = format!(
                            "{count} rows refer to the organisation's rows in {parent} {what}; one is {} {first}",
                            node.key
                        );
                        findings.push(Finding::error("foreign-reference", format!("{table}.{}", key.column), message));
                    }
                }
            }
        }
        Ok(findings)
    }

    /// How rows of a table could refer to the organisation's by a column, and not be its own.
    fn suspicions(&self, table: &str, node: &Node, key: &Reference) -> Vec<Suspicion> {
        let from = format!(
            "{} t JOIN {} p ON {}",
            quote_identifier(table),
            quote_identifier(&key.parent),
            joined(key, "t", "p")
        );
        let owned = self.owns(&key.parent, "p", &[]);
        let mut found = Vec::new();
        let mut nobodys = "true".to_owned();
        match &node.owner {
            Owner::Recipient => return found,
            _ if self.graph.strangers.contains(table) => {
                return vec![Suspicion { from, condition: owned, what: "and tell of another server".to_owned() }];
            }
            Owner::Column { name, nullable } => {
                let system = if MESSAGES.contains(&table) { self.system } else { self.realm };
                let condition = format!("{owned} AND t.{name} NOT IN ({}, {system})", self.realm);
                let what = "and are another organisation's".to_owned();
                found.push(Suspicion { from: from.clone(), condition, what });
                if !nullable {
                    return found;
                }
                nobodys = format!("t.{name} IS NULL");
            }
            Owner::References => {}
        }
        for other in node.references.iter().filter(|other| *other != key) {
            found.push(Suspicion {
                from: format!("{from} JOIN {} q ON {}", quote_identifier(&other.parent), joined(other, "t", "q")),
                condition: format!("{owned} AND {nobodys} AND {}", self.is_foreign(&other.parent, "q", &[table])),
                what: format!("and by {} to another organisation's in {}", other.column, other.parent),
            });
        }
        found
    }

    /// Takes messages over that are said to be of the organisation of the system's bots.
    pub(super) fn take_messages(&self, transaction: &mut Transaction<'_>) -> Result<()> {
        let Self { realm, system, .. } = self;
        for table in MESSAGES {
            for condition in [
                format!("recipient_id IN (SELECT id FROM {OWN_RECIPIENTS})"),
                format!("sender_id IN (SELECT id FROM zerver_userprofile WHERE realm_id = {realm})"),
            ] {
                let statement =
                    format!("UPDATE {table} SET realm_id = {realm} WHERE realm_id = {system} AND {condition}");
                transaction
                    .batch_execute(&statement)
                    .map_err(|failure| error("read the messages of the system's bots", failure))?;
            }
        }
        Ok(())
    }
}

/// A query for rows `t` that refer to the organisation's and are not its own.
struct Suspicion {
    from: String,
    condition: String,
    what: String,
}

/// A way by which rows `t` are found to be the organisation's.
#[derive(Debug)]
pub(super) struct Way {
    /// A table `p` that they are looked up in.
    pub(super) using: Option<String>,
    pub(super) condition: String,
}

impl Way {
    pub(super) fn delete(&self, table: &str) -> String {
        let using = self.using.as_ref().map_or_else(String::new, |table| format!(" USING {table} p"));
        format!("DELETE FROM {} t{using} WHERE {}", quote_identifier(table), self.condition)
    }

    /// The rows of this way that no earlier one finds.
    pub(super) fn count(&self, table: &str, earlier: &[Way]) -> String {
        let exists = |way: &Way| match &way.using {
            Some(using) => format!("EXISTS (SELECT FROM {using} p WHERE {})", way.condition),
            None => format!("({}) IS TRUE", way.condition),
        };
        let others: String = earlier.iter().map(|way| format!(" AND NOT {}", exists(way))).collect();
        format!("SELECT count(*) FROM {} t WHERE {}{others}", quote_identifier(table), exists(self))
    }
}

fn any(conditions: &[String]) -> String {
    if conditions.is_empty() { "false".to_owned() } else { format!("({})", conditions.join(" OR ")) }
}

fn joined(key: &Reference, t: &str, p: &str) -> String {
    let (own, parent) = (quote_identifier(&key.column), quote_identifier(&key.parent_column));
    format!("{p}.{parent} = {t}.{own}{}", of_type(key, t))
}

fn of_type(key: &Reference, t: &str) -> String {
    key.content_type.map_or_else(String::new, |number| format!(" AND {t}.content_type_id = {number}"))
}
