//! What becomes of rows by more than what they say themselves.

use std::collections::{BTreeMap, HashMap};

use serde_json::json;
use sha1::{Digest as _, Sha1};
use sha2::Sha512;

use crate::schema::{Also, Release};
use crate::upgrade::row::RawRow;
use crate::upgrade::steps::BOTS;
use crate::upgrade::survey::{PERSONAL, STREAM, Survey};
use crate::{Error, ErrorKind, Result};

/// The topic of direct messages from Zulip 11 on.
const NO_TOPIC: &str = "\"\\u0007\"";

/// What Zulip put before the names of archived channels.
const ARCHIVED: &str = "!DEACTIVATED:";

/// The colour a subscription has unless somebody chooses one.
const COLOR: &str = "\"#c2c2c2\"";

/// A row that is made, and the list it goes to.
pub(super) type Made = (&'static str, RawRow);

/// What is known for that.
pub(super) struct Special<'a> {
    survey: &'a Survey,
    /// The nameless group of those who manage billing, where it is made.
    billing_group: Option<i64>,
    /// Recipients of conversations between two, by the recipient and the sender.
    conversations: HashMap<(i64, i64), i64>,
    /// The rows that are made, by the step that makes them.
    made: Vec<(&'static Release, Made)>,
}

impl<'a> Special<'a> {
    /// Prepares the steps of `releases`.
    ///
    /// # Errors
    /// `Incompatible` for an export that lacks what a step needs.
    pub(super) fn new(survey: &'a Survey, releases: &[&'static Release]) -> Result<Self> {
        let mut special = Self { survey, billing_group: None, conversations: HashMap::new(), made: Vec::new() };
        let mut ids = NewIds { survey, next: BTreeMap::new() };
        for &release in releases {
            for also in &release.upgrade.also {
                let rows = match also {
                    Also::PresenceSequences => vec![(
                        "zerver_presencesequence",
                        RawRow::from([
                            ("id", "1".to_owned()),
                            ("realm", survey.realm.to_string()),
                            ("last_update_id", "0".to_owned()),
                        ]),
                    )],
                    Also::RecipientsOfDummies => special.recipients_of_dummies(release, &mut ids)?,
                    Also::BillingGroups => special.billing_group(&mut ids)?,
                    Also::DirectMessageGroups => special.direct_message_groups(release, &mut ids)?,
                    _ => Vec::new(),
                };
                special.made.extend(rows.into_iter().map(|row| (release, row)));
            }
        }
        Ok(special)
    }

    /// The rows that are made, each with the release that it is of.
    pub(super) fn made(&self) -> &[(&'static Release, Made)] {
        &self.made
    }

    /// The id of a group of the system.
    ///
    /// # Errors
    /// `Incompatible` where the export has none.
    pub(super) fn group(&self, name: &str) -> Result<i64> {
        let group = self.survey.groups.get(name).copied();
        group.ok_or_else(|| Error::new(ErrorKind::Incompatible, format!("the export has no group {name}")))
    }

    /// Changes a row as the step to a release does, and adds what is made of it. Whether it stays comes back.
    ///
    /// # Errors
    /// As [`group`](Self::group).
    pub(super) fn row(&self, release: &Release, list: &str, row: &mut RawRow, more: &mut Vec<Made>) -> Result<bool> {
        for also in &release.upgrade.also {
            if !self.one(*also, list, row, more)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn one(&self, also: Also, list: &str, row: &mut RawRow, more: &mut Vec<Made>) -> Result<bool> {
        let survey = self.survey;
        let recipient = || row.value::<i64>("recipient").unwrap_or(0);
        let to_channel = || survey.recipients.get(&recipient()).is_some_and(|(kind, _)| *kind == STREAM);
        match (also, list) {
            (Also::NamedGroups, "zerver_usergroup") => {
                let value = |key: &str| row.get(key).unwrap_or("null").to_owned();
                let named = RawRow::from([
                    ("id", value("id")),
                    ("usergroup_ptr", value("id")),
                    ("name", value("name")),
                    ("description", value("description")),
                    ("is_system_group", value("is_system_group")),
                    ("can_mention_group", value("can_mention_group")),
                    ("realm_for_sharding", value("realm")),
                ]);
                more.push(("zerver_namedusergroup", named));
            }
            (Also::CreatorsOfChannels, "zerver_stream") => {
                let creator = survey.channel_creators.get(&row.id()).map_or("null", String::as_str);
                row.set("creator", creator);
            }
            (Also::ArchivedChannels, "zerver_stream") => self.own_name(row),
            (Also::ArchivedChannels, "zerver_realm") => {
                for key in [
                    "new_stream_announcements_stream",
                    "signup_announcements_stream",
                    "zulip_update_announcements_stream",
                ] {
                    if row.value::<i64>(key).is_some_and(|channel| survey.archived.contains(&channel)) {
                        row.set(key, "null");
                    }
                }
            }
            (Also::BillingGroups, "zerver_realm") => {
                let group = self.billing_group.map_or_else(|| self.group("role:owners"), Ok)?;
                row.set("can_manage_billing_group", group.to_string());
            }
            (Also::GroupsOfGroups, "zerver_namedusergroup") => {
                let group = match survey.group_policy {
                    Some(1) => row.id(),
                    Some(2) => self.group("role:administrators")?,
                    _ => self.group("role:moderators")?,
                };
                row.set("can_add_members_group", group.to_string());
            }
            (Also::CreatorsOfGroups, "zerver_namedusergroup") => {
                let made = survey.group_creators.get(&row.id());
                row.set("creator", made.map_or("null", |(creator, _)| creator));
                row.set("date_created", made.map_or("null", |(_, time)| time));
            }
            (Also::SizesOfGroups, "zerver_huddle") => {
                let (all, _) = survey.subscribers.get(&recipient()).copied().unwrap_or_default();
                row.set("group_size", all.to_string());
            }
            (Also::ChannelMessages, "zerver_message") => {
                let is = to_channel();
                row.set("is_channel_message", is.to_string());
            }
            (Also::ReferencedClients, "zerver_client") => return Ok(survey.clients.contains(&row.id())),
            (Also::SubscriberCounts, "zerver_stream") => {
                let (_, active) = survey.subscribers.get(&recipient()).copied().unwrap_or_default();
                row.set("subscriber_count", active.to_string());
            }
            (Also::TopicsOfDirectMessages, "zerver_message" | "zerver_scheduledmessage") if !to_channel() => {
                row.set("subject", NO_TOPIC);
            }
            (Also::DirectMessageGroups, _) => return Ok(self.without_personal_recipients(list, row)),
            (Also::EmojiAuthors, "zerver_realmemoji") if row.get("author") == Some("null") => {
                let Some(owner) = survey.default_owner() else {
                    return Err(Error::new(
                        ErrorKind::Incompatible,
                        "has no author, and there is no owner to answer for it",
                    ));
                };
                row.set("author", owner.to_string());
            }
            (Also::ApiState, "zerver_userprofile" | "zerver_userprofile_mirrordummy") => {
                let state = match row.get("zoom_token") {
                    None | Some("null") => "{}".to_owned(),
                    Some(token) => format!("{{\n        \"zoom\": {token}\n      }}"),
                };
                row.set("third_party_api_state", state);
            }
            _ => {}
        }
        Ok(true)
    }

    /// An archived channel has the name that it had before, unless another has it now.
    fn own_name(&self, row: &mut RawRow) {
        let name: String = row.value("name").unwrap_or_default();
        if row.value("deactivated") != Some(true) {
            return;
        }
        let hash: String =
            Sha512::digest(row.id().to_string()).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        let own = name.strip_prefix(&format!("{}{ARCHIVED}", &hash[..7]));
        let own = own.or_else(|| name.split_once(ARCHIVED).map(|(_, own)| own));
        let Some(own) = own.filter(|own| !own.is_empty()) else { return };
        if !self.survey.channel_names.contains_key(&own.to_lowercase()) {
            row.set("name", json!(own).to_string());
        }
    }

    /// Zulip before 10 does not export the recipients of those who only stand for messages, although it exports messages
    /// to them.
    fn recipients_of_dummies(&self, release: &'static Release, ids: &mut NewIds<'_>) -> Result<Vec<Made>> {
        let mut rows = Vec::new();
        for (recipient, user) in self.survey.bare() {
            rows.push(("zerver_recipient", recipient_row(recipient, PERSONAL, user)));
            rows.push(("zerver_subscription", self.subscription(release, ids, recipient, user)?));
        }
        Ok(rows)
    }

    /// Those who managed billing, and all owners.
    fn billing_group(&mut self, ids: &mut NewIds<'_>) -> Result<Vec<Made>> {
        let managers: Vec<i64> = self
            .survey
            .users
            .iter()
            .filter(|(_, user)| user.is_billing_admin && user.is_active && !user.is_bot)
            .map(|(&id, _)| id)
            .collect();
        if managers.is_empty() {
            return Ok(Vec::new());
        }
        let group = ids.take("zerver_usergroup");
        self.billing_group = Some(group);
        let number = |number: i64| number.to_string();
        let mut rows = vec![
            ("zerver_usergroup", RawRow::from([("id", number(group)), ("realm", number(self.survey.realm))])),
            (
                "zerver_groupgroupmembership",
                RawRow::from([
                    ("id", number(ids.take("zerver_groupgroupmembership"))),
                    ("supergroup", number(group)),
                    ("subgroup", number(self.group("role:owners")?)),
                ]),
            ),
        ];
        for user in managers {
            rows.push((
                "zerver_usergroupmembership",
                RawRow::from([
                    ("id", number(ids.take("zerver_usergroupmembership"))),
                    ("user_group", number(group)),
                    ("user_profile", number(user)),
                ]),
            ));
        }
        Ok(rows)
    }

    /// A group for each two who wrote to each other, where there is none.
    fn direct_message_groups(&mut self, release: &'static Release, ids: &mut NewIds<'_>) -> Result<Vec<Made>> {
        let mut groups = self.survey.groups_by_members();
        let mut rows = Vec::new();
        for &(recipient, sender) in &self.survey.conversations {
            let Some(user) = self.survey.person_of(recipient) else { continue };
            let mut members = vec![user, sender];
            members.sort_unstable();
            members.dedup();
            let group = match groups.get(&members) {
                Some(&known) => known,
                None => {
                    let (huddle, new) = (ids.take("zerver_huddle"), ids.take("zerver_recipient"));
                    let text: Vec<String> = members.iter().map(i64::to_string).collect();
                    let hash: String = Sha1::digest(text.join(",")).iter().map(|byte| format!("{byte:02x}")).collect();
                    rows.push((
                        "zerver_huddle",
                        RawRow::from([
                            ("id", huddle.to_string()),
                            ("huddle_hash", json!(hash).to_string()),
                            ("recipient", new.to_string()),
                            ("group_size", members.len().to_string()),
                        ]),
                    ));
                    rows.push(("zerver_recipient", recipient_row(new, 3, huddle)));
                    for &member in &members {
                        rows.push(("zerver_subscription", self.subscription(release, ids, new, member)?));
                    }
                    groups.insert(members, new);
                    new
                }
            };
            self.conversations.insert((recipient, sender), group);
        }
        Ok(rows)
    }

    /// Whether a row stays where nobody has a recipient of his own.
    fn without_personal_recipients(&self, list: &str, row: &mut RawRow) -> bool {
        let survey = self.survey;
        match list {
            "zerver_message" | "zerver_scheduledmessage" => {
                let of = row.value("recipient").zip(row.value("sender"));
                if let Some(group) = of.and_then(|of| self.conversations.get(&of)) {
                    row.set("recipient", group.to_string());
                }
                true
            }
            "zerver_recipient" => row.value("type") != Some(PERSONAL),
            "zerver_subscription" => {
                let recipient: i64 = row.value("recipient").unwrap_or(0);
                survey.person_of(recipient).is_none()
            }
            BOTS => {
                row.set("recipient_id", "null");
                true
            }
            _ => true,
        }
    }

    /// A subscription as a new one is.
    fn subscription(
        &self,
        release: &'static Release,
        ids: &mut NewIds<'_>,
        recipient: i64,
        user: i64,
    ) -> Result<RawRow> {
        let active = self.survey.users.get(&user).is_none_or(|user| user.is_active);
        let mut row = RawRow::default();
        for field in &release.export.table("zerver_subscription")?.fields {
            let json = match field.key.as_str() {
                "id" => ids.take("zerver_subscription").to_string(),
                "user_profile" => user.to_string(),
                "recipient" => recipient.to_string(),
                "active" => "true".to_owned(),
                "is_user_active" => active.to_string(),
                "is_muted" | "pin_to_top" => "false".to_owned(),
                "color" => COLOR.to_owned(),
                _ => "null".to_owned(),
            };
            row.set(&field.key, json);
        }
        Ok(row)
    }
}

fn recipient_row(id: i64, kind: i64, of: i64) -> RawRow {
    RawRow::from([("id", id.to_string()), ("type", kind.to_string()), ("type_id", of.to_string())])
}

/// Ids that no row of the export has.
struct NewIds<'a> {
    survey: &'a Survey,
    next: BTreeMap<&'static str, i64>,
}

impl NewIds<'_> {
    fn take(&mut self, list: &'static str) -> i64 {
        let survey = self.survey;
        let next = self.next.entry(list).or_insert_with(|| survey.next_id(list));
        *next += 1;
        *next - 1
    }
}
