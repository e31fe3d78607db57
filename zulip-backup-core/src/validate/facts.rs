//! What the files beside the messages say, as far as something else is judged by it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::ids::IdSet;
use crate::images::content_type_of;
use crate::rows::{Cell, Counts, RowParser, Shape, Sink};
use crate::schema::{Release, RowRule};
use crate::validate::links::{Links, Uses, count};
use crate::validate::rules::{GROUP, PERSONAL, STREAM};
use crate::validate::texts;
use crate::validate::unique::Uniques;
use crate::{Finding, Findings, Result};

/// What is known once `realm.json`, `attachment.json` and `analytics.json` were read.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// Rows of each list by file, for the statistics.
    pub(crate) counts: BTreeMap<String, Counts>,
    /// Ids by table; those of all users under `zerver_userprofile`.
    pub(crate) ids: BTreeMap<String, IdSet>,
    /// Ids of those tables whose rows do not come in the order of their ids, as they come.
    pub(crate) orders: HashMap<String, Vec<i64>>,
    pub(crate) links: Links,
    /// The organisation's id and `string_id`.
    pub(crate) realm: Option<(i64, String)>,
    pub(crate) users: HashMap<i64, User>,
    pub(crate) streams: HashMap<i64, Stream>,
    /// Type and `type_id` by id.
    pub(crate) recipients: HashMap<i64, (i64, i64)>,
    /// Recipients of groups, by the group.
    pub(crate) groups: HashMap<i64, i64>,
    /// Groups whose rows do not say it.
    groups_without_recipient: Vec<i64>,
    /// Recipients of users who only stand for their messages, where exports have none for those: the users, by what their
    /// rows say.
    pub(crate) bare: BTreeMap<i64, i64>,
    keeps_rows_of_dummies: bool,
    /// What tables take only once.
    uniques: Uniques,
    /// How many users have powers over the whole server they are on.
    pub(crate) with_powers: u64,
    /// Users' UUIDs, which only converters say.
    pub(crate) uuids: Vec<String>,
    /// Recipients of the bots that all organisations share.
    pub(crate) bot_recipients: HashMap<i64, i64>,
    /// Recipient and user of every subscription.
    pub(crate) members: Vec<(i64, i64)>,
    /// Groups and their subgroups.
    pub(crate) subgroups: Vec<(i64, i64)>,
    /// Users with subscriptions that show what their owner chose.
    pub(crate) chosen: HashMap<i64, Uses>,
    /// Users with lines in the audit log that others may not see.
    pub(crate) audited: HashMap<i64, Uses>,
    /// Users by the messages to which they reacted in the way that consents.
    pub(crate) reacted: HashMap<i64, Vec<i64>>,
    /// The preferences of new users, as hashes in the order of `preferences`.
    pub(crate) defaults: Option<Vec<u32>>,
    /// The keys that users share with the defaults.
    pub(crate) preferences: Vec<String>,
    pub(crate) attachments: HashMap<String, Attachment>,
    pub(crate) clients: Vec<i64>,
    pub(crate) client_names: HashMap<i64, String>,
    /// Custom profile fields whose values are lists of users.
    pub(crate) user_fields: HashSet<i64>,
    pub(crate) emoji_files: HashMap<String, i64>,
    /// Ways to log in.
    pub(crate) authentication_methods: Vec<String>,
    /// Type and status of the exports on record, by id.
    pub(crate) exports: BTreeMap<i64, (i64, i64)>,
    /// Whether a converter made the export, of other services' data.
    pub(crate) converted: bool,
    /// What service the data is said to be of.
    pub(crate) source: Option<String>,
    names_source: bool,
    /// Whether messages get their ids in the order of their times.
    pub(crate) sort_by_date: bool,
    /// What is wrong with rows beside their shape.
    pub(crate) findings: Findings,
}

/// In which list a user is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// With an account.
    Normal,
    /// Only standing for messages.
    Dummy,
    /// A bot that all organisations share.
    Bot,
}

