//! The rows of a section: what is read from the server, and how each row is written.

use crate::export::json::Row;
use crate::export::scope::{Found, Scope};
use crate::export::{Kind, json, subject};
use crate::postgres::{BinaryRow, integer, quote_identifier};
use crate::schema::{Encoding, ExportTable, Field, LiveColumn, LiveDifferences, RowList, RowRule, Source};
use crate::{Error, ErrorKind, Result};

/// Depth of a row's keys in a file: the file's object, the section's list, the row's object.
pub(super) const DEPTH: usize = 3;

/// A section's query and the shape of its rows.
pub(super) struct Selection<'a> {
    /// What is read, in the order of `columns`.
    values: Vec<String>,
    /// The query behind the values, without `ORDER BY`.
    rest: String,
    columns: Vec<Column>,
    /// Names of the bits of flags.
    flags: &'static [Option<String>],
    table: String,
    /// The column the rows are in order of.
    order: String,
    found: &'a Found,
    wanted: Wanted,
}

/// Which of the rows are exported: what a query does not tell by itself.
#[derive(Clone, Copy)]
enum Wanted {
    All,
    /// Those whose value at this place is an exported message.
    OfMessage(usize),
    /// Those with an exported message or one to be sent later in the lists at these places.
    OfMessages(usize, usize),
}

struct Column {
    /// Line end, indentation, key and colon.
    prefix: Vec<u8>,
    key: String,
    /// The column of the table that it comes from; empty where it is none.
    source: String,
    how: How,
}

/// How a value is written.
#[derive(Clone, Copy)]
pub(super) enum How {
    Value(Encoding),
    /// Numbers with commas between.
    Ids,
    /// The same, those of exported messages only.
    MessageIds,
    /// The names of the bits of a number.
    Flags,
}

/// What stands in a row of another user than the exported table has.
struct Expression {
    sql: String,
    joins: &'static str,
}

/// The colours from which a subscription gets one when its owner has not agreed to show his own.
const COLORS: &str = "#76ce90,#fae589,#a6c7e5,#e79ab5,#bfd56f,#f4ae55,#b0a5fd,#addfe5,#f5ce6e,#c2726a,#94c849,#bd86e5,\
                      #ee7e4a,#a6dcbf,#95a5fd,#53a063,#9987e1,#e4523d,#c2c2c2,#4f8de4,#c6a8ad,#e7cc4d,#c8bebf,#a47462";

impl<'a> Selection<'a> {
    /// What `section` asks for.
    pub(super) fn new(scope: &Scope<'a>, section: &RowList, facts: &RealmFacts) -> Result<Self> {
        Self::whole(scope, section, facts, &condition(scope, section))
    }

    /// The section's columns of the rows for which `condition` holds.
    pub(super) fn whole(scope: &Scope<'a>, section: &RowList, facts: &RealmFacts, condition: &str) -> Result<Self> {
        let table = scope.schema.table(section.table())?;
        if section.rows == RowRule::CrossRealmBots {
            return Ok(Self::cross_realm_bots(scope, section, facts));
        }
        if facts.live.lacks(section.table()) {
            return Ok(Self::nothing(scope, section, table));
        }
        let mut joins = "";
        let mut columns = Vec::new();
        let mut expressions = Vec::new();
        for field in &table.fields {
            let Expression { sql, joins: needed } = expression(scope, section, table, field, facts);
            if !needed.is_empty() {
                joins = needed;
            }
            expressions.push(sql);
            columns.push(Column::of(section.table(), field, facts));
        }
        let rest = format!("FROM {} t {joins} WHERE ({condition})", quote_identifier(section.table()));
        let order = match table.fields.first().map(|field| &field.source) {
            Some(Source::Column { column, .. }) => quote_identifier(column),
            _ => "id".to_owned(),
        };
        let mut made = Self {
            values: expressions,
            rest,
            columns,
            flags: &scope.schema.user_message_flags,
            table: section.key.clone(),
            order,
            found: scope.found,
            wanted: Wanted::All,
        };
        made.wanted = match section.rows {
            RowRule::Reactions | RowRule::Submessages => Wanted::OfMessage(made.position("message_id")?),
            RowRule::Attachments => {
                let list = |how: fn(&How) -> bool| made.columns.iter().position(|column| how(&column.how));
                match (list(|how| matches!(how, How::MessageIds)), list(|how| matches!(how, How::Ids))) {
                    (Some(messages), Some(scheduled)) => Wanted::OfMessages(messages, scheduled),
                    _ => Wanted::All,
                }
            }
            _ => Wanted::All,
        };
        Ok(made)
    }

