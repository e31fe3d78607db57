//! What has to be known of an export before its rows can be rewritten one by one.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::package::{Go, Item, Package, RowReader, message_file_number};
use crate::upgrade::row::RawRow;
use crate::upgrade::steps::BOTS;
use crate::{Progress, Result};

/// `zerver_recipient.type` of a user.
pub(super) const PERSONAL: i64 = 1;
/// The same of a channel.
pub(super) const STREAM: i64 = 2;
/// `zerver_realmauditlog.event_type` of a new channel.
const CHANNEL_CREATED: i64 = 601;
/// The same of a new group.
const GROUP_CREATED: i64 = 701;

/// What was seen. Memory: some bytes for each user, channel, group, recipient and conversation.
#[derive(Debug, Default)]
pub(super) struct Survey {
    pub(super) realm: i64,
    /// What `user_group_edit_policy` says.
    pub(super) group_policy: Option<i64>,
    /// Groups of the system by their names.
    pub(super) groups: HashMap<String, i64>,
    /// Type and `type_id` by id.
    pub(super) recipients: HashMap<i64, (i64, i64)>,
    /// Subscribers of each recipient, and those who are active.
    pub(super) subscribers: HashMap<i64, (u64, u64)>,
    /// Names of channels, in lower case, and how many have each.
    pub(super) channel_names: HashMap<String, u64>,
    /// Channels that are archived.
    pub(super) archived: HashSet<i64>,
    pub(super) channel_creators: HashMap<i64, String>,
    /// Who made a group, and when, as JSON.
    pub(super) group_creators: HashMap<i64, (String, String)>,
    pub(super) users: BTreeMap<i64, Person>,
    /// Bots that all organisations share: the recipient, by id.
    pub(super) bots: HashMap<i64, Option<i64>>,
    /// Clients that something names.
    pub(super) clients: HashSet<i64>,
    /// Recipients and senders of messages between two.
    pub(super) conversations: BTreeSet<(i64, i64)>,
    /// The same of messages to be sent later, of whose recipients nothing is known yet when they come.
    scheduled: Vec<(i64, i64)>,
    /// Members of groups of direct messages, by the groups' recipients.
    group_members: HashMap<i64, BTreeSet<i64>>,
    /// Recipients of groups of direct messages.
    pub(super) huddles: HashSet<i64>,
    /// Whose the recipients are of which there are no rows: bots', and users' who only stand for messages.
    unlisted: HashMap<i64, i64>,
    /// The largest id of each list.
    largest: HashMap<String, i64>,
}

/// A user.
#[derive(Debug, Default)]
pub(super) struct Person {
    pub(super) is_active: bool,
    pub(super) is_bot: bool,
    pub(super) role: i64,
    pub(super) is_billing_admin: bool,
    pub(super) avatar_version: i64,
    pub(super) has_uploaded_avatar: bool,
    pub(super) recipient: Option<i64>,
    pub(super) is_dummy: bool,
}

impl Survey {
    /// Reads all rows once.
    ///
    /// # Errors
    /// What the disk answers, and `Interrupted`.
    pub(super) fn of(package: &Package, progress: &dyn Progress) -> Result<Self> {
        let mut survey = Self::default();
        let realm = package.open_member("realm.json")?;
        survey.file("realm.json", realm, progress)?;
        let bots = survey.bots.iter().filter_map(|(&bot, own)| Some(((*own)?, bot)));
        survey.unlisted = bots.chain(survey.bare()).collect();
        for scheduled in std::mem::take(&mut survey.scheduled) {
            survey.conversation(Some(scheduled));
        }
        package.visit(
            &mut |member, content| {
                if message_file_number(&member.name).is_some() {
                    survey.file(&member.name, content, progress)?;
                }
                Ok(Go::On)
            },
            &mut |_| progress.checkpoint(),
        )?;
        Ok(survey)
    }

    fn file(&mut self, name: &str, content: impl std::io::Read, progress: &dyn Progress) -> Result<()> {
        let mut reader = RowReader::new(name, content);
        let mut list = String::new();
        let mut rows = 0_u64;
        while let Some(item) = reader.next_item()? {
            match item {
                Item::List(key) => key.clone_into(&mut list),
                // Nothing but the rows' sheer number.
                Item::Row(_) if list == "zerver_usermessage" => {}
                Item::Row(row) => {
                    self.row(&list, &row.parse()?);
                    rows += 1;
                    if rows.is_multiple_of(4096) {
                        progress.checkpoint()?;
                    }
                }
                Item::Value(..) => {}
            }
        }
        Ok(())
    }

