//! What has to be known of both exports before their rows can be compared: the ids, and by what they are recognised.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use crate::diff::hash::{hash, mix, text};
use crate::diff::index::{TASK, broken, list_file};
use crate::diff::renumbered::align::align;
use crate::diff::renumbered::entries::Entries;
use crate::diff::renumbered::numbers::{Numbers, number};
use crate::ids::Of;
use crate::package::{Item, Package, RowReader};
use crate::{Progress, Result};

/// By which keys rows are recognised whose place alone does not say it: what an import keeps, and no id.
const MARKS: [(&str, Of, &[&str]); 13] = [
    ("zerver_realm", Of::Realm, &[]),
    ("zerver_userprofile", Of::User, &["delivery_email"]),
    ("zerver_userprofile_mirrordummy", Of::User, &["delivery_email"]),
    ("zerver_stream", Of::Stream, &["name"]),
    // Its marks are its members, or its name.
    ("zerver_usergroup", Of::UserGroup, &[]),
    // What it is the address of.
    ("zerver_recipient", Of::Recipient, &[]),
    // Its members.
    ("zerver_huddle", Of::Huddle, &[]),
    ("zerver_message", Of::Message, &["date_sent", "subject"]),
    ("zerver_realmemoji", Of::Emoji, &["name", "file_name"]),
    ("zerver_customprofilefield", Of::ProfileField, &["name", "field_type"]),
    ("zerver_scheduledmessage", Of::ScheduledMessage, &["scheduled_timestamp", "subject"]),
    ("zerver_attachment", Of::Attachment, &["file_name", "size", "create_time"]),
    ("zerver_channelfolder", Of::ChannelFolder, &["name", "date_created"]),
];

/// `zerver_recipient.type`.
const PERSONAL: i64 = 1;
const STREAM: i64 = 2;

/// `zerver_customprofilefield.field_type` of a list of users.
const USERS: i64 = 6;

/// `zerver_userprofile.role`.
const OWNER: i64 = 100;

/// What is known of one export.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) numbers: Numbers,
    /// The organisation's id.
    pub(super) realm: i64,
    /// What stands for an attachment in texts, by its `path_id`.
    pub(super) paths: HashMap<String, String>,
    /// Attachments by their `path_id`.
    pub(super) attachments: HashMap<String, i64>,
    /// Custom profile fields whose values are users.
    pub(super) user_fields: HashSet<i64>,
    /// Who answers for emoji of nobody: the oldest active owner.
    pub(super) default_owner: Option<i64>,
}

/// What was read of one export.
#[derive(Debug, Default)]
struct Learned {
    /// Ids and marks.
    rows: [Vec<(i64, u64)>; Of::COUNT],
    /// Names of clients, and of user groups, by id.
    clients: Vec<(i64, u64)>,
    groups: HashMap<i64, u64>,
    /// Bots of the system: id, recipient, name.
    bots: Vec<(i64, Option<i64>, u64)>,
    members: Vec<(i64, i64)>,
    subgroups: Vec<(i64, i64)>,
    /// Type and what it names, by id.
    recipients: HashMap<i64, (i64, i64)>,
    /// Recipient and user.
    subscribers: Vec<(i64, i64)>,
    attachments: HashMap<String, i64>,
    user_fields: HashSet<i64>,
    default_owner: Option<i64>,
}

/// Reads both exports, with `jobs` threads.
pub(super) fn learn(packages: [&Package; 2], jobs: usize, progress: &dyn Progress) -> Result<[Known; 2]> {
    let [a, b] = packages.map(|package| Learned::read(package, jobs, progress));
    Ok(Known::of(a?, b?))
}

impl Learned {
    fn read(package: &Package, jobs: usize, progress: &dyn Progress) -> Result<Self> {
        let all = Mutex::new(Self::default());
        package.for_each(
            jobs,
            &|name| list_file(name).is_some(),
            &|member, content| {
                let mut one = Self::default();
                let mut reader = RowReader::new(&member.name, content);
                let mut list = String::new();
                while let Some(item) = reader.next_item()? {
                    match item {
                        Item::List(key) => key.clone_into(&mut list),
                        Item::Row(row) => one.row(&list, &row.parse()?),
                        Item::Value(..) => {}
                    }
                }
                all.lock().map_err(|_| broken())?.take(one);
                Ok(())
            },
            &|bytes| {
                progress.advance(TASK, bytes);
                progress.checkpoint()
            },
        )?;
        let mut all = all.into_inner().map_err(|_| broken())?;
        for rows in &mut all.rows {
            rows.sort_unstable();
            // Of what comes twice the second is nobody: both are compared all the same.
            rows.dedup_by_key(|(id, _)| *id);
        }
        Ok(all)
    }

