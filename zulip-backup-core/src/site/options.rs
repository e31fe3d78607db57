//! What can be said about a server from outside, and which saying counts.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Deserializer};

use super::host::Host;
use super::provenance::{Known, Origin};
use crate::{Error, ErrorKind, Finding, Result, Secret, fs};

const MAX_CONFIG_BYTES: u64 = 1 << 20;

/// What the caller knows about the server. Everything is optional: what is absent is found out when it is needed.
///
/// The same fields stand in `zulip-backup.toml` (except `config` and `root`):
///
/// ```toml
/// deployment = "/srv/zulip"
/// uploads_dir = "/srv/uploads"
///
/// [settings]
/// S3_REGION = "eu-central-1"
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SiteOptions {
    /// The deployment directory (`--deployment`); else `/home/zulip/deployments/current`.
    pub deployment: Option<Utf8PathBuf>,
    /// The directory with `settings.py` and `zulip.conf` (`--settings-dir`); else `/etc/zulip`.
    pub settings_dir: Option<Utf8PathBuf>,
    /// The secrets file (`--secrets-file`); else `zulip-secrets.conf` in the settings directory.
    pub secrets_file: Option<Utf8PathBuf>,
    /// The directory of uploaded files (`--uploads-dir`); else what `LOCAL_UPLOADS_DIR` says.
    pub uploads_dir: Option<Utf8PathBuf>,
    /// The database (`--database-url`), as a URL or libpq's `key=value` words; else what the settings say.
    #[serde(deserialize_with = "secret")]
    pub database_url: Option<Secret>,
    /// The Zulip version (`--zulip-version`); else what `version.py` of the deployment says. With it, the deployment may be
    /// any directory.
    pub zulip_version: Option<String>,
    /// Single Django settings (`--setting NAME=VALUE`), as `str()` would print them.
    pub settings: BTreeMap<String, String>,
    /// Seconds a question to the deployment's Python may take (`--script-timeout`); else 60.
    pub script_timeout_seconds: Option<u64>,
    /// The configuration file (`--config`); else the user's, else the system's `zulip-backup.toml`.
    #[serde(skip)]
    pub config: Option<Utf8PathBuf>,
    /// The directory that stands for `/` (`--root`), to describe a host that is only laid out somewhere. Paths that
    /// are given in the other options are not moved there.
    #[serde(skip)]
    pub root: Option<Utf8PathBuf>,
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(Secret::new))
}

impl SiteOptions {
    /// Names the deployment directory.
    pub fn deployment(mut self, path: impl Into<Utf8PathBuf>) -> Self {
        self.deployment = Some(path.into());
        self
    }

    /// Names the settings directory.
    pub fn settings_dir(mut self, path: impl Into<Utf8PathBuf>) -> Self {
        self.settings_dir = Some(path.into());
        self
    }

    /// Names the secrets file.
    pub fn secrets_file(mut self, path: impl Into<Utf8PathBuf>) -> Self {
        self.secrets_file = Some(path.into());
        self
    }

    /// Names the uploads directory.
    pub fn uploads_dir(mut self, path: impl Into<Utf8PathBuf>) -> Self {
        self.uploads_dir = Some(path.into());
        self
    }

    /// Names the database.
    pub fn database_url(mut self, url: impl Into<String>) -> Self {
        self.database_url = Some(Secret::new(url));
        self
    }

    /// Says which Zulip version it is.
    pub fn zulip_version(mut self, version: impl Into<String>) -> Self {
        self.zulip_version = Some(version.into());
        self
    }

    /// Says what one Django setting is.
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.insert(name.into(), value.into());
        self
    }

    /// Names the configuration file.
    pub fn config(mut self, path: impl Into<Utf8PathBuf>) -> Self {
        self.config = Some(path.into());
        self
    }

    /// Names the directory that stands for `/`.
    pub fn root(mut self, path: impl Into<Utf8PathBuf>) -> Self {
        self.root = Some(path.into());
        self
    }

    /// Reads the text of a `zulip-backup.toml`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] with the line and the key, never the value.
    pub fn from_toml(path: &Utf8Path, text: &str) -> Result<Self> {
        toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| text.get(..span.start).unwrap_or(text).matches('\n').count() + 1);
            // Only the message: the error's own text shows the line, which may hold the database's password.
            Error::new(ErrorKind::Config, format!("{path}:{line}: {}", error.message().trim_end())).with_path(path)
        })
    }
}

/// The environment variables a [`Site`](super::Site) looks at.
#[derive(Clone, Debug, Default)]
pub struct Environment(BTreeMap<String, Secret>);

