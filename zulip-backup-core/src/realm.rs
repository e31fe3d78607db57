//! The organisations of a server: what is there, and what an administrator does to one.
//!
//! Each change follows the shape of every verb: options, a plan that can be shown, a report. All rows change in one
//! transaction; what the server's processes remember is forgotten afterwards, or the report says how.
//!
//! ```no_run
//! use zulip_backup_core::realm;
//! use zulip_backup_core::site::Site;
//!
//! let site = Site::discover()?;
//! println!("{}", realm::list(&site)?);
//! println!("{}", realm::show(&site, "engineering")?);
//! # Ok::<(), zulip_backup_core::Error>(())
//! ```

mod caches;
mod change;
pub mod deactivate;
mod deactivation;
pub mod delete;
mod find;
mod journal;
mod list;
mod open;
pub mod reactivate;
pub mod rename;
mod sessions;
mod show;
mod subdomain;

use std::fmt;

pub(crate) use caches::Caches;
pub(crate) use deactivation::{Deactivation, SELF_HOSTING_MIGRATION, already, user_counts};
pub(crate) use find::{Realm, exists, find};
pub use list::{RealmList, RealmSummary, list};
pub(crate) use open::{connect, search_path};
pub(crate) use show::host;
pub use show::{Channels, FilePresence, RealmDetails, RealmExports, UsersByRole, show};
pub use subdomain::{Existing, Subdomain};

use crate::Findings;

/// The organisation of the bots that all others share. Nothing works without it.
pub(crate) const SYSTEM_REALM: &str = "zulipinternal";

/// The end of a report, but for its last line.
fn show_rest(f: &mut fmt::Formatter<'_>, findings: &Findings, next_steps: &[String]) -> fmt::Result {
    for finding in &findings.list {
        writeln!(f, "{:9} {finding}", finding.severity)?;
    }
    next_steps.iter().try_for_each(|step| writeln!(f, "next      {step}"))
}
