//! What one look at all heads tells: the numbers that other tables keep about messages.

use std::collections::BTreeMap;

use super::{Target, World};
use crate::time::{BEGIN, DAY, NOW};

/// How many days back the statistics by day reach: upstream keeps all, some months are enough to be real.
const DAYS: i64 = 90;

/// Numbers about all messages.
#[derive(Default)]
pub(crate) struct Summary {
    /// Rows of `zerver_usermessage`.
    pub(crate) usermessages: u64,
    /// By channel: id of the first message, and how many there are.
    pub(crate) streams: Vec<(Option<i64>, u64)>,
    /// By user: id of the last message written, and how many were.
    pub(crate) users: Vec<(Option<i64>, u64)>,
    /// Messages by day, organisation and kind (0 channel, 1 person, 2 group), and whether a bot wrote them.
    pub(crate) days: BTreeMap<(i64, usize, u8, bool), u64>,
    /// Messages by day, organisation and client.
    pub(crate) clients: BTreeMap<(i64, usize, i64), u64>,
}

impl Summary {
    pub(crate) fn new(world: &World) -> Self {
        let mut summary = Self {
            streams: vec![(None, 0); world.streams.len()],
            users: vec![(None, 0); world.users.len()],
            ..Self::default()
        };
        for number in 0..world.options.messages {
            let head = world.head(number);
            let kind = match head.target {
                Target::Stream { stream, .. } => {
                    let seen = &mut summary.streams[stream as usize];
                    seen.0.get_or_insert(head.id);
                    seen.1 += 1;
                    summary.usermessages += world.streams[stream as usize].members.len() as u64;
                    0
                }
                Target::Person(person) => {
                    let both = head.sender != person && head.sender != World::NOTIFICATION_BOT;
                    summary.usermessages += 1 + u64::from(both);
                    1
                }
                Target::Huddle(huddle) => {
                    summary.usermessages += world.huddles[huddle as usize].members.len() as u64;
                    2
                }
            };
            let user = &mut summary.users[head.sender as usize];
            *user = (Some(head.id), user.1 + 1);
            let day = (head.sent - BEGIN) / DAY;
            if day > (NOW - BEGIN) / DAY - DAYS {
                let bot = world.users[head.sender as usize].is_bot();
                *summary.days.entry((day, head.realm, kind, bot)).or_default() += 1;
                *summary.clients.entry((day, head.realm, head.client)).or_default() += 1;
            }
        }
        summary
    }

    /// The end of a day in `days`, as the statistics name it.
    pub(crate) fn day_end(day: i64) -> i64 {
        (BEGIN / DAY + day + 1) * DAY
    }
}
