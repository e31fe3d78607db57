//! What a logical export holds, as data: one declaration for writing, reading, checking and describing it.
//!
//! A declaration is a file of this crate, `schema/<version>/export.json`, read together with the [`Catalog`] of the same
//! version, from which the types of the columns come. A Zulip version that exports other tables or columns is another
//! file, not other code. Which version a database is of is told by its migrations: the version string of a development
//! checkout stays the same while tables change.

use std::collections::BTreeMap;

use semver::VersionReq;
use serde::{Deserialize, Serialize};

use crate::schema::{Catalog, Table};
use crate::{Error, ErrorKind, Result};

/// What an export of one Zulip version holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportSchema {
    /// The Zulip versions it is for, for people.
    pub zulip_versions: Vec<String>,
    /// What their own texts begin with, a number never in the middle: `10`, `11.0-dev`.
    pub versions: Vec<String>,
    /// The migrations that tell the version.
    pub migrations: Migrations,
    /// The PostgreSQL majors that it runs on, each with those of its versions that do.
    pub postgres_majors: BTreeMap<u32, VersionReq>,
    /// Standard addresses of the bots that all organisations of a server share and whose messages are exported.
    pub cross_realm_bots: Vec<String>,
    /// Whether every user has a recipient of type 1; from Zulip 12.0 on conversations of two are groups like others.
    pub personal_recipients: bool,
    /// What its exporter does, and others do not.
    pub exporter: Exporter,
    /// What its importer does, and others do not.
    pub importer: Importer,
    /// Names of the bits of `zerver_usermessage.flags`, lowest first; `None` for those that are the server's own affair.
    pub user_message_flags: Vec<Option<String>>,
    /// The sections of each file, in the file's order.
    pub files: Files,
    /// The tables whose rows are exported, by name.
    pub tables: BTreeMap<String, ExportTable>,
    /// The tables that are not exported, and why.
    pub left_out: BTreeMap<String, String>,
}

/// What the exporter of a release does, where releases differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent answers, not a state")]
pub struct Exporter {
    /// Users say by a setting of theirs whether their data may be exported, and what is of the others is hidden: their rows
    /// are changed, and their groups of direct messages, subscriptions and lines of the audit log left out. Before, nothing
    /// was hidden in any kind of export, and users consented by a reaction to a message.
    pub hides_users: bool,
    /// What belongs to users is exported also of those who only stand for their messages.
    pub keeps_rows_of_dummies: bool,
    /// All clients of the server are exported, whoever used them.
    pub exports_all_clients: bool,
    /// The originals of emoji are exported beside them.
    pub exports_emoji_originals: bool,
    /// An export has a row of its own in `zerver_realmexport`.
    pub records_exports: bool,
    /// Where the audit log says that there was an export without such a row.
    pub audits_exports: bool,
    /// `migration_status.json` tells the release; before, nothing did.
    pub tells_migrations: bool,
    /// Numbers of rows are in `stats.json`, not in `stats.txt`.
    pub counts_in_json: bool,
    /// The names of an avatar's files depend on its version, and its records say it; before, on the user alone.
    pub versions_avatars: bool,
    /// The audit log says why an organisation was deactivated.
    pub says_why_deactivated: bool,
    /// The last key of `realm.json` names the service that the data is of, `import_source`.
    pub names_source: bool,
    /// `consented_user_ids.json` lists the users who consent; elsewhere their rows say it.
    pub lists_consenting: bool,
    /// Records of uploads and avatars say their owners' addresses.
    pub names_owners: bool,
    /// Avatars that the server made itself are exported too, not only those that users uploaded.
    pub exports_generated_avatars: bool,
    /// Conversations with the bots that all organisations share are exported, with the bots' subscriptions.
    pub exports_bot_conversations: bool,
    /// Exports on record are marked as those of a prior server, without the place of their file.
    pub marks_prior_exports: bool,
    /// A subscription says that its user is active only where the exported row of the user says so.
    pub scrubs_activity: bool,
    /// The rows of every list come in the order of their ids.
    pub sorts_rows: bool,
}

impl Exporter {
    /// The file with the numbers of rows.
    pub(crate) fn statistics_file(self) -> &'static str {
        if self.counts_in_json { "stats.json" } else { "stats.txt" }
    }
}

