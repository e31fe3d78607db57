//! Building the world.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;

use zulip_backup_core::schema::Release;

use super::{Huddle, NamedGroup, Realm, Stream, StreamKind, Summary, Topic, User, UserKind, World};
use crate::files::FilePlan;
use crate::rng::{Domain, Rng};
use crate::time::{BEGIN, NOW};
use crate::{SampleOptions, text};

const FIRST: [&str; 24] = [
    "Ada", "Alan", "Amara", "Björn", "Chloé", "Dmitri", "Elif", "Farid", "Grace", "Hana", "Ivan", "Jürgen", "Kenji",
    "Leïla", "Mateo", "Ngozi", "Olga", "Priya", "Quentin", "Rosa", "Søren", "Tomáš", "Ulla", "Yuki",
];
const LAST: [&str; 20] = [
    "Abebe", "Berg", "Castillo", "Dvořák", "Eriksson", "Fischer", "García", "Haddad", "Ito", "Jensen", "Kowalski",
    "Lefèvre", "Müller", "Novak", "Okafor", "Petrov", "Rossi", "Silva", "Tanaka", "Weber",
];
/// The one name that needs escaping everywhere, and its lexemes.
const HARD_NAME: (&str, [&str; 5]) = ("Zoë \"The <Fixer>\" O'Brien", ["zoë", "", "fixer", "o", "brien"]);
/// Names that the stemmer shortens.
const STEMMED: [(&str, &str); 2] = [("Abebe", "abeb"), ("Lefèvre", "lefèvr")];
const SYSTEM_BOTS: [(&str, &str); 5] = [
    ("emailgateway", "Email Gateway"),
    ("nagios-receive-bot", "Nagios Receive Bot"),
    ("nagios-send-bot", "Nagios Send Bot"),
    ("notification-bot", "Notification Bot"),
    ("welcome-bot", "Welcome Bot"),
];
const CHANNELS: [(&str, StreamKind); 8] = [
    ("general", StreamKind::Public),
    ("announce", StreamKind::Public),
    ("leads", StreamKind::Private),
    ("hiring ✨", StreamKind::PrivateSharedHistory),
    ("community", StreamKind::WebPublic),
    ("old project / 2022", StreamKind::Archived),
    ("Größe & <tags>", StreamKind::Public),
    ("日本語", StreamKind::Public),
];

impl World {
    pub(crate) fn new(options: &SampleOptions, release: &'static Release) -> Self {
        let seed = options.seed;
        let mut rng = Rng::new(seed, Domain::World, 0);
        let mut world = Self {
            options: options.clone(),
            release,
            avatar_salt: Rng::new(seed, Domain::Secret, 0).hex(64),
            realms: Vec::new(),
            users: Vec::new(),
            streams: Vec::new(),
            huddles: Vec::new(),
            pairs: HashMap::new(),
            groups: Vec::new(),
            files: FilePlan::default(),
            summary: Summary::default(),
        };
        for (local, name) in SYSTEM_BOTS {
            let email = format!("{local}@zulip.com");
            world.push_user(0, name.into(), email, 400, UserKind::Bot(1), &mut rng);
        }
        world.push_realm("zulipinternal", "System bot realm", false, 0..world.users.len());
        let main = options.user_count();
        for (string_id, name, deactivated, users) in [
            ("acme", "Acme Dév & Friends", false, main),
            ("", "Example", false, 8 + main / 10),
            ("oldco", "Old Company", true, 6 + main / 20),
        ] {
            let first = world.users.len();
            world.push_users(users, &mut rng);
            world.push_realm(string_id, name, deactivated, first..world.users.len());
        }
        for realm in 1..world.realms.len() {
            world.push_streams(realm, &mut rng);
        }
        for realm in 1..world.realms.len() {
            world.push_huddles(realm, &mut rng);
        }
        if !release.export.personal_recipients {
            world.push_pairs();
        }
        world.number_recipients();
        world.push_groups(&mut rng);
        world.files = FilePlan::new(&world);
        world.summary = Summary::new(&world);
        world
    }

    fn push_realm(
        &mut self,
        string_id: &'static str,
        name: &'static str,
        deactivated: bool,
        users: std::ops::Range<usize>,
    ) {
        let id = self.realms.len() as i64 + 1;
        let pick = |wanted: fn(&User) -> bool| -> Vec<u32> {
            users.clone().filter(|index| wanted(&self.users[*index])).map(|index| index as u32).collect()
        };
        let (writers, bots) = (pick(User::reads), pick(|user| user.is_bot() && user.active));
        self.realms.push(Realm {
            id,
            string_id,
            name,
            deactivated,
            users,
            writers,
            bots,
            streams: 0..0,
            stream_weights: Vec::new(),
            huddles: 0..0,
        });
    }