    /// A list of a table that is not there.
    fn nothing(scope: &Scope<'a>, section: &RowList, table: &ExportTable) -> Self {
        Self {
            values: vec!["NULL".to_owned(); table.fields.len()],
            rest: "FROM (SELECT 0 AS id) t WHERE false".to_owned(),
            columns: table.fields.iter().map(|field| Column::new(&field.key, "", How::Ids)).collect(),
            flags: &[],
            table: section.key.clone(),
            order: "id".to_owned(),
            found: scope.found,
            wanted: Wanted::All,
        }
    }

    fn cross_realm_bots(scope: &Scope<'a>, section: &RowList, facts: &RealmFacts) -> Self {
        let recipient = if scope.schema.personal_recipients { "t.recipient_id" } else { "NULL::int" };
        let condition =
            if facts.is_system_realm { "false".to_owned() } else { format!("t.id IN ({})", scope.cross_realm_bots()) };
        Self {
            values: ["t.email", "t.id", recipient].map(str::to_owned).to_vec(),
            rest: format!("FROM zerver_userprofile t WHERE {condition}"),
            flags: &[],
            columns: vec![
                Column::new("email", "email", How::Value(Encoding::Text)),
                Column::new("id", "id", How::Value(Encoding::Integer)),
                Column::new("recipient_id", "recipient_id", How::Value(Encoding::Integer)),
            ],
            table: section.key.clone(),
            order: "id".to_owned(),
            found: scope.found,
            wanted: Wanted::All,
        }
    }

    /// `COPY` of the query, in order of the id.
    pub(super) fn statement(&self) -> String {
        format!("COPY ({} ORDER BY t.{}) TO STDOUT (FORMAT binary)", self.query(), self.order)
    }

    /// `COPY` of those rows of the query whose column has a value from `low` to `high`, in order of another.
    pub(super) fn between(&self, column: &str, low: i64, high: i64, order: &str) -> String {
        let query = self.query();
        format!("COPY ({query} AND t.{column} BETWEEN {low} AND {high} ORDER BY t.{order}) TO STDOUT (FORMAT binary)")
    }

    fn query(&self) -> String {
        format!("SELECT {} {}", self.values.join(", "), self.rest)
    }

    /// Adds a value at the end of each row.
    pub(super) fn add(&mut self, key: &str, value: &str, how: How) {
        self.values.push(value.to_owned());
        self.columns.push(Column::new(key, "", how));
    }

    /// How many columns it has.
    pub(super) fn columns(&self) -> usize {
        self.columns.len()
    }

    /// The place of the value that is read from a column.
    pub(super) fn position(&self, column: &str) -> Result<usize> {
        self.columns.iter().position(|known| known.source == column).ok_or_else(|| {
            Error::new(ErrorKind::Damaged, format!("the declaration has no column {column} in {}", self.table))
        })
    }

    /// What stands before the value of a column.
    pub(super) fn prefix(&self, column: usize) -> &[u8] {
        &self.columns[column].prefix
    }

    /// Whether a row is exported.
    pub(super) fn wants(&self, row: BinaryRow<'_>) -> Result<bool> {
        Ok(match self.wanted {
            Wanted::All => true,
            Wanted::OfMessage(column) => self.found.has(row.integer(column)?),
            Wanted::OfMessages(messages, scheduled) => {
                row.bytes(scheduled).is_some_and(|ids| !ids.is_empty())
                    || numbers(row.bytes(messages).unwrap_or_default()).any(|id| self.found.has(id))
            }
        })
    }

