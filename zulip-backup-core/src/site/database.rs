//! How Zulip itself reaches its database.

use camino::Utf8Path;

use super::provenance::{Known, Origin};
use super::{Kind, Site};
use crate::postgres::{ConnectOptions, SslMode};
use crate::process::SystemUser;
use crate::{Error, ErrorKind, Result, Secret, fs};

/// The role of a standard server; it logs in over the socket, as the system user of the same name.
const STANDARD_USER: &str = "zulip";

/// What decides, in Zulip's own words.
#[derive(Default)]
struct Facts {
    development: bool,
    database_name: String,
    database_user: String,
    /// `REMOTE_POSTGRES_HOST`, when set.
    remote_host: Option<String>,
    /// `REMOTE_POSTGRES_PORT`, when set.
    remote_port: Option<String>,
    /// `REMOTE_POSTGRES_SSLMODE`, when set.
    sslmode: Option<String>,
    /// `local_database_password` in development, `postgres_password` in production.
    password: Option<Secret>,
}

impl Facts {
    /// The first case that fits, in the order of Zulip's settings.
    fn connect_options(self) -> Result<ConnectOptions> {
        let base = ConnectOptions { dbname: Some(self.database_name), ..ConnectOptions::default() };
        let over_tcp = |user, password| ConnectOptions {
            hosts: vec!["localhost".to_owned()],
            user: Some(user),
            password,
            ..base.clone()
        };
        if self.development {
            let connect = over_tcp(self.database_user, self.password);
            return Ok(ConnectOptions { connect_timeout_seconds: Some(2), ..connect });
        }
        if let Some(remote) = &self.remote_host {
            let hosts: Vec<String> = remote.split(',').map(|host| host.trim().to_owned()).collect();
            let ports = self.remote_port.as_deref().map_or_else(|| Ok(Vec::new()), ports)?;
            if ports.len() > 1 && ports.len() != hosts.len() {
                return Err(wrong(
                    "REMOTE_POSTGRES_PORT",
                    &format!("has {} ports for {} hosts", ports.len(), hosts.len()),
                ));
            }
            return Ok(ConnectOptions {
                read_write: remote.contains(','),
                hosts,
                ports,
                user: Some(self.database_user),
                password: self.password,
                sslmode: Some(self.sslmode.as_deref().map_or(Ok(SslMode::VerifyFull), ssl_mode)?),
                ..base
            });
        }
        if self.database_user != STANDARD_USER && self.password.is_some() {
            return Ok(over_tcp(self.database_user, self.password));
        }
        Ok(ConnectOptions { user: Some(STANDARD_USER.to_owned()), ..base })
    }
}

impl Site {
    pub(super) fn find_database(&self) -> Result<Known<ConnectOptions>> {
        if let Some(given) = &self.parts.given_database {
            return Ok(Known::new(given.clone(), Origin::Flag("given".to_owned())));
        }
        if let Some(url) = &self.parts.given.database_url {
            return Ok(Known::new(parse(&url.value, &url.origin)?, url.origin.clone()));
        }
        let conf = self.zulip_conf()?;
        let development = self.kind()?.value == Kind::Development;
        let mut facts = Facts {
            development,
            database_name: conf.database_name().to_owned(),
            database_user: conf.database_user().to_owned(),
            ..Facts::default()
        };
        let mut sources = vec!["zulip.conf".to_owned()];
        if development {
            facts.password = self.secrets()?.get("local_database_password").cloned();
        } else {
            if !self.is_bare_database_host()? {
                let host = self.setting("REMOTE_POSTGRES_HOST")?;
                sources.push(format!("REMOTE_POSTGRES_HOST from {}", host.origin));
                facts.remote_host = host.value.text().map(str::to_owned);
            }
            if facts.remote_host.is_some() {
                self.prefetch(&["REMOTE_POSTGRES_PORT", "REMOTE_POSTGRES_SSLMODE"]);
                facts.remote_port = self.setting("REMOTE_POSTGRES_PORT")?.value.text().map(str::to_owned);
                facts.sslmode = self.setting("REMOTE_POSTGRES_SSLMODE")?.value.text().map(str::to_owned);
            }
            // Not needed for the socket, so that nobody has to be able to read it for that.
            if facts.remote_host.is_some() || facts.database_user != STANDARD_USER {
                facts.password = self.secrets()?.get("postgres_password").cloned();
            }
        }
        let remote = facts.remote_host.is_some();
        let mut connect = facts.connect_options()?;
        if remote && let Ok(deployment) = self.deployment() {
            use_certificates_of(deployment.owner(), &mut connect);
        }
        if connect.hosts.is_empty() && self.parts.caller_uid == 0 {
            connect.run_as = connect.user.as_deref().and_then(|role| self.parts.host.user_by_name(role));
        }
        Ok(Known::new(connect, Origin::Derived(sources.join(", "))))
    }

