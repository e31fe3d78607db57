//! The environment of the process, as far as it says how to reach a database.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};

use super::{ConnectOptions, passfile, service};
use crate::process::SystemUser;
use crate::{Findings, Result, fs};

/// libpq's variables and the options they stand for. Variables of the options without effect here (`PGAPPNAME`,
/// `PGCLIENTENCODING`) are left out; those that make a demand are in, to be refused rather than ignored.
const VARIABLES: &[(&str, &str)] = &[
    ("PGHOST", "host"),
    ("PGHOSTADDR", "hostaddr"),
    ("PGPORT", "port"),
    ("PGUSER", "user"),
    ("PGDATABASE", "dbname"),
    ("PGPASSWORD", "password"),
    ("PGPASSFILE", "passfile"),
    ("PGSSLMODE", "sslmode"),
    ("PGSSLROOTCERT", "sslrootcert"),
    ("PGSSLCERT", "sslcert"),
    ("PGSSLKEY", "sslkey"),
    ("PGSSLCRL", "sslcrl"),
    ("PGSSLCRLDIR", "sslcrldir"),
    ("PGSSLNEGOTIATION", "sslnegotiation"),
    ("PGSSLCERTMODE", "sslcertmode"),
    ("PGREQUIREPEER", "requirepeer"),
    ("PGREQUIREAUTH", "require_auth"),
    ("PGCHANNELBINDING", "channel_binding"),
    ("PGGSSENCMODE", "gssencmode"),
    ("PGOPTIONS", "options"),
    ("PGTARGETSESSIONATTRS", "target_session_attrs"),
    ("PGCONNECT_TIMEOUT", "connect_timeout"),
];

/// Variables, home directory and login name: of this process, or made up for a test.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    home: Option<Utf8PathBuf>,
    user: Option<String>,
}

impl Environment {
    /// The environment of this process. Variables that are not UTF-8 are left out.
    pub fn current() -> Self {
        let variables: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let system = SystemUser::current().ok();
        let home = match variables.get("HOME").filter(|home| !home.is_empty()) {
            Some(home) => Some(Utf8PathBuf::from(home)),
            None => system.as_ref().map(|user| user.home.clone()),
        };
        Self { variables, home, user: system.map(|user| user.name) }
    }

    /// An environment of nothing but these variables.
    pub fn new<N: Into<String>, V: Into<String>>(variables: impl IntoIterator<Item = (N, V)>) -> Self {
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { variables, home: None, user: None }
    }

    /// The same with this home directory.
    pub fn with_home(mut self, home: impl Into<Utf8PathBuf>) -> Self {
        self.home = Some(home.into());
        self
    }

    /// The same with this login name.
    pub fn with_user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// A variable; one that is empty counts as unset.
    pub fn var(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The home directory: `$HOME`, else the system user's.
    pub fn home(&self) -> Option<&Utf8Path> {
        self.home.as_deref()
    }
}

impl ConnectOptions {
    /// Fills in what is not set, in libpq's order: the definition of the service, the `PG*` variables, and the files
    /// in the home directory (`.pgpass`, `.postgresql/*`), at last role and database named like the system user.
    ///
    /// With [`run_as`](Self::run_as), home directory and login name are that user's. A demand for a server that takes
    /// writes holds wherever it is made. Returns what was noticed: a password file that libpq would ignore.
    /// Fails with [`ErrorKind::Config`](crate::ErrorKind::Config), naming the variable, or the file and line, at fault,
    /// and with [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) for a service that is nowhere defined.
    pub fn fill_from_environment(&mut self, env: &Environment) -> Result<Findings> {
        let mut findings = Findings::default();
        let run_as = self.run_as.as_ref();
        let home = run_as.map(|user| user.home.clone()).or_else(|| env.home.clone());
        let login = run_as.map(|user| user.name.clone()).or_else(|| env.user.clone());
        if let Some(name) = self.service.clone().or_else(|| env.var("PGSERVICE").map(str::to_owned)) {
            let definition = service::look_up(&name, self.servicefile.as_deref(), home.as_deref(), env)?;
            self.fill_from(definition);
        }
        let mut variables = Self::default();
        for (variable, key) in VARIABLES {
            if let Some(value) = env.var(variable) {
                variables.set(key, value).map_err(|fault| fault.at(&format!("in the variable {variable}")))?;
            }
        }
        self.fill_from(variables);
        if let Some(home) = home {
            self.fill_from_home(&home);
        }
        if let Some(finding) = self.passfile.as_deref().and_then(passfile::complaint) {
            findings.push(finding);
        }
        self.user = self.user.take().or(login);
        self.dbname = self.dbname.take().or_else(|| self.user.clone());
        Ok(findings)
    }

