//! What `zulip-backup site` prints.

use std::fmt;
use std::os::unix::fs::MetadataExt;

use camino::Utf8PathBuf;
use serde::Serialize;

use super::{
    Container, Deployment, Kind, Known, Origin, Problem, Roles, SettingsDir, Site, UploadsBackend, ZulipVersion,
};
use crate::postgres::{ConnectOptions, SslMode};
use crate::{Error, Finding, Findings, Result, fs};

/// One part of the server: its value and where that comes from, or why it is not known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Part<T> {
    /// Known.
    Known(Known<T>),
    /// Not known, which matters only to a verb that needs it.
    Unknown {
        /// Why.
        unknown: String,
        /// What supplies it.
        #[serde(skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
    },
}

impl<T> Part<T> {
    fn of(found: Result<Known<T>>) -> Self {
        found.map_or_else(Self::unknown, Self::Known)
    }

    #[allow(clippy::needless_pass_by_value)] // for map_or_else
    fn unknown(error: Error) -> Self {
        Self::Unknown { unknown: error.chain(), hint: error.hint().map(str::to_owned) }
    }

    /// The value, where it is known.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Known(known) => Some(&known.value),
            Self::Unknown { .. } => None,
        }
    }
}

/// The deployment, for the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeploymentSummary {
    /// The directory, links resolved.
    pub path: Utf8PathBuf,
    /// As it was named.
    pub named: Utf8PathBuf,
    /// Its owner's login name.
    pub owner: String,
}

/// The database, for the report: no password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DatabaseSummary {
    /// Hosts; none for the local socket.
    pub hosts: Vec<String>,
    /// Ports; none for 5432.
    pub ports: Vec<u16>,
    /// Role.
    pub user: Option<String>,
    /// Database.
    pub dbname: Option<String>,
    /// libpq's `sslmode`.
    pub sslmode: Option<&'static str>,
    /// Whether there is a password.
    pub has_password: bool,
    /// Whether only a server that takes writes will do.
    pub read_write: bool,
    /// The system user whose identity opens the socket.
    pub run_as: Option<String>,
}

impl From<&ConnectOptions> for DatabaseSummary {
    fn from(connect: &ConnectOptions) -> Self {
        Self {
            hosts: connect.hosts.clone(),
            ports: connect.ports.clone(),
            user: connect.user.clone(),
            dbname: connect.dbname.clone(),
            sslmode: connect.sslmode.map(|mode| match mode {
                SslMode::Disable => "disable",
                SslMode::Allow => "allow",
                SslMode::Prefer => "prefer",
                SslMode::Require => "require",
                SslMode::VerifyCa => "verify-ca",
                SslMode::VerifyFull => "verify-full",
            }),
            has_password: connect.password.is_some(),
            read_write: connect.read_write,
            run_as: connect.run_as.as_ref().map(|user| user.name.clone()),
        }
    }
}

impl fmt::Display for DatabaseSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unset = "(default)".to_owned();
        write!(f, "{} as {}", self.dbname.as_ref().unwrap_or(&unset), self.user.as_ref().unwrap_or(&unset))?;
        if self.hosts.is_empty() {
            f.write_str(" over the local socket")?;
        } else {
            write!(f, " at {}", self.hosts.join(","))?;
        }
        if !self.ports.is_empty() {
            let ports: Vec<String> = self.ports.iter().map(u16::to_string).collect();
            write!(f, " port {}", ports.join(","))?;
        }
        if let Some(mode) = self.sslmode {
            write!(f, ", sslmode {mode}")?;
        }
        f.write_str(if self.has_password { ", with a password" } else { ", no password" })?;
        self.run_as.as_ref().map_or(Ok(()), |user| write!(f, ", connecting as system user {user}"))
    }
}