    /// A host of its own for the database has `zulip.conf` and neither a deployment nor `settings.py`.
    fn is_bare_database_host(&self) -> Result<bool> {
        Ok(!self.has_settings_py()? && self.deployment().is_err() && self.roles()?.is_database_only())
    }
}

/// The client certificate Zulip uses lies in the home of its own user, which is not that of the root who backs up.
fn use_certificates_of(user: &SystemUser, connect: &mut ConnectOptions) {
    let file =
        |name: &str| Some(user.home.join(".postgresql").join(name)).filter(|path: &camino::Utf8PathBuf| exists(path));
    connect.sslrootcert = file("root.crt");
    (connect.sslcert, connect.sslkey) =
        file("postgresql.crt").zip(file("postgresql.key")).map_or((None, None), |(cert, key)| (Some(cert), Some(key)));
}

fn exists(path: &Utf8Path) -> bool {
    fs::is_file(path)
}

fn ports(text: &str) -> Result<Vec<u16>> {
    let parsed: Result<Vec<u16>, _> = text.split(',').map(|port| port.trim().parse()).collect();
    parsed.map_err(|error| wrong("REMOTE_POSTGRES_PORT", &format!("is {text:?}, not a port number")).with_source(error))
}

fn ssl_mode(text: &str) -> Result<SslMode> {
    Ok(match text {
        "disable" => SslMode::Disable,
        "allow" => SslMode::Allow,
        "prefer" => SslMode::Prefer,
        "require" => SslMode::Require,
        "verify-ca" => SslMode::VerifyCa,
        "verify-full" => SslMode::VerifyFull,
        other => {
            return Err(wrong("REMOTE_POSTGRES_SSLMODE", &format!("is {other:?}, which PostgreSQL does not know")));
        }
    })
}

fn wrong(setting: &str, what: &str) -> Error {
    Error::new(ErrorKind::Config, format!("the setting {setting} {what}"))
        .with_hint("give --database-url or ZULIP_BACKUP_DATABASE_URL")
}