    fn row(&mut self, list: &str, row: &Entries<'_>) {
        let id = row.integer("id");
        if let (Some(id), Some((_, of, keys))) = (id, MARKS.iter().find(|(name, ..)| *name == list)) {
            let mark = keys.iter().fold(0, |mark, key| mix(mark, row.get(key).map_or(0, mark_of)));
            self.rows[*of as usize].push((id, mark));
        }
        let pair = |one: &str, other: &str| Some((row.integer(one)?, row.integer(other)?));
        match (list, id) {
            ("zerver_userprofile", Some(id))
                if row.integer("role") == Some(OWNER)
                    && row.get("is_active") == Some("true")
                    && row.get("is_bot") == Some("false") =>
            {
                self.default_owner = Some(self.default_owner.map_or(id, |known| known.min(id)));
            }
            ("zerver_userprofile_crossrealm", Some(id)) => {
                self.bots.push((id, row.integer("recipient_id"), row.get("email").map_or(0, mark_of)));
            }
            ("zerver_client", Some(id)) => self.clients.push((id, row.get("name").map_or(0, mark_of))),
            // Before Zulip 9 there was one table of groups.
            ("zerver_namedusergroup" | "zerver_usergroup", Some(id)) => {
                self.groups.extend(row.get("name").map(|name| (id, mark_of(name))));
            }
            ("zerver_usergroupmembership", _) => self.members.extend(pair("user_group", "user_profile")),
            ("zerver_groupgroupmembership", _) => self.subgroups.extend(pair("supergroup", "subgroup")),
            ("zerver_recipient", Some(id)) => {
                self.recipients.extend(pair("type", "type_id").map(|target| (id, target)));
            }
            ("zerver_subscription", _) => self.subscribers.extend(pair("recipient", "user_profile")),
            ("zerver_customprofilefield", Some(id)) if row.integer("field_type") == Some(USERS) => {
                self.user_fields.insert(id);
            }
            ("zerver_attachment", Some(id)) => {
                self.attachments.extend(row.text("path_id").map(|path| (path.into_owned(), id)));
            }
            _ => {}
        }
    }

    fn take(&mut self, mut other: Self) {
        for (rows, more) in self.rows.iter_mut().zip(&mut other.rows) {
            rows.append(more);
        }
        self.clients.append(&mut other.clients);
        self.groups.extend(other.groups);
        self.bots.append(&mut other.bots);
        self.members.append(&mut other.members);
        self.subgroups.append(&mut other.subgroups);
        self.recipients.extend(other.recipients);
        self.subscribers.append(&mut other.subscribers);
        self.attachments.extend(other.attachments);
        self.user_fields.extend(other.user_fields);
        self.default_owner = self.default_owner.or(other.default_owner);
    }

    fn of(&mut self, of: Of) -> &mut Vec<(i64, u64)> {
        &mut self.rows[of as usize]
    }

    /// Marks rows by what is known of each.
    fn mark(&mut self, of: Of, mark: impl Fn(i64) -> u64) {
        self.of(of).iter_mut().for_each(|(id, marked)| *marked = mark(*id));
    }

    /// Groups by their names, or by who is in them.
    fn mark_groups(&mut self, numbers: &Numbers) {
        let mut marks: HashMap<i64, u64> = HashMap::new();
        // A sum does not know the order of its parts.
        let mut add = |group: i64, part: u64| {
            let mark = marks.entry(group).or_default();
            *mark = mark.wrapping_add(mix(1, part));
        };
        for &(group, user) in &self.members {
            add(group, numbers.of(Of::User, user).unwrap_or(u64::MAX));
        }
        for (group, subgroup) in &self.subgroups {
            add(*group, self.groups.get(subgroup).copied().unwrap_or(2));
        }
        let names = std::mem::take(&mut self.groups);
        self.mark(Of::UserGroup, |id| {
            names.get(&id).map_or_else(|| mix(3, marks.get(&id).copied().unwrap_or(0)), |name| mix(4, *name))
        });
    }

