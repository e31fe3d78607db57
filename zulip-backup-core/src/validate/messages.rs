//! The files with messages, each on its own: any number of threads checks any number of them.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Mutex;

use crate::ids::IdSet;
use crate::package::Kind;
use crate::rows::{self, Cell, Counts, RowParser, Shape, Sink};
use crate::schema::RowRule;
use crate::validate::facts::Facts;
use crate::validate::rules::{Reach, Rules};
use crate::validate::texts::Texts;
use crate::validate::unique::Uniques;
use crate::{Error, ErrorKind, Finding, Findings, Result};

/// What all files with messages are judged by.
pub(super) struct Judge<'a> {
    pub(super) shapes: &'a [Shape],
    pub(super) facts: &'a Facts,
    pub(super) rules: &'a Rules,
    pub(super) seen: Mutex<Seen>,
}

/// What the files together hold.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) messages: IdSet,
    pub(super) user_messages: IdSet,
    /// Clients that messages name.
    pub(super) clients: IdSet,
    /// Rows of each list by file.
    pub(super) counts: BTreeMap<String, Counts>,
    /// The first and last message of each file, by its number.
    pub(super) ranges: BTreeMap<u64, (i64, i64)>,
    pub(super) findings: Findings,
}

impl Judge<'_> {
    /// Checks one file.
    ///
    /// # Errors
    /// What its source answers.
    pub(super) fn file(&self, name: &str, number: u64, content: &mut (dyn Read + Send)) -> Result<()> {
        let mut file = File::new(self, name);
        let mut findings = Findings::default();
        let counts = rows::read(name, content, self.shapes, &mut file, &mut findings)?;
        let sound = counts.is_some();
        file.end(sound);
        let File { messages, user_messages, clients, findings: more, .. } = file;
        findings.extend(more);
        let mut seen = self.seen.lock().map_err(|_| broken())?;
        let Seen { messages: all, user_messages: all_of_users, clients: all_clients, counts: by_file, ranges, .. } =
            &mut *seen;
        if let Some(counts) = counts {
            if counts.values().all(|&rows| rows == 0) || messages.is_empty() {
                let message = "has no message: Zulip writes no such file unless messages are deleted meanwhile";
                findings.push(Finding::warning("message-file-empty", name, message));
            }
            by_file.insert(name.trim_end_matches(".json").to_owned(), counts);
        }
        if let (Some(&low), Some(&high)) = (messages.iter().min(), messages.iter().max()) {
            ranges.insert(number, (low, high));
        }
        let mut twice = |list: &str, id: i64| {
            let message = "is an id that more than one row has, here or in another file";
            findings.push(Finding::error("id-duplicate", format!("{name} {list} {id}"), message));
        };
        all.extend(&messages, |id| twice("zerver_message", id));
        all_of_users.extend(&user_messages, |id| twice("zerver_usermessage", id));
        all_clients.extend(&clients, |_| {});
        seen.findings.extend(findings);
        Ok(())
    }
}

pub(super) fn broken() -> Error {
    Error::new(ErrorKind::Io, "a thread of the check ended unexpectedly")
}

/// One file on its way.
struct File<'j> {
    judge: &'j Judge<'j>,
    name: &'j str,
    messages: Vec<i64>,
    user_messages: Vec<i64>,
    clients: Vec<i64>,
    /// The messages, once all were read.
    own: Option<IdSet>,
    /// What users have of messages, each once: both rows would have to be in this file, where the message is.
    uniques: Uniques,
    texts: Texts,
    /// User messages that came before the messages: the message, and the row.
    waiting: Vec<(i64, i64)>,
    /// Messages that a consenting user has to have.
    unproved: Vec<i64>,
    /// Messages that one has.
    witnessed: Vec<i64>,
    findings: Findings,
}

impl<'j> File<'j> {
    fn new(judge: &'j Judge<'j>, name: &'j str) -> Self {
        Self {
            judge,
            name,
            messages: Vec::new(),
            user_messages: Vec::new(),
            clients: Vec::new(),
            own: None,
            uniques: Uniques::default(),
            texts: Texts::default(),
            waiting: Vec::new(),
            unproved: Vec::new(),
            witnessed: Vec::new(),
            findings: Findings::default(),
        }
    }

