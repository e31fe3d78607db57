//! What of the old server does not come along, for the plan.

use crate::Finding;
use crate::ids::IdSet;
use crate::import::ImportOptions;
use crate::import::plan::RealmRow;
use crate::validate::{Facts, Standing};

/// `zerver_realm.plan_type` of a server of one's own.
const SELF_HOSTED: i64 = 1;

/// All of it.
pub(super) fn find(row: &RealmRow, facts: &Facts, options: &ImportOptions) -> Vec<Finding> {
    let mut notes = Vec::new();
    let mut note = |object: &str, message: String| notes.push(Finding::note("not-kept", object, message));
    let own = || facts.users.values().filter(|user| user.standing == Standing::Normal);
    let people = own().filter(|user| !user.is_bot).count();
    note("passwords", format!("{people} users have none until they choose one"));
    let (bots, hooks) = (own().filter(|user| user.is_bot).count(), facts.ids("zerver_service").map_or(0, IdSet::len));
    let message = format!("{people} users and {bots} bots get new ones, and {hooks} outgoing webhooks new tokens");
    note("API keys", message);
    let left = "sessions, drafts, invitations, default channel groups, devices for push notifications";
    note(left, "are in no export".to_owned());
    let methods = &facts.authentication_methods;
    if !methods.is_empty() {
        let message = format!("{}: each works where AUTHENTICATION_BACKENDS of this server has it", methods.join(", "));
        note("ways to log in", message);
    }
    if row.push_notifications_enabled {
        note("mobile push notifications", "are off until this server is registered".to_owned());
    }
    if row.plan_type != SELF_HOSTED || row.max_invites.is_some() || row.message_visibility_limit.is_some() {
        note("plan and limits", "become those of a server of one's own".to_owned());
    }
    if facts.with_powers > 0 && !options.trust_server_powers {
        let message = format!("of {} users are not given here; --trust-server-powers gives them", facts.with_powers);
        note("powers over the whole server", message);
    }
    notes
}
