//! What an export lacks that a converter made of another service's data, and every organisation has.

use postgres::Client;
use serde_json::{Value, json};

use crate::import::groups::SystemGroups;
use crate::import::insert::insert;
use crate::import::messages::for_each_file;
use crate::package::Package;
use crate::postgres::{column, error};
use crate::schema::Release;
use crate::validate::Facts;
use crate::{Finding, Findings, Progress, Result};

/// Audit-log event: somebody subscribed to a channel.
const SUBSCRIBED: i64 = 301;

/// `zerver_recipient.type` of a channel.
const STREAM: i64 = 2;

/// `zerver_stream.stream_post_policy`, which older Zulips had: moderators and above may send.
const MODERATORS_POST: i64 = 4;

/// What is made for such an export.
#[derive(Debug)]
pub(super) struct Conversion {
    pub(super) groups: SystemGroups,
    /// The newest message of the server before.
    newest_message: i64,
    release: &'static Release,
}

impl Conversion {
    /// Makes the groups of the new organisation, where the export is such a one.
    ///
    /// # Errors
    /// What the database answers.
    pub(super) fn begin(client: &mut Client, release: &'static Release, facts: &Facts) -> Result<Option<Self>> {
        if !facts.converted {
            return Ok(None);
        }
        let groups = SystemGroups::reserve(client, release)?;
        let row = client
            .query_one("SELECT coalesce(max(id), -1)::int8 FROM zerver_message", &[])
            .map_err(|failure| error("look for the newest message", failure))?;
        Ok(Some(Self { groups, newest_message: column(&row, 0)?, release }))
    }

    /// The group that a permission is given to by default.
    pub(super) fn group(&self, table: &str, column: &str, post_policy: Option<i64>) -> Result<Option<i64>> {
        let defaults = &self.release.defaults;
        let name = match (table, column) {
            ("zerver_stream", "can_send_message_group_id") if post_policy == Some(MODERATORS_POST) => "role:moderators",
            ("zerver_stream", column) => match defaults.stream_groups.get(column) {
                Some(name) => name,
                None => return Ok(None),
            },
            ("zerver_realm", column) => match defaults.realm_groups.get(column) {
                Some(name) => name,
                None => return Ok(None),
            },
            _ => return Ok(None),
        };
        self.groups.id(name).map(Some)
    }

    /// Writes who subscribed to which channel into the audit log: what unread messages are counted by.
    ///
    /// # Errors
    /// What the database answers.
    pub(super) fn subscriptions(&self, client: &mut Client, realm: i64) -> Result<()> {
        client
            .execute(
                "INSERT INTO zerver_realmauditlog
                     (realm_id, event_type, event_time, backfilled, extra_data, acting_user_id, modified_user_id,
                      modified_stream_id, event_last_message_id)
                 SELECT $1::int8, $2::int8, now(), false, '{}', s.user_profile_id, s.user_profile_id, r.type_id, $3::int8
                 FROM zerver_subscription s JOIN zerver_recipient r ON r.id = s.recipient_id AND r.type = $4::int8
                 JOIN zerver_userprofile u ON u.id = s.user_profile_id
                 WHERE u.realm_id = $1::int8 ORDER BY s.id",
                &[&realm, &SUBSCRIBED, &self.newest_message, &STREAM],
            )
            .map_err(|failure| error("write subscriptions into the audit log", failure))?;
        Ok(())
    }
}

/// Makes rows that every organisation has once, where the export has none.
///
/// # Errors
/// What the database answers.
pub(super) fn complete(client: &mut Client, release: &Release, realm: i64) -> Result<()> {
    let failed = |failure| error("look for what every organisation has", failure);
    let every = ["zerver_presencesequence", "zerver_realmuserdefault"];
    for table in every.into_iter().filter(|table| release.catalog.table(table).is_ok()) {
        let statement = format!("SELECT EXISTS (SELECT FROM {table} WHERE realm_id = $1::int8)");
        if column::<bool>(&client.query_one(&statement, &[&realm]).map_err(failed)?, 0)? {
            continue;
        }
        let row = if table == "zerver_presencesequence" {
            json!({"realm_id": realm, "last_update_id": 0})
        } else {
            let mut preferences = release.defaults.preferences.clone();
            preferences.insert("realm_id".to_owned(), realm.into());
            Value::Object(preferences)
        };
        insert(client, table, &row)?;
    }
    Ok(())
}

/// Messages without HTML: to make it of Markdown is the server's.
///
/// # Errors
/// What the database answers.
pub(super) fn unrendered(client: &mut Client, realm: i64) -> Result<Findings> {
    let mut findings = Findings::default();
    let statement = "SELECT count(*) FROM zerver_message WHERE realm_id = $1::int8 AND rendered_content IS NULL";
    let row = client.query_one(statement, &[&realm]);
    let count: i64 = column(&row.map_err(|failure| error("count messages without HTML", failure))?, 0)?;
    if count > 0 {
        let message = format!(
            "{count} have no HTML, as converters write them: the server makes it when a message is first read, and search \
             finds it from then on"
        );
        findings.push(Finding::note("messages-unrendered", "zerver_message", message));
    }
    Ok(findings)
}

/// The ids of messages by the seconds they were sent in, where the export asks for that: other services' ids say nothing
/// about time. Memory: 16 bytes for each.
///
/// # Errors
/// As [`Package::visit`].
pub(super) fn order_of_messages(package: &Package, progress: &dyn Progress) -> Result<Vec<i64>> {
    #[derive(serde::Deserialize)]
    struct Sent {
        id: i64,
        date_sent: f64,
    }
    let mut sent: Vec<(i64, i64)> = Vec::new();
    for_each_file(package, progress, &mut |reader| {
        let mut in_list = false;
        while let Some(item) = reader.next_item()? {
            match item {
                crate::package::Item::List(key) => in_list = key == "zerver_message",
                crate::package::Item::Row(row) if in_list => {
                    let Sent { id, date_sent } = row.parse()?;
                    #[expect(clippy::cast_possible_truncation, reason = "a time's whole seconds")]
                    sent.push((date_sent.floor() as i64, id));
                }
                _ => {}
            }
        }
        Ok(())
    })?;
    sent.sort_unstable();
    Ok(sent.into_iter().map(|(_, id)| id).collect())
}