#[derive(Debug)]
pub(crate) struct User {
    pub(crate) standing: Standing,
    pub(crate) email: String,
    pub(crate) role: i64,
    pub(crate) recipient: Option<i64>,
    pub(crate) is_active: bool,
    pub(crate) is_mirror_dummy: bool,
    pub(crate) is_bot: bool,
    pub(crate) owner: Option<i64>,
    pub(crate) allows_export: bool,
    /// `email_address_visibility`.
    pub(crate) visibility: i64,
    /// Whether the address is one that an exporter makes up.
    pub(crate) made_up_address: bool,
    /// Hashes of the preferences.
    pub(crate) preferences: Box<[u32]>,
}

#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) invite_only: bool,
    pub(crate) history_public: bool,
    pub(crate) recipient: Option<i64>,
}

#[derive(Debug)]
pub(crate) struct Attachment {
    pub(crate) id: i64,
    pub(crate) size: i64,
    pub(crate) content_type: Option<String>,
}

/// The colours that an exporter gives to subscriptions instead of the chosen ones.
const COLORS: [&str; 24] = [
    "#76ce90", "#fae589", "#a6c7e5", "#e79ab5", "#bfd56f", "#f4ae55", "#b0a5fd", "#addfe5", "#f5ce6e", "#c2726a",
    "#94c849", "#bd86e5", "#ee7e4a", "#a6dcbf", "#95a5fd", "#53a063", "#9987e1", "#e4523d", "#c2c2c2", "#4f8de4",
    "#c6a8ad", "#e7cc4d", "#c8bebf", "#a47462",
];
/// What a subscription has of its own instead of the user's preferences.
const OVERRIDES: [&str; 5] = [
    "desktop_notifications",
    "audible_notifications",
    "push_notifications",
    "email_notifications",
    "wildcard_mentions_notify",
];
/// Powers over a whole server.
const POWERS: [&str; 5] =
    ["is_staff", "is_superuser", "can_forge_sender", "can_create_users", "can_change_user_emails"];
/// `zerver_customprofilefield.field_type` of a list of users.
const USER_FIELD: i64 = 6;
/// Audit-log events that everybody may see: subscriptions.
const PUBLIC_EVENTS: [i64; 3] = [301, 302, 303];

impl Facts {
    /// Of an export of a release.
    pub(crate) fn new(release: &Release, converted: bool) -> Result<Self> {
        let schema = &release.export;
        let (users, defaults) = (schema.table("zerver_userprofile")?, schema.table("zerver_realmuserdefault")?);
        let shared = users.fields.iter().map(|field| &field.key).filter(|key| {
            let special = matches!(key.as_str(), "id" | "realm" | "email_address_visibility");
            !special && defaults.fields.iter().any(|field| field.key == **key)
        });
        Ok(Self {
            preferences: shared.cloned().collect(),
            converted,
            names_source: schema.exporter.names_source,
            keeps_rows_of_dummies: schema.exporter.keeps_rows_of_dummies,
            ..Self::default()
        })
    }

    /// Looks up the recipients that rows of a converted export do not name: recipients name them. And the other way round
    /// those that are named and are not there.
    pub(crate) fn complete(&mut self) {
        let of: HashMap<(i64, i64), i64> = self.recipients.iter().map(|(&id, &of)| (of, id)).collect();
        for (id, user) in &mut self.users {
            user.recipient = user.recipient.or_else(|| of.get(&(PERSONAL, *id)).copied());
        }
        for (id, stream) in &mut self.streams {
            stream.recipient = stream.recipient.or_else(|| of.get(&(STREAM, *id)).copied());
        }
        for id in std::mem::take(&mut self.groups_without_recipient) {
            if let Some(&recipient) = of.get(&(GROUP, id)) {
                self.groups.insert(id, recipient);
            }
        }
        if !self.keeps_rows_of_dummies {
            let dummies = self.users.iter().filter(|(_, user)| user.standing == Standing::Dummy);
            let named = dummies.filter_map(|(&id, user)| Some((user.recipient?, id)));
            self.bare = named.filter(|(recipient, _)| !self.recipients.contains_key(recipient)).collect();
        }
    }

