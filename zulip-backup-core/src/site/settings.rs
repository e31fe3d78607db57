//! Django settings of the server: asked of its own Python, else read as text.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use super::provenance::{Known, Origin};
use super::script::ScriptStatus;
use super::settings_py::{self, Lookup, SettingsPy};
use super::{Kind, Site};
use crate::{Error, ErrorKind, Result, Silent};

/// Seconds the deployment's Python gets for an answer; it takes one or two.
const DEFAULT_TIMEOUT_SECONDS: u64 = 60;

const SCRIPT: &str = "scripts/get-django-setting";

/// A setting's value as Python's `str()` prints it; what `get-django-setting` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct SettingValue(String);

impl SettingValue {
    /// The text: `None`, `True`, `5432`, `/home/zulip/uploads`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, unless it is empty or `None`.
    pub fn text(&self) -> Option<&str> {
        Some(self.as_str()).filter(|text| !text.is_empty() && *text != "None")
    }

    /// Whether it is `True`.
    pub fn is_true(&self) -> bool {
        self.0 == "True"
    }
}

impl fmt::Display for SettingValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What was learned about the settings so far.
#[derive(Debug, Default)]
pub(super) struct Cache {
    answers: Mutex<BTreeMap<String, Known<SettingValue>>>,
    /// Why the deployment's Python does not answer, once that is known.
    silent: Mutex<Option<String>>,
}

/// What the deployment's Python answered.
enum Answer {
    Value(SettingValue),
    /// This Zulip has no such setting.
    Unknown,
    /// It does not run; why.
    Silent(String),
}

impl Site {
    /// A Django setting of the server.
    ///
    /// Asked of the deployment's `scripts/get-django-setting`, as the deployment's owner when this is root; where that
    /// does not run, taken from `settings.py` if it is a plain literal there, or from Zulip's defaults for the few
    /// settings this crate needs. Answers are kept, so each setting is asked for once.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] naming the setting, why it cannot be known and the flag that supplies it;
    /// [`ErrorKind::Usage`] for what is not the name of a setting, or of one that holds secrets.
    pub fn setting(&self, name: &str) -> Result<Known<SettingValue>> {
        check_name(name)?;
        if let Some(given) = self.parts.given.settings.get(name) {
            return Ok(given.clone().map(SettingValue));
        }
        let cache = &self.parts.settings_cache;
        if let Some(known) = cache.answers.lock().unwrap_or_else(PoisonError::into_inner).get(name) {
            return Ok(known.clone());
        }
        let known = match self.ask(name) {
            Answer::Value(value) => Known::new(value, Origin::GetDjangoSetting),
            Answer::Unknown => default(name, Kind::Production)
                .map(|value| Known::new(SettingValue(value.to_owned()), Origin::Default))
                .ok_or_else(|| unknowable(name, "this Zulip has no such setting"))?,
            Answer::Silent(reason) => self.setting_from_text(name, &reason)?,
        };
        cache.answers.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), known.clone());
        Ok(known)
    }

    /// Learns several settings at once: each answer takes a second or two of Python's start.
    pub(crate) fn prefetch(&self, names: &[&str]) {
        let Some((first, others)) = names.split_first() else { return };
        // Faults come up again, with their text, when the setting is really asked for.
        let _ = self.setting(first);
        if self.settings_silence().is_some() {
            return;
        }
        for group in others.chunks(4) {
            std::thread::scope(|scope| {
                for name in group {
                    scope.spawn(|| self.setting(name));
                }
            });
        }
    }

    /// Why the deployment's Python does not answer, where it was asked and did not.
    pub(super) fn settings_silence(&self) -> Option<String> {
        self.parts.settings_cache.silent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn ask(&self, name: &str) -> Answer {
        if let Some(reason) = self.settings_silence() {
            return Answer::Silent(reason);
        }
        let answer = self.ask_python(name);
        if let Answer::Silent(reason) = &answer {
            *self.parts.settings_cache.silent.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.clone());
        }
        answer
    }

    fn ask_python(&self, name: &str) -> Answer {
        let call = match self.deployment().and_then(|deployment| Ok(deployment.as_reader(deployment.script(SCRIPT)?))) {
            Ok(call) => call,
            Err(error) => return Answer::Silent(error.to_string()),
        };
        let seconds = self.parts.given.script_timeout_seconds.unwrap_or(DEFAULT_TIMEOUT_SECONDS);
        let output = match self.runner().execute(&call.arg(name).quiet().timeout_seconds(seconds), &Silent) {
            Ok(output) => output,
            Err(error) => return Answer::Silent(error.chain()),
        };
        let last = output.last_lines.last().map_or("", String::as_str);
        match output.status {
            ScriptStatus::Exited(0) => {
                Answer::Value(SettingValue(output.stdout.strip_suffix('\n').unwrap_or(&output.stdout).to_owned()))
            }
            _ if last.starts_with("AttributeError") && last.contains(name) => Answer::Unknown,
            status => Answer::Silent(format!("{SCRIPT} {status}{}", exception(last))),
        }
    }

    fn setting_from_text(&self, name: &str, silence: &str) -> Result<Known<SettingValue>> {
        let kind = self.kind()?.value;
        let path = match kind {
            Kind::Production => self.settings_dir()?.path.join("settings.py"),
            // dev_settings.py computes its values; only what a developer wrote can differ from the defaults.
            Kind::Development => self.deployment()?.path().join("zproject/custom_dev_settings.py"),
        };
        let explain = |reason: String| unknowable(name, &format!("{silence}; {reason}"));
        let read = self.parts.host.read(&path, settings_py::MAX_BYTES);
        let Some(text) = read.map_err(|error| explain(error.chain()).with_source(error))? else {
            let default = default(name, kind).filter(|_| kind == Kind::Development);
            return default
                .map(|value| Known::new(SettingValue(value.to_owned()), Origin::Default))
                .ok_or_else(|| explain(format!("there is no {path}")));
        };
        let parsed = SettingsPy::parse(&text).map_err(|fault| explain(format!("{path}: {fault}")))?;
        match parsed.get(name) {
            Lookup::Literal(value, line) => {
                Ok(Known::new(SettingValue(value.to_python_str()), Origin::SettingsPy { path, line }))
            }
            Lookup::Unknowable { line, reason } => Err(explain(format!("{path}:{line} {reason}"))),
            Lookup::Absent => default(name, kind)
                .map(|value| Known::new(SettingValue(value.to_owned()), Origin::Default))
                .ok_or_else(|| explain(format!("{path} does not set it"))),
        }
    }

    /// The settings file a production server reads, whether it exists or not.
    pub(super) fn has_settings_py(&self) -> Result<bool> {
        Ok(self.parts.host.find(&self.settings_dir()?.path.join("settings.py"))?.is_some())
    }
}