/// Everything that can be told about a server. Secrets are there by name only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SiteReport {
    /// The deployment.
    pub deployment: Part<DeploymentSummary>,
    /// Production or development.
    pub kind: Part<Kind>,
    /// The Zulip version.
    pub zulip: Part<ZulipVersion>,
    /// The operating system, as a backup's `os-version` has it.
    pub os: Part<String>,
    /// The settings directory.
    pub settings_dir: Part<SettingsDir>,
    /// `zulip.conf`.
    pub zulip_conf: Part<Utf8PathBuf>,
    /// The secrets file.
    pub secrets_file: Part<Utf8PathBuf>,
    /// The names of the secrets that have a value.
    pub secrets: Part<Vec<String>>,
    /// The name the server answers to.
    pub external_host: Part<String>,
    /// The database.
    pub database: Part<DatabaseSummary>,
    /// The uploads.
    pub uploads: Part<UploadsBackend>,
    /// The services.
    pub roles: Part<Roles>,
    /// Whether it is a container.
    pub container: Container,
    /// The configuration file of zulip-backup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_file: Option<Known<Utf8PathBuf>>,
    /// What is not as it should be.
    pub findings: Findings,
}

impl Site {
    /// Looks at every part. Takes a few seconds: the deployment's Python is asked for some settings.
    pub fn report(&self) -> SiteReport {
        self.prefetch(&["EXTERNAL_HOST", "LOCAL_UPLOADS_DIR", "REMOTE_POSTGRES_HOST"]);
        let derived = |path: Utf8PathBuf| Origin::Found(path);
        let deployment = self.deployment().map(|found| {
            let summary = DeploymentSummary {
                path: found.path().to_owned(),
                named: found.named().to_owned(),
                owner: found.owner().name.clone(),
            };
            Known::new(summary, found.origin().clone())
        });
        let version = self.version().and_then(|version| {
            let origin = match &self.parts.given.zulip_version {
                Some(given) => given.origin.clone(),
                None => derived(self.deployment()?.path().join("version.py")),
            };
            Ok(Known::new(version.clone(), origin))
        });
        let names = self.secrets().map(|secrets| {
            Known::new(secrets.names().map(str::to_owned).collect(), derived(secrets.path().to_owned()))
        });
        SiteReport {
            deployment: Part::of(deployment),
            kind: Part::of(self.kind().cloned()),
            zulip: Part::of(version),
            os: Part::of(self.os().map(|os| Known::new(os.to_string(), derived(self.host_path("/etc/os-release"))))),
            settings_dir: Part::of(self.known_settings_dir().cloned()),
            zulip_conf: Part::of(self.zulip_conf().map(|conf| {
                let origin = if conf.exists() { derived(conf.path().to_owned()) } else { Origin::Default };
                Known::new(conf.path().to_owned(), origin)
            })),
            secrets_file: Part::of(self.secrets_file()),
            secrets: Part::of(names),
            external_host: Part::of(self.external_host()),
            database: Part::of(
                self.database().map(|known| Known::new(DatabaseSummary::from(&known.value), known.origin.clone())),
            ),
            uploads: Part::of(self.uploads().cloned()),
            roles: Part::of(
                self.roles().map(|roles| Known::new(roles.clone(), derived(self.host_path("/etc/supervisor/conf.d")))),
            ),
            container: self.container().clone(),
            config_file: self.config_file().cloned(),
            findings: self.findings(),
        }
    }

    /// What is not as it should be, of the parts that can be looked at.
    pub fn findings(&self) -> Findings {
        let mut findings = Findings::default();
        for finding in &self.parts.given.findings {
            findings.push(finding.clone());
        }
        if let Some(lock) = self.deployment().ok().and_then(Deployment::upgrade_lock) {
            findings.push(
                Finding::error("upgrade-in-progress", lock.as_str(), "exists: Zulip is being upgraded")
                    .with_hint("wait for the upgrade; if none is running, remove it"),
            );
        }
        if let Ok(conf) = self.zulip_conf() {
            take_problems(&mut findings, conf.path(), conf.problems());
        }
        if let Ok(secrets) = self.secrets() {
            take_problems(&mut findings, secrets.path(), secrets.problems());
            let mode =
                self.parts.host.find(secrets.path()).ok().flatten().and_then(|path| fs::metadata(&path).ok().flatten());
            // 0644 is common in a developer's checkout and harmless there.
            let production = self.kind().is_ok_and(|kind| kind.value == Kind::Production);
            if let Some(mode) = mode.map(|metadata| metadata.mode()).filter(|mode| production && mode & 0o007 != 0) {
                let message = format!("can be read by everybody: expected mode 0640, found {:04o}", mode & 0o7777);
                findings.push(
                    Finding::warning("secrets-readable", secrets.path().as_str(), message)
                        .with_hint(format!("chmod 640 {}", secrets.path())),
                );
            }
        }
        if let Ok(Known { value: UploadsBackend::Local(local), origin }) = self.uploads()
            && !local.exists
        {
            let message = format!("does not exist (from {origin}); there is nothing to back up there");
            findings.push(Finding::warning("uploads-missing", local.named.as_str(), message));
        }
        if self.container().is_docker_zulip {
            let message = "are made anew from the container's environment at every start, unless told otherwise";
            findings.push(
                Finding::note("docker-settings", "settings.py and zulip.conf", message)
                    .with_hint("keep the compose or Helm files as well: they hold the configuration"),
            );
        }
        if let Some(reason) = self.settings_silence() {
            findings.push(
                Finding::note("settings-as-text", "settings.py", format!("is read as text: {reason}"))
                    .with_hint("run as root or as the deployment's owner to have Zulip answer itself"),
            );
        }
        findings
    }
}