    /// Writes one row as an object, without the comma before it.
    pub(super) fn write(&self, out: &mut Vec<u8>, row: BinaryRow<'_>) -> Result<()> {
        let mut object = Row::begin(out, DEPTH - 1);
        for (at, column) in self.columns.iter().enumerate() {
            let out = object.prefixed(&column.prefix);
            let written = match (row.bytes(at), column.how) {
                (None, How::Value(_)) => {
                    out.extend_from_slice(b"null");
                    Ok(())
                }
                (Some(bytes), How::Value(encoding)) => json::value(out, encoding, bytes, DEPTH),
                (flags, How::Flags) => {
                    names(out, flags.and_then(integer).unwrap_or(0), self.flags);
                    Ok(())
                }
                (ids, How::Ids) => {
                    list(out, numbers(ids.unwrap_or_default()));
                    Ok(())
                }
                (ids, How::MessageIds) => {
                    list(out, numbers(ids.unwrap_or_default()).filter(|id| self.found.has(*id)));
                    Ok(())
                }
            };
            written.map_err(|error| {
                let id = row.integer(0).map_or_else(|_| "?".to_owned(), |id| id.to_string());
                Error::new(error.kind(), format!("{} {} of {}: {error}", self.table, id, column.key))
            })?;
        }
        object.end();
        if row.len() == self.columns.len() {
            Ok(())
        } else {
            Err(Error::new(
                ErrorKind::Postgres,
                format!("{} has rows of {} columns, not {}", self.table, row.len(), self.columns.len()),
            ))
        }
    }
}

impl Column {
    fn new(key: &str, source: &str, how: How) -> Self {
        Self { prefix: Row::prefix(key, DEPTH), key: key.to_owned(), source: source.to_owned(), how }
    }

    fn of(table: &str, field: &Field, facts: &RealmFacts) -> Self {
        match &field.source {
            Source::Column { column, encoding, .. } => {
                let encoding = match facts.live.column(table, column) {
                    Some(LiveColumn::OfType(found)) => Encoding::of_type(found).unwrap_or(Encoding::Text),
                    Some(LiveColumn::Missing) | None => *encoding,
                };
                Self::new(&field.key, column, How::Value(encoding))
            }
            Source::Ids { references, .. } => {
                let messages = references.as_deref() == Some("zerver_message");
                Self::new(&field.key, "", if messages { How::MessageIds } else { How::Ids })
            }
        }
    }
}

/// Numbers with commas between.
fn numbers(text: &[u8]) -> impl Iterator<Item = i64> {
    let numbers = text.split(|byte| *byte == b',').map(|digits| std::str::from_utf8(digits).unwrap_or_default());
    numbers.filter_map(|digits| digits.parse().ok())
}

fn list(out: &mut Vec<u8>, ids: impl Iterator<Item = i64>) {
    out.push(b'[');
    let mut any = false;
    for id in ids {
        if any {
            out.push(b',');
        }
        any = true;
        json::line(out, DEPTH + 1);
        json::number(out, id);
    }
    if any {
        json::line(out, DEPTH);
    }
    out.push(b']');
}

/// The names of the bits that are set.
fn names(out: &mut Vec<u8>, mask: i64, names: &[Option<String>]) {
    out.push(b'[');
    let set = names.iter().enumerate().filter(|(bit, _)| mask >> bit & 1 == 1).filter_map(|(_, name)| name.as_deref());
    let mut any = false;
    for name in set {
        if any {
            out.push(b',');
        }
        any = true;
        json::line(out, DEPTH + 1);
        json::string(out, name.as_bytes());
    }
    if any {
        json::line(out, DEPTH);
    }
    out.push(b']');
}

/// What is known of the organisation before its rows are read.
#[derive(Clone, Debug)]
pub(super) struct RealmFacts {
    /// The domain of addresses that are made up.
    pub(super) fake_domain: String,
    /// Whether it is the one of the system's bots.
    pub(super) is_system_realm: bool,
    /// Whether it is deactivated by this export and exported as it was before.
    pub(super) deactivated_here: bool,
    /// What the database has otherwise than the declaration says.
    pub(super) live: LiveDifferences,
}

