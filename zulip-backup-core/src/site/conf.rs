//! The settings directory, `zulip.conf`, and what they say about the kind of host.

use std::fmt;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

use super::Site;
use super::host::Host;
use super::ini::{self, Ini, Problem};
use super::provenance::{Known, Origin};
use super::secrets::Secrets;
use crate::{Error, ErrorKind, Result, fs};

const DOCKER_CLASS: &str = "zulip::profile::docker";

/// Whether people work on this server or on its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// `zulip.conf` has a `deploy_type`.
    Production,
    /// It has none.
    Development,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Production => "production",
            Self::Development => "development",
        })
    }
}

/// The directory with `settings.py`, `zulip.conf` and the secrets: `/etc/zulip`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SettingsDir {
    /// The directory, links resolved.
    pub path: Utf8PathBuf,
    /// The directory as it is called.
    pub named: Utf8PathBuf,
    /// Where the name itself is a symbolic link (as under Docker), what stands in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link_target: Option<Utf8PathBuf>,
}

/// `zulip.conf`; empty where there is none, which is how Zulip reads it too.
#[derive(Clone, Default)]
pub struct ZulipConf {
    path: Utf8PathBuf,
    exists: bool,
    ini: Ini,
}

impl ZulipConf {
    /// Reads the text of a `zulip.conf`; `path` is what messages call it.
    pub fn parse(path: impl Into<Utf8PathBuf>, text: &str) -> Self {
        Self { path: path.into(), exists: true, ini: Ini::parse(text) }
    }

    /// The file.
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// Whether there is such a file.
    pub fn exists(&self) -> bool {
        self.exists
    }

    /// A value.
    pub fn get(&self, section: &str, key: &str) -> Option<&str> {
        self.ini.get(section, key)
    }

    /// Whether a value is one of `1 y t true yes enable enabled`.
    pub fn is_true(&self, section: &str, key: &str) -> bool {
        self.ini.is_true(section, key)
    }

    /// `[machine] puppet_classes`.
    pub fn puppet_classes(&self) -> Vec<&str> {
        let classes = self.get("machine", "puppet_classes").unwrap_or_default().split(',');
        classes.map(str::trim).filter(|class| !class.is_empty()).collect()
    }

    /// `[postgresql] database_name`, `zulip` unless set.
    pub fn database_name(&self) -> &str {
        self.get("postgresql", "database_name").unwrap_or("zulip")
    }

    /// `[postgresql] database_user`, `zulip` unless set.
    pub fn database_user(&self) -> &str {
        self.get("postgresql", "database_user").unwrap_or("zulip")
    }

    /// `[postgresql] version`: the major version the host is meant to run.
    pub fn postgresql_version(&self) -> Option<&str> {
        self.get("postgresql", "version")
    }

    /// What Python would refuse the file for.
    pub fn problems(&self) -> &[Problem] {
        self.ini.problems()
    }
}

impl fmt::Debug for ZulipConf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ZulipConf").field("path", &self.path).field("exists", &self.exists).finish_non_exhaustive()
    }
}

/// What speaks for the host being a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Container {
    /// Whether anything does.
    pub is_container: bool,
    /// Whether it is Zulip's own image, where `settings.py` and `zulip.conf` are made anew at every start.
    pub is_docker_zulip: bool,
    /// What it is told by.
    pub evidence: Vec<String>,
}

impl Site {
    pub(super) fn find_settings_dir(&self) -> Result<Known<SettingsDir>> {
        let usual =
            || Known::new(self.parts.host.path("/etc/zulip"), Origin::Found(self.parts.host.path("/etc/zulip")));
        let Known { value: named, origin } = self.parts.given.settings_dir.clone().unwrap_or_else(usual);
        let hint = "name the settings directory with --settings-dir or ZULIP_BACKUP_SETTINGS_DIR";
        let link_target = Host::link_target(&named)?;
        let path = self.parts.host.find(&named)?.ok_or_else(|| {
            let what = if link_target.is_some() { "leads nowhere" } else { "does not exist" };
            Error::new(ErrorKind::NotFound, format!("the settings directory {named} {what} (from {origin})"))
                .with_path(&named)
                .with_hint(hint)
        })?;
        if !fs::is_dir(&path) {
            return Err(Error::new(ErrorKind::Config, format!("{named} is not a directory"))
                .with_path(named)
                .with_hint(hint));
        }
        Ok(Known::new(SettingsDir { path, named, link_target }, origin))
    }

