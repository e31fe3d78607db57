//! A user of the operating system.

use std::process::{Command, Stdio};

use camino::{Utf8Path, Utf8PathBuf};

use crate::{Error, ErrorKind, Result, fs};

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

impl SystemUser {
    /// The user with this login name, from `/etc/passwd` or else from the directory service behind `getent`.
    ///
    /// Fails with [`ErrorKind::NotFound`] when there is none.
    pub fn by_name(name: &str) -> Result<Self> {
        // A leading dash would be an option to getent; the others cannot be part of an entry.
        let possible = !name.is_empty() && !name.starts_with('-') && !name.contains([':', '\n', '\0']);
        possible
            .then(|| lookup(name, |user| user.name == name))
            .flatten()
            .ok_or_else(|| Error::new(ErrorKind::NotFound, format!("there is no system user {name:?}")))
    }

    /// The user with this numeric id, looked up like [`by_name`](Self::by_name).
    pub fn by_uid(uid: u32) -> Result<Self> {
        lookup(&uid.to_string(), |user| user.uid == uid)
            .ok_or_else(|| Error::new(ErrorKind::NotFound, format!("there is no system user with the id {uid}")))
    }

    /// The user this process acts as (its effective id).
    ///
    /// Fails with [`ErrorKind::NotFound`] in a container started with an id that no user has.
    pub fn current() -> Result<Self> {
        Self::by_uid(current_uid())
    }

    /// Whether this process already acts as this user.
    pub fn is_current(&self) -> bool {
        self.uid == current_uid()
    }

    /// Whether the permission bits let this user, in its primary group only, do `wanted` (4 read, 2 write, 1 execute
    /// or enter) with what `path` leads to. Access control lists are not looked at.
    pub(crate) fn may(&self, wanted: u32, path: &Utf8Path) -> Result<bool> {
        use std::os::unix::fs::MetadataExt;
        let Some(metadata) = fs::metadata(path)? else { return Ok(false) };
        let shift = match (metadata.uid() == self.uid, metadata.gid() == self.gid) {
            (true, _) => 6,
            (false, true) => 3,
            (false, false) => 0,
        };
        Ok(self.uid == 0 || (metadata.mode() >> shift) & wanted == wanted)
    }
}

/// The effective user id of the calling thread.
pub(crate) fn current_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn lookup(key: &str, wanted: impl Fn(&SystemUser) -> bool) -> Option<SystemUser> {
    let local = fs::read(Utf8Path::new("/etc/passwd"), 16 << 20).unwrap_or_default();
    find(&local, &wanted).or_else(|| {
        let mut getent = Command::new("getent");
        getent.args(["passwd", key]).stdin(Stdio::null());
        find(&super::output(getent, ErrorKind::Io).ok()?, &wanted)
    })
}

fn find(entries: &[u8], wanted: impl Fn(&SystemUser) -> bool) -> Option<SystemUser> {
    // The comment field of somebody else may be in any encoding.
    String::from_utf8_lossy(entries).lines().filter_map(parse).find(wanted)
}

fn parse(line: &str) -> Option<SystemUser> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, _password, uid, gid, _comment, home, _shell] = fields[..] else { return None };
    Some(SystemUser { name: name.to_owned(), uid: uid.parse().ok()?, gid: gid.parse().ok()?, home: home.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_comment_does_not_hide_the_others() {
        let entries =
            b"# local\nb\xe4r:x:7:7:B\xe4r:/home/b:/bin/sh\nzulip:x:1000:1001:,,,:/home/zulip:/bin/bash\nshort:x:1\n";
        let user = find(entries, |user| user.name == "zulip").unwrap();
        assert_eq!((user.uid, user.gid, user.home.as_str()), (1000, 1001, "/home/zulip"));
        assert_eq!(find(entries, |user| user.name == "short"), None);
    }

    #[test]
    fn the_current_user_is_found_both_ways() {
        let user = SystemUser::current().unwrap();
        assert_eq!(SystemUser::by_name(&user.name).unwrap(), user);
        assert_eq!(SystemUser::by_uid(user.uid).unwrap(), user);
        assert!(user.is_current());
    }

    #[test]
    fn nobody_by_that_name() {
        for name in ["", "-s", "no-such-user-here", "root:x", "0"] {
            assert_eq!(SystemUser::by_name(name).unwrap_err().kind(), ErrorKind::NotFound, "{name:?}");
        }
    }
}
