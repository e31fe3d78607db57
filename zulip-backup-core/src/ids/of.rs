//! Whose ids they are.

/// The tables whose ids other rows or texts name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    Realm,
    Stream,
    User,
    /// Both `zerver_usergroup` and `zerver_namedusergroup`, which share their ids.
    UserGroup,
    Client,
    Recipient,
    Huddle,
    Message,
    Emoji,
    ProfileField,
    ScheduledMessage,
    Attachment,
    ChannelFolder,
}

/// All of them, by their places.
const ALL: [(Of, &str); Of::COUNT] = [
    (Of::Realm, "zerver_realm"),
    (Of::Stream, "zerver_stream"),
    (Of::User, "zerver_userprofile"),
    (Of::UserGroup, "zerver_usergroup"),
    (Of::Client, "zerver_client"),
    (Of::Recipient, "zerver_recipient"),
    (Of::Huddle, "zerver_huddle"),
    (Of::Message, "zerver_message"),
    (Of::Emoji, "zerver_realmemoji"),
    (Of::ProfileField, "zerver_customprofilefield"),
    (Of::ScheduledMessage, "zerver_scheduledmessage"),
    (Of::Attachment, "zerver_attachment"),
    (Of::ChannelFolder, "zerver_channelfolder"),
];

impl Of {
    /// How many kinds there are.
    pub(crate) const COUNT: usize = Of::ChannelFolder as usize + 1;

    /// Of a table's name; `None` for one whose ids nobody names.
    pub(crate) fn of_table(table: &str) -> Option<Self> {
        if table == "zerver_namedusergroup" {
            return Some(Self::UserGroup);
        }
        ALL.iter().find(|(_, name)| *name == table).map(|(of, _)| *of)
    }

    /// The table's name.
    pub(crate) fn table(self) -> &'static str {
        ALL[self as usize].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_place() {
        for (place, (of, table)) in ALL.into_iter().enumerate() {
            assert_eq!((of as usize, of.table(), Of::of_table(table)), (place, table, Some(of)));
        }
    }
}