    /// Groups of direct messages by who is in them.
    fn mark_huddles(&mut self, numbers: &Numbers) {
        let mut marks: HashMap<i64, u64> = HashMap::new();
        for (recipient, user) in std::mem::take(&mut self.subscribers) {
            if let Some((kind, huddle)) = self.recipients.get(&recipient)
                && !matches!(*kind, PERSONAL | STREAM)
            {
                let mark = marks.entry(*huddle).or_default();
                *mark = mark.wrapping_add(mix(1, numbers.of(Of::User, user).unwrap_or(u64::MAX)));
            }
        }
        self.mark(Of::Huddle, |id| marks.get(&id).copied().unwrap_or(0));
    }

    /// Recipients by what they are the addresses of.
    fn mark_recipients(&mut self, numbers: &Numbers) {
        let recipients = std::mem::take(&mut self.recipients);
        self.mark(Of::Recipient, |id| {
            let Some(&(kind, target)) = recipients.get(&id) else { return 0 };
            mix(kind.cast_unsigned(), numbers.of(target_of(kind), target).unwrap_or(u64::MAX))
        });
        self.recipients = recipients;
    }
}

/// Marks the rows of a table by what they belong to.
type Mark = fn(&mut Learned, &Numbers);

/// What a recipient's `type_id` is an id of.
pub(super) fn target_of(kind: i64) -> Of {
    match kind {
        PERSONAL => Of::User,
        STREAM => Of::Stream,
        _ => Of::Huddle,
    }
}

/// A number for a value; one and the same for `7` and `7.0`, since converters write times without a fraction.
fn mark_of(json: &str) -> u64 {
    match json.parse::<f64>() {
        Ok(value) => value.to_bits(),
        Err(_) => hash(json).map_or_else(|_| text(1, json), |hashed| hashed.hash),
    }
}

impl Known {
    /// Numbers for the ids of both, in an order in which marks have the numbers they need.
    fn of(mut a: Learned, mut b: Learned) -> [Self; 2] {
        let (mut of_a, mut of_b) = (Numbers::default(), Numbers::default());
        for (learned, numbers) in [(&a, &mut of_a), (&b, &mut of_b)] {
            for &(id, name) in &learned.clients {
                numbers.name(Of::Client, id, name);
            }
            for &(id, recipient, name) in &learned.bots {
                numbers.name(Of::User, id, name);
                if let Some(recipient) = recipient {
                    numbers.name(Of::Recipient, recipient, name);
                }
            }
        }
        let belong = |of: Of, a: &mut Learned, b: &mut Learned, of_a: &mut Numbers, of_b: &mut Numbers| {
            let [rows_a, rows_b] = [std::mem::take(a.of(of)), std::mem::take(b.of(of))];
            of_a.take(of, rows_a.iter().map(|(id, _)| *id));
            of_b.take(of, rows_b.iter().map(|(id, _)| *id));
            let marks = |rows: Vec<(i64, u64)>| rows.into_iter().map(|(_, mark)| mark).collect::<Vec<_>>();
            number(of_a, of_b, of, &align(&marks(rows_a), &marks(rows_b)));
        };
        let plain = [
            Of::Realm,
            Of::User,
            Of::Stream,
            Of::Message,
            Of::Emoji,
            Of::ProfileField,
            Of::ScheduledMessage,
            Of::Attachment,
            Of::ChannelFolder,
        ];
        let realms = [a.of(Of::Realm).first().copied(), b.of(Of::Realm).first().copied()];
        for of in plain {
            belong(of, &mut a, &mut b, &mut of_a, &mut of_b);
        }
        let marked: [(Of, Mark); 3] = [
            (Of::UserGroup, Learned::mark_groups),
            (Of::Huddle, Learned::mark_huddles),
            (Of::Recipient, Learned::mark_recipients),
        ];
        for (of, mark) in marked {
            mark(&mut a, &of_a);
            mark(&mut b, &of_b);
            belong(of, &mut a, &mut b, &mut of_a, &mut of_b);
        }
        let [realm_a, realm_b] = realms.map(|realm| realm.map_or(0, |(id, _)| id));
        [Self::new(a, of_a, realm_a), Self::new(b, of_b, realm_b)]
    }

    fn new(learned: Learned, numbers: Numbers, realm: i64) -> Self {
        let paths = learned.attachments.iter().filter_map(|(path, id)| {
            let number = numbers.of(Of::Attachment, *id)?;
            Some((path.clone(), format!("0/attachment-{number}")))
        });
        Self {
            realm,
            paths: paths.collect(),
            attachments: learned.attachments,
            user_fields: learned.user_fields,
            default_owner: learned.default_owner,
            numbers,
        }
    }
}
