//! What one Zulip server is: where it runs from, its settings, secrets, database, uploads, services.
//!
//! A [`Site`] is found without any flags on a production host and can be told every part. It looks for a part only when
//! a verb asks for it, so a backup of a database needs no readable uploads, and a part that cannot be known is an error
//! that names the setting and the flag that supplies it. What counts, first to last: flag, environment variable,
//! `zulip-backup.toml`, discovery; each value carries which it was ([`Known`]).
//!
//! ```no_run
//! use zulip_backup_core::site::Site;
//!
//! let site = Site::discover()?;
//! println!("{}", site.report());
//! let database = &site.database()?.value;
//! # Ok::<(), zulip_backup_core::Error>(())
//! ```

mod conf;
mod database;
mod deployment;
mod host;
mod ini;
mod memcached;
mod options;
mod os;
mod provenance;
mod report;
mod roles;
mod script;
mod secrets;
mod settings;
pub mod settings_py;
mod uploads;
mod version;

use std::fmt;
use std::sync::{Arc, OnceLock};

use camino::{Utf8Path, Utf8PathBuf};

pub use conf::{Container, Kind, SettingsDir, ZulipConf};
pub use deployment::Deployment;
pub use ini::{Ini, Problem};
pub use options::{Environment, SiteOptions};
pub use os::OsRelease;
pub use provenance::{Known, Origin};
pub use report::{DatabaseSummary, DeploymentSummary, Part, SiteReport};
pub use roles::Roles;
pub use script::{ScriptCall, ScriptOutput, ScriptRunner, ScriptStatus, SystemRunner};
pub use secrets::Secrets;
pub use settings::SettingValue;
pub use uploads::{LocalUploads, S3Keys, S3Uploads, UploadsBackend};
pub use version::ZulipVersion;

use crate::postgres::ConnectOptions;
use crate::{Error, ErrorKind, Progress, Result};
use host::Host;
use options::Given;

/// One Zulip server. Its parts are looked for when they are first asked for and then kept; clones share them.
#[derive(Clone)]
pub struct Site {
    parts: Arc<Parts>,
}

struct Parts {
    host: Host,
    given: Given,
    given_database: Option<ConnectOptions>,
    runner: Arc<dyn ScriptRunner>,
    caller_uid: u32,
    settings_cache: settings::Cache,
    deployment: OnceLock<Deployment>,
    settings_dir: OnceLock<Known<SettingsDir>>,
    zulip_conf: OnceLock<ZulipConf>,
    kind: OnceLock<Known<Kind>>,
    secrets: OnceLock<Secrets>,
    uploads: OnceLock<Known<UploadsBackend>>,
    database: OnceLock<Known<ConnectOptions>>,
    version: OnceLock<ZulipVersion>,
    os: OnceLock<OsRelease>,
    roles: OnceLock<Roles>,
    container: OnceLock<Container>,
}

/// Like `OnceLock::get_or_try_init`, which is not stable yet. A failure is not kept: it may be repaired.
fn kept<T>(cell: &OnceLock<T>, find: impl FnOnce() -> Result<T>) -> Result<&T> {
    if let Some(value) = cell.get() {
        return Ok(value);
    }
    let found = find()?;
    Ok(cell.get_or_init(|| found))
}

impl Site {
    /// This host, told nothing.
    ///
    /// # Errors
    /// See [`SiteBuilder::build`].
    pub fn discover() -> Result<Self> {
        Self::builder().build()
    }

    /// A server one knows something about.
    pub fn builder() -> SiteBuilder {
        SiteBuilder::default()
    }

    /// The deployment.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] or [`ErrorKind::Config`] naming `--deployment`.
    pub fn deployment(&self) -> Result<&Deployment> {
        kept(&self.parts.deployment, || Deployment::open(&self.parts.host, &self.parts.given, self.parts.caller_uid))
    }

