//! One organisation in full.

use std::collections::BTreeMap;
use std::fmt;

use postgres::Client;
use postgres::fallible_iterator::FallibleIterator;
use serde::Serialize;
use serde_json::Value;

use crate::postgres::{column, error};
use crate::realm::{Realm, connect, find};
use crate::schema::Release;
use crate::site::Site;
use crate::units::bytes;
use crate::uploads::{self, Store};
use crate::{Error, Result};

/// Settings of an organisation that somebody who moves, ends or deletes it wants to see: columns of `zerver_realm`.
const SETTINGS: [&str; 14] = [
    "invite_required",
    "emails_restricted_to_domains",
    "message_retention_days",
    "message_visibility_limit",
    "allow_message_editing",
    "default_language",
    "org_type",
    "plan_type",
    "custom_upload_quota_gb",
    "enable_spectator_access",
    "want_advertise_in_communities_directory",
    "push_notifications_enabled",
    "send_welcome_emails",
    "digest_emails_enabled",
];

/// One organisation in full.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RealmDetails {
    /// Its id.
    pub id: i64,
    /// Its subdomain; empty at the root domain.
    pub string_id: String,
    /// Its name.
    pub name: String,
    /// The host it answers to, where the server's name is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// What it says of itself.
    pub description: String,
    /// What tells it from all others, on other servers too.
    pub uuid: Option<String>,
    /// When it was made, as ISO 8601.
    pub date_created: Option<String>,
    /// Whether it is deactivated.
    pub deactivated: bool,
    /// Where visitors of the deactivated organisation are sent.
    pub deactivated_redirect: Option<String>,
    /// When the server will scrub it, as ISO 8601.
    pub scheduled_deletion_date: Option<String>,
    /// When the server will delete it, if it is a demonstration, as ISO 8601.
    pub demo_organization_scheduled_deletion_date: Option<String>,
    /// Its users.
    pub users: UsersByRole,
    /// Its channels.
    pub channels: Channels,
    /// Groups of direct messages with one of its users in them.
    pub direct_message_groups: i64,
    /// Messages.
    pub messages: i64,
    /// Messages that were deleted or have expired, and can be restored for a while.
    pub archived_messages: i64,
    /// Attachments.
    pub attachments: i64,
    /// Their bytes.
    pub attachment_bytes: i64,
    /// Custom emoji in use.
    pub emoji: i64,
    /// Its exports.
    pub exports: RealmExports,
    /// Ways to log in.
    pub authentication_methods: Vec<String>,
    /// Settings that matter to whoever moves or ends it, by their names in the database.
    pub settings: BTreeMap<String, Value>,
    /// Whether the files of attachments are there.
    pub files: FilePresence,
}

/// The users of an organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct UsersByRole {
    /// Owners who can log in.
    pub owners: i64,
    /// Administrators who can log in.
    pub administrators: i64,
    /// Moderators who can log in.
    pub moderators: i64,
    /// Members who can log in.
    pub members: i64,
    /// Guests who can log in.
    pub guests: i64,
    /// Active bots.
    pub bots: i64,
    /// Deactivated people and bots.
    pub deactivated: i64,
    /// Users who only stand for their messages.
    pub mirror_dummies: i64,
}

/// The channels of an organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Channels {
    /// Channels that everybody may join.
    pub public: i64,
    /// Channels by invitation.
    pub private: i64,
    /// Channels that are archived, of both kinds.
    pub archived: i64,
}

/// The exports of an organisation that its database knows of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RealmExports {
    /// How many.
    pub count: i64,
    /// When the last one succeeded, as ISO 8601.
    pub last_succeeded: Option<String>,
}

/// Whether the files of attachments are there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum FilePresence {
    /// They were looked for.
    Known {
        /// How many are there.
        present: u64,
        /// How many are not.
        missing: u64,
        /// The first few that are not, by path.
        first_missing: Vec<String>,
    },
    /// They could not be looked for.
    Unknown {
        /// Why.
        unknown: String,
    },
}

/// How many missing files are named.
const NAMED: usize = 10;