    fn message(&mut self, row: &RowParser<'_>, id: i64) {
        self.references(row, id);
        let object = || format!("{} zerver_message {id}", self.name);
        if let Some(finding) = self.texts.message(row, object) {
            self.findings.push(finding);
        }
        if let Some(client) = row.integer("sending_client")
            && self.clients.last() != Some(&client)
        {
            self.clients.push(client);
        }
        let (sender, recipient) = (row.integer("sender").unwrap_or(-1), row.integer("recipient").unwrap_or(-1));
        let rules = self.judge.rules;
        let why = match rules.reach(recipient) {
            Reach::All => return,
            Reach::Witnessed => return self.unproved.push(id),
            Reach::FromOwn if rules.sends_own(sender) => return,
            // Said already: the recipient is not in the export.
            Reach::None if rules.kind == Kind::Full => return,
            Reach::FromOwn => "was neither sent nor received by a user whose messages are exported",
            Reach::None => "was sent to a recipient whose messages are not exported",
        };
        self.findings.push(unjustified("message-unjustified", self.object("zerver_message", id), why, rules.kind));
    }

    fn user_message(&mut self, row: &RowParser<'_>, id: i64) {
        self.references(row, id);
        let (user, message) = (row.integer("user_profile").unwrap_or(-1), row.integer("message").unwrap_or(-1));
        self.uniques.check(self.name, row, id, &mut self.findings);
        match &self.own {
            Some(own) if own.contains(message) => {}
            Some(_) => self.strange(message, id),
            None => self.waiting.push((message, id)),
        }
        if !self.judge.rules.owners.contains(user) {
            if self.judge.facts.users.contains_key(&user) {
                let why = "is of a user who has no such rows in an export of this kind";
                let object = self.object("zerver_usermessage", id);
                self.findings.push(unjustified("user-message-unjustified", object, why, self.judge.rules.kind));
            }
        } else if self.judge.rules.kind == Kind::FullWithConsent {
            self.witnessed.push(message);
        }
    }

    /// A user message whose message is not in the same file.
    fn strange(&mut self, message: i64, id: i64) {
        let what = format!("message refers to zerver_message {message}, which is not in the same file");
        self.findings.push(Finding::error("dangling-reference", self.object("zerver_usermessage", id), what));
    }

    fn references(&mut self, row: &RowParser<'_>, id: i64) {
        for (at, field) in row.shape.fields.iter().enumerate() {
            let (Some(target), Cell::Int(value)) = (&field.references, row.cell(at)) else { continue };
            let known = match target.as_str() {
                "zerver_message" => continue,
                "zerver_recipient" => Some(&self.judge.rules.recipients),
                target => self.judge.facts.ids(target),
            };
            if !known.is_some_and(|known| known.contains(value)) {
                let what = format!("{} refers to {target} {value}, which is not in the export", field.key);
                self.findings.push(Finding::error("dangling-reference", self.object(&row.shape.list, id), what));
            }
        }
    }

    fn object(&self, list: &str, id: i64) -> String {
        format!("{} {list} {id}", self.name)
    }

    /// What can be said only now. Of a file that is cut off only what was read is.
    fn end(&mut self, sound: bool) {
        let own = self.own.take().unwrap_or_default();
        for (message, id) in std::mem::take(&mut self.waiting) {
            if sound && !own.contains(message) {
                self.strange(message, id);
            }
        }
        let witnessed: IdSet = std::mem::take(&mut self.witnessed).into_iter().collect();
        for id in std::mem::take(&mut self.unproved) {
            if sound && !witnessed.contains(id) {
                let why = "is in a channel whose history is hidden from new subscribers, and no consenting user has it";
                let object = self.object("zerver_message", id);
                self.findings.push(unjustified("message-unjustified", object, why, self.judge.rules.kind));
            }
        }
    }
}

/// Something that the rules do not allow.
pub(super) fn unjustified(code: &str, object: String, why: &str, kind: Kind) -> Finding {
    Finding::error(code, object, format!("{why}: it does not belong into an export of the kind {kind}"))
        .with_hint("do not hand this export out; export again")
}

impl Sink for File<'_> {
    fn row(&mut self, row: &RowParser<'_>, id: i64) {
        match row.shape.rule {
            RowRule::Messages => self.message(row, id),
            RowRule::UserMessages => self.user_message(row, id),
            _ => {}
        }
    }

    fn list(&mut self, shape: &Shape, ids: &[i64]) {
        match shape.rule {
            RowRule::Messages => {
                self.messages.extend_from_slice(ids);
                let own = self.own.get_or_insert_default();
                own.extend(ids, |_| {});
            }
            RowRule::UserMessages => self.user_messages.extend_from_slice(ids),
            _ => {}
        }
    }
}
