//! The rows of an export of everything of one organisation, as plain queries.
//!
//! They are shorter than the export's own, which have to be right for any server; on the sample they give the same rows,
//! which [`Rows::check`] makes sure of.

use std::fmt::Write as _;

use camino::Utf8Path;
use serde::Serialize;
use serde_json::Value;
use zulip_backup_core::schema::{ExportSchema, Release, RowList, RowRule, Source};
use zulip_backup_examples::SampleHost;

use crate::Result;

/// The queries, in the order of an export's work.
#[derive(Serialize)]
pub(crate) struct Rows {
    /// The organisation's id.
    pub(crate) realm: i64,
    /// Of `realm.json`, `analytics.json` and `attachment.json`.
    tables: Vec<TableRows>,
    /// Of all message files, in order of the id.
    messages: TableRows,
    /// Of all message files, in order of the message.
    user_messages: TableRows,
}

/// The rows of one list.
#[derive(Serialize)]
struct TableRows {
    file: &'static str,
    key: String,
    /// The columns, without any condition.
    select: String,
    /// Which rows, as an SQL condition on `t`.
    condition: String,
    /// The column they are in order of.
    order: String,
}

impl Rows {
    /// Those of one organisation.
    pub(crate) fn of(realm: i64) -> Result<Self> {
        let schema = &Release::for_version("10.1")?.export;
        let users = format!("SELECT id FROM zerver_userprofile WHERE realm_id = {realm}");
        let rows = |file, section: &RowList| table_rows(schema, realm, &users, file, section);
        let mut tables = Vec::new();
        for (file, sections) in [
            ("realm", &schema.files.realm),
            ("analytics", &schema.files.analytics),
            ("attachment", &schema.files.attachment),
        ] {
            for section in sections {
                tables.push(rows(file, section)?);
            }
        }
        let of_messages = |rule: &RowRule| {
            let section = schema.files.messages.iter().find(|section| section.rows == *rule);
            rows("messages", section.ok_or("the declaration has no messages")?)
        };
        let (messages, mut user_messages) = (of_messages(&RowRule::Messages)?, of_messages(&RowRule::UserMessages)?);
        "message_id".clone_into(&mut user_messages.order);
        Ok(Self { realm, tables, messages, user_messages })
    }

    /// All of them as `COPY`, one statement a list, for psql.
    pub(crate) fn copies(&self) -> String {
        let lists = self.tables.iter().chain([&self.messages, &self.user_messages]);
        let copies = lists.map(|rows| format!("COPY ({}) TO STDOUT (FORMAT binary);\n", rows.query()));
        std::iter::once(format!("{SESSION};\n")).chain(copies).collect()
    }

    /// Makes sure that an export has as many rows of each list.
    pub(crate) fn check(&self, server: &SampleHost, export: &Utf8Path) -> Result<()> {
        let stats: Value = serde_json::from_slice(&std::fs::read(export.join("stats.json"))?)?;
        let files = stats.as_object().ok_or("stats.json is no object")?;
        let mut client = server.database().connect("bench")?;
        client.batch_execute(SESSION)?;
        for rows in self.tables.iter().chain([&self.messages, &self.user_messages]) {
            let of_this = files.iter().filter(|(file, _)| file.split('-').next() == Some(rows.file));
            let exported: u64 = of_this.filter_map(|(_, keys)| keys.get(&rows.key)?.as_u64()).sum();
            let found: i64 = client.query_one(&format!("SELECT count(*) FROM ({}) r", rows.query()), &[])?.get(0);
            if u64::try_from(found) != Ok(exported) {
                return Err(
                    format!("the export has {exported} rows of {}, the query beside it {found}", rows.key).into()
                );
            }
        }
        Ok(())
    }
}

/// What a session needs for the queries. Compiling one of the many queries of few rows takes longer than running all.
const SESSION: &str = "SET search_path = zulip, pg_catalog; SET jit = off";

impl TableRows {
    fn query(&self) -> String {
        format!("{} WHERE {} ORDER BY t.{}", self.select, self.condition, self.order)
    }
}

