//! The rows of every table.

mod accounts;
mod activity;
mod archive;
mod audit;
mod channels;
mod framework;
mod groups;
mod invitations;
mod messages;
mod personal;
mod realms;
mod uploads;

use std::io::{self, Write};

use zulip_backup_core::schema::Table;

use crate::copy::Rows;
use crate::world::World;

/// Tables that are empty on a self-hosted server: Django's unused permission groups, phone and billing features, and
/// the tables of the service that forwards push notifications.
pub(crate) const EMPTY_PREFIXES: [&str; 12] = [
    "auth_group",
    "corporate_",
    "otp_static_",
    "social_auth_association",
    "social_auth_code",
    "social_auth_nonce",
    "social_auth_partial",
    "third_party_api_results",
    "two_factor_phonedevice",
    "zerver_userprofile_groups",
    "zerver_userprofile_user_permissions",
    "zilencer_",
];

/// Writes the rows of one table as COPY text and gives their number.
pub(crate) fn write(world: &World, table: &Table, out: &mut dyn Write) -> io::Result<u64> {
    let mut rows = Rows::new(table, out);
    let known = [
        framework::write,
        realms::write,
        groups::write,
        accounts::write,
        personal::write,
        channels::write,
        messages::write,
        uploads::write,
        archive::write,
        activity::write,
        audit::write,
        invitations::write,
    ];
    for write in known {
        if write(world, &mut rows)? {
            break;
        }
    }
    rows.finish()
}
