//! Back up, verify, restore and rehearse whole Zulip servers.

pub mod archive;
pub mod backup;
pub mod codec;
pub mod diff;
pub mod drill;
mod error;
pub mod export;
mod finding;
pub mod fs;
mod ids;
pub mod images;
pub mod import;
pub mod memcached;
pub mod package;
mod percent;
mod pipeline;
pub mod postgres;
pub mod process;
mod progress;
mod random;
pub mod realm;
pub mod restore;
mod rewrite;
mod rows;
pub mod schema;
mod secret;
pub mod site;
pub mod units;
pub mod upgrade;
pub mod uploads;
pub mod validate;

pub use error::{Error, ErrorKind, Result};
pub use finding::{CodeCount, Finding, Findings, Severity};
pub use progress::{Event, Progress, Recorder, Silent, Task, Unit};
pub use secret::Secret;