/// The options of a database URL (or libpq's `key=value` words). The text may hold a password: no error quotes it.
fn parse(url: &Secret, origin: &Origin) -> Result<ConnectOptions> {
    let invalid = || {
        Error::new(ErrorKind::Config, format!("the database URL from {origin} cannot be understood"))
            .with_hint("write postgresql://USER@HOST:PORT/DATABASE or host=… user=… dbname=…")
    };
    let config: postgres::Config = url.expose().parse().map_err(|_| invalid())?;
    let text = |bytes: &[u8]| std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| invalid());
    let hosts = config.get_hosts().iter().map(|host| match host {
        postgres::config::Host::Tcp(name) => Ok(name.clone()),
        postgres::config::Host::Unix(path) => path.to_str().map(str::to_owned).ok_or_else(invalid),
    });
    Ok(ConnectOptions {
        hosts: hosts.collect::<Result<_>>()?,
        ports: config.get_ports().to_vec(),
        user: config.get_user().map(str::to_owned),
        dbname: config.get_dbname().map(str::to_owned),
        password: config.get_password().map(text).transpose()?.map(Secret::new),
        sslmode: match config.get_ssl_mode() {
            postgres::config::SslMode::Disable => Some(SslMode::Disable),
            postgres::config::SslMode::Require => Some(SslMode::Require),
            _ => None,
        },
        read_write: config.get_target_session_attrs() == postgres::config::TargetSessionAttrs::ReadWrite,
        connect_timeout_seconds: config.get_connect_timeout().map(std::time::Duration::as_secs),
        ..ConnectOptions::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts { database_name: "zulip".into(), database_user: "zulip".into(), ..Facts::default() }
    }

    #[test]
    fn development_is_localhost_with_its_own_password() {
        let facts =
            Facts { development: true, remote_host: Some("db".into()), password: Some(Secret::new("p")), ..facts() };
        let connect = facts.connect_options().unwrap();
        assert_eq!((connect.hosts, connect.ports), (vec!["localhost".to_owned()], vec![]));
        assert_eq!((connect.password, connect.connect_timeout_seconds), (Some(Secret::new("p")), Some(2)));
        assert_eq!(connect.sslmode, None);
    }

    #[test]
    fn remote_defaults_to_verify_full_and_a_list_wants_a_primary() {
        let one = Facts { remote_host: Some("db.example.com".into()), database_user: "z".into(), ..facts() };
        let connect = one.connect_options().unwrap();
        assert_eq!((connect.sslmode, connect.read_write), (Some(SslMode::VerifyFull), false));
        assert_eq!((connect.user.as_deref(), connect.password), (Some("z"), None));
        let list = Facts {
            remote_host: Some("a,b".into()),
            remote_port: Some("5433".into()),
            sslmode: Some("prefer".into()),
            password: Some(Secret::new("p")),
            ..facts()
        };
        let connect = list.connect_options().unwrap();
        assert_eq!((connect.hosts, connect.ports), (vec!["a".to_owned(), "b".to_owned()], vec![5433]));
        assert_eq!((connect.sslmode, connect.read_write), (Some(SslMode::Prefer), true));
    }

    #[test]
    fn wrong_remote_settings_are_named() {
        for (port, sslmode, name) in
            [(Some("x"), None, "PORT"), (Some("1,2,3"), None, "PORT"), (None, Some("on"), "SSLMODE")]
        {
            let facts = Facts {
                remote_host: Some("a,b".into()),
                remote_port: port.map(str::to_owned),
                sslmode: sslmode.map(str::to_owned),
                ..facts()
            };
            let error = facts.connect_options().unwrap_err();
            assert!(error.to_string().contains(name) && error.kind() == ErrorKind::Config, "{error}");
        }
    }

    #[test]
    fn another_user_with_a_password_is_localhost_else_the_socket() {
        let other = || Facts { database_user: "chat".into(), ..facts() };
        let connect = Facts { password: Some(Secret::new("p")), ..other() }.connect_options().unwrap();
        assert_eq!((connect.hosts.len(), connect.user.as_deref()), (1, Some("chat")));
        for facts in [other(), facts(), Facts { password: Some(Secret::new("p")), ..facts() }] {
            let connect = facts.connect_options().unwrap();
            assert!(connect.hosts.is_empty() && connect.password.is_none());
            assert_eq!(connect.user.as_deref(), Some("zulip"));
        }
    }

    #[test]
    fn a_url_is_understood_and_never_quoted() {
        let origin = Origin::Environment("ZULIP_BACKUP_DATABASE_URL");
        let url = Secret::new("postgresql://me:hunter2@a:5433,b/chat?target_session_attrs=read-write");
        let connect = parse(&url, &origin).unwrap();
        assert_eq!(connect.hosts, ["a", "b"]);
        assert_eq!(
            (connect.user.as_deref(), connect.dbname.as_deref(), connect.read_write),
            (Some("me"), Some("chat"), true)
        );
        let socket = parse(&Secret::new("host=/run/postgresql dbname=zulip"), &origin).unwrap();
        assert_eq!(socket.hosts, ["/run/postgresql"]);
        let error = parse(&Secret::new("hunter2://"), &origin).unwrap_err();
        assert!(
            error.chain().contains("ZULIP_BACKUP_DATABASE_URL") && !error.chain().contains("hunter2"),
            "{}",
            error.chain()
        );
    }
}