    /// Users who consent by their own rows, and bots of those. Who only stands for messages has nobody to ask.
    pub(crate) fn consenting(&self) -> Vec<i64> {
        let allows = |user: &User| user.allows_export || user.is_mirror_dummy;
        let of_owner = |user: &User| {
            let owner = user.owner.filter(|_| user.is_bot).and_then(|owner| self.users.get(&owner));
            owner.is_some_and(|owner| !owner.is_bot && owner.allows_export)
        };
        let own = self.users.iter().filter(|(_, user)| user.standing != Standing::Bot);
        own.filter(|(_, user)| allows(user) || of_owner(user)).map(|(&id, _)| id).collect()
    }

    /// The bots that all organisations share.
    pub(crate) fn bots(&self) -> impl Iterator<Item = (i64, &User)> {
        self.users.iter().filter(|(_, user)| user.standing == Standing::Bot).map(|(&id, bot)| (id, bot))
    }

    /// Whether this is one.
    pub(crate) fn is_bot(&self, id: i64) -> bool {
        self.users.get(&id).is_some_and(|user| user.standing == Standing::Bot)
    }

    /// The ids of a table's rows.
    pub(crate) fn ids(&self, table: &str) -> Option<&IdSet> {
        self.ids.get(table)
    }

    fn preferences(&self, row: &RowParser<'_>) -> Vec<u32> {
        self.preferences.iter().map(|key| hash(row, key)).collect()
    }

    fn user(&mut self, row: &RowParser<'_>, id: i64, standing: Standing) {
        let flag = |key: &str| row.boolean(key).unwrap_or(false);
        self.with_powers += u64::from(POWERS.into_iter().any(flag));
        let user = User {
            standing,
            email: row.text("email").unwrap_or_default().to_owned(),
            role: row.integer("role").unwrap_or(0),
            recipient: row.integer("recipient"),
            is_active: flag("is_active"),
            is_mirror_dummy: flag("is_mirror_dummy"),
            is_bot: flag("is_bot"),
            owner: row.integer("bot_owner"),
            allows_export: flag("allow_private_data_export"),
            visibility: row.integer("email_address_visibility").unwrap_or(4),
            made_up_address: row.text("delivery_email").is_some_and(is_made_up),
            preferences: self.preferences(row).into_boxed_slice(),
        };
        self.users.insert(id, user);
        self.uuids.extend(row.text("uuid").map(str::to_owned));
    }

    fn bot(&mut self, row: &RowParser<'_>, id: i64) {
        let recipient = row.integer("recipient_id");
        let user = User {
            standing: Standing::Bot,
            email: row.text("email").unwrap_or_default().to_owned(),
            role: 0,
            recipient,
            is_active: true,
            is_mirror_dummy: false,
            is_bot: true,
            owner: None,
            allows_export: false,
            visibility: 1,
            made_up_address: true,
            preferences: Box::default(),
        };
        self.users.insert(id, user);
        if let Some(recipient) = recipient {
            self.bot_recipients.insert(recipient, id);
        }
    }

    /// The members of every group of direct messages, in order.
    pub(crate) fn group_members(&self) -> BTreeMap<i64, Vec<i64>> {
        let mut members: HashMap<i64, BTreeSet<i64>> = HashMap::new();
        for &(recipient, user) in &self.members {
            members.entry(recipient).or_default().insert(user);
        }
        let of = |recipient| members.get(recipient).map(|of| of.iter().copied().collect()).unwrap_or_default();
        self.groups.iter().map(|(&group, recipient)| (group, of(recipient))).collect()
    }

