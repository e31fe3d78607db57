//! Checks on the restored files.

use std::cell::RefCell;

use camino::Utf8Path;
use postgres::Client;

use crate::backup::cross_check::ExpectedFiles;
use crate::fs::{self, Walk, WalkKind};
use crate::site::settings_py::{Lookup, SettingsPy};
use crate::site::{Secrets, ZulipConf};
use crate::{Error, Finding, Result, Secret};

/// What a server cannot start without.
const NEEDED_SECRETS: [&str; 3] = ["secret_key", "avatar_salt", "shared_secret"];

/// The restored settings: whether the server could read them, and what a text says of them.
pub(super) struct SettingsFacts {
    pub(super) detail: String,
    pub(super) avatar_salt: Option<Secret>,
}

/// Reads restored settings as the server would: `zulip.conf`, `settings.py`, the secrets. `directory` holds `settings/` of
/// a production server or `zproject/` of a development one; `None` where neither is there.
pub(super) fn settings(directory: &Utf8Path, found: &mut dyn FnMut(Finding)) -> Result<Option<SettingsFacts>> {
    let production = directory.join("settings");
    let development = directory.join("zproject/dev-secrets.conf");
    let secrets_file = if fs::is_dir(&production) { production.join("zulip-secrets.conf") } else { development };
    if !fs::is_dir(&production) && !fs::is_file(&secrets_file) {
        return Ok(None);
    }
    let mut secrets = None;
    match fs::read_to_string(&secrets_file) {
        Ok(text) => secrets = Some(Secrets::parse(secrets_file.clone(), &text)),
        Err(error) => found(Finding::error("settings-unreadable", secrets_file.to_string(), error.chain())),
    }
    let names = secrets.as_ref().map_or(0, |secrets| secrets.names().count());
    if let Some(secrets) = &secrets {
        for name in NEEDED_SECRETS.into_iter().filter(|name| secrets.get(name).is_none()) {
            found(Finding::warning("secret-missing", name, "is not among the secrets: generate_secrets.py would make a new one"));
        }
    }
    let mut detail = format!("{names} secrets");
    if fs::is_dir(&production) {
        let conf = production.join("zulip.conf");
        match fs::read_to_string(&conf) {
            Ok(text) => {
                let parsed = ZulipConf::parse(conf.clone(), &text);
                if parsed.get("machine", "deploy_type").is_none() {
                    found(Finding::error("settings-unreadable", "zulip.conf", "has no deploy_type in [machine]"));
                }
            }
            Err(error) => found(Finding::error("settings-unreadable", conf.to_string(), error.chain())),
        }
        let settings = production.join("settings.py");
        match fs::read_to_string(&settings).map(|text| SettingsPy::parse(&text)) {
            Ok(Ok(parsed)) => {
                if let Lookup::Known(host) = parsed.get("EXTERNAL_HOST") {
                    detail.push_str(&format!(", EXTERNAL_HOST {}", host.to_python_str()));
                }
            }
            Ok(Err(fault)) => found(Finding::error("settings-unreadable", "settings.py", fault.to_string())),
            Err(error) => found(Finding::error("settings-unreadable", settings.to_string(), error.chain())),
        }
    }
    let avatar_salt = secrets.as_ref().and_then(|secrets| secrets.get("avatar_salt").cloned());
    Ok(Some(SettingsFacts { detail, avatar_salt }))
}

/// Every file that a restored row refers to, looked for among the restored files. Returns how many files there are.
pub(super) fn uploads(
    client: &mut Client,
    directory: &Utf8Path,
    salt: Option<&Secret>,
    work: &Utf8Path,
    found: &mut dyn FnMut(Finding),
) -> Result<u64> {
    let spill = tempfile::tempfile_in(work).map_err(|error| Error::io("create a file in", work, error))?;
    let mut expected = ExpectedFiles::collect(client, salt, spill)?;
    expected.findings.drain(..).for_each(&mut *found);
    let mut check = expected.compare()?;
    let found = RefCell::new(found);
    let tell = |finding: Finding| {
        found.borrow_mut()(finding);
        Ok(())
    };
    let mut files = 0;
    for entry in Walk::new(directory)? {
        if entry.kind == WalkKind::File {
            files += 1;
            check.file(&entry.relative, &tell)?;
        }
    }
    check.finish(&tell)?;
    Ok(files)
}