/// Shows one organisation, which is named by its id or `string_id`.
///
/// # Errors
/// `NotFound` for an organisation that is not there, and what the database answers.
pub fn show(site: &Site, realm: &str) -> Result<RealmDetails> {
    let mut client = connect(site, "zulip-backup realm show")?;
    let realm = find(&mut client, realm)?;
    let failed = |failure| error("read the organisation", failure);
    // As JSON, so that a column which another version of Zulip has not is no error.
    let row = client
        .query_one("SELECT to_jsonb(r)::text FROM zerver_realm r WHERE id = $1::int8", &[&realm.id])
        .map_err(failed)?;
    let columns: BTreeMap<String, Value> = serde_json::from_str(&column::<String>(&row, 0)?).map_err(|error| {
        Error::new(crate::ErrorKind::Damaged, "the organisation's row is no JSON object").with_source(error)
    })?;
    let text = |name: &str| columns.get(name).and_then(Value::as_str).map(str::to_owned);
    let methods = client
        .query(
            "SELECT name::text FROM zerver_realmauthenticationmethod WHERE realm_id = $1::int8 ORDER BY 1",
            &[&realm.id],
        )
        .map_err(failed)?;
    let authentication_methods = methods.iter().map(|row| column(row, 0)).collect::<Result<_>>()?;
    let settings = SETTINGS.iter().filter_map(|name| Some(((*name).to_owned(), columns.get(*name)?.clone()))).collect();
    let counts = Counts::read(&mut client, &realm)?;
    Ok(RealmDetails {
        description: text("description").unwrap_or_default(),
        uuid: text("uuid"),
        date_created: text("date_created"),
        deactivated: realm.deactivated,
        deactivated_redirect: text("deactivated_redirect"),
        scheduled_deletion_date: text("scheduled_deletion_date"),
        demo_organization_scheduled_deletion_date: text("demo_organization_scheduled_deletion_date"),
        users: counts.users,
        channels: counts.channels,
        direct_message_groups: counts.others[0],
        messages: counts.others[1],
        archived_messages: counts.others[2],
        attachments: counts.others[3],
        attachment_bytes: counts.others[4],
        emoji: counts.others[5],
        exports: RealmExports { count: counts.others[6], last_succeeded: counts.last_export },
        authentication_methods,
        settings,
        files: presence(site, &mut client, realm.id),
        host: host(site, &realm.string_id).ok(),
        id: realm.id,
        string_id: realm.string_id,
        name: realm.name,
    })
}

/// The host an organisation answers to.
///
/// # Errors
/// `Config` where the server's name is not known.
pub(crate) fn host(site: &Site, string_id: &str) -> Result<String> {
    let server = site.external_host()?.value;
    Ok(if string_id.is_empty() { server } else { format!("{string_id}.{server}") })
}

/// What is counted.
struct Counts {
    users: UsersByRole,
    channels: Channels,
    others: [i64; 7],
    last_export: Option<String>,
}

impl Counts {
    fn read(client: &mut Client, realm: &Realm) -> Result<Self> {
        let failed = |failure| error("count what the organisation has", failure);
        let users = client
            .query_one(
                "SELECT count(*) FILTER (WHERE is_active AND NOT is_bot AND role = 100),
                        count(*) FILTER (WHERE is_active AND NOT is_bot AND role = 200),
                        count(*) FILTER (WHERE is_active AND NOT is_bot AND role = 300),
                        count(*) FILTER (WHERE is_active AND NOT is_bot AND role = 400),
                        count(*) FILTER (WHERE is_active AND NOT is_bot AND role = 600),
                        count(*) FILTER (WHERE is_active AND is_bot),
                        count(*) FILTER (WHERE NOT is_active AND NOT is_mirror_dummy),
                        count(*) FILTER (WHERE NOT is_active AND is_mirror_dummy)
                 FROM zerver_userprofile WHERE realm_id = $1::int8",
                &[&realm.id],
            )
            .map_err(failed)?;
        let channels = client
            .query_one(
                "SELECT count(*) FILTER (WHERE NOT deactivated AND NOT invite_only),
                        count(*) FILTER (WHERE NOT deactivated AND invite_only), count(*) FILTER (WHERE deactivated)
                 FROM zerver_stream WHERE realm_id = $1::int8",
                &[&realm.id],
            )
            .map_err(failed)?;
        // Before Zulip 10 the audit log alone says that there were exports, and not what became of them.
        let exports = if Release::of_database(client)?.export.exporter.records_exports {
            "(SELECT count(*) FROM zerver_realmexport WHERE realm_id = $1::int8),
             (SELECT to_jsonb(max(date_succeeded)) #>> '{}' FROM zerver_realmexport WHERE realm_id = $1::int8)"
        } else {
            "(SELECT count(*) FROM zerver_realmauditlog WHERE realm_id = $1::int8 AND event_type = 206), NULL::text"
        };
        let others = client
            .query_one(
                &format!(
                    "SELECT (SELECT count(DISTINCT s.recipient_id) FROM zerver_subscription s
                         JOIN zerver_recipient r ON r.id = s.recipient_id AND r.type = 3
                         JOIN zerver_userprofile u ON u.id = s.user_profile_id WHERE u.realm_id = $1::int8),
                        (SELECT count(*) FROM zerver_message WHERE realm_id = $1::int8),
                        (SELECT count(*) FROM zerver_archivedmessage WHERE realm_id = $1::int8),
                        (SELECT count(*) FROM zerver_attachment WHERE realm_id = $1::int8),
                        (SELECT coalesce(sum(size::int8), 0)::int8 FROM zerver_attachment WHERE realm_id = $1::int8),
                        (SELECT count(*) FROM zerver_realmemoji WHERE realm_id = $1::int8 AND NOT deactivated),
                        {exports}"
                ),
                &[&realm.id],
            )
            .map_err(failed)?;
        let mut counts = [0; 7];
        for (at, count) in counts.iter_mut().enumerate() {
            *count = column(&others, at)?;
        }
        Ok(Self {
            users: UsersByRole {
                owners: column(&users, 0)?,
                administrators: column(&users, 1)?,
                moderators: column(&users, 2)?,
                members: column(&users, 3)?,
                guests: column(&users, 4)?,
                bots: column(&users, 5)?,
                deactivated: column(&users, 6)?,
                mirror_dummies: column(&users, 7)?,
            },
            channels: Channels {
                public: column(&channels, 0)?,
                private: column(&channels, 1)?,
                archived: column(&channels, 2)?,
            },
            others: counts,
            last_export: column(&others, 7)?,
        })
    }
}

