//! Who and what belongs to an export, as SQL. Everything is a query over the snapshot: no list of users, channels or groups
//! is held in memory.

use std::collections::BTreeSet;

use crate::export::piece::Folder;
use crate::export::{Kind, subject};
use crate::schema::ExportSchema;

/// The reaction by which users consent: an outbox tray, whatever it is called.
pub(super) const CONSENTS: &str = "reaction_type = 'unicode_emoji' AND emoji_code = '1f4e4'";

/// Which rows of an organisation an export of one kind holds.
pub(super) struct Scope<'a> {
    pub(super) schema: &'static ExportSchema,
    pub(super) realm: i64,
    pub(super) kind: Kind,
    /// The message by whose reactions users consented, where that is how they do.
    pub(super) consent_message: Option<i64>,
    /// Ids of attachments whose files are not there, and which are left out for that reason.
    pub(super) missing: &'a [i64],
    /// The user whose data alone is exported.
    pub(super) subject: Option<i64>,
    /// What was found of the messages. Before they were looked at there is nothing in it.
    pub(super) found: &'a Found,
}

/// The exported messages: what other rows refer to is asked here, and not of the database again for each table.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Their ids, sorted.
    pub(super) ids: Vec<i64>,
    /// Ids of the clients they were sent with.
    pub(super) clients: BTreeSet<i64>,
}

impl Found {
    pub(super) fn has(&self, message: i64) -> bool {
        self.ids.binary_search(&message).is_ok()
    }
}