    fn fill_from_home(&mut self, home: &Utf8Path) {
        let existing = |name: &str| Some(home.join(name)).filter(|path| fs::is_file(path));
        // Without a certificate the key in the home directory belongs to nothing, and the other way round.
        if self.sslcert.is_none() && self.sslkey.is_none() {
            self.sslcert = existing(".postgresql/postgresql.crt");
            self.sslkey = self.sslcert.as_ref().and_then(|_| existing(".postgresql/postgresql.key"));
        }
        self.sslrootcert = self.sslrootcert.take().or_else(|| existing(".postgresql/root.crt"));
        self.passfile = self.passfile.take().or_else(|| existing(".pgpass"));
    }
}

#[cfg(test)]
mod tests {
    use super::super::SslMode;
    use super::*;
    use crate::ErrorKind;

    fn home(files: &[(&str, &str)]) -> (tempfile::TempDir, Utf8PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(directory.path().to_owned()).unwrap();
        for (name, text) in files {
            crate::fs::tests_write(&path.join(name), text);
        }
        (directory, path)
    }

    #[test]
    fn explicit_beats_service_beats_variable_beats_default() {
        let (_guard, home) = home(&[(".pg_service.conf", "[zulip]\nhost=service\ndbname=service\nuser=service\n")]);
        let variables = [
            ("PGSERVICE", "zulip"),
            ("PGHOST", "variable"),
            ("PGDATABASE", "variable"),
            ("PGPORT", "6000"),
            ("PGSSLMODE", "require"),
            ("PGTARGETSESSIONATTRS", "read-write"),
        ];
        let env = Environment::new(variables).with_home(&home).with_user("login");
        let mut options = ConnectOptions::parse("host=explicit").unwrap();
        assert!(options.fill_from_environment(&env).unwrap().is_empty());
        assert_eq!(options.hosts, ["explicit"]);
        assert_eq!(options.dbname.as_deref(), Some("service"));
        assert_eq!(options.user.as_deref(), Some("service"));
        assert_eq!(options.ports, [6000]);
        assert_eq!(options.sslmode, Some(SslMode::Require));
        assert!(options.read_write);
    }

    #[test]
    fn role_and_database_default_to_the_login_name() {
        let env = Environment::new([("PGPASSWORD", "")]).with_user("login");
        let mut options = ConnectOptions::default();
        options.fill_from_environment(&env).unwrap();
        assert_eq!((options.user.as_deref(), options.dbname.as_deref()), (Some("login"), Some("login")));
        assert_eq!(options.password, None);

        let run_as = SystemUser { name: "zulip".into(), uid: 7, gid: 7, home: "/nonexistent".into() };
        let mut options = ConnectOptions { run_as: Some(run_as), ..Default::default() };
        options.fill_from_environment(&env).unwrap();
        assert_eq!(options.user.as_deref(), Some("zulip"));
    }

    #[test]
    fn a_wrong_variable_is_named_and_its_value_is_not() {
        for (name, value) in [("PGPORT", "SECRET"), ("PGREQUIREAUTH", "SECRET"), ("PGSSLMODE", "SECRET")] {
            let env = Environment::new([(name, value)]);
            let error = ConnectOptions::default().fill_from_environment(&env).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains(name) && !error.to_string().contains("SECRET"), "{error}");
        }
    }

    #[test]
    fn a_password_file_that_others_may_read_is_noticed() {
        use std::os::unix::fs::PermissionsExt;
        let (_guard, home) = home(&[(".pgpass", "*:*:*:*:secret\n")]);
        let env = Environment::new([("PGUSER", "zulip")]).with_home(&home);
        let mut options = ConnectOptions::default();
        std::fs::File::set_permissions(
            &crate::fs::open(&home.join(".pgpass")).unwrap(),
            std::fs::Permissions::from_mode(0o640),
        )
        .unwrap();
        let findings = options.fill_from_environment(&env).unwrap();
        assert_eq!(findings.count("passfile-ignored"), 1);
        assert!(findings.list[0].hint.as_ref().unwrap().contains("chmod 600"));
    }
}