    fn row(&mut self, list: &str, row: &RawRow) {
        let id = row.id();
        let largest = self.largest.entry(list.to_owned()).or_default();
        *largest = id.max(*largest);
        let number = |key: &str| row.value::<i64>(key);
        let flag = |key: &str| row.value::<bool>(key).unwrap_or(false);
        let text = |key: &str| row.value::<String>(key).unwrap_or_default();
        match list {
            "zerver_realm" => {
                self.realm = id;
                self.group_policy = number("user_group_edit_policy");
            }
            "zerver_namedusergroup" | "zerver_usergroup" if flag("is_system_group") => {
                self.groups.insert(text("name"), id);
            }
            "zerver_recipient" => {
                self.recipients.insert(id, (number("type").unwrap_or(0), number("type_id").unwrap_or(0)));
            }
            "zerver_subscription" => {
                let (Some(recipient), Some(user)) = (number("recipient"), number("user_profile")) else { return };
                let (all, active) = self.subscribers.entry(recipient).or_default();
                *all += 1;
                *active += u64::from(flag("active") && flag("is_user_active"));
                if self.huddles.contains(&recipient) {
                    self.group_members.entry(recipient).or_default().insert(user);
                }
            }
            "zerver_huddle" => self.huddles.extend(number("recipient")),
            "zerver_stream" => {
                *self.channel_names.entry(text("name").to_lowercase()).or_default() += 1;
                if flag("deactivated") {
                    self.archived.insert(id);
                }
            }
            "zerver_realmauditlog" => self.audit(row),
            "zerver_userprofile" | "zerver_userprofile_mirrordummy" => {
                let person = Person {
                    is_active: flag("is_active"),
                    is_bot: flag("is_bot"),
                    role: number("role").unwrap_or(0),
                    is_billing_admin: flag("is_billing_admin"),
                    avatar_version: number("avatar_version").unwrap_or(1),
                    has_uploaded_avatar: text("avatar_source") == "U",
                    recipient: number("recipient"),
                    is_dummy: list.ends_with("mirrordummy"),
                };
                self.users.insert(id, person);
            }
            BOTS => {
                self.bots.insert(id, number("recipient_id"));
            }
            "zerver_useractivity" | "zerver_userstatus" => self.clients.extend(number("client")),
            "zerver_scheduledmessage" => {
                self.clients.extend(number("sending_client"));
                self.scheduled.extend(number("recipient").zip(number("sender")));
            }
            "zerver_message" => {
                self.clients.extend(number("sending_client"));
                self.conversation(number("recipient").zip(number("sender")));
            }
            _ => {}
        }
    }

    fn conversation(&mut self, of: Option<(i64, i64)>) {
        self.conversations.extend(of.filter(|(recipient, _)| self.person_of(*recipient).is_some()));
    }

    fn audit(&mut self, row: &RawRow) {
        let Some(actor) = row.get("acting_user").filter(|actor| *actor != "null") else { return };
        match row.value::<i64>("event_type") {
            Some(CHANNEL_CREATED) => {
                self.channel_creators.extend(row.value("modified_stream").map(|channel| (channel, actor.to_owned())));
            }
            Some(GROUP_CREATED) => {
                let time = row.get("event_time").unwrap_or("null").to_owned();
                let made = row.value("modified_user_group").map(|group| (group, (actor.to_owned(), time)));
                self.group_creators.extend(made);
            }
            _ => {}
        }
    }

    /// Whose a recipient is, where it is a user's. What stands in users' own rows counts too: older releases do not export
    /// all recipients.
    pub(super) fn person_of(&self, recipient: i64) -> Option<i64> {
        match self.recipients.get(&recipient) {
            Some(&(kind, user)) => (kind == PERSONAL).then_some(user),
            None => self.unlisted.get(&recipient).copied(),
        }
    }

    /// Recipients of users who only stand for messages, where the export has no rows of them.
    pub(super) fn bare(&self) -> impl Iterator<Item = (i64, i64)> {
        let dummies = self.users.iter().filter(|(_, user)| user.is_dummy);
        let named = dummies.filter_map(|(&id, user)| Some((user.recipient?, id)));
        named.filter(|(recipient, _)| !self.recipients.contains_key(recipient))
    }

    /// Groups of direct messages, by their members: their recipients.
    pub(super) fn groups_by_members(&self) -> HashMap<Vec<i64>, i64> {
        let members = self.group_members.iter();
        members.map(|(&recipient, of)| (of.iter().copied().collect(), recipient)).collect()
    }

    /// The oldest active owner; else the oldest owner.
    pub(super) fn default_owner(&self) -> Option<i64> {
        const OWNER: i64 = 100;
        let owners = || self.users.iter().filter(|(_, user)| user.role == OWNER);
        let oldest = owners().find(|(_, user)| user.is_active).or_else(|| owners().next());
        oldest.map(|(&id, _)| id)
    }

    /// The next id of a list that no row has, and that nothing names.
    pub(super) fn next_id(&self, list: &str) -> i64 {
        let mut largest = self.largest.get(list).copied().unwrap_or(0);
        if list == "zerver_recipient" {
            let named = self.users.values().filter_map(|user| user.recipient);
            largest = named.chain(self.bots.values().flatten().copied()).fold(largest, i64::max);
        }
        largest + 1
    }
}