fn take_problems(findings: &mut Findings, path: &camino::Utf8Path, problems: &[Problem]) {
    for problem in problems {
        findings.push(
            Finding::warning("ini-irregular", format!("{path}:{}", problem.line), problem.what.as_str())
                .with_hint("Zulip itself refuses to read such a file"),
        );
    }
}

impl fmt::Display for SiteReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        line(f, "deployment", &self.deployment, |part| format!("{} (owner {})", part.path, part.owner))?;
        line(f, "kind", &self.kind, Kind::to_string)?;
        line(f, "zulip", &self.zulip, |version| {
            let level = version.feature_level.map_or_else(String::new, |level| format!(", feature level {level}"));
            let git = version.git_describe.as_ref().map_or_else(String::new, |text| format!(", git {text}"));
            format!("{}{level}{git}", version.version)
        })?;
        line(f, "os", &self.os, String::clone)?;
        line(f, "settings", &self.settings_dir, |dir| linked(&dir.named, dir.link_target.as_ref()))?;
        line(f, "zulip.conf", &self.zulip_conf, Utf8PathBuf::to_string)?;
        line(f, "secrets file", &self.secrets_file, Utf8PathBuf::to_string)?;
        line(f, "secrets", &self.secrets, |names| names.join(", "))?;
        line(f, "external host", &self.external_host, String::clone)?;
        line(f, "database", &self.database, DatabaseSummary::to_string)?;
        line(f, "uploads", &self.uploads, |backend| match backend {
            UploadsBackend::Local(local) => linked(&local.named, local.link_target.as_ref()),
            UploadsBackend::S3(s3) => format!("S3 buckets {}, {}", s3.uploads_bucket, s3.avatar_bucket),
        })?;
        line(f, "services", &self.roles, |roles| {
            let present = [("app", roles.app), ("once", roles.once), ("database", roles.database)];
            let names: Vec<&str> = present.iter().filter(|(_, present)| *present).map(|(name, _)| *name).collect();
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        })?;
        let container = if self.container.is_container { self.container.evidence.join("; ") } else { "no".to_owned() };
        writeln!(f, "{:<14} {container}", "container")?;
        if let Some(config) = &self.config_file {
            writeln!(f, "{:<14} {} (from {})", "config file", config.value, config.origin)?;
        }
        self.findings.list.iter().try_for_each(|finding| writeln!(f, "{}: {finding}", finding.severity))
    }
}

fn linked(path: &Utf8PathBuf, target: Option<&Utf8PathBuf>) -> String {
    target.map_or_else(|| path.to_string(), |target| format!("{path} -> {target}"))
}

fn line<T>(f: &mut fmt::Formatter<'_>, name: &str, part: &Part<T>, show: impl Fn(&T) -> String) -> fmt::Result {
    match part {
        Part::Known(known) => writeln!(f, "{name:<14} {} (from {})", show(&known.value), known.origin),
        Part::Unknown { unknown, hint } => {
            writeln!(f, "{name:<14} unknown: {unknown}")?;
            hint.as_ref().map_or(Ok(()), |hint| writeln!(f, "{:<14} {hint}", ""))
        }
    }
}
