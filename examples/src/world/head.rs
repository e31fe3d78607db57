//! The head of a message: who, where, when.

use super::{Stream, World};
use crate::rng::{Domain, Rng};
use crate::time::{BEGIN, NOW};

/// Every so many ids, one is missing: the message was deleted.
const DELETED_EVERY: u64 = 50;

/// Where a message was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A channel and a topic in it, as indexes.
    Stream { stream: u32, topic: u32 },
    /// A person, as an index.
    Person(u32),
    /// A group, as an index.
    Huddle(u32),
}

/// Everything about a message but its text. It is made in some 100 ns, so that every table that is about messages makes
/// it again instead of sharing it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) id: i64,
    pub(crate) realm: usize,
    /// As an index.
    pub(crate) sender: u32,
    pub(crate) target: Target,
    pub(crate) recipient: i64,
    pub(crate) sent: i64,
    pub(crate) client: i64,
    /// Whom it mentions, as an index.
    pub(crate) mention: Option<u32>,
    pub(crate) poll: bool,
    /// Whether an integration wrote it.
    pub(crate) notice: bool,
    pub(crate) edit: Edit,
}

/// What became of a message later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edit {
    None,
    Content,
    Topic,
    Moved,
}

/// The id of message `number`.
pub(crate) fn id_of(number: u64) -> i64 {
    (number + 1 + number / DELETED_EVERY) as i64
}

/// The ids up to that of message `messages` that no message has.
pub(crate) fn deleted_ids(messages: u64) -> impl Iterator<Item = i64> {
    (1..=messages / DELETED_EVERY).map(|block| (block * (DELETED_EVERY + 1)) as i64)
}

impl World {
    /// The head of message `number`, which counts from 0 in order of id and time.
    pub(crate) fn head(&self, number: u64) -> Head {
        let mut rng = Rng::new(self.options.seed, Domain::Head, number);
        let messages = self.options.messages;
        let step = (NOW - BEGIN) / messages as i64;
        let sent = BEGIN + number as i64 * step + rng.below(step.max(1) as u64) as i64;
        let realm = match rng.below(1000) {
            945..985 => 2,
            // The closed organisation stopped writing when it closed.
            985.. if number < messages / 2 => 3,
            _ => Self::MAIN,
        };
        let mut head = Head {
            id: id_of(number),
            realm,
            sender: 0,
            target: Target::Person(0),
            recipient: 0,
            sent,
            client: [2, 2, 2, 3, 4, 9][rng.index(6)],
            mention: None,
            poll: false,
            notice: false,
            edit: Edit::None,
        };
        match rng.below(100) {
            0..80 => self.to_stream(&mut head, &mut rng),
            80..92 => self.to_person(&mut head, &mut rng),
            _ => self.to_huddle(&mut head, &mut rng),
        }
        head
    }

    fn to_stream(&self, head: &mut Head, rng: &mut Rng) {
        let realm = &self.realms[head.realm];
        let draw = rng.below(*realm.stream_weights.last().unwrap_or(&1));
        let index = realm.streams.start + realm.stream_weights.partition_point(|end| *end <= draw);
        let stream: &Stream = &self.streams[index];
        // The smaller of two draws: a few topics are busy, most are not.
        let topic = rng.index(stream.topics.len()).min(rng.index(stream.topics.len()));
        head.target = Target::Stream { stream: index as u32, topic: topic as u32 };
        head.recipient = stream.recipient;
        head.sender = *rng.pick(&stream.members);
        match rng.below(400) {
            0 => {
                head.sender = Self::NOTIFICATION_BOT;
                head.client = 1;
            }
            1..100 if !realm.bots.is_empty() => {
                head.sender = *rng.pick(&realm.bots);
                head.client = 10;
                head.notice = true;
            }
            100..140 => head.mention = Some(*rng.pick(&stream.members)),
            140 => head.poll = true,
            141..147 => head.edit = Edit::Content,
            147 => head.edit = Edit::Topic,
            148 => head.edit = Edit::Moved,
            _ => {}
        }
    }

    fn to_person(&self, head: &mut Head, rng: &mut Rng) {
        let writers = &self.realms[head.realm].writers;
        let from = rng.index(writers.len());
        // People write to those they work with.
        let to = (from + rng.index(Self::COLLEAGUES)) % writers.len();
        head.sender = if rng.one_in(60) { Self::NOTIFICATION_BOT } else { writers[from] };
        head.target = Target::Person(writers[to]);
        head.recipient = match self.pairs.get(&Self::pair(head.sender, writers[to])) {
            Some(group) => self.huddles[*group as usize].recipient,
            None => self.users[writers[to] as usize].recipient,
        };
        if rng.one_in(60) {
            head.edit = Edit::Content;
        }
    }

    /// How many people one writes to, oneself among them.
    pub(super) const COLLEAGUES: usize = 7;

    /// Two people, in the order of their ids.
    pub(super) fn pair(one: u32, other: u32) -> (u32, u32) {
        (one.min(other), one.max(other))
    }

    fn to_huddle(&self, head: &mut Head, rng: &mut Rng) {
        let range = self.realms[head.realm].huddles.clone();
        let index = range.start + rng.index(range.len()).min(rng.index(range.len()));
        let huddle = &self.huddles[index];
        head.sender = *rng.pick(&huddle.members);
        head.target = Target::Huddle(index as u32);
        head.recipient = huddle.recipient;
    }

    /// Those who get a row for the message, as indexes, each once.
    pub(crate) fn audience(&self, head: &Head, out: &mut Vec<u32>) {
        out.clear();
        match head.target {
            Target::Stream { stream, .. } => out.extend_from_slice(&self.streams[stream as usize].members),
            Target::Huddle(huddle) => out.extend_from_slice(&self.huddles[huddle as usize].members),
            Target::Person(person) => {
                out.push(person);
                // Notification Bot gets no rows: nobody reads as it.
                if head.sender != person && head.sender != Self::NOTIFICATION_BOT {
                    out.push(head.sender);
                }
            }
        }
    }

    /// The topic of the message; direct messages have none.
    pub(crate) fn subject(&self, head: &Head) -> (&str, &[String]) {
        match head.target {
            Target::Stream { stream, topic } => {
                let topic = &self.streams[stream as usize].topics[topic as usize];
                (&topic.name, &topic.lexemes)
            }
            _ => ("", &[]),
        }
    }
}
