//! As whom a backup is made.
//!
//! Root's cron is where backups are started, and root is more than a backup needs: Zulip's own programs refuse to run
//! as root, and a mistake made as the deployment's owner can do less harm. So root starts the same command again as that
//! owner, in the same process.

use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};
use zulip_backup_core::process::{self, SystemUser};
use zulip_backup_core::site::Site;
use zulip_backup_core::{Error, ErrorKind, Result};

/// Variables that speak of the user who started this, or make programs load something from a place of that user's.
const LEFT_BEHIND: [&str; 12] = [
    "BASH_ENV",
    "DBUS_SESSION_BUS_ADDRESS",
    "ENV",
    "MAIL",
    "OLDPWD",
    "SSH_AUTH_SOCK",
    "XAUTHORITY",
    "PERL5LIB",
    "PERL5OPT",
    "PYTHONHOME",
    "PYTHONPATH",
    "PYTHONSTARTUP",
];
const LEFT_BEHIND_PREFIXES: [&str; 4] = ["LD_", "SUDO_", "XDG_", "BASH_FUNC_"];

/// When this is root and the deployment is somebody else's, starts the same command as that somebody and does not
/// return. `output` is where the archive will lie; absent for the system's directory for temporary files.
///
/// # Errors
/// [`ErrorKind::Refused`] when that user cannot write there, [`ErrorKind::Io`] when the program cannot be started.
pub fn become_owner(site: &Site, output: Option<&Utf8Path>, words: &[OsString]) -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    // Where there is no deployment, the plan will say so better.
    let Ok(deployment) = site.deployment() else { return Ok(()) };
    let owner = deployment.owner();
    if owner.uid == 0 {
        return Ok(());
    }
    let directory = match output {
        Some(path) => path.parent().filter(|parent| !parent.as_str().is_empty()).unwrap_or(".".into()).to_owned(),
        None => Utf8PathBuf::from_path_buf(env::temp_dir()).unwrap_or_else(|_| "/tmp".into()),
    };
    if !may_write(owner, &directory)? {
        return Err(Error::new(
            ErrorKind::Refused,
            format!("the backup is made as {}, who may not write to {directory}", owner.name),
        )
        .with_path(&directory)
        .with_hint(format!(
            "name an --output in a directory of that user's, or make one: install -d -o {0} -m 700 DIR",
            owner.name
        )));
    }
    let program = env::current_exe()
        .map_err(|error| Error::new(ErrorKind::Io, "cannot find this program's own file").with_source(error))?;
    let mut command = Command::new(&program);
    command.args(words.get(1..).unwrap_or_default());
    for (name, _) in env::vars_os() {
        if is_left_behind(&name.to_string_lossy()) {
            command.env_remove(name);
        }
    }
    process::run_as(&mut command, owner);
    let error = command.exec();
    Err(Error::new(ErrorKind::Io, format!("cannot start {} as {}", program.display(), owner.name))
        .with_hint("install the program where that user may run it, as in /usr/local/bin")
        .with_source(error))
}

/// Asks the system itself: neither mode bits nor our reading of them know about access control lists.
fn may_write(user: &SystemUser, directory: &Utf8Path) -> Result<bool> {
    if !directory.is_dir() {
        // Its absence has a message of its own.
        return Ok(true);
    }
    let mut test = Command::new("/bin/sh");
    test.args(["-c", "test -w \"$1\" && test -x \"$1\"", "sh", directory.as_str()]);
    process::run_as(&mut test, user);
    match process::run(test, ErrorKind::Refused) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::Refused => Ok(false),
        Err(error) => Err(error),
    }
}

fn is_left_behind(name: &str) -> bool {
    LEFT_BEHIND.contains(&name) || LEFT_BEHIND_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_speaks_of_root_stays_with_root() {
        for name in ["LD_PRELOAD", "SUDO_USER", "XDG_CONFIG_HOME", "PYTHONPATH", "BASH_ENV"] {
            assert!(is_left_behind(name), "{name}");
        }
        for name in ["PATH", "LANG", "TZ", "PGPASSWORD", "PGHOST", "ZULIP_BACKUP_DATABASE_URL", "TMPDIR", "TERM"] {
            assert!(!is_left_behind(name), "{name}");
        }
    }
}