impl Scope<'_> {
    /// Ids of the bots that all organisations share.
    pub(super) fn cross_realm_bots(&self) -> String {
        format!("SELECT id FROM zerver_userprofile WHERE email IN ({})", self.addresses())
    }

    /// Their addresses, quoted, with commas between.
    pub(super) fn addresses(&self) -> String {
        let quoted = self.schema.cross_realm_bots.iter().map(|address| format!("'{}'", address.replace('\'', "''")));
        quoted.collect::<Vec<_>>().join(", ")
    }

    /// Ids of the organisation's users.
    pub(super) fn users(&self) -> String {
        let (realm, bots) = (self.realm, self.addresses());
        format!("SELECT id FROM zerver_userprofile WHERE realm_id = {realm} AND email NOT IN ({bots})")
    }

    /// Ids of the users who let their own data be exported. By the setting bots do as their owners do, and those who only
    /// stand for their messages have nobody to ask. By reactions everybody speaks alone.
    pub(super) fn consenting(&self) -> String {
        match self.kind {
            Kind::Full => self.users(),
            Kind::Public => "SELECT 0 WHERE false".to_owned(),
            Kind::FullWithConsent if !self.schema.exporter.hides_users => {
                let message = self.consent_message.unwrap_or_default();
                format!("SELECT user_profile_id FROM zerver_reaction WHERE message_id = {message} AND {CONSENTS}")
            }
            Kind::FullWithConsent => format!(
                "SELECT u.id FROM zerver_userprofile u LEFT JOIN zerver_userprofile o ON o.id = u.bot_owner_id
                 WHERE u.realm_id = {0} AND (u.allow_private_data_export OR u.is_mirror_dummy
                       OR u.is_bot AND o.realm_id = {0} AND NOT o.is_bot AND o.allow_private_data_export)",
                self.realm
            ),
        }
    }

    /// Whether what is of those who do not consent is hidden.
    pub(super) fn hides(&self) -> bool {
        self.schema.exporter.hides_users && self.kind != Kind::Full
    }

    /// Ids of those between whom direct messages are exported.
    pub(super) fn correspondents(&self) -> String {
        if self.schema.exporter.exports_bot_conversations {
            format!("{} UNION {}", self.users(), self.cross_realm_bots())
        } else {
            self.users()
        }
    }

    /// Ids of the users whose own rows are exported, if they consent.
    pub(super) fn owners(&self) -> String {
        if self.schema.exporter.keeps_rows_of_dummies { self.users() } else { self.normal_users() }
    }

    /// Whether the user `u` becomes one who only stands for messages, as an SQL condition.
    pub(super) fn becomes_dummy(&self, u: &str) -> String {
        match self.kind {
            Kind::FullWithConsent if self.hides() => {
                format!("({u}.is_mirror_dummy OR {u}.is_active AND {u}.id NOT IN ({}))", self.consenting())
            }
            Kind::Public if self.hides() => format!("({u}.is_mirror_dummy OR {u}.email_address_visibility = 4)"),
            _ => format!("{u}.is_mirror_dummy"),
        }
    }

    /// Ids of the users with an account in the export.
    pub(super) fn normal_users(&self) -> String {
        format!(
            "SELECT n.id FROM zerver_userprofile n WHERE n.id IN ({}) AND NOT {}",
            self.users(),
            self.becomes_dummy("n")
        )
    }

    /// Ids of the recipients of private messages to the organisation's users.
    pub(super) fn personal_recipients(&self) -> String {
        format!(
            "SELECT s.recipient_id FROM zerver_subscription s JOIN zerver_recipient r ON r.id = s.recipient_id
             WHERE r.type = 1 AND s.user_profile_id IN ({})",
            self.owners()
        )
    }

    /// Ids of the channels' recipients.
    pub(super) fn channel_recipients(&self) -> String {
        format!(
            "SELECT r.id FROM zerver_recipient r JOIN zerver_stream c ON r.type = 2 AND r.type_id = c.id WHERE c.realm_id = {}",
            self.realm
        )
    }

    /// Ids of the recipients of groups of direct messages. A group with a member of another organisation stays out.
    pub(super) fn group_recipients(&self) -> String {
        let groups = |members: String| {
            format!(
                "SELECT s.recipient_id FROM zerver_subscription s JOIN zerver_recipient r ON r.id = s.recipient_id
                 WHERE r.type = 3 AND s.user_profile_id IN ({members})"
            )
        };
        let consenting = if self.hides() { format!("INTERSECT {}", groups(self.consenting())) } else { String::new() };
        let others = if self.schema.exporter.exports_bot_conversations {
            format!("AND u.id NOT IN ({})", self.cross_realm_bots())
        } else {
            String::new()
        };
        format!(
            "{} {consenting} EXCEPT SELECT s.recipient_id FROM zerver_subscription s
             JOIN zerver_recipient r ON r.id = s.recipient_id JOIN zerver_userprofile u ON u.id = s.user_profile_id
             WHERE r.type = 3 AND u.realm_id <> {} {others}",
            groups(self.users()),
            self.realm
        )
    }

    /// Ids of all exported recipients.
    pub(super) fn recipients(&self) -> String {
        format!(
            "{} UNION {} UNION ({})",
            self.personal_recipients(),
            self.channel_recipients(),
            self.group_recipients()
        )
    }

    /// Whether the message `m` is exported, as an SQL condition.
    pub(super) fn messages(&self, m: &str) -> String {
        let (realm, recipients) = (self.realm, self.recipients());
        let senders = format!("{} UNION {}", self.users(), self.cross_realm_bots());
        let channels = |condition: &str| format!("{} AND c.{condition}", self.channel_recipients());
        let (public, hidden) = (channels("invite_only = false"), channels("history_public_to_subscribers = false"));
        let personal_of =
            |users: &str| format!("SELECT id FROM zerver_recipient WHERE type = 1 AND type_id IN ({users})");
        let chosen = match self.kind {
            Kind::Full => {
                let normal = self.normal_users();
                let others = format!("({senders}) EXCEPT {normal}");
                format!(
                    "{m}.sender_id IN ({senders}) AND {m}.recipient_id IN ({recipients})
                     OR {m}.sender_id IN ({normal}) AND {m}.recipient_id IN ({})",
                    personal_of(&others)
                )
            }
            Kind::Public => {
                format!("{m}.sender_id IN ({senders}) AND {m}.recipient_id IN (({recipients}) INTERSECT {public})")
            }
            Kind::FullWithConsent => {
                let consenting = self.consenting();
                let seen =
                    format!("SELECT recipient_id FROM zerver_subscription WHERE user_profile_id IN ({consenting})");
                let others = format!("({senders}) EXCEPT ({consenting})");
                format!(
                    "{m}.sender_id IN ({senders}) AND {m}.recipient_id IN ({recipients})
                       AND ({m}.recipient_id IN ({public}) OR {m}.recipient_id IN ({seen}) AND {m}.recipient_id NOT IN ({hidden}))
                     OR {m}.sender_id IN ({senders}) AND {m}.recipient_id IN ({seen}) AND {m}.recipient_id IN ({hidden})
                       AND EXISTS (SELECT FROM zerver_usermessage um WHERE um.message_id = {m}.id
                                   AND um.user_profile_id IN ({consenting}))
                     OR {m}.sender_id IN ({consenting}) AND {m}.recipient_id IN ({})",
                    personal_of(&others)
                )
            }
        };
        format!("{m}.realm_id = {realm} AND ({chosen})")
    }

    /// Ids of the exported messages, and of the clients they were sent with.
    pub(super) fn message_ids(&self) -> String {
        match self.subject {
            None => format!("SELECT m.id, m.sending_client_id FROM zerver_message m WHERE {}", self.messages("m")),
            Some(user) => subject::message_ids(self.realm, user),
        }
    }

    /// Whether the attachment `t` may be exported, as an SQL condition: it has to be of an exported message, too.
    pub(super) fn attachments(&self, t: &str) -> String {
        if let Some(user) = self.subject {
            return format!("{t}.owner_id = {user}");
        }
        let missing = self.missing.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
        let there =
            if missing.is_empty() { String::new() } else { format!("AND {t}.id <> ALL ('{{{missing}}}'::int8[])") };
        format!("{t}.realm_id = {} {there}", self.realm)
    }

    /// Whether the avatar of the user `t` is exported, as an SQL condition.
    pub(super) fn avatars(&self, t: &str) -> String {
        match self.subject {
            Some(user) => format!("{t}.id = {user}"),
            None => format!("({t}.id IN ({}) OR {t}.id IN ({}))", self.users(), self.cross_realm_bots()),
        }
    }

    /// The folders of uploaded files: a single user has no icons.
    pub(super) fn folders(&self) -> impl Iterator<Item = Folder> {
        let single = self.subject.is_some();
        Folder::ALL.into_iter().filter(move |folder| !single || *folder != Folder::RealmIcons)
    }

    /// Whether the emoji `t` is exported, as an SQL condition.
    pub(super) fn emoji(&self, t: &str) -> String {
        match self.subject {
            Some(user) => format!("{t}.author_id = {user}"),
            None => format!("{t}.realm_id = {}", self.realm),
        }
    }

    /// Whether the message `t` to be sent later is exported, as an SQL condition.
    pub(super) fn scheduled(&self, t: &str) -> String {
        let realm = self.realm;
        match self.kind {
            Kind::Full => format!("{t}.realm_id = {realm}"),
            Kind::FullWithConsent => format!("{t}.realm_id = {realm} AND {t}.sender_id IN ({})", self.consenting()),
            Kind::Public => "false".to_owned(),
        }
    }
}