fn check_name(name: &str) -> Result<()> {
    let plain = name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    if !plain || !name.bytes().next().is_some_and(|first| first.is_ascii_uppercase()) {
        return Err(Error::new(ErrorKind::Usage, format!("{name:?} is not the name of a setting")));
    }
    let secret = ["PASSWORD", "SECRET", "TOKEN", "DATABASES", "CACHES", "SALT"].iter().any(|word| name.contains(word))
        || name.ends_with("_KEY");
    if secret {
        return Err(Error::new(ErrorKind::Usage, format!("the setting {name} may hold a secret and is not asked for"))
            .with_hint("secrets are read from the secrets file"));
    }
    Ok(())
}

fn unknowable(name: &str, reason: &str) -> Error {
    let hint = match name {
        "LOCAL_UPLOADS_DIR" => "give --uploads-dir or ZULIP_BACKUP_UPLOADS_DIR".to_owned(),
        "REMOTE_POSTGRES_HOST" | "REMOTE_POSTGRES_PORT" | "REMOTE_POSTGRES_SSLMODE" => {
            "give --database-url or ZULIP_BACKUP_DATABASE_URL".to_owned()
        }
        _ => format!("give --setting {name}=…, or {name} under [settings] in zulip-backup.toml"),
    };
    Error::new(ErrorKind::Config, format!("the setting {name} cannot be known: {reason}")).with_hint(hint)
}

/// The exception a traceback ends with. Only the text of exceptions about modules and files is kept: others may quote
/// what stands in settings.py.
fn exception(last_line: &str) -> String {
    let (class, _) = last_line.split_once(':').unwrap_or((last_line, ""));
    let harmless = ["ModuleNotFoundError", "ImportError", "FileNotFoundError", "PermissionError"].contains(&class);
    let is_class =
        !class.is_empty() && class.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'_');
    match (harmless, is_class) {
        (true, _) => format!(" ({last_line})"),
        (false, true) => format!(" ({class})"),
        (false, false) => String::new(),
    }
}

/// Zulip's own default, as `str()` prints it, for the settings a backup needs.
fn default(name: &str, kind: Kind) -> Option<&'static str> {
    Some(match name {
        "LOCAL_UPLOADS_DIR" if kind == Kind::Development => "var/uploads",
        "LOCAL_UPLOADS_DIR"
        | "S3_REGION"
        | "S3_ENDPOINT_URL"
        | "S3_AVATAR_PUBLIC_URL_PREFIX"
        | "MEMCACHED_USERNAME"
        | "SOCIAL_AUTH_SUBDOMAIN"
        | "SELF_HOSTING_MANAGEMENT_SUBDOMAIN" => "None",
        "S3_AUTH_UPLOADS_BUCKET"
        | "S3_AVATAR_BUCKET"
        | "S3_EXPORT_BUCKET"
        | "REMOTE_POSTGRES_HOST"
        | "REMOTE_POSTGRES_PORT"
        | "REMOTE_POSTGRES_SSLMODE" => "",
        "S3_ADDRESSING_STYLE" => "auto",
        "S3_SKIP_PROXY" => "True",
        "S3_UPLOADS_STORAGE_CLASS" => "STANDARD",
        "RABBITMQ_HOST" | "REDIS_HOST" => "127.0.0.1",
        "RABBITMQ_PORT" => "5672",
        "RABBITMQ_VHOST" => "/",
        "RABBITMQ_USERNAME" => "zulip",
        "RABBITMQ_USE_TLS" | "ROOT_DOMAIN_LANDING_PAGE" => "False",
        "REDIS_PORT" => "6379",
        "MEMCACHED_LOCATION" => "127.0.0.1:11211",
        "MAX_FILE_UPLOAD_SIZE" => "100",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_and_what_is_no_name_are_refused() {
        for name in ["DATABASES", "SECRET_KEY", "EMAIL_HOST_PASSWORD", "--help", "", "lower", "A B", "1A", "S3_KEY"] {
            assert_eq!(check_name(name).unwrap_err().kind(), ErrorKind::Usage, "{name}");
        }
        check_name("LOCAL_UPLOADS_DIR").unwrap();
        check_name("S3_AVATAR_BUCKET").unwrap();
    }

    #[test]
    fn an_exception_is_told_without_what_it_quotes() {
        assert_eq!(
            exception("ModuleNotFoundError: No module named 'django'"),
            " (ModuleNotFoundError: No module named 'django')"
        );
        assert_eq!(exception("KeyError: 'hunter2'"), " (KeyError)");
        assert_eq!(exception("PASSWORD = 'hunter2"), "");
    }
}
