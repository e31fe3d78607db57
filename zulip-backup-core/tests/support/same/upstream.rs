//! What upstream's importer makes up, and what therefore differs between any two imports of the same export.

use super::exception::{Exception, Kind};

/// The rows that the importer writes into the audit log itself: those of the internal organisation, and what it notes
/// of the imported one (changes of settings, plan and the import).
const WRITTEN_NOW: &str = "realm_id = 1 OR event_type = 229 OR (event_type IN (204, 207) AND id > (SELECT max(id) - 3 FROM zerver_realmauditlog))";

const INTERNAL: &str = "realm_id = 1";

/// The exceptions of every import of a Zulip export into a server without organisations.
pub const MADE_UP: &[Exception] = &[
    Exception::new("zerver_realm", "uuid", Kind::Random, "the internal organisation's is new").only("id = 1"),
    Exception::new("zerver_realm", "uuid_owner_secret", Kind::Random, "the internal organisation's is new")
        .only("id = 1"),
    Exception::new("zerver_realm", "date_created", Kind::Time, "the internal organisation is new").only("id = 1"),
    Exception::new("zerver_userprofile", "password", Kind::Random, "no export has passwords"),
    Exception::new("zerver_userprofile", "api_key", Kind::Random, "no export has keys"),
    Exception::new("zerver_userprofile", "uuid", Kind::Random, "no Zulip export has it"),
    Exception::new("zerver_userprofile", "date_joined", Kind::Time, "the internal bots are new").only(INTERNAL),
    Exception::new("zerver_userprofile", "last_login", Kind::Time, "the internal bots are new").only(INTERNAL),
    Exception::new("zerver_service", "token", Kind::Random, "made anew"),
    Exception::new("zerver_realmauditlog", "event_time", Kind::Time, "the time of the import").only(WRITTEN_NOW),
    Exception::new("zerver_attachment", "path_id", Kind::Stored, "files get new paths"),
    Exception::new("zerver_imageattachment", "path_id", Kind::Stored, "files get new paths"),
    Exception::new("zerver_message", "content", Kind::Stored, "links to stored files"),
    Exception::new("zerver_message", "rendered_content", Kind::Html, "links to stored files, and other serialisation"),
    Exception::new("zerver_scheduledmessage", "content", Kind::Stored, "links to stored files"),
    Exception::new("zerver_scheduledmessage", "rendered_content", Kind::Html, "links to stored files"),
];