    /// Production or development: production if and only if `zulip.conf` has `deploy_type` in `[machine]`.
    ///
    /// # Errors
    /// When `zulip.conf` exists and cannot be read, or neither it nor a deployment is there.
    pub fn kind(&self) -> Result<&Known<Kind>> {
        kept(&self.parts.kind, || self.find_kind())
    }

    /// The settings directory with where it was found.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] or [`ErrorKind::Config`] naming `--settings-dir`.
    pub fn known_settings_dir(&self) -> Result<&Known<SettingsDir>> {
        kept(&self.parts.settings_dir, || self.find_settings_dir())
    }

    /// The settings directory.
    ///
    /// # Errors
    /// See [`Site::known_settings_dir`].
    pub fn settings_dir(&self) -> Result<&SettingsDir> {
        Ok(&self.known_settings_dir()?.value)
    }

    /// `zulip.conf`, empty where there is none.
    ///
    /// # Errors
    /// When it exists and cannot be read.
    pub fn zulip_conf(&self) -> Result<&ZulipConf> {
        kept(&self.parts.zulip_conf, || self.find_zulip_conf())
    }

    /// Where the secrets file is, whether it exists or not.
    ///
    /// # Errors
    /// When it depends on a part that cannot be known.
    pub fn secrets_file(&self) -> Result<Known<Utf8PathBuf>> {
        self.find_secrets_file()
    }

    /// The secrets.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] naming `--secrets-file`, [`ErrorKind::Io`] when this user may not read them.
    pub fn secrets(&self) -> Result<&Secrets> {
        kept(&self.parts.secrets, || self.find_secrets())
    }

    /// The name the server answers to, perhaps with a port: `EXTERNAL_HOST`.
    ///
    /// # Errors
    /// See [`Site::setting`].
    pub fn external_host(&self) -> Result<Known<String>> {
        let known = self.setting("EXTERNAL_HOST")?;
        let host = known.value.text().map(str::to_owned).ok_or_else(|| {
            Error::new(ErrorKind::Config, format!("the setting EXTERNAL_HOST is empty (from {})", known.origin))
        })?;
        Ok(Known::new(host, known.origin))
    }

    /// Where uploads are.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] naming `--uploads-dir`.
    pub fn uploads(&self) -> Result<&Known<UploadsBackend>> {
        kept(&self.parts.uploads, || self.find_uploads())
    }

    /// How to reach the database, as Zulip itself does.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] naming `--database-url`; those of [`Site::secrets`] where a password is needed.
    pub fn database(&self) -> Result<&Known<ConnectOptions>> {
        kept(&self.parts.database, || self.find_database())
    }

    /// The Zulip version of the deployment.
    ///
    /// # Errors
    /// Those of [`Site::deployment`]; [`ErrorKind::Config`] when `version.py` does not say.
    pub fn version(&self) -> Result<&ZulipVersion> {
        kept(&self.parts.version, || match &self.parts.given.zulip_version {
            Some(given) => ZulipVersion::given(&given.value),
            None => ZulipVersion::of(&self.parts.host, self.deployment()?, self.runner()),
        })
    }

    /// Where the deployment is, as people name it; a production server's standard place where it is not known.
    pub(crate) fn deployment_dir(&self) -> &Utf8Path {
        self.deployment().map_or(Utf8Path::new(deployment::CURRENT), Deployment::named)
    }

    /// The operating system.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where there is no `os-release` file.
    pub fn os(&self) -> Result<&OsRelease> {
        kept(&self.parts.os, || OsRelease::of(&self.parts.host))
    }

    /// Which of Zulip's services the host runs.
    ///
    /// # Errors
    /// When a supervisor file exists and cannot be read.
    pub fn roles(&self) -> Result<&Roles> {
        kept(&self.parts.roles, || Roles::of(&self.parts.host))
    }

    /// Whether the host is a container.
    pub fn container(&self) -> &Container {
        self.parts.container.get_or_init(|| self.find_container())
    }