/// What the importer of a release does, where releases differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent answers, not a state")]
pub struct Importer {
    /// It writes what is known of attached pictures into `zerver_imageattachment`, and guesses the content types of
    /// attachments that have none.
    pub records_images: bool,
    /// It makes originals and still pictures of emoji that come without.
    pub makes_emoji: bool,
    /// A new server's audit log says which bots of the system may send in the name of others.
    pub audits_forgers: bool,
    /// Of each system group that it makes, the audit log says what may be done to it.
    pub audits_group_settings: bool,
    /// Users and rendered texts in edit histories follow the new ids; before, they were kept as they were.
    pub maps_edit_history: bool,
    /// In messages those paths of attachments are replaced that `attachment.json` says they have; before, all that occurred.
    pub links_by_attachment: bool,
    /// Statistics of the system's bots are left out; before, they became those of this server's bots.
    pub drops_bot_counts: bool,
}

/// Numbers of the app zerver's migrations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Migrations {
    /// The version has this one or a later one.
    pub after: u32,
    /// The version has neither this one nor a later one.
    pub before: Option<u32>,
}

impl Migrations {
    /// Whether the version is told by this newest migration.
    pub(crate) fn have(&self, newest: u32) -> bool {
        newest >= self.after && self.before.is_none_or(|before| newest < before)
    }
}

/// The number that a migration's name begins with: 697 of `0697_empty_topic_name`.
pub(crate) fn migration_number(name: &str) -> Option<u32> {
    name.get(..4)?.parse().ok()
}

/// The files with rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// `realm.json`.
    pub realm: Vec<RowList>,
    /// `messages-NNNNNN.json`.
    pub messages: Vec<RowList>,
    /// `analytics.json`.
    pub analytics: Vec<RowList>,
    /// `attachment.json`.
    pub attachment: Vec<RowList>,
    /// `user.json` of a single user's export.
    pub user: Vec<RowList>,
    /// `messages-NNNNNN.json` of a single user's export.
    pub user_messages: Vec<RowList>,
}

impl Files {
    /// The lists of an organisation's export, of all files.
    pub fn of_organisation(&self) -> impl Iterator<Item = &RowList> {
        self.realm.iter().chain(&self.messages).chain(&self.analytics).chain(&self.attachment)
    }

    /// Every file by its name, in an organisation's export and then in a single user's.
    pub fn all(&self) -> [(&'static str, &[RowList]); 6] {
        [
            ("realm.json", &self.realm),
            ("messages-NNNNNN.json", &self.messages),
            ("analytics.json", &self.analytics),
            ("attachment.json", &self.attachment),
            ("user.json", &self.user),
            ("messages-NNNNNN.json of a single user", &self.user_messages),
        ]
    }
}

/// A list of rows in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowList {
    /// Its key in the file.
    pub key: String,
    /// The table its rows are of, where that is not the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// Which rows.
    pub rows: RowRule,
}

impl RowList {
    /// The table its rows are of.
    pub fn table(&self) -> &str {
        self.table.as_deref().unwrap_or(&self.key)
    }
}

/// How the rows of an organisation are chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "kebab-case", deny_unknown_fields)]
pub enum RowRule {
    /// A column has the organisation's id.
    Realm {
        /// The column.
        column: String,
    },
    /// A column has the id of an exported user.
    User {
        /// The column.
        column: String,
        /// Whether only of users who consent.
        consent: bool,
    },
    /// A column has the id of an exported group.
    UserGroup {
        /// The column.
        column: String,
    },
    /// Users with an account.
    Users,
    /// Users who only stand for their messages.
    MirrorDummies,
    /// The bots that all organisations share: address, id and recipient alone.
    CrossRealmBots,
    /// Messages to be sent later.
    ScheduledMessages,
    /// The audit log.
    AuditLog,
    /// Groups of direct messages.
    DirectMessageGroups,
    /// Recipients of the exported users, channels and groups.
    Recipients,
    /// Subscriptions to them.
    Subscriptions,
    /// Reactions to exported messages.
    Reactions,
    /// Votes in polls, and the like, of exported messages.
    Submessages,
    /// Clients that exported rows name.
    Clients,
    /// Messages.
    Messages,
    /// What users have of exported messages.
    UserMessages,
    /// Attachments of exported messages.
    Attachments,
    /// Single user: a column has the user's id.
    Subject {
        /// The column.
        column: String,
    },
    /// Single user: recipients of the user's subscriptions.
    SubjectRecipients,
    /// Single user: channels of the user's subscriptions.
    SubjectChannels,
    /// Single user: lines of the audit log about the user, or by the user.
    SubjectAuditLog,
    /// Single user: messages, with what the user has of them.
    SubjectMessages,
}