impl Environment {
    /// The process's own.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when one of them is not UTF-8.
    pub fn of_process() -> Result<Self> {
        let mut variables = BTreeMap::new();
        for name in [DEPLOYMENT.1, SETTINGS_DIR.1, UPLOADS_DIR.1, DATABASE_URL.1, CONFIG.1, "XDG_CONFIG_HOME", "HOME"] {
            if let Some(value) = std::env::var_os(name) {
                let value = value.into_string().map_err(|_| {
                    Error::new(ErrorKind::Config, format!("the environment variable {name} is not UTF-8 text"))
                })?;
                variables.insert(name.to_owned(), Secret::new(value));
            }
        }
        Ok(Self(variables))
    }

    /// Exactly these.
    pub fn from_pairs<N: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), Secret::new(value.into()))).collect())
    }

    /// A variable that is set and not empty.
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(Secret::expose).filter(|value| !value.is_empty())
    }
}

/// Flag and environment variable of each option that has both.
const DEPLOYMENT: (&str, &str) = ("--deployment", "ZULIP_BACKUP_DEPLOYMENT");
const SETTINGS_DIR: (&str, &str) = ("--settings-dir", "ZULIP_BACKUP_SETTINGS_DIR");
const UPLOADS_DIR: (&str, &str) = ("--uploads-dir", "ZULIP_BACKUP_UPLOADS_DIR");
const DATABASE_URL: (&str, &str) = ("--database-url", "ZULIP_BACKUP_DATABASE_URL");
const CONFIG: (&str, &str) = ("--config", "ZULIP_BACKUP_CONFIG");

/// The options after flags, environment and configuration file were weighed against each other.
#[derive(Debug, Default)]
pub(super) struct Given {
    pub(super) deployment: Option<Known<Utf8PathBuf>>,
    pub(super) settings_dir: Option<Known<Utf8PathBuf>>,
    pub(super) secrets_file: Option<Known<Utf8PathBuf>>,
    pub(super) uploads_dir: Option<Known<Utf8PathBuf>>,
    pub(super) database_url: Option<Known<Secret>>,
    pub(super) zulip_version: Option<Known<String>>,
    pub(super) settings: BTreeMap<String, Known<String>>,
    pub(super) script_timeout_seconds: Option<u64>,
    pub(super) config: Option<Known<Utf8PathBuf>>,
    pub(super) findings: Vec<Finding>,
}

impl Given {
    pub(super) fn weigh(options: SiteOptions, environment: &Environment, host: &Host, caller_uid: u32) -> Result<Self> {
        let config = config_file(options.config.as_ref(), environment, host, caller_uid)?;
        let mut given = Self::default();
        let mut file = SiteOptions::default();
        let mut base = Utf8PathBuf::new();
        if let Some(config) = &config {
            let text = host.read(&config.value, MAX_CONFIG_BYTES)?.ok_or_else(|| {
                Error::new(
                    ErrorKind::NotFound,
                    format!("there is no configuration file {} (from {})", config.value, config.origin),
                )
                .with_path(&config.value)
            })?;
            file = SiteOptions::from_toml(&config.value, &text)?;
            given.check_readers(&config.value, &file)?;
            base = config.value.parent().map(Utf8Path::to_owned).unwrap_or_default();
        }
        let from_file = config.as_ref().map_or(Origin::Default, |config| Origin::ConfigFile(config.value.clone()));
        let path = |flag: Option<Utf8PathBuf>, names: (&str, &'static str), in_file: Option<Utf8PathBuf>| {
            let variable =
                environment.get(names.1).map(|value| (Utf8PathBuf::from(value), Origin::Environment(names.1)));
            let flag = flag.map(|value| (value, Origin::Flag(names.0.to_owned())));
            let file = in_file.map(|value| (base.join(value), from_file.clone()));
            flag.or(variable)
                .or(file)
                .map(|(value, origin)| absolute(&value).map(|value| Known::new(value, origin)))
                .transpose()
        };
        given.deployment = path(options.deployment, DEPLOYMENT, file.deployment)?;
        given.settings_dir = path(options.settings_dir, SETTINGS_DIR, file.settings_dir)?;
        given.uploads_dir = path(options.uploads_dir, UPLOADS_DIR, file.uploads_dir)?;
        given.secrets_file = path(options.secrets_file, ("--secrets-file", ""), file.secrets_file)?;
        let flag = options.database_url.map(|value| Known::new(value, Origin::Flag(DATABASE_URL.0.to_owned())));
        let variable = environment
            .get(DATABASE_URL.1)
            .map(|value| Known::new(Secret::new(value), Origin::Environment(DATABASE_URL.1)));
        let in_file = file.database_url.map(|value| Known::new(value, from_file.clone()));
        given.database_url = flag.or(variable).or(in_file);
        let flag = options.zulip_version.map(|value| Known::new(value, Origin::Flag("--zulip-version".to_owned())));
        given.zulip_version = flag.or_else(|| file.zulip_version.map(|value| Known::new(value, from_file.clone())));
        given.settings =
            file.settings.into_iter().map(|(name, value)| (name, Known::new(value, from_file.clone()))).collect();
        let flags = options
            .settings
            .into_iter()
            .map(|(name, value)| (name, Known::new(value, Origin::Flag("--setting".to_owned()))));
        given.settings.extend(flags);
        given.script_timeout_seconds = options.script_timeout_seconds.or(file.script_timeout_seconds);
        given.config = config;
        Ok(given)
    }

