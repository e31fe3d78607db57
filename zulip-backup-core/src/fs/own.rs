//! Names of what this program keeps for its next command in a directory that is another's: files of an import or a deletion
//! on their way, the trees before and after a restore. `create` leaves them out.

use std::ffi::OsStr;
use std::fmt::Display;
use std::os::unix::ffi::OsStrExt;

const PREFIX: &str = ".zulip-backup-";

/// The name of what is kept `for_what`, with whose it is.
pub(crate) fn own_name(for_what: &str, whose: impl Display) -> String {
    format!("{PREFIX}{for_what}-{whose}")
}

/// Whose it is, where something of this name is kept `for_what`.
pub(crate) fn own_whose<'a>(name: &'a str, for_what: &str) -> Option<&'a str> {
    name.strip_prefix(PREFIX)?.strip_prefix(for_what)?.strip_prefix('-')
}

/// Whether this is the name of anything of this program's own.
pub(super) fn is_own(name: &OsStr) -> bool {
    name.as_bytes().starts_with(PREFIX.as_bytes())
}