fn table_rows(
    schema: &ExportSchema,
    realm: i64,
    users: &str,
    file: &'static str,
    section: &RowList,
) -> Result<TableRows> {
    let mut columns = String::new();
    let mut order = None;
    if section.rows == RowRule::CrossRealmBots {
        columns.push_str("t.email, t.id, t.recipient_id");
    } else {
        for field in &schema.table(section.table())?.fields {
            if !columns.is_empty() {
                columns.push_str(", ");
            }
            let key = format!("\"{}\"", field.key);
            match &field.source {
                Source::Column { column, .. } => {
                    order.get_or_insert_with(|| column.clone());
                    write!(columns, "t.{column} AS {key}")?;
                }
                Source::Ids { table, of, are, .. } => {
                    write!(columns, "ARRAY(SELECT p.{are} FROM {table} p WHERE p.{of} = t.id ORDER BY 1) AS {key}")?;
                }
            }
        }
    }
    Ok(TableRows {
        file,
        key: section.key.clone(),
        select: format!("SELECT {columns} FROM {} t", section.table()),
        condition: condition(schema, realm, users, &section.rows),
        order: order.unwrap_or_else(|| "id".to_owned()),
    })
}

fn condition(schema: &ExportSchema, realm: i64, users: &str, rule: &RowRule) -> String {
    let of_users = "SELECT recipient_id FROM zerver_subscription WHERE user_profile_id IN";
    match rule {
        RowRule::Realm { column } => format!("t.{column} = {realm}"),
        RowRule::ScheduledMessages | RowRule::AuditLog | RowRule::Messages => format!("t.realm_id = {realm}"),
        RowRule::User { column, .. } => format!("t.{column} IN ({users})"),
        RowRule::UserGroup { column } => {
            format!("t.{column} IN (SELECT id FROM zerver_usergroup WHERE realm_id = {realm})")
        }
        RowRule::Users => format!("t.realm_id = {realm} AND NOT t.is_mirror_dummy"),
        RowRule::MirrorDummies => format!("t.realm_id = {realm} AND t.is_mirror_dummy"),
        RowRule::CrossRealmBots => {
            let quoted: Vec<String> = schema.cross_realm_bots.iter().map(|address| format!("'{address}'")).collect();
            format!("t.email IN ({})", quoted.join(", "))
        }
        RowRule::DirectMessageGroups => {
            format!("t.id IN (SELECT type_id FROM zerver_recipient WHERE type = 3 AND id IN ({of_users} ({users})))")
        }
        RowRule::Recipients => format!(
            "(t.type = 2 AND t.type_id IN (SELECT id FROM zerver_stream WHERE realm_id = {realm})
              OR t.type <> 2 AND t.id IN ({of_users} ({users})))"
        ),
        RowRule::Subscriptions => format!("t.user_profile_id IN ({users})"),
        RowRule::Reactions => format!("t.message_id IN (SELECT id FROM zerver_message WHERE realm_id = {realm})"),
        RowRule::Clients => format!(
            "(EXISTS (SELECT FROM zerver_message m WHERE m.sending_client_id = t.id AND m.realm_id = {realm})
              OR t.id IN (SELECT client_id FROM zerver_useractivity WHERE user_profile_id IN ({users}))
              OR t.id IN (SELECT client_id FROM zerver_userstatus WHERE user_profile_id IN ({users}))
              OR t.id IN (SELECT sending_client_id FROM zerver_scheduledmessage WHERE realm_id = {realm}))"
        ),
        // Nobody has anything of another organisation's messages.
        RowRule::UserMessages => format!("t.user_profile_id IN ({users} AND NOT is_mirror_dummy)"),
        RowRule::Attachments => format!(
            "t.realm_id = {realm} AND (t.id IN (SELECT attachment_id FROM zerver_attachment_messages)
              OR t.id IN (SELECT attachment_id FROM zerver_attachment_scheduled_messages))"
        ),
        RowRule::Subject { .. }
        | RowRule::SubjectRecipients
        | RowRule::SubjectChannels
        | RowRule::SubjectAuditLog
        | RowRule::SubjectMessages
        | RowRule::Submessages => "false".to_owned(),
    }
}
