//! Who and what there is on the server: organisations, people, channels, groups, files; and for every message who sent
//! it where and when. Everything is a function of the options; memory grows with the people, not with the messages.

mod build;
mod head;
mod summary;

pub(crate) use head::{Edit, Head, Target, deleted_ids};
pub(crate) use summary::Summary;

use std::collections::HashMap;

use zulip_backup_core::schema::Release;

use crate::SampleOptions;
use crate::files::FilePlan;

/// Where system groups stand among the eight of each organisation; the last, `role:internet`, never needs to be named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Nobody = 1,
    Owners,
    Administrators,
    Moderators,
    FullMembers,
    Members,
    Everyone,
}

/// Names and descriptions of the system groups, in the order of [`Role`].
pub(crate) const SYSTEM_GROUPS: [(&str, &str); 8] = [
    ("role:nobody", "Nobody"),
    ("role:owners", "Owners of this organization"),
    ("role:administrators", "Administrators of this organization, including owners"),
    ("role:moderators", "Moderators of this organization, including administrators"),
    ("role:fullmembers", "Members of this organization, not including new accounts and guests"),
    ("role:members", "Members of this organization, not including guests"),
    ("role:everyone", "Everyone in this organization, including guests"),
    ("role:internet", "Everyone on the Internet"),
];

pub(crate) struct World {
    pub(crate) options: SampleOptions,
    /// The Zulip release that it is of.
    pub(crate) release: &'static Release,
    pub(crate) avatar_salt: String,
    pub(crate) realms: Vec<Realm>,
    pub(crate) users: Vec<User>,
    pub(crate) streams: Vec<Stream>,
    pub(crate) huddles: Vec<Huddle>,
    /// Where people have no recipients of their own: the conversations of two, or of one alone, as indexes of groups.
    pub(crate) pairs: HashMap<(u32, u32), u32>,
    pub(crate) groups: Vec<NamedGroup>,
    pub(crate) files: FilePlan,
    pub(crate) summary: Summary,
}

/// An organisation. Its id is its index plus one.
pub(crate) struct Realm {
    pub(crate) id: i64,
    pub(crate) string_id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) deactivated: bool,
    /// Users, as indexes.
    pub(crate) users: std::ops::Range<usize>,
    /// People who write, as indexes.
    pub(crate) writers: Vec<u32>,
    /// Bots that write, as indexes.
    pub(crate) bots: Vec<u32>,
    /// Channels, as indexes, and where each ends when all their weights are laid in a row.
    pub(crate) streams: std::ops::Range<usize>,
    pub(crate) stream_weights: Vec<u64>,
    /// Groups of direct messages, as indexes.
    pub(crate) huddles: std::ops::Range<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UserKind {
    Human,
    /// A bot with its `bot_type`.
    Bot(i64),
    /// An account that stands for somebody on another network.
    MirrorDummy,
}

/// A user. Its id is its index plus one.
pub(crate) struct User {
    pub(crate) id: i64,
    pub(crate) realm: usize,
    pub(crate) recipient: i64,
    pub(crate) name: String,
    /// What the search index keeps of the name.
    pub(crate) name_lexemes: Vec<String>,
    pub(crate) email: String,
    pub(crate) delivery_email: String,
    /// 100 owner, 200 administrator, 300 moderator, 400 member, 600 guest.
    pub(crate) role: i64,
    pub(crate) kind: UserKind,
    pub(crate) active: bool,
    /// Away so long that no `zerver_usermessage` rows are made.
    pub(crate) idle: bool,
    /// The version of an uploaded avatar.
    pub(crate) avatar: Option<i64>,
    pub(crate) joined: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamKind {
    Public,
    Private,
    PrivateSharedHistory,
    WebPublic,
    Archived,
}

/// A channel. Its id is its index plus one.
pub(crate) struct Stream {
    pub(crate) id: i64,
    pub(crate) realm: usize,
    pub(crate) recipient: i64,
    pub(crate) name: String,
    pub(crate) kind: StreamKind,
    /// Who created it, as an index; none for those made with the organisation.
    pub(crate) creator: Option<u32>,
    /// Subscribers who get a row for every message, as indexes.
    pub(crate) members: Vec<u32>,
    /// Subscribers who are idle or deactivated, as indexes.
    pub(crate) idle_members: Vec<u32>,
    pub(crate) topics: Vec<Topic>,
}

pub(crate) struct Topic {
    pub(crate) name: String,
    pub(crate) lexemes: Vec<String>,
}

/// A group of people who write to each other directly. Its id is its index plus one.
pub(crate) struct Huddle {
    pub(crate) id: i64,
    pub(crate) recipient: i64,
    pub(crate) members: Vec<u32>,
}

/// A user group somebody made.
pub(crate) struct NamedGroup {
    pub(crate) id: i64,
    /// The nameless group of those who may manage it.
    pub(crate) manager_group: i64,
    pub(crate) realm: usize,
    pub(crate) name: String,
    pub(crate) creator: u32,
    pub(crate) members: Vec<u32>,
    pub(crate) subgroups: Vec<i64>,
    pub(crate) deactivated: bool,
}

impl Realm {
    /// The id of a system group.
    pub(crate) fn group(&self, role: Role) -> i64 {
        (self.id - 1) * 8 + role as i64
    }
}

impl User {
    pub(crate) fn is_bot(&self) -> bool {
        matches!(self.kind, UserKind::Bot(_))
    }

    /// Whether the user reads what is sent: gets `zerver_usermessage` rows.
    pub(crate) fn reads(&self) -> bool {
        self.active && !self.idle && self.kind == UserKind::Human
    }
}

impl World {
    /// Whether the release has a column.
    pub(crate) fn has(&self, table: &str, column: &str) -> bool {
        self.release.catalog.has_column(table, column)
    }

    /// The nameless group of those who administer a channel, if it has one of its own.
    pub(crate) fn stream_admin_group(&self, stream: &Stream) -> Option<i64> {
        if !self.has("zerver_stream", "can_administer_channel_group_id") {
            return None;
        }
        stream.creator.map(|_| self.realms.len() as i64 * 8 + stream.id)
    }

    /// The index of the main organisation.
    pub(crate) const MAIN: usize = 1;

    /// The index of Notification Bot, which writes in every organisation.
    pub(crate) const NOTIFICATION_BOT: u32 = 3;
}