    fn push_users(&mut self, count: usize, rng: &mut Rng) {
        let realm = self.realms.len();
        let first = self.users.len();
        let (bots, dummies, deactivated) = (count / 12 + 4, count / 20 + 1, count / 15 + 1);
        let humans = count.saturating_sub(bots + dummies + deactivated).max(6);
        for number in 0..humans + deactivated {
            let role = match number {
                0 => 100,
                1 => 200,
                2 => 300,
                3 => 600,
                number if number % 40 == 39 => 200,
                number if number % 9 == 8 => 600,
                _ => 400,
            };
            let name = match number {
                5 => HARD_NAME.0.to_owned(),
                _ => format!("{} {}", rng.pick(&FIRST), rng.pick(&LAST)),
            };
            let email = format!("person{}@example.com", self.users.len() + 1);
            self.push_user(realm, name, email, role, UserKind::Human, rng);
            if let Some(user) = self.users.last_mut() {
                user.idle = number > 6 && number % 4 == 3;
                user.active = number < humans;
            }
        }
        for number in 0..bots {
            let kind = UserKind::Bot(number as i64 % 4 + 1);
            let name = format!("{} bot", text::rare_word(rng).text);
            let email = format!("bot{}-bot@{}", self.users.len() + 1, self.options.external_host);
            self.push_user(realm, name, email, 400, kind, rng);
        }
        for _ in 0..dummies {
            let email = format!("mirror{}@irc.example.net", self.users.len() + 1);
            self.push_user(realm, format!("{} (IRC)", rng.pick(&FIRST)), email, 400, UserKind::MirrorDummy, rng);
            if let Some(user) = self.users.last_mut() {
                user.active = false;
            }
        }
        debug_assert!(self.users.len() > first);
    }

    fn push_user(&mut self, realm: usize, name: String, email: String, role: i64, kind: UserKind, rng: &mut Rng) {
        let id = self.users.len() as i64 + 1;
        let system = realm == 0;
        let visible = match kind {
            UserKind::Human if !system => format!("user{id}@{}", self.options.external_host),
            _ => email.clone(),
        };
        self.users.push(User {
            id,
            realm,
            recipient: 0,
            name_lexemes: name_lexemes(&name),
            name,
            email: visible,
            delivery_email: email,
            role,
            kind,
            active: true,
            idle: false,
            avatar: (!system && rng.one_in(3)).then(|| 2 + rng.below(4) as i64),
            joined: if system { BEGIN } else { BEGIN + rng.below((NOW - BEGIN) as u64 / 2) as i64 },
        });
    }

    fn push_streams(&mut self, realm: usize, rng: &mut Rng) {
        let first = self.streams.len();
        let users = self.realms[realm].users.clone();
        let count = if realm == Self::MAIN { (users.len() / 3).max(CHANNELS.len()) } else { CHANNELS.len() };
        let mut weights = Vec::new();
        let mut total = 0;
        for number in 0..count {
            let (name, kind) = match CHANNELS.get(number) {
                Some((name, kind)) => ((*name).to_owned(), *kind),
                None => (
                    format!("{} {number}", text::phrase(rng, 1)),
                    match number % 23 {
                        5 | 12 | 18 => StreamKind::Private,
                        7 | 15 => StreamKind::PrivateSharedHistory,
                        19 => StreamKind::WebPublic,
                        22 => StreamKind::Archived,
                        _ => StreamKind::Public,
                    },
                ),
            };
            // Six rows a message on average is what the largest real server we know has; a channel of everybody exists,
            // but little is written there.
            let everybody = number < 2;
            let size = if everybody { 60 } else { 3 + rng.index(8) };
            let members = draw(&self.realms[realm].writers, size, rng);
            let away: Vec<u32> = users
                .clone()
                .filter(|index| {
                    let user = &self.users[*index];
                    user.kind == UserKind::Human && !user.reads()
                })
                .map(|index| index as u32)
                .collect();
            let idle_members = draw(&away, if everybody { away.len() } else { 3 }, rng);
            let topics = (0..4 + rng.index(26)).map(|topic| new_topic(topic, rng)).collect();
            total += if everybody { 3 } else { 40 + 2000 / (number as u64 + 4) };
            weights.push(total);
            self.streams.push(Stream {
                id: self.streams.len() as i64 + 1,
                realm,
                recipient: 0,
                name,
                kind,
                creator: (number > 1).then(|| members[0]),
                members,
                idle_members,
                topics,
            });
        }
        self.realms[realm].streams = first..self.streams.len();
        self.realms[realm].stream_weights = weights;
    }

