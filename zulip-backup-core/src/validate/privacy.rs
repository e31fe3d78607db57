//! The rules of exports with less than everything, replayed on what `realm.json` and its companions hold.

use std::collections::HashMap;

use crate::package::Kind;
use crate::schema::{ExportSchema, RowRule};
use crate::validate::facts::{Facts, Standing, User};
use crate::validate::links::Uses;
use crate::validate::messages::unjustified;
use crate::validate::rules::{GROUP, Rules};
use crate::{Finding, Findings};

/// What of the rows is not justified by the export's kind, in any order. `consented` are the ids that the export says
/// consent.
pub(super) fn check(facts: &Facts, rules: &Rules, schema: &ExportSchema, consented: &[i64]) -> Findings {
    let mut check = Check { facts, rules, findings: Findings::default() };
    if rules.kind == Kind::Full {
        return check.findings;
    }
    check.owned(schema);
    if schema.exporter.hides_users {
        check.users();
        check.uses(
            "subscription-unscrubbed",
            "zerver_subscription",
            &facts.chosen,
            "shows what a user chose for himself",
        );
        check.uses("row-unjustified", "zerver_realmauditlog", &facts.audited, "is about a user who was not asked");
        check.groups();
        if rules.kind == Kind::FullWithConsent {
            check.consented(consented);
        }
    }
    check.findings
}

struct Check<'a> {
    facts: &'a Facts,
    rules: &'a Rules,
    findings: Findings,
}

impl Check<'_> {
    fn unjustified(&mut self, code: &str, list: &str, id: i64, why: &str) {
        let object = format!("realm.json {list} {id}");
        self.findings.push(unjustified(code, object, why, self.rules.kind));
    }

    /// Who was not asked shows no preferences, and no address that is hidden from everybody; whether he keeps an account
    /// depends on the kind.
    fn users(&mut self) {
        for (&id, user) in &self.facts.users {
            let list = match user.standing {
                Standing::Normal => "zerver_userprofile",
                Standing::Dummy => "zerver_userprofile_mirrordummy",
                Standing::Bot => continue,
            };
            if self.rules.consenting.contains(id) {
                continue;
            }
            let has_account = match self.rules.kind {
                Kind::Full => true,
                Kind::FullWithConsent => !user.is_active,
                Kind::Public => user.visibility != 4,
            };
            if user.standing == Standing::Normal && !has_account {
                self.unjustified("user-not-dummy", list, id, "has an account, and has to be a mirror dummy");
            }
            if user.visibility == 4 && !user.made_up_address {
                self.unjustified("address-shown", list, id, "has an address that nobody may see");
            }
            let shown = self.own_preferences(user);
            if !shown.is_empty() {
                let why = format!("has preferences of its own: {}", shown.join(", "));
                self.unjustified("user-unscrubbed", list, id, &why);
            }
        }
    }

    fn own_preferences(&self, user: &User) -> Vec<&str> {
        let Some(defaults) = &self.facts.defaults else { return vec!["there are no defaults to compare with"] };
        let values = user.preferences.iter().zip(defaults).zip(&self.facts.preferences);
        values.filter(|((own, default), _)| own != default).map(|(_, key)| key.as_str()).collect()
    }

    /// Rows that only those have who consent.
    fn owned(&mut self, schema: &ExportSchema) {
        for list in &schema.files.realm {
            let (column, table) = match &list.rows {
                RowRule::User { column, consent: true } if schema.exporter.hides_users => {
                    (column.as_str(), list.table())
                }
                RowRule::ScheduledMessages => ("sender_id", list.table()),
                _ => continue,
            };
            let key = schema.tables.get(table).and_then(|table| {
                let of_column = |field: &&crate::schema::Field| {
                    matches!(&field.source, crate::schema::Source::Column { column: name, .. } if name == column)
                };
                table.fields.iter().find(of_column).map(|field| field.key.as_str())
            });
            let values: HashMap<i64, Uses> =
                key.map(|key| self.facts.links.values(&list.key, key).collect()).unwrap_or_default();
            self.uses("row-unjustified", &list.key, &values, "is of a user who was not asked");
        }
    }

    /// Rows of users who do not consent.
    fn uses(&mut self, code: &str, list: &str, users: &HashMap<i64, Uses>, why: &str) {
        let mut others: Vec<(&i64, &Uses)> =
            users.iter().filter(|(user, _)| !self.rules.consenting.contains(**user)).collect();
        others.sort_unstable_by_key(|(user, _)| **user);
        for (user, Uses { row, count }) in others {
            let rows = if *count > 1 { format!(", as do {} other rows", count - 1) } else { String::new() };
            self.unjustified(code, list, *row, &format!("{why} (user {user}{rows})"));
        }
    }

    /// Groups of direct messages: none in a public export, else those with a member who consents.
    fn groups(&mut self) {
        let mut members: HashMap<i64, bool> = HashMap::new();
        for &(recipient, user) in &self.facts.members {
            if self.facts.recipients.get(&recipient).is_some_and(|(kind, _)| *kind == GROUP) {
                *members.entry(recipient).or_default() |= self.rules.consenting.contains(user);
            }
        }
        for (&id, recipient) in &self.facts.groups {
            if !members.get(recipient).copied().unwrap_or(false) {
                self.unjustified(
                    "row-unjustified",
                    "zerver_huddle",
                    id,
                    "is a group of users of whom nobody was asked",
                );
            }
        }
    }

    /// Who is said to consent has a row that says so.
    fn consented(&mut self, consented: &[i64]) {
        for &id in consented {
            let agrees = |user: &User| user.allows_export || user.is_mirror_dummy;
            let of_owner = |user: &User| {
                let owner = user
                    .owner
                    .filter(|_| user.is_bot)
                    .and_then(|owner| self.facts.users.get(&owner).map(|user| (owner, user)));
                owner.is_some_and(|(id, owner)| {
                    !owner.is_bot && owner.allows_export && self.rules.consenting.contains(id)
                })
            };
            let message = match self.facts.users.get(&id) {
                None => "is no user of the export",
                Some(user) if agrees(user) || of_owner(user) => continue,
                Some(_) => {
                    "does not consent by the user's row: neither allow_private_data_export nor a consenting owner"
                }
            };
            let object = format!("consented_user_ids.json {id}");
            self.findings.push(Finding::error("consent-unjustified", object, message));
        }
    }
}

/// Clients that nothing in the export names.
pub(super) fn clients(facts: &Facts, kind: Kind, of_messages: &crate::ids::IdSet) -> Findings {
    let mut findings = Findings::default();
    let mut named: std::collections::HashSet<i64> = std::collections::HashSet::new();
    for (list, key) in [
        ("zerver_scheduledmessage", "sending_client"),
        ("zerver_useractivity", "client"),
        ("zerver_userstatus", "client"),
    ] {
        named.extend(facts.links.values(list, key).map(|(client, _)| client));
    }
    for &id in facts.clients.iter().filter(|id| !named.contains(id) && !of_messages.contains(**id)) {
        let object = format!("realm.json zerver_client {id}");
        let why = "is a client that nothing in the export names";
        findings.push(match kind {
            Kind::Full => Finding::warning("client-unreferenced", object, why),
            Kind::FullWithConsent | Kind::Public => unjustified("client-unreferenced", object, why, kind),
        });
    }
    findings
}
