//! The directory Zulip runs from, and the calls of what is in it.

use std::os::unix::fs::MetadataExt;

use camino::{Utf8Path, Utf8PathBuf};

use super::host::Host;
use super::options::Given;
use super::provenance::{Known, Origin};
use super::script::{ScriptCall, is_inner};
use crate::process::SystemUser;
use crate::{Error, ErrorKind, Result, fs};

/// Where a production server's running deployment is linked.
pub(super) const CURRENT: &str = "/home/zulip/deployments/current";

/// A Zulip deployment: an unpacked release or a checkout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    path: Utf8PathBuf,
    named: Utf8PathBuf,
    origin: Origin,
    owner: SystemUser,
    caller_uid: u32,
}

impl Deployment {
    pub(super) fn open(host: &Host, given: &Given, caller_uid: u32) -> Result<Self> {
        let found = || Known::new(host.path(CURRENT), Origin::Found(host.path(CURRENT)));
        let Known { value: named, origin } = given.deployment.clone().unwrap_or_else(found);
        let hint = "name the deployment with --deployment or ZULIP_BACKUP_DEPLOYMENT";
        let Some(path) = host.find(&named)? else {
            return Err(Error::new(
                ErrorKind::NotFound,
                format!("there is no Zulip deployment at {named} (from {origin})"),
            )
            .with_path(named)
            .with_hint(hint));
        };
        if given.zulip_version.is_none() && !fs::is_file(&path.join("version.py")) {
            return Err(Error::new(
                ErrorKind::Config,
                format!("{named} is not a Zulip deployment: it has no version.py"),
            )
            .with_path(named)
            .with_hint(hint));
        }
        let metadata =
            fs::metadata(&path)?.ok_or_else(|| Error::io("look at", &path, std::io::ErrorKind::NotFound.into()))?;
        let owner = host.user_by_id(metadata.uid(), metadata.gid());
        Ok(Self { path, named, origin, owner, caller_uid })
    }

    /// The directory, links resolved.
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// The directory as it was named, perhaps a link such as `/home/zulip/deployments/current`.
    pub fn named(&self) -> &Utf8Path {
        &self.named
    }

    /// Where the name comes from.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The user the directory belongs to, `zulip` on a production server: the one Zulip's programs run as.
    pub fn owner(&self) -> &SystemUser {
        &self.owner
    }

    /// Whether the deployment has that script.
    pub fn has(&self, script: &str) -> bool {
        is_inner(Utf8Path::new(script)) && fs::is_file(&self.path.join(script))
    }

    /// A call of a script of the deployment, as its owner: `scripts/restart-server`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where the deployment has no such script, [`ErrorKind::Usage`] for a path that leads out.
    pub fn script(&self, script: &str) -> Result<ScriptCall> {
        if !is_inner(Utf8Path::new(script)) {
            return Err(Error::new(ErrorKind::Usage, format!("{script:?} is not a path inside the deployment")));
        }
        if !self.has(script) {
            return Err(Error::new(ErrorKind::NotFound, format!("the deployment {} has no {script}", self.path))
                .with_path(self.path.join(script)));
        }
        // A leading directory keeps the name from being looked up in PATH.
        let program = if script.contains('/') { script.to_owned() } else { format!("./{script}") };
        Ok(ScriptCall::new(program, &self.path).user(self.owner.clone()))
    }

    /// A call of a program of the system, in the deployment's directory and as its owner.
    pub fn command(&self, program: &str) -> ScriptCall {
        ScriptCall::new(program, &self.path).user(self.owner.clone())
    }

    /// The same call as somebody who only asks: as the owner where that is possible, else as the caller.
    pub fn as_reader(&self, call: ScriptCall) -> ScriptCall {
        if self.caller_uid == 0 || self.caller_uid == self.owner.uid { call } else { call.as_caller() }
    }

    /// The directory whose existence means that an upgrade (or a restart of one) is going on.
    ///
    /// Only where the deployment lies in a directory of deployments: the parent of a checkout is somebody's home.
    pub fn upgrade_lock(&self) -> Option<Utf8PathBuf> {
        let parents = [self.path.parent(), self.named.parent()].into_iter().flatten();
        let locks =
            parents.filter(|parent| parent.file_name() == Some("deployments")).map(|parent| parent.join("lock"));
        locks.into_iter().find(|lock| matches!(fs::symlink_metadata(lock), Ok(Some(_))))
    }
}