    /// The `zulip-backup.toml` in use, where there is one.
    pub fn config_file(&self) -> Option<&Known<Utf8PathBuf>> {
        self.parts.given.config.as_ref()
    }

    /// Where an absolute path of the host really is: itself, unless the host lies below another root.
    pub fn host_path(&self, path: impl AsRef<Utf8Path>) -> Utf8PathBuf {
        self.parts.host.path(path)
    }

    /// Refuses to go on while Zulip is being upgraded: `deployments/lock` exists.
    ///
    /// # Errors
    /// [`ErrorKind::Locked`] then. A host without a deployment cannot be in an upgrade.
    pub fn refuse_during_upgrade(&self) -> Result<()> {
        match self.deployment().ok().and_then(Deployment::upgrade_lock) {
            None => Ok(()),
            Some(lock) => Err(Error::new(ErrorKind::Locked, format!("Zulip is being upgraded: {lock} exists"))
                .with_path(&lock)
                .with_hint(format!("wait for the upgrade; if none is running, remove {lock}"))),
        }
    }

    /// What makes script calls.
    pub fn runner(&self) -> &dyn ScriptRunner {
        &*self.parts.runner
    }

    /// Makes a script call and expects it to succeed.
    ///
    /// # Errors
    /// See [`ScriptCall::run`].
    pub fn run(&self, call: &ScriptCall, progress: &dyn Progress) -> Result<ScriptOutput> {
        call.run(self.runner(), progress)
    }
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site").field("host", &self.parts.host).field("given", &self.parts.given).finish_non_exhaustive()
    }
}

/// Puts a [`Site`] together.
#[derive(Default)]
pub struct SiteBuilder {
    options: SiteOptions,
    environment: Option<Environment>,
    database: Option<ConnectOptions>,
    runner: Option<Arc<dyn ScriptRunner>>,
}

impl SiteBuilder {
    /// What is known from flags.
    pub fn options(mut self, options: SiteOptions) -> Self {
        self.options = options;
        self
    }

    /// The environment variables to look at, instead of the process's own.
    pub fn environment(mut self, environment: Environment) -> Self {
        self.environment = Some(environment);
        self
    }

    /// The database, instead of what any option or setting says.
    pub fn database(mut self, database: ConnectOptions) -> Self {
        self.database = Some(database);
        self
    }

    /// What makes script calls, instead of [`SystemRunner`].
    pub fn runner(mut self, runner: impl ScriptRunner + 'static) -> Self {
        self.runner = Some(Arc::new(runner));
        self
    }

    /// The site. Looks at no part of the server yet, only for `zulip-backup.toml`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a configuration file with a mistake, [`ErrorKind::NotFound`] for a named one that is
    /// not there, [`ErrorKind::Refused`] when root would have to trust one that others can change.
    pub fn build(self) -> Result<Site> {
        let caller_uid = rustix::process::geteuid().as_raw();
        let environment = self.environment.map_or_else(Environment::of_process, Ok)?;
        let host = Host::new(self.options.root.as_deref().unwrap_or(Utf8Path::new("/")))?;
        let given = Given::weigh(self.options, &environment, &host, caller_uid)?;
        let parts = Parts {
            host,
            given,
            given_database: self.database,
            runner: self.runner.unwrap_or_else(|| Arc::new(SystemRunner)),
            caller_uid,
            settings_cache: settings::Cache::default(),
            deployment: OnceLock::new(),
            settings_dir: OnceLock::new(),
            zulip_conf: OnceLock::new(),
            kind: OnceLock::new(),
            secrets: OnceLock::new(),
            uploads: OnceLock::new(),
            database: OnceLock::new(),
            version: OnceLock::new(),
            os: OnceLock::new(),
            roles: OnceLock::new(),
            container: OnceLock::new(),
        };
        Ok(Site { parts: Arc::new(parts) })
    }
}
