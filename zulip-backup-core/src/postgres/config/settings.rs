//! libpq's option names and what their values mean.

use super::ConnectOptions;
use crate::{Error, ErrorKind, Secret};

/// Options that change nothing here: the name is ours to give, the encoding is always UTF-8, and the rest tunes how
/// soon a dead connection is noticed or in which order hosts are tried.
const WITHOUT_EFFECT: &[&str] = &[
    "application_name",
    "client_encoding",
    "fallback_application_name",
    "gsslib",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "krbsrvname",
    "load_balance_hosts",
    "sslcompression",
    "sslsni",
    "tcp_user_timeout",
];

/// Options that demand something this program does not do, with the values that demand nothing. To ignore a demand
/// would connect in a way that somebody has forbidden.
const UNSUPPORTED: &[(&str, &[&str])] = &[
    ("channel_binding", &["disable", "prefer"]),
    ("gssdelegation", &["0"]),
    ("gssencmode", &["disable", "prefer"]),
    ("options", &[]),
    ("replication", &["0", "false", "no", "off"]),
    ("require_auth", &[]),
    ("requirepeer", &[]),
    ("ssl_max_protocol_version", &["TLSv1.3"]),
    ("ssl_min_protocol_version", &["TLSv1", "TLSv1.1", "TLSv1.2"]),
    ("sslcertmode", &["allow"]),
    ("sslcrl", &[]),
    ("sslcrldir", &[]),
    ("sslnegotiation", &["postgres"]),
    ("sslpassword", &[]),
];

/// Why an option was not taken. It never holds a value, because a mistyped string puts passwords in odd places.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("the connection option {0} is not known")]
    Unknown(String),
    #[error("the connection option {0} with this value is not supported")]
    Unsupported(String),
    #[error("the connection option {key} is not {expected}")]
    Invalid { key: &'static str, expected: &'static str },
}

impl Fault {
    /// The error for the reader, told where the option stands.
    pub(super) fn at(&self, place: &str) -> Error {
        let error = Error::new(ErrorKind::Config, format!("{self} ({place})"));
        match self {
            Self::Unknown(_) => error.with_hint(
                "the known ones are host, hostaddr, port, user, dbname, password, passfile, sslmode, sslrootcert, \
                 sslcert, sslkey, target_session_attrs, connect_timeout and service",
            ),
            Self::Unsupported(_) | Self::Invalid { .. } => error,
        }
    }
}

impl ConnectOptions {
    /// Sets one option. An empty value leaves it unset, as an empty `PG*` variable does.
    pub(super) fn set(&mut self, key: &str, value: &str) -> Result<(), Fault> {
        if value.is_empty() {
            return if is_known(key) { Ok(()) } else { Err(Fault::Unknown(shown(key))) };
        }
        match key {
            "host" => self.hosts = value.split(',').map(str::to_owned).collect(),
            "hostaddr" => {
                self.hostaddrs = list(value, |address| address.parse().ok())
                    .ok_or(Fault::Invalid { key: "hostaddr", expected: "a list of IP addresses" })?;
            }
            "port" => {
                self.ports = list(value, port)
                    .ok_or(Fault::Invalid { key: "port", expected: "a number from 1 to 65535, or a list of them" })?;
            }
            "user" => self.user = Some(value.to_owned()),
            "dbname" => self.dbname = Some(value.to_owned()),
            "password" => self.password = Some(Secret::new(value)),
            "passfile" => self.passfile = Some(value.into()),
            "service" => self.service = Some(value.to_owned()),
            "servicefile" => self.servicefile = Some(value.into()),
            "sslmode" => {
                let expected = "one of disable, allow, prefer, require, verify-ca, verify-full";
                self.sslmode = Some(value.parse().map_err(|_| Fault::Invalid { key: "sslmode", expected })?);
            }
            "sslrootcert" => self.sslrootcert = Some(value.into()),
            "sslcert" => self.sslcert = Some(value.into()),
            "sslkey" => self.sslkey = Some(value.into()),
            "connect_timeout" => {
                let seconds: i64 = value
                    .trim()
                    .parse()
                    .map_err(|_| Fault::Invalid { key: "connect_timeout", expected: "a number of seconds" })?;
                // To libpq zero and everything below mean to wait for ever.
                self.connect_timeout_seconds = Some(u64::try_from(seconds).unwrap_or(0));
            }
            "target_session_attrs" => match value {
                "any" | "prefer-standby" => self.read_write = false,
                // A primary may still refuse writes by its settings; then it is of no use here either.
                "read-write" | "primary" => self.read_write = true,
                "read-only" | "standby" => return Err(Fault::Unsupported(key.to_owned())),
                _ => {
                    let expected = "one of any, read-write, primary, prefer-standby";
                    return Err(Fault::Invalid { key: "target_session_attrs", expected });
                }
            },
            _ if WITHOUT_EFFECT.contains(&key) => {}
            _ => match UNSUPPORTED.iter().find(|(name, _)| *name == key) {
                Some((_, harmless)) if harmless.contains(&value) => {}
                Some(_) => return Err(Fault::Unsupported(key.to_owned())),
                None => return Err(Fault::Unknown(shown(key))),
            },
        }
        Ok(())
    }
}

fn is_known(key: &str) -> bool {
    // A value of one blank is valid or at least not unknown for every known key.
    WITHOUT_EFFECT.contains(&key)
        || UNSUPPORTED.iter().any(|(name, _)| *name == key)
        || !matches!(ConnectOptions::default().set(key, " "), Err(Fault::Unknown(_)))
}

/// The key, if it looks like one: in a string with a password full of blanks, anything can come to stand where a key
/// is expected.
fn shown(key: &str) -> String {
    let plausible = (1..=32).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if plausible { key.to_owned() } else { "of that name".to_owned() }
}

fn list<T>(value: &str, parse: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    value.split(',').map(|item| parse(item.trim())).collect()
}

fn port(text: &str) -> Option<u16> {
    match text {
        "" => Some(super::DEFAULT_PORT),
        _ => text.parse().ok().filter(|port| *port > 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_fault_names_the_key_and_not_the_value() {
        for (key, value, expected) in [
            ("colour", "SECRET", "the connection option colour is not known"),
            ("pass word!", "SECRET", "the connection option of that name is not known"),
            ("port", "SECRET", "the connection option port is not a number from 1 to 65535, or a list of them"),
            ("port", "0", "the connection option port is not a number from 1 to 65535, or a list of them"),
            ("require_auth", "SECRET", "the connection option require_auth with this value is not supported"),
            ("channel_binding", "require", "the connection option channel_binding with this value is not supported"),
            (
                "target_session_attrs",
                "standby",
                "the connection option target_session_attrs with this value is not supported",
            ),
        ] {
            let fault = ConnectOptions::default().set(key, value).unwrap_err();
            assert_eq!(fault.to_string(), expected);
        }
        assert!(ConnectOptions::default().set("colour", "").is_err());
        assert!(ConnectOptions::default().set("port", "").is_ok());
    }

    #[test]
    fn demands_that_demand_nothing_are_accepted() {
        for (key, value) in [("gssencmode", "prefer"), ("options", ""), ("keepalives", "1"), ("sslsni", "0")] {
            let mut options = ConnectOptions::default();
            options.set(key, value).unwrap();
            assert_eq!(options, ConnectOptions::default());
        }
    }

    #[test]
    fn a_timeout_of_zero_or_less_is_for_ever() {
        let mut options = ConnectOptions::default();
        options.set("connect_timeout", "-1").unwrap();
        assert_eq!(options.connect_timeout_seconds, Some(0));
    }
}