    fn push_huddles(&mut self, realm: usize, rng: &mut Rng) {
        let first = self.huddles.len();
        let writers = self.realms[realm].writers.clone();
        let mut known = BTreeSet::new();
        for _ in 0..writers.len() / 2 + 2 {
            let mut members = draw(&writers, 3 + rng.index(4), rng);
            members.sort_unstable();
            if known.insert(members.clone()) {
                let id = self.huddles.len() as i64 + 1;
                self.huddles.push(Huddle { id, recipient: 0, members });
            }
        }
        self.realms[realm].huddles = first..self.huddles.len();
    }

    /// The groups of those who write to each other, where nobody has a recipient of his own.
    fn push_pairs(&mut self) {
        for realm in 1..self.realms.len() {
            let writers = self.realms[realm].writers.clone();
            for (from, writer) in writers.iter().enumerate() {
                let colleagues = (0..World::COLLEAGUES).map(|offset| writers[(from + offset) % writers.len()]);
                for other in colleagues.chain([World::NOTIFICATION_BOT]) {
                    let pair = World::pair(*writer, other);
                    if self.pairs.contains_key(&pair) {
                        continue;
                    }
                    let index = self.huddles.len();
                    let mut members = vec![pair.0, pair.1];
                    members.dedup();
                    self.huddles.push(Huddle { id: index as i64 + 1, recipient: 0, members });
                    self.pairs.insert(pair, index as u32);
                }
            }
        }
    }

    /// Recipients are numbered as they would have come into being: so that no recipient's id is by chance that of its
    /// user or channel, which would hide mistakes.
    fn number_recipients(&mut self) {
        let mut next = 0;
        let mut number = || {
            next += 1;
            next
        };
        let system = if self.release.export.personal_recipients { SYSTEM_BOTS.len() } else { self.users.len() };
        self.users[..system].iter_mut().for_each(|user| user.recipient = number());
        self.streams.iter_mut().for_each(|stream| stream.recipient = number());
        self.users[system..].iter_mut().for_each(|user| user.recipient = number());
        self.huddles.iter_mut().for_each(|huddle| huddle.recipient = number());
    }

    fn push_groups(&mut self, rng: &mut Rng) {
        let mut next = self.realms.len() as i64 * 8 + self.streams.len() as i64;
        for realm in 1..self.realms.len() {
            let writers = self.realms[realm].writers.clone();
            let mut previous = None;
            for number in 0..3 + writers.len() / 30 {
                let members = draw(&writers, 2 + rng.index(10), rng);
                let name =
                    if number == 2 { "leads ✨".into() } else { format!("{}-{number}", text::rare_word(rng).text) };
                self.groups.push(NamedGroup {
                    manager_group: next + 1,
                    id: next + 2,
                    realm,
                    name,
                    creator: writers[0],
                    members,
                    subgroups: previous.into_iter().collect(),
                    deactivated: number == 1,
                });
                previous = Some(next + 2);
                next += 2;
            }
        }
    }
}

/// `count` different ones of `from`, or all where there are fewer.
fn draw(from: &[u32], count: usize, rng: &mut Rng) -> Vec<u32> {
    let mut pool = from.to_vec();
    let count = count.min(pool.len());
    for index in 0..count {
        let other = index + rng.index(pool.len() - index);
        pool.swap(index, other);
    }
    pool.truncate(count);
    pool
}

fn name_lexemes(name: &str) -> Vec<String> {
    if name == HARD_NAME.0 {
        return HARD_NAME.1.map(str::to_owned).to_vec();
    }
    let stem = |part: &str| {
        let stemmed = STEMMED.iter().find(|(name, _)| *name == part);
        stemmed.map_or_else(|| part.to_lowercase(), |(_, stem)| (*stem).to_owned())
    };
    name.split(' ').map(stem).collect()
}

fn new_topic(number: usize, rng: &mut Rng) -> Topic {
    let mut name = String::new();
    let mut lexemes = Vec::new();
    if number % 9 == 4 {
        // A resolved topic.
        name.push_str("✔ ");
    }
    for index in 0..=rng.index(3) {
        if index > 0 {
            name.push(' ');
        }
        let word = text::rare_word(rng);
        name.push_str(word.text);
        lexemes.push(word.lexeme.to_owned());
    }
    // The number makes the name unique in its channel.
    let _ = write!(name, " {number}");
    lexemes.push(number.to_string());
    Topic { name, lexemes }
}
