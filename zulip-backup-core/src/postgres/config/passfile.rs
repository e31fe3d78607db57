//! `.pgpass`: passwords by host, port, database and role.

use std::os::unix::fs::MetadataExt;

use camino::{Utf8Path, Utf8PathBuf};

use super::{ConnectOptions, Endpoint, SOCKET_DIRECTORIES};
use crate::{Finding, Secret, fs};

/// More than any password file has; a mistaken path must not fill the memory.
const LIMIT: u64 = 1 << 20;

/// The password for one server: the given one, else the first match in the password file.
///
/// It is looked up for each server when it is connected to, because several hosts may have several passwords.
pub(crate) fn password_for(options: &ConnectOptions, endpoint: &Endpoint, user: &str, dbname: &str) -> Option<Secret> {
    if let Some(password) = &options.password {
        return Some(password.clone());
    }
    let path: Utf8PathBuf = match &options.passfile {
        Some(path) => path.clone(),
        None => options.home()?.join(".pgpass"),
    };
    if !fs::is_file(&path) || complaint(&path).is_some() {
        return None;
    }
    let bytes = fs::read(&path, LIMIT).ok()?;
    let default_socket = endpoint.is_socket() && SOCKET_DIRECTORIES.contains(&endpoint.host.as_str());
    let host = if default_socket { "localhost" } else { &endpoint.host };
    find(&String::from_utf8_lossy(&bytes), [host, &endpoint.port.to_string(), dbname, user])
}

/// Why libpq would ignore the file, if it would.
pub(super) fn complaint(path: &Utf8Path) -> Option<Finding> {
    let ignored =
        |why: String, hint: String| Some(Finding::warning("passfile-ignored", path.as_str(), why).with_hint(hint));
    match fs::metadata(path) {
        Ok(Some(metadata)) if !metadata.is_file() => {
            ignored("is not a plain file, so no password is read from it".into(), "name another file".into())
        }
        Ok(Some(metadata)) if metadata.mode() & 0o077 != 0 => ignored(
            format!(
                "has the mode {:04o} and so is open to others; no password is read from it",
                metadata.mode() & 0o7777
            ),
            format!("chmod 600 {path}"),
        ),
        Ok(_) => None,
        Err(error) => ignored(error.chain(), "check the owner and mode of its directories".into()),
    }
}

/// The password of the first line that matches host, port, database and role.
fn find(text: &str, wanted: [&str; 4]) -> Option<Secret> {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).find_map(|line| {
        let mut fields = Fields { rest: line };
        for value in wanted {
            let (raw, field) = fields.next()?;
            if raw != "*" && field != value {
                return None;
            }
        }
        fields.next().map(|(_, password)| Secret::new(password)).filter(|password| !password.is_empty())
    })
}

/// The fields of a line, separated by colons; a backslash takes the next letter as it is.
struct Fields<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Fields<'a> {
    /// As written, and with the escapes undone: `\*` is a name, `*` is everything.
    type Item = (&'a str, String);

    fn next(&mut self) -> Option<Self::Item> {
        let line = std::mem::take(&mut self.rest);
        if line.is_empty() {
            return None;
        }
        let mut field = String::new();
        let mut letters = line.char_indices();
        while let Some((at, letter)) = letters.next() {
            match letter {
                ':' => {
                    self.rest = &line[at + 1..];
                    return Some((&line[..at], field));
                }
                '\\' => field.push(letters.next().map_or('\\', |(_, escaped)| escaped)),
                _ => field.push(letter),
            }
        }
        Some((line, field))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, wanted: [&str; 4]) -> Option<String> {
        find(text, wanted).map(|password| password.expose().to_owned())
    }

    #[test]
    fn lines_match_as_in_libpq() {
        let me = ["db", "5432", "zulip", "me"];
        assert_eq!(found("db:5432:zulip:me:pw", me).as_deref(), Some("pw"));
        assert_eq!(found("*:*:*:*:pw\r\n", me).as_deref(), Some("pw"));
        assert_eq!(
            found("# db:5432:zulip:me:no\n\nother:*:*:*:no\ndb:*:*:*:first\n*:*:*:*:second", me).as_deref(),
            Some("first")
        );
        assert_eq!(found(r"db:5432:zulip:me:a\:b\\c", me).as_deref(), Some(r"a:b\c"));
        assert_eq!(found("db:5432:zulip:me:pw:rest", me).as_deref(), Some("pw"));
        assert_eq!(found(r"\*:5432:zulip:me:pw", me), None);
        assert_eq!(found(r"fe80\:\:1:1:d:u:pw", ["fe80::1", "1", "d", "u"]).as_deref(), Some("pw"));
        for short in ["db:5432:zulip:me", "db:5432:zulip:me:", "db", ":::", "db:5432:zulip:mee:pw"] {
            assert_eq!(found(short, me), None, "{short}");
        }
    }

    #[test]
    fn a_default_socket_is_localhost_and_another_is_its_path() {
        let directory = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(directory.path()).unwrap().join("pgpass");
        crate::fs::tests_write(&path, "localhost:*:*:*:local\n/srv/pg:*:*:*:path\n");
        let options = ConnectOptions { passfile: Some(path), ..Default::default() };
        let password = |host: &str| {
            let endpoint = Endpoint { host: host.into(), hostaddr: None, port: 1 };
            password_for(&options, &endpoint, "u", "d").map(|password| password.expose().to_owned())
        };
        assert_eq!(password("/var/run/postgresql").as_deref(), Some("local"));
        assert_eq!(password("localhost").as_deref(), Some("local"));
        assert_eq!(password("/srv/pg").as_deref(), Some("path"));
        assert_eq!(password("/srv/other"), None);
    }
}
