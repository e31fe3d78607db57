//! What an export says of bots that all organisations of a server share.
//!
//! An importer takes the server's own for them. So whoever writes a file could have rows be somebody's of another
//! organisation, by naming that user as such a bot; or give a bot that everybody uses rows of its own.

use crate::schema::Release;
use crate::validate::facts::Facts;
use crate::validate::rules::PERSONAL;
use crate::{Finding, Findings};

/// Lists and keys that may name such a bot: what it did in the organisation, and what others did about it.
const MAY_NAME: [(&str, &str); 9] = [
    ("zerver_attachment", "owner"),
    ("zerver_muteduser", "muted_user"),
    ("zerver_reaction", "user_profile"),
    ("zerver_realmauditlog", "acting_user"),
    ("zerver_realmauditlog", "modified_user"),
    ("zerver_realmemoji", "author"),
    ("zerver_realmexport", "acting_user"),
    ("zerver_stream", "creator"),
    ("analytics_usercount", "user"),
];

/// The same where conversations with them are exported.
const MAY_TALK: [(&str, &str); 2] = [("zerver_subscription", "user_profile"), ("zerver_submessage", "sender")];

/// The list of `realm.json` whose rows may be messages to one.
const MAY_WRITE_TO: &str = "zerver_scheduledmessage";

/// Looks whether bots are bots, and whether what names them may. `file_of` says in which file a list is.
pub(super) fn check(facts: &Facts, release: &Release, file_of: &dyn Fn(&str) -> String) -> Findings {
    let mut findings = Findings::default();
    let known = &release.defaults.internal_bots;
    for (id, bot) in facts.bots() {
        if !known.iter().any(|known| known.email.eq_ignore_ascii_case(&bot.email)) {
            let object = format!("realm.json zerver_userprofile_crossrealm {id}");
            let message = format!("{:?} is the address of no bot that all organisations share", bot.email);
            findings.push(Finding::error("bot-unknown", object, message).with_hint("do not trust this file"));
        }
    }
    let conversations: &[(&str, &str)] =
        if release.export.exporter.exports_bot_conversations { &MAY_TALK } else { &[] };
    let may_name = |list: &str, key: &str| MAY_NAME.iter().chain(conversations).any(|pair| *pair == (list, key));
    let is_of_bot = |id: i64| facts.bot_recipients.contains_key(&id) && !facts.recipients.contains_key(&id);
    let mut named = |list: &str, row: i64, what: String| {
        let message = format!("{what} of a bot that all organisations share: no export has such a row");
        findings.push(Finding::error("bot-named", format!("{} {list} {row}", file_of(list)), message));
    };
    for (list, key, target, value, row) in facts.links.all() {
        match target {
            "zerver_userprofile" if facts.is_bot(value) && !may_name(list, key) => {
                named(list, row, format!("{key} is {value}, the id"));
            }
            "zerver_recipient" if is_of_bot(value) && list != MAY_WRITE_TO => {
                named(list, row, format!("{key} is {value}, the recipient"));
            }
            _ => {}
        }
    }
    for (&id, &(kind, of)) in &facts.recipients {
        if kind == PERSONAL && facts.is_bot(of) {
            named("zerver_recipient", id, format!("type_id is {of}, the id"));
        }
    }
    findings
}
