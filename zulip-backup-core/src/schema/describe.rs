//! What an export holds, for people: docs/export-format.md.

use std::fmt;

use crate::schema::{Encoding, ExportSchema, Field, RowList, RowRule, Source};

/// The tables and keys of an export as Markdown.
#[derive(Debug)]
pub struct Description<'a>(&'a ExportSchema);

impl ExportSchema {
    /// The tables and keys as Markdown.
    pub fn describe(&self) -> Description<'_> {
        Description(self)
    }
}

impl fmt::Display for Description<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let schema = self.0;
        writeln!(f, "# The export of Zulip {}\n", schema.zulip_versions.join(", "))?;
        writeln!(
            f,
            "Made from `schema/` by `zulip-backup schema`; a test compares. A value that may be null has a question mark; `->` is the\n\
             table a number refers to. Keys stand in the order of the file.\n"
        )?;
        for (name, lists) in schema.files.all() {
            writeln!(f, "## {name}\n\n| list | rows |\n| --- | --- |")?;
            for list in lists {
                writeln!(f, "| `{}` | {} |", list.key, Rows(list))?;
            }
            writeln!(f)?;
        }
        writeln!(f, "## Tables\n")?;
        for (name, table) in &schema.tables {
            writeln!(f, "### {name}\n")?;
            let fields: Vec<String> = table.fields.iter().map(shown).collect();
            writeln!(f, "{}.", fields.join(",\n"))?;
            if !table.dropped.is_empty() {
                writeln!(f, "\nNot exported: `{}`.", table.dropped.join("`, `"))?;
            }
            writeln!(f)?;
        }
        writeln!(f, "## Tables that are not exported\n\n| table | why |\n| --- | --- |")?;
        schema.left_out.iter().try_for_each(|(table, why)| writeln!(f, "| `{table}` | {why} |"))
    }
}

fn shown(field: &Field) -> String {
    match &field.source {
        Source::Ids { references, .. } => {
            format!("`{}` (list of ids -> {})", field.key, references.as_deref().unwrap_or("?"))
        }
        Source::Column { encoding, nullable, references, .. } => {
            let encoding = match encoding {
                Encoding::Integer => "integer",
                Encoding::Boolean => "boolean",
                Encoding::Text => "text",
                Encoding::Seconds => "seconds",
                Encoding::Iso => "ISO 8601",
                Encoding::Json => "JSON",
                Encoding::Uuid => "UUID",
                Encoding::Tsvector => "tsvector",
            };
            let question = if *nullable { "?" } else { "" };
            let target = references.as_deref().map(|table| format!(" -> {table}")).unwrap_or_default();
            format!("`{}` ({encoding}{question}{target})", field.key)
        }
    }
}

/// Which rows, in words.
struct Rows<'a>(&'a RowList);

impl fmt::Display for Rows<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.rows {
            RowRule::Realm { column } => write!(f, "`{column}` is the organisation's"),
            RowRule::User { column, consent: true } => write!(f, "`{column}` is a user of it who consents"),
            RowRule::User { column, consent: false } => write!(f, "`{column}` is a user of it"),
            RowRule::UserGroup { column } => write!(f, "`{column}` is a group of it"),
            RowRule::Users => f.write_str("users with an account"),
            RowRule::MirrorDummies => f.write_str("users who only stand for their messages"),
            RowRule::CrossRealmBots => f.write_str("bots of all organisations: address, id and recipient"),
            RowRule::ScheduledMessages => f.write_str("messages to be sent later, of users who consent"),
            RowRule::AuditLog => f.write_str("of the organisation, and where consent counts, of users who consent"),
            RowRule::DirectMessageGroups => f.write_str("groups of direct messages without members from elsewhere"),
            RowRule::Recipients => f.write_str("recipients of its users, channels and groups"),
            RowRule::Subscriptions => f.write_str("subscriptions to them"),
            RowRule::Reactions => f.write_str("reactions to exported messages"),
            RowRule::Submessages => f.write_str("votes in polls, and the like, of exported messages"),
            RowRule::Clients => f.write_str("clients that exported rows name"),
            RowRule::Messages => f.write_str("a thousand messages"),
            RowRule::UserMessages => f.write_str("what users have of them"),
            RowRule::Attachments => f.write_str("attachments of exported messages"),
            RowRule::Subject { column } => write!(f, "`{column}` is the user"),
            RowRule::SubjectRecipients => f.write_str("recipients of the user's subscriptions"),
            RowRule::SubjectChannels => f.write_str("channels of the user's subscriptions"),
            RowRule::SubjectAuditLog => f.write_str("about the user, or by the user"),
            RowRule::SubjectMessages => f.write_str(
                "messages that the user has, with `flags` (names), `flags_mask`, `sending_client_name` and `recipient_name`",
            ),
        }
    }
}