    fn subscription(&mut self, row: &RowParser<'_>, id: i64) {
        let (Some(user), Some(recipient)) = (row.integer("user_profile"), row.integer("recipient")) else { return };
        self.members.push((recipient, user));
        let plain = row.text("color").is_some_and(|color| COLORS.contains(&color))
            && ["is_muted", "pin_to_top"].iter().all(|key| row.boolean(key) == Some(false))
            && OVERRIDES.iter().all(|key| row.get(key) == Cell::Null);
        if !plain {
            count(&mut self.chosen, user, id);
        }
    }

    /// References by an emoji's code, which is text.
    fn emoji_code(&mut self, row: &RowParser<'_>, id: i64) {
        if row.text("reaction_type") != Some("realm_emoji") {
            return;
        }
        let code = row.text("emoji_code").unwrap_or_default();
        match code.parse::<i64>() {
            Ok(emoji) => self.links.add(&row.shape.list, "emoji_code", "zerver_realmemoji", emoji, id),
            Err(_) => self.findings.push(Finding::error(
                "dangling-reference",
                format!("realm.json {} {id}", row.shape.list),
                format!("emoji_code is {code:?}, which is no emoji's id"),
            )),
        }
    }

    fn attachment(&mut self, row: &RowParser<'_>, id: i64) {
        let object = format!("attachment.json {} {id}", row.shape.list);
        if row.ids("messages").is_empty() && row.ids("scheduled_messages").is_empty() {
            let message = "belongs to no exported message: Zulip exports no such attachment";
            self.findings.push(Finding::error("attachment-unlinked", &object, message));
        }
        let path = row.text("path_id").unwrap_or_default().to_owned();
        let size = row.integer("size").unwrap_or(-1);
        let content_type = match row.get("content_type") {
            Cell::Null | Cell::Missing => row.text("file_name").and_then(content_type_of).map(str::to_owned),
            cell => row.text_of(cell).map(str::to_owned),
        };
        if let Some(other) = self.attachments.insert(path, Attachment { id, size, content_type }) {
            let message = format!("has the path of attachment {}", other.id);
            self.findings.push(Finding::error("path-duplicate", object, message));
        }
    }

    fn other(&mut self, row: &RowParser<'_>, id: i64) {
        match row.shape.table.as_str() {
            "zerver_realm" => self.realm = Some((id, row.text("string_id").unwrap_or_default().to_owned())),
            "zerver_realmuserdefault" => self.defaults = Some(self.preferences(row)),
            "zerver_stream" => {
                let stream = Stream {
                    // What is not said is not public.
                    invite_only: row.boolean("invite_only").unwrap_or(true),
                    history_public: row.boolean("history_public_to_subscribers").unwrap_or(false),
                    recipient: row.integer("recipient"),
                };
                self.streams.insert(id, stream);
            }
            "zerver_realmemoji" => {
                if let Some(name) = row.text("file_name") {
                    if name.contains('/') || matches!(name, "" | "." | "..") {
                        let object = format!("realm.json zerver_realmemoji {id}");
                        let message = format!("file_name is {name:?}, which is no name of a file");
                        self.findings.push(Finding::error("hostile-name", object, message));
                    }
                    self.emoji_files.insert(name.to_owned(), id);
                }
            }
            "zerver_realmauthenticationmethod" => {
                self.authentication_methods.extend(row.text("name").map(str::to_owned));
            }
            "zerver_realmexport" => {
                let number = |key: &str| row.integer(key).unwrap_or(0);
                self.exports.insert(id, (number("type"), number("status")));
            }
            "zerver_userstatus" => self.emoji_code(row, id),
            "zerver_client" => {
                self.client_names.insert(id, row.text("name").unwrap_or_default().to_owned());
            }
            "zerver_groupgroupmembership" => {
                if let (Some(group), Some(subgroup)) = (row.integer("supergroup"), row.integer("subgroup")) {
                    self.subgroups.push((group, subgroup));
                }
            }
            "zerver_customprofilefield" if row.integer("field_type") == Some(USER_FIELD) => {
                self.user_fields.insert(id);
            }
            "zerver_customprofilefieldvalue" => self.profile_value(row, id),
            _ => {}
        }
    }

