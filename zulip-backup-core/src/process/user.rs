//! A user of the operating system.

use camino::Utf8PathBuf;

/// A user a step can be run as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemUser {
    /// Login name.
    pub name: String,
    /// Numeric user id.
    pub uid: u32,
    /// Numeric primary group id.
    pub gid: u32,
    /// Home directory.
    pub home: Utf8PathBuf,
}
