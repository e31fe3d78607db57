//! Who and what an export of one kind may hold, told from its own files.

use std::collections::HashMap;

use crate::ids::IdSet;
use crate::package::Kind;
use crate::validate::facts::{Facts, Standing};

/// `zerver_recipient.type`.
pub(super) const PERSONAL: i64 = 1;
pub(super) const STREAM: i64 = 2;
pub(super) const GROUP: i64 = 3;

/// Which messages to a recipient an export may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// All.
    All,
    /// Those that a consenting user has.
    Witnessed,
    /// Those whose sender has an account, or consents.
    FromOwn,
    /// None.
    None,
}

/// The rules of one export. What the files do not justify is not allowed.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) kind: Kind,
    /// Users who let their own data be exported: nobody in a public export, all in a full one.
    pub(super) consenting: IdSet,
    /// Users who may have user messages.
    pub(super) owners: IdSet,
    /// Recipients that rows may refer to.
    pub(super) recipients: IdSet,
    reach: HashMap<i64, Reach>,
}

impl Rules {
    /// `consented` are the ids of `consented_user_ids.json`.
    pub(super) fn new(facts: &Facts, kind: Kind, consented: &[i64]) -> Self {
        let of_realm = facts.users.iter().filter(|(_, user)| user.standing != Standing::Bot);
        let consenting: IdSet = match kind {
            Kind::Full => of_realm.map(|(&id, _)| id).collect(),
            Kind::Public => IdSet::default(),
            Kind::FullWithConsent => consented.iter().copied().filter(|id| facts.users.contains_key(id)).collect(),
        };
        let normal = facts.users.iter().filter(|(_, user)| user.standing == Standing::Normal).map(|(&id, _)| id);
        let owners = match kind {
            Kind::Full | Kind::Public => normal.collect(),
            Kind::FullWithConsent => normal.filter(|&id| consenting.contains(id)).collect(),
        };
        let of_rows = facts.recipients.keys().chain(facts.bot_recipients.keys());
        let recipients = of_rows.chain(facts.bare.keys()).copied().collect();
        let seen: IdSet = facts
            .members
            .iter()
            .filter(|(_, user)| consenting.contains(*user))
            .map(|&(recipient, _)| recipient)
            .collect();
        let mut rules = Self { kind, consenting, owners, recipients, reach: HashMap::new() };
        for (&recipient, &(kind, of)) in &facts.recipients {
            let reach = rules.reach_of(facts, kind, of, seen.contains(recipient));
            rules.reach.insert(recipient, reach);
        }
        for &recipient in facts.bot_recipients.keys().chain(facts.bare.keys()) {
            let reach = if rules.kind == Kind::Public { Reach::None } else { Reach::FromOwn };
            rules.reach.insert(recipient, reach);
        }
        rules
    }

    fn reach_of(&self, facts: &Facts, kind: i64, of: i64, seen: bool) -> Reach {
        if self.kind == Kind::Full {
            return Reach::All;
        }
        let stream = facts.streams.get(&of).filter(|_| kind == STREAM);
        match stream {
            Some(stream) if !stream.invite_only => return Reach::All,
            _ if self.kind == Kind::Public => return Reach::None,
            _ => {}
        }
        match (kind, seen) {
            (STREAM, true) if stream.is_some_and(|stream| stream.history_public) => Reach::All,
            (STREAM, true) => Reach::Witnessed,
            (GROUP, true) => Reach::All,
            (PERSONAL, _) if self.consenting.contains(of) => Reach::All,
            (PERSONAL, _) => Reach::FromOwn,
            _ => Reach::None,
        }
    }

    /// Which messages to a recipient the export may hold.
    pub(super) fn reach(&self, recipient: i64) -> Reach {
        self.reach.get(&recipient).copied().unwrap_or(Reach::None)
    }

    /// Whether a user may send where only what is a user's own is exported.
    pub(super) fn sends_own(&self, sender: i64) -> bool {
        match self.kind {
            Kind::Full => self.owners.contains(sender),
            Kind::FullWithConsent => self.consenting.contains(sender),
            Kind::Public => false,
        }
    }
}