    pub(super) fn find_zulip_conf(&self) -> Result<ZulipConf> {
        let directory = match self.known_settings_dir() {
            Ok(directory) => directory.value.path.clone(),
            // A checkout has none. One that was named and is not there is a mistake.
            Err(error) if error.kind() == ErrorKind::NotFound && self.parts.given.settings_dir.is_none() => {
                return Ok(ZulipConf { path: self.parts.host.path("/etc/zulip/zulip.conf"), ..ZulipConf::default() });
            }
            Err(error) => return Err(error),
        };
        let path = directory.join("zulip.conf");
        Ok(match self.parts.host.read(&path, ini::MAX_BYTES)? {
            Some(text) => ZulipConf::parse(path, &text),
            None => ZulipConf { path, ..ZulipConf::default() },
        })
    }

    pub(super) fn find_kind(&self) -> Result<Known<Kind>> {
        let conf = self.zulip_conf()?;
        if conf.get("machine", "deploy_type").is_some() {
            return Ok(Known::new(Kind::Production, Origin::Derived(format!("deploy_type in {}", conf.path))));
        }
        // Without a deployment there is nothing here at all: better said than called a development server.
        self.deployment()?;
        Ok(Known::new(Kind::Development, Origin::Derived(format!("no deploy_type in {}", conf.path))))
    }

    pub(super) fn find_secrets_file(&self) -> Result<Known<Utf8PathBuf>> {
        if let Some(given) = &self.parts.given.secrets_file {
            return Ok(given.clone());
        }
        let path = match self.kind()?.value {
            Kind::Production => self.settings_dir()?.named.join("zulip-secrets.conf"),
            Kind::Development => self.deployment()?.path().join("zproject/dev-secrets.conf"),
        };
        Ok(Known::new(path.clone(), Origin::Found(path)))
    }

    pub(super) fn find_secrets(&self) -> Result<Secrets> {
        let Known { value: path, origin } = self.find_secrets_file()?;
        let text = self.parts.host.read(&path, ini::MAX_BYTES)?.ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("there is no secrets file {path} (from {origin})"))
                .with_path(&path)
                .with_hint("name it with --secrets-file, or secrets_file in zulip-backup.toml")
        })?;
        Ok(Secrets::parse(path, &text))
    }

    pub(super) fn find_container(&self) -> Container {
        let mut container = Container::default();
        let marker = self.parts.host.path("/.dockerenv");
        if matches!(fs::symlink_metadata(&marker), Ok(Some(_))) {
            container.evidence.push(format!("{marker} exists"));
        }
        let mut of_image = Vec::new();
        if let Ok(conf) = self.zulip_conf()
            && conf.puppet_classes().contains(&DOCKER_CLASS)
        {
            of_image.push(format!("puppet class {DOCKER_CLASS}"));
        }
        let settings = self.parts.host.path("/etc/zulip");
        let data = self.parts.host.path("/data");
        for path in [settings.clone(), settings.join("zulip-secrets.conf"), settings.join("zulip.conf")] {
            if let Ok(Some(target)) = Host::link_target(&path)
                && self.parts.host.path(&target).starts_with(&data)
            {
                of_image.push(format!("{path} is a link to {target}"));
            }
        }
        container.is_docker_zulip = !of_image.is_empty();
        container.evidence.extend(of_image);
        container.is_container = !container.evidence.is_empty();
        container
    }
}