/// Which rows, as an SQL condition on `t`.
fn condition(scope: &Scope<'_>, section: &RowList) -> String {
    let realm = scope.realm;
    let within = |column: &str, ids: &str| format!("t.{} IN ({ids})", quote_identifier(column));
    match &section.rows {
        RowRule::Realm { column } => format!("t.{} = {realm}", quote_identifier(column)),
        RowRule::User { column, consent: true } if scope.hides() => {
            let ids = format!("{} INTERSECT ({})", scope.owners(), scope.consenting());
            within(column, &ids)
        }
        RowRule::User { column, .. } => within(column, &scope.owners()),
        RowRule::UserGroup { column } => {
            within(column, &format!("SELECT id FROM zerver_usergroup WHERE realm_id = {realm}"))
        }
        RowRule::Users => format!("t.id IN ({}) AND NOT {}", scope.users(), scope.becomes_dummy("t")),
        RowRule::MirrorDummies => format!("t.id IN ({}) AND {}", scope.users(), scope.becomes_dummy("t")),
        RowRule::CrossRealmBots => within("id", &scope.cross_realm_bots()),
        RowRule::ScheduledMessages => scope.scheduled("t"),
        RowRule::AuditLog if scope.hides() => format!(
            "t.realm_id = {realm} AND (t.event_type IN (301, 302, 303) OR t.modified_user_id IS NULL
             OR t.modified_user_id IN ({}))",
            scope.consenting()
        ),
        RowRule::AuditLog => format!("t.realm_id = {realm}"),
        RowRule::DirectMessageGroups => format!(
            "t.id IN (SELECT type_id FROM zerver_recipient WHERE type = 3 AND id IN ({}))",
            scope.group_recipients()
        ),
        RowRule::Recipients => within("id", &scope.recipients()),
        RowRule::Subscriptions => format!(
            "t.recipient_id IN ({}) OR t.user_profile_id IN ({}) AND (t.recipient_id IN ({}) OR t.recipient_id IN ({}))",
            scope.channel_recipients(),
            scope.correspondents(),
            scope.personal_recipients(),
            scope.group_recipients()
        ),
        // Which of them are exported, their ids tell.
        RowRule::Reactions | RowRule::Submessages => {
            within("message_id", &format!("SELECT id FROM zerver_message WHERE realm_id = {realm}"))
        }
        RowRule::Clients if scope.schema.exporter.exports_all_clients => "true".to_owned(),
        RowRule::Clients => {
            let users = format!("{} INTERSECT ({})", scope.users(), scope.consenting());
            format!(
                "t.id IN (SELECT client_id FROM zerver_useractivity WHERE user_profile_id IN ({users})
                 UNION SELECT client_id FROM zerver_userstatus WHERE user_profile_id IN ({users})
                 UNION SELECT s.sending_client_id FROM zerver_scheduledmessage s WHERE {}
                 UNION SELECT unnest('{{{}}}'::int8[]))",
                scope.scheduled("s"),
                scope.found.clients.iter().map(i64::to_string).collect::<Vec<_>>().join(",")
            )
        }
        RowRule::Messages => scope.messages("t"),
        RowRule::UserMessages => {
            let users = match scope.kind {
                Kind::Full | Kind::Public => scope.normal_users(),
                Kind::FullWithConsent => format!("({}) INTERSECT ({})", scope.normal_users(), scope.consenting()),
            };
            // As a value, so that rows are looked up one by one, in the order of the index, and not joined and sorted.
            format!("({}) IS TRUE", within("user_profile_id", &users))
        }
        RowRule::Attachments => scope.attachments("t"),
        rule @ (RowRule::Subject { .. }
        | RowRule::SubjectRecipients
        | RowRule::SubjectChannels
        | RowRule::SubjectAuditLog
        | RowRule::SubjectMessages) => subject::condition(rule, scope.subject.unwrap_or(0)),
    }
}