    fn profile_value(&mut self, row: &RowParser<'_>, id: i64) {
        let is_of_users = row.integer("field").is_some_and(|field| self.user_fields.contains(&field));
        if is_of_users && let Some(message) = row.text("value").and_then(texts::user_list) {
            let object = format!("realm.json zerver_customprofilefieldvalue {id}");
            self.findings.push(Finding::error("value-type", object, message));
        }
    }
}

impl Sink for Facts {
    fn row(&mut self, row: &RowParser<'_>, id: i64) {
        self.links.row(row, id);
        self.uniques.check("realm.json", row, id, &mut self.findings);
        match &row.shape.rule {
            RowRule::Users => self.user(row, id, Standing::Normal),
            RowRule::MirrorDummies => self.user(row, id, Standing::Dummy),
            RowRule::CrossRealmBots => self.bot(row, id),
            RowRule::Recipients => {
                if let (Some(kind), Some(of)) = (row.integer("type"), row.integer("type_id")) {
                    self.recipients.insert(id, (kind, of));
                }
            }
            RowRule::Subscriptions => self.subscription(row, id),
            RowRule::DirectMessageGroups => match row.integer("recipient") {
                Some(recipient) => drop(self.groups.insert(id, recipient)),
                None => self.groups_without_recipient.push(id),
            },
            RowRule::AuditLog => {
                let public = row.integer("event_type").is_some_and(|event| PUBLIC_EVENTS.contains(&event));
                if let (Some(user), false) = (row.integer("modified_user"), public) {
                    count(&mut self.audited, user, id);
                }
            }
            RowRule::Reactions => {
                self.emoji_code(row, id);
                let consents =
                    row.text("reaction_type") == Some("unicode_emoji") && row.text("emoji_code") == Some("1f4e4");
                if let (Some(message), Some(user), true) =
                    (row.integer("message"), row.integer("user_profile"), consents)
                {
                    self.reacted.entry(message).or_default().push(user);
                }
            }
            RowRule::Attachments => self.attachment(row, id),
            _ => self.other(row, id),
        }
    }

    fn value(&mut self, key: &str, json: &[u8]) -> bool {
        match key {
            "sort_by_date" => {
                self.sort_by_date |= json == b"true";
                self.converted
            }
            "import_source" if self.names_source => {
                self.source = serde_json::from_slice(json).ok();
                self.source.is_some()
            }
            _ => false,
        }
    }

    fn list(&mut self, shape: &Shape, ids: &[i64]) {
        self.links.end();
        if shape.rule == RowRule::Clients {
            self.clients.extend_from_slice(ids);
        }
        if !ids.is_sorted() {
            self.orders.insert(shape.table.clone(), ids.to_vec());
        }
        let set = self.ids.entry(shape.table.clone()).or_default();
        let findings = &mut self.findings;
        set.extend(ids, |id| {
            let message = format!("is an id that more than one row of {} has", shape.table);
            findings.push(Finding::error("id-duplicate", format!("{} {id}", shape.list), message));
        });
    }
}

/// Whether an address is one that an exporter makes up: `exported-user-` and 32 hexadecimal digits.
fn is_made_up(address: &str) -> bool {
    let Some((local, _)) = address.split_once('@') else { return false };
    local
        .strip_prefix("exported-user-")
        .is_some_and(|digits| digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// A number for a value: two rows with the same value have the same number.
fn hash(row: &RowParser<'_>, key: &str) -> u32 {
    let mut hasher = DefaultHasher::new();
    match row.get(key) {
        Cell::Bool(value) => (1, value).hash(&mut hasher),
        Cell::Int(value) => (2, value).hash(&mut hasher),
        Cell::Text(..) => (3, row.text(key)).hash(&mut hasher),
        Cell::Float(value) => (4, value.to_bits()).hash(&mut hasher),
        Cell::Missing | Cell::Null | Cell::Ids(..) | Cell::Json(..) | Cell::Wrong => 5.hash(&mut hasher),
    }
    u32::try_from(hasher.finish() >> 32).unwrap_or(0)
}
