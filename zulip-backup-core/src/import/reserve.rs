//! New ids, taken before a row is written: rows name each other in any order.

use std::collections::BTreeMap;

use postgres::Client;

use crate::ids::{IdSet, Of};
use crate::import::clients::{self, NewClient};
use crate::import::ids::Ids;
use crate::import::{conversion, recipients, shared};
use crate::package::Package;
use crate::validate::{Examined, Facts};
use crate::{Progress, Result};

/// Tables whose rows are named by others, in the order in which ids are taken; messages come last.
const RESERVED: [Of; 11] = [
    Of::Realm,
    Of::Stream,
    Of::User,
    Of::UserGroup,
    Of::Recipient,
    Of::Huddle,
    Of::Emoji,
    Of::ProfileField,
    Of::ScheduledMessage,
    Of::Attachment,
    Of::ChannelFolder,
];

/// How many ids are taken from each sequence.
pub(super) fn counts(examined: &Examined) -> BTreeMap<String, u64> {
    let mut counts: BTreeMap<String, u64> =
        RESERVED.into_iter().map(|of| (of.table().to_owned(), old(&examined.facts, of).len())).collect();
    counts.retain(|table, _| examined.release.catalog.table(table).is_ok());
    *counts.entry(Of::Recipient.table().to_owned()).or_default() += examined.facts.bare.len() as u64;
    counts.insert(Of::Message.table().to_owned(), examined.messages.len());
    counts
}

/// Takes new ids, and names what is on the server already. The clients that it lacks come back.
///
/// # Errors
/// `Refused` where the server lacks a bot of the system, and what disk and database answer.
pub(super) fn reserve(
    client: &mut Client,
    examined: &Examined,
    package: &Package,
    progress: &dyn Progress,
) -> Result<(Ids, Vec<NewClient>)> {
    let Examined { facts, messages, .. } = examined;
    let mut ids = Ids::default();
    for of in RESERVED {
        // Users are in two lists, and counted in the order of their ids.
        let order = if of == Of::User { None } else { facts.orders.get(of.table()) };
        ids.reserve(client, of, old(facts, of), order)?;
    }
    let order = facts.sort_by_date.then(|| conversion::order_of_messages(package, progress)).transpose()?;
    ids.reserve(client, Of::Message, messages.clone(), order.as_ref())?;
    recipients::reserve(client, &mut ids, facts)?;
    shared::name_bots(client, &mut ids, facts)?;
    let new_clients = clients::name(client, &mut ids, facts)?;
    Ok((ids, new_clients))
}

/// The ids of the export's rows, without the bots that all organisations share: these are here already.
fn old(facts: &Facts, of: Of) -> IdSet {
    let ids = facts.ids(of.table()).cloned().unwrap_or_default();
    if of == Of::User { ids.iter().filter(|id| !facts.is_bot(*id)).collect() } else { ids }
}