    /// A password in a file everybody can read is worth a word.
    fn check_readers(&mut self, path: &Utf8Path, file: &SiteOptions) -> Result<()> {
        let mode = fs::metadata(path)?.map_or(0, |metadata| metadata.mode());
        if file.database_url.is_some() && mode & 0o004 != 0 {
            self.findings.push(
                Finding::warning(
                    "config-file-readable",
                    path.as_str(),
                    format!("names a database and has mode {:04o}", mode & 0o7777),
                )
                .with_hint(format!("chmod 600 {path}")),
            );
        }
        Ok(())
    }
}

/// The configuration file: the one named, else the user's own, else the system's.
///
/// Never the working directory's: a backup runs as root, and whoever can write to where root happens to stand could
/// name the programs it runs. For the same reason root does not look into `XDG_CONFIG_HOME`, which `sudo -E` may have
/// kept from the caller, and refuses a file others can write.
fn config_file(
    flag: Option<&Utf8PathBuf>,
    environment: &Environment,
    host: &Host,
    caller_uid: u32,
) -> Result<Option<Known<Utf8PathBuf>>> {
    let flag = flag.map(|path| Known::new(path.clone(), Origin::Flag(CONFIG.0.to_owned())));
    let variable =
        environment.get(CONFIG.1).map(|path| Known::new(Utf8PathBuf::from(path), Origin::Environment(CONFIG.1)));
    if let Some(named) = flag.or(variable) {
        let path = absolute(&named.value)?;
        return Ok(Some(Known::new(path, named.origin)));
    }
    let own = environment.get("XDG_CONFIG_HOME").map(Utf8PathBuf::from);
    let own = own.or_else(|| environment.get("HOME").map(|home| Utf8Path::new(home).join(".config")));
    let own = own
        .filter(|directory| caller_uid != 0 && directory.is_absolute())
        .map(|directory| directory.join("zulip-backup.toml"));
    for path in own.into_iter().chain([host.path("/etc/zulip-backup.toml")]) {
        let Some(found) = host.find(&path)? else { continue };
        let Some(metadata) = fs::metadata(&found)? else { continue };
        let foreign = metadata.uid() != 0 || metadata.mode() & 0o022 != 0;
        if caller_uid == 0 && foreign {
            return Err(Error::new(
                ErrorKind::Refused,
                format!(
                    "{path} can be changed by others than root (owner {}, mode {:04o})",
                    metadata.uid(),
                    metadata.mode() & 0o7777
                ),
            )
            .with_path(&path)
            .with_hint(format!("chown root {path} && chmod 644 {path}, or name it with --config")));
        }
        return Ok(Some(Known::new(path.clone(), Origin::Found(path))));
    }
    Ok(None)
}

fn absolute(path: &Utf8Path) -> Result<Utf8PathBuf> {
    camino::absolute_utf8(path).map_err(|error| Error::io("make absolute", path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_key_is_named_and_a_value_is_not() {
        let path = Utf8Path::new("/etc/zulip-backup.toml");
        let error = SiteOptions::from_toml(path, "deployment = '/srv'\nuploads = '/x'\n").unwrap_err();
        assert!(
            error.to_string().starts_with("/etc/zulip-backup.toml:2: ") && error.to_string().contains("`uploads`"),
            "{error}"
        );
        assert_eq!(error.kind(), ErrorKind::Config);
        for text in ["database_url = 'hunter2\n", "database_url = ['hunter2']", "root = 'hunter2'", "\0"] {
            let error = SiteOptions::from_toml(path, text).unwrap_err();
            assert!(!error.chain().contains("hunter2"), "{}", error.chain());
        }
        let options =
            SiteOptions::from_toml(path, "database_url = 'postgres://a:hunter2@b/c'\n[settings]\nA = 'b'\n").unwrap();
        assert!(!format!("{options:?}").contains("hunter2"));
        assert_eq!(options.settings["A"], "b");
    }
}