/// What is read for a field: its column, unless the kind of the export changes it.
fn expression(
    scope: &Scope<'_>,
    section: &RowList,
    table: &ExportTable,
    field: &Field,
    facts: &RealmFacts,
) -> Expression {
    let plain = |sql: String| Expression { sql, joins: "" };
    let column = match &field.source {
        Source::Ids { table: pairs, of, are, .. } => return plain(ids(scope, pairs, of, are)),
        Source::Column { column, .. } => {
            let quoted = format!("t.{}", quote_identifier(column));
            match facts.live.column(section.table(), column) {
                Some(LiveColumn::Missing) => return plain("NULL".to_owned()),
                // As text, where no better is known.
                Some(LiveColumn::OfType(found)) if Encoding::of_type(found).is_none() => format!("{quoted}::text"),
                _ => quoted,
            }
        }
    };
    let scrubbed = scope.hides();
    let exporter = scope.schema.exporter;
    match (&section.rows, field.key.as_str()) {
        (RowRule::Users | RowRule::MirrorDummies, key) if scrubbed => user(scope, table, field, key, column, facts),
        (RowRule::Subscriptions, "is_user_active") if scrubbed && exporter.scrubs_activity => plain(format!(
            "({column} AND NOT t.user_profile_id IN (SELECT u.id FROM zerver_userprofile u
                            WHERE u.realm_id = {} AND {} AND NOT u.is_mirror_dummy))",
            scope.realm,
            scope.becomes_dummy("u")
        )),
        (RowRule::Subscriptions, key) if scrubbed => {
            let replaced = match key {
                // The same for the same subscription, whoever asks and how often.
                "color" => format!("(string_to_array('{COLORS}', ','))[1 + abs(hashint8(t.id)::int8) % 24]"),
                "is_muted" | "pin_to_top" => "false".to_owned(),
                "desktop_notifications"
                | "audible_notifications"
                | "push_notifications"
                | "email_notifications"
                | "wildcard_mentions_notify" => "NULL".to_owned(),
                _ => return plain(column),
            };
            let consenting = scope.consenting();
            plain(format!("CASE WHEN t.user_profile_id IN ({consenting}) THEN {column} ELSE {replaced} END"))
        }
        // Somebody of another organisation: nobody who could be imported.
        (RowRule::AuditLog, "acting_user") => plain(format!(
            "CASE WHEN {column} IN (SELECT id FROM zerver_userprofile WHERE realm_id = {}) THEN {column} END",
            scope.realm
        )),
        (_, "status") if section.table() == "zerver_realmexport" && exporter.marks_prior_exports => {
            plain(format!("CASE WHEN {column} = 3 THEN 6 ELSE {column} END"))
        }
        (RowRule::Realm { column: id }, "deactivated") if id == "id" && facts.deactivated_here => {
            plain("false".to_owned())
        }
        _ => plain(column),
    }
}

fn user(
    scope: &Scope<'_>,
    table: &ExportTable,
    field: &Field,
    key: &str,
    column: String,
    facts: &RealmFacts,
) -> Expression {
    let consenting = scope.consenting();
    let theirs = |replaced: String| format!("CASE WHEN t.id IN ({consenting}) THEN {column} ELSE {replaced} END");
    let plain = |sql: String| Expression { sql, joins: "" };
    match key {
        "is_mirror_dummy" => plain(scope.becomes_dummy("t")),
        "is_active" => plain(format!("({column} AND NOT ({} AND NOT t.is_mirror_dummy))", scope.becomes_dummy("t"))),
        "delivery_email" => {
            let domain = facts.fake_domain.replace('\'', "''");
            let made_up = format!("'exported-user-' || md5(t.uuid::text) || '@{domain}'");
            let hidden = format!("CASE WHEN t.email_address_visibility = 4 THEN {made_up} ELSE {column} END");
            plain(theirs(hidden))
        }
        _ if is_preference(scope, table, field) => {
            let name = column.trim_start_matches("t.");
            Expression {
                sql: theirs(format!("d.{name}")),
                joins: "LEFT JOIN zerver_realmuserdefault d ON d.realm_id = t.realm_id",
            }
        }
        _ => plain(column),
    }
}

/// Whether a user's column is one for which the organisation has a default. Who may see an address is not one of them.
fn is_preference(scope: &Scope<'_>, users: &ExportTable, field: &Field) -> bool {
    let default = |defaults: &ExportTable| {
        defaults.fields.iter().any(|other| other.key == field.key && !matches!(field.key.as_str(), "id" | "realm"))
    };
    field.key != "email_address_visibility"
        && users.fields.contains(field)
        && scope.schema.table("zerver_realmuserdefault").is_ok_and(default)
}

/// The ids of a list; which messages are exported is told elsewhere.
fn ids(scope: &Scope<'_>, pairs: &str, of: &str, are: &str) -> String {
    let exported = match are {
        "scheduledmessage_id" => {
            format!("AND p.{are} IN (SELECT s.id FROM zerver_scheduledmessage s WHERE {})", scope.scheduled("s"))
        }
        _ => String::new(),
    };
    let (pairs, of, are) = (quote_identifier(pairs), quote_identifier(of), quote_identifier(are));
    format!("array_to_string(ARRAY(SELECT p.{are} FROM {pairs} p WHERE p.{of} = t.id {exported} ORDER BY 1), ',')")
}
