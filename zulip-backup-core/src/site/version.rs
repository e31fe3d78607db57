//! Which Zulip it is.

use serde::Serialize;

use super::deployment::Deployment;
use super::host::Host;
use super::script::ScriptRunner;
use super::settings_py::{Literal, SettingsPy};
use crate::{Error, ErrorKind, Result, Silent};

const MAX_BYTES: u64 = 1 << 20;

/// Upstream's flags, so that a backup's `zulip-version` has the same second line.
const DESCRIBE: [&str; 6] = ["describe", "--tags", "--match=[0-9]*", "--always", "--dirty", "--long"];

/// The version of a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ZulipVersion {
    /// What the server calls itself: `10.1`, or a `git describe` text like `10.1-12-gabcdef` for a deployment from git.
    pub version: String,
    /// What `git describe --tags --match=[0-9]* --always --dirty --long` says in the deployment; absent without git.
    pub git_describe: Option<String>,
    /// The upstream version a modified deployment is based on.
    pub merge_base: Option<String>,
    /// The API feature level.
    pub feature_level: Option<u32>,
}

impl ZulipVersion {
    /// The lines of a backup's `zulip-version` file, each ended by a newline.
    pub fn file_text(&self) -> String {
        let mut text = format!("{}\n", self.version);
        if let Some(described) = &self.git_describe {
            text.push_str(described);
            text.push('\n');
        }
        text
    }

    /// One that somebody has said.
    pub(super) fn given(text: &str) -> Result<Self> {
        let version = line(text.trim())
            .ok_or_else(|| Error::new(ErrorKind::Usage, format!("{text:?} is no version: expected one line")))?;
        Ok(Self { version, git_describe: None, merge_base: None, feature_level: None })
    }

    pub(super) fn of(host: &Host, deployment: &Deployment, runner: &dyn ScriptRunner) -> Result<Self> {
        let path = deployment.path().join("version.py");
        let text = host.read(&path, MAX_BYTES)?.ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("cannot tell the Zulip version: there is no {path}"))
                .with_path(&path)
        })?;
        let git_version = host.read(&deployment.path().join("zulip-git-version"), MAX_BYTES)?;
        let mut version = Self::parse(&text, git_version.as_deref())
            .map_err(|message| Error::new(ErrorKind::Config, format!("{path}: {message}")).with_path(&path))?;
        let call = deployment.command("git").args(DESCRIBE).quiet().env("GIT_OPTIONAL_LOCKS", "0").timeout_seconds(60);
        let described = deployment.as_reader(call).run(runner, &Silent).ok();
        version.git_describe = described.and_then(|output| line(output.stdout.trim()));
        Ok(version)
    }

    /// From the texts of `version.py` and, where it exists, `zulip-git-version`.
    fn parse(version_py: &str, git_version: Option<&str>) -> Result<Self, String> {
        let parsed = SettingsPy::parse(version_py).map_err(|fault| fault.to_string())?;
        let mut lines = git_version.unwrap_or_default().lines();
        let described = lines.next().and_then(|first| line(first.trim()));
        let version = match (described, parsed.first_literal("ZULIP_VERSION")) {
            (Some(described), _) => described,
            (None, Some(Literal::Str(text))) => line(text.trim()).ok_or("ZULIP_VERSION is empty")?,
            (None, _) => return Err("it does not say ZULIP_VERSION".to_owned()),
        };
        let feature_level = match parsed.first_literal("API_FEATURE_LEVEL") {
            Some(Literal::Int(level)) => u32::try_from(*level).ok(),
            _ => None,
        };
        Ok(Self {
            version,
            git_describe: None,
            merge_base: lines.next().and_then(|next| line(next.trim())),
            feature_level,
        })
    }
}

/// A text fit for one line of a version file.
fn line(text: &str) -> Option<String> {
    (!text.is_empty() && text.len() <= 200 && !text.contains(char::is_control)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERSION_PY: &str = "import os\nZULIP_VERSION = \"11.0-dev+git\"\nlines = [ZULIP_VERSION, \"\"]\nif os.path.exists(p):\n    \
        with open(p) as f:\n        lines = [*f, \"\", \"\"]\nZULIP_VERSION = lines.pop(0).strip()\nAPI_FEATURE_LEVEL = 372\n";

    #[test]
    fn the_literal_stands_unless_git_says_better() {
        let plain = ZulipVersion::parse(VERSION_PY, None).unwrap();
        assert_eq!((plain.version.as_str(), plain.feature_level), ("11.0-dev+git", Some(372)));
        assert_eq!(plain.file_text(), "11.0-dev+git\n");
        let git = ZulipVersion::parse(VERSION_PY, Some("10.1-12-gabcdef\n10.1\n")).unwrap();
        assert_eq!((git.version.as_str(), git.merge_base.as_deref()), ("10.1-12-gabcdef", Some("10.1")));
    }

    #[test]
    fn nonsense_is_named() {
        assert!(ZulipVersion::parse("X = 1\n", None).unwrap_err().contains("ZULIP_VERSION"));
        assert!(ZulipVersion::parse("ZULIP_VERSION = 'a\\nb'\n", None).is_err());
        assert!(ZulipVersion::parse("ZULIP_VERSION = '", None).unwrap_err().contains("line 1"));
    }
}