/// A table whose rows are exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportTable {
    /// The keys of a row, in order.
    pub fields: Vec<Field>,
    /// Columns that are not exported.
    pub dropped: Vec<String>,
    /// Columns that some servers have and that mean nothing to an export.
    pub harmless: Vec<String>,
}

/// A key of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The key.
    pub key: String,
    /// Where its value comes from.
    pub source: Source,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A column.
    Column {
        /// Its name.
        column: String,
        /// How it is written.
        encoding: Encoding,
        /// Whether it may be null.
        nullable: bool,
        /// The table it refers to, where it is a foreign key.
        references: Option<String>,
    },
    /// A list of ids out of a table of pairs.
    Ids {
        /// The table of pairs.
        table: String,
        /// Its column with this row's id.
        of: String,
        /// Its column with the ids of the list.
        are: String,
        /// The table these are the ids of.
        references: Option<String>,
    },
}

/// How a column's value is written in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// A number.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// A string, as it is; also text that happens to be JSON.
    Text,
    /// A time as seconds since 1970, a number with a fraction.
    Seconds,
    /// A time as ISO 8601 with its offset, which is what upstream's importer takes where its exporter fails.
    Iso,
    /// JSON, as JSON.
    Json,
    /// A UUID in lower case with hyphens.
    Uuid,
    /// The words of a text search, in PostgreSQL's text form.
    Tsvector,
}

impl Encoding {
    /// How a column of an SQL type is written unless the declaration says otherwise.
    pub fn of_type(sql_type: &str) -> Option<Self> {
        let base = sql_type.split_once('(').map_or(sql_type, |(base, _)| base);
        Some(match base {
            "smallint" | "integer" | "bigint" => Self::Integer,
            "boolean" => Self::Boolean,
            "text" | "character varying" => Self::Text,
            "timestamp with time zone" => Self::Seconds,
            "jsonb" => Self::Json,
            "uuid" => Self::Uuid,
            "tsvector" => Self::Tsvector,
            _ => return None,
        })
    }
}

/// A declaration as it stands in its file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Declaration {
    zulip_versions: Vec<String>,
    versions: Vec<String>,
    migrations: Migrations,
    postgres_majors: BTreeMap<u32, VersionReq>,
    cross_realm_bots: Vec<String>,
    personal_recipients: bool,
    exporter: Exporter,
    importer: Importer,
    user_message_flags: Vec<Option<String>>,
    files: Files,
    tables: BTreeMap<String, DeclaredTable>,
    left_out: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeclaredTable {
    fields: Vec<DeclaredField>,
    #[serde(default)]
    dropped: Vec<String>,
    #[serde(default)]
    harmless: Vec<String>,
}

/// `"key"`, `"key=column"`, or an object with what cannot be told from the catalog.
#[derive(Deserialize)]
#[serde(untagged)]
enum DeclaredField {
    Plain(String),
    Encoded { key: String, encoding: Encoding },
    Many { key: String, ids: DeclaredIds },
}