fn presence(site: &Site, client: &mut Client, realm: i64) -> FilePresence {
    look(site, client, realm).unwrap_or_else(|error| FilePresence::Unknown { unknown: error.chain() })
}

fn look(site: &Site, client: &mut Client, realm: i64) -> Result<FilePresence> {
    let uploads = uploads::open(&site.uploads()?.value)?;
    let failed = |failure| error("read the attachments", failure);
    let query = "SELECT path_id FROM zerver_attachment WHERE realm_id = $1::int8 ORDER BY id";
    let mut rows = client.query_raw(query, [realm]).map_err(failed)?;
    let (mut present, mut missing, mut first_missing) = (0, 0, Vec::new());
    while let Some(row) = rows.next().map_err(failed)? {
        let path: String = column(&row, 0)?;
        // A path that leads elsewhere is as good as none.
        if matches!(uploads.open(Store::Files, &path), Ok(Some(_))) {
            present += 1;
        } else {
            missing += 1;
            if first_missing.len() < NAMED {
                first_missing.push(path);
            }
        }
    }
    Ok(FilePresence::Known { present, missing, first_missing })
}

impl fmt::Display for RealmDetails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "realm         {:?} (id {}), {}", self.string_id, self.id, self.name)?;
        if let Some(host) = &self.host {
            writeln!(f, "host          {host}")?;
        }
        if let Some(date) = &self.date_created {
            writeln!(f, "created       {date}")?;
        }
        write!(f, "state         {}", if self.deactivated { "deactivated" } else { "active" })?;
        if let Some(redirect) = &self.deactivated_redirect {
            write!(f, ", leads to {redirect}")?;
        }
        let deletion =
            self.scheduled_deletion_date.as_ref().or(self.demo_organization_scheduled_deletion_date.as_ref());
        match deletion {
            Some(date) => writeln!(f, ", to be deleted at {date}")?,
            None => writeln!(f)?,
        }
        let UsersByRole { owners, administrators, moderators, members, guests, bots, deactivated, mirror_dummies } =
            self.users;
        writeln!(
            f,
            "users         {owners} owners, {administrators} administrators, {moderators} moderators, {members} members, \
             {guests} guests, {bots} bots; {deactivated} deactivated, {mirror_dummies} mirror dummies"
        )?;
        let Channels { public, private, archived } = self.channels;
        writeln!(f, "channels      {public} public, {private} private, {archived} archived")?;
        writeln!(f, "groups        {} of direct messages", self.direct_message_groups)?;
        writeln!(f, "messages      {}, {} in the archive", self.messages, self.archived_messages)?;
        let size = bytes(u64::try_from(self.attachment_bytes).unwrap_or(0));
        writeln!(f, "attachments   {}, {size}", self.attachments)?;
        match &self.files {
            FilePresence::Known { missing: 0, present, .. } => writeln!(f, "files         {present}, all there")?,
            FilePresence::Known { missing, present, first_missing } => {
                writeln!(f, "files         {present} there, {missing} missing: {}", first_missing.join(", "))?;
            }
            FilePresence::Unknown { unknown } => writeln!(f, "files         not known: {unknown}")?,
        }
        writeln!(f, "emoji         {}", self.emoji)?;
        match &self.exports.last_succeeded {
            Some(date) => writeln!(f, "exports       {}, the last at {date}", self.exports.count)?,
            None => writeln!(f, "exports       {}", self.exports.count)?,
        }
        write!(f, "log in with   {}", self.authentication_methods.join(", "))?;
        self.settings.iter().try_for_each(|(name, value)| write!(f, "\n  {name} = {value}"))
    }
}