/// The two of `"key=column"`, or the one that is both.
pub(super) fn key_and_column(text: &str) -> (&str, &str) {
    text.split_once('=').unwrap_or((text, text))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeclaredIds {
    table: String,
    of: String,
    are: String,
}

impl ExportSchema {
    /// How much of a version's text, as `version.py` writes it, says that it is one of these; nothing where it is none.
    pub(crate) fn fits(&self, version: &str) -> Option<usize> {
        let begins = |prefix: &&String| {
            let rest = version.strip_prefix(prefix.as_str());
            rest.is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_digit()))
        };
        self.versions.iter().filter(begins).map(String::len).max()
    }

    pub(super) fn parse(text: &str, catalog: &Catalog) -> Result<Self, String> {
        let declared: Declaration = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let mut tables = BTreeMap::new();
        for (name, table) in declared.tables {
            let columns = catalog.table(&name).map_err(|error| error.to_string())?;
            let fields = table.fields.into_iter().map(|field| field.resolve(columns, catalog));
            let fields = fields.collect::<Result<Vec<_>, _>>().map_err(|reason| format!("{name}: {reason}"))?;
            tables.insert(name, ExportTable { fields, dropped: table.dropped, harmless: table.harmless });
        }
        Ok(Self {
            zulip_versions: declared.zulip_versions,
            versions: declared.versions,
            migrations: declared.migrations,
            postgres_majors: declared.postgres_majors,
            cross_realm_bots: declared.cross_realm_bots,
            personal_recipients: declared.personal_recipients,
            exporter: declared.exporter,
            importer: declared.importer,
            user_message_flags: declared.user_message_flags,
            files: declared.files,
            tables,
            left_out: declared.left_out,
        })
    }

    /// A table whose rows are exported.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn table(&self, name: &str) -> Result<&ExportTable> {
        self.tables.get(name).ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                format!("exports of Zulip {} have no table {name:?}", self.zulip_versions.join(", ")),
            )
        })
    }
}

impl DeclaredField {
    fn resolve(self, table: &Table, catalog: &Catalog) -> Result<Field, String> {
        let (key, column, encoding) = match self {
            Self::Plain(text) => {
                let (key, column) = key_and_column(&text);
                (key.to_owned(), column.to_owned(), None)
            }
            Self::Encoded { key, encoding } => (key.clone(), key, Some(encoding)),
            Self::Many { key, ids } => {
                let pairs = catalog.table(&ids.table).map_err(|error| error.to_string())?;
                let references = pairs.foreign_key(&ids.are).map(|key| key.references.clone());
                let DeclaredIds { table, of, are } = ids;
                return Ok(Field { key, source: Source::Ids { table, of, are, references } });
            }
        };
        let found = table.column(&column).ok_or_else(|| format!("there is no column {column}"))?;
        let encoding = encoding
            .or_else(|| Encoding::of_type(&found.sql_type))
            .ok_or_else(|| format!("{column} is of type {}, which no export has", found.sql_type))?;
        let references = table.foreign_key(&column).map(|key| key.references.clone());
        Ok(Field { key, source: Source::Column { column, encoding, nullable: found.nullable, references } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Release;

    #[test]
    fn every_table_and_column_of_the_catalog_is_exported_or_left_out_on_purpose() {
        for release in Release::all().unwrap() {
            let (schema, catalog) = (&release.export, &release.catalog);
            for table in &catalog.tables {
                let Some(exported) = schema.tables.get(&table.name) else {
                    assert!(schema.left_out.contains_key(&table.name), "{}", table.name);
                    continue;
                };
                assert!(!schema.left_out.contains_key(&table.name));
                for column in &table.columns {
                    let is = |field: &Field| matches!(&field.source, Source::Column { column: name, .. } if *name == column.name);
                    let exported_or_not = exported.fields.iter().any(is) ^ exported.dropped.contains(&column.name);
                    assert!(exported_or_not, "{}.{}", table.name, column.name);
                }
            }
            let lists = schema.files.all().into_iter().flat_map(|(_, lists)| lists);
            let mut shown: Vec<&str> = lists.map(RowList::table).collect();
            shown.sort_unstable();
            shown.dedup();
            assert_eq!(shown, schema.tables.keys().collect::<Vec<_>>());
        }
    }

    #[test]
    fn keys_are_named_as_django_names_them() {
        for release in Release::all().unwrap() {
            let schema = &release.export;
            for (name, table) in &schema.tables {
                for field in &table.fields {
                    let Source::Column { column, references, .. } = &field.source else { continue };
                    let expected = match references {
                        Some(_) => column.strip_suffix("_id").unwrap_or(column),
                        None => column,
                    };
                    let special = ["flags_mask", "_max_invites", "realm_for_sharding", "id"];
                    assert!(field.key == expected || special.contains(&field.key.as_str()), "{name}.{}", field.key);
                }
            }
            let secrets = &schema.table("zerver_userprofile").unwrap().dropped;
            assert_eq!(secrets, &["api_key", "password", "uuid"]);
        }
    }
}
