//! The two spellings of a connection: URL and `key=value`.

use std::iter::Peekable;
use std::str::Chars;

use super::ConnectOptions;
use crate::{Error, ErrorKind, Result, percent};

/// Where an option stands, for messages.
const PLACE: &str = "in the connection string";

pub(super) fn parse(text: &str) -> Result<ConnectOptions> {
    match text.strip_prefix("postgresql://").or_else(|| text.strip_prefix("postgres://")) {
        Some(rest) => url(rest),
        None => pairs(text),
    }
}

fn wrong(what: &str) -> Error {
    Error::new(ErrorKind::Config, format!("the connection string {what}"))
        .with_hint("write postgresql://user@host:port/database or key=value pairs; percent-encode special characters")
}

/// `rest` is a URL after its scheme: `[user[:password]@][host[:port],…][/database][?key=value&…]`.
fn url(rest: &str) -> Result<ConnectOptions> {
    let mut options = ConnectOptions::default();
    // As libpq: the first @ before the first / ends the credentials, whatever stands between.
    let (credentials, rest) = match rest.find(['@', '/']) {
        Some(at) if rest[at..].starts_with('@') => (Some(&rest[..at]), &rest[at + 1..]),
        _ => (None, rest),
    };
    if let Some(credentials) = credentials {
        let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
        set(&mut options, "user", &decode(user)?)?;
        set(&mut options, "password", &decode(password)?)?;
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (servers, rest) = rest.split_at(end);
    if servers.contains('@') {
        // Otherwise the rest of a password with an @ in it would be taken for a host and shown in messages.
        return Err(wrong("has a second @").with_hint("write an @ that belongs to the user or password as %40"));
    }
    hosts(&mut options, servers)?;
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    set(&mut options, "dbname", &decode(path.strip_prefix('/').unwrap_or(path))?)?;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').ok_or_else(|| wrong("has a parameter without ="))?;
        match (decode(key)?.as_str(), decode(value)?.as_str()) {
            // JDBC's spelling, which libpq understands too.
            ("ssl", "true") => set(&mut options, "sslmode", "require")?,
            (key, value) => set(&mut options, key, value)?,
        }
    }
    Ok(options)
}

fn hosts(options: &mut ConnectOptions, servers: &str) -> Result<()> {
    if servers.is_empty() {
        return Ok(());
    }
    let mut ports = Vec::new();
    for server in servers.split(',') {
        let (host, port) = if let Some(rest) = server.strip_prefix('[') {
            let (host, rest) = rest.split_once(']').ok_or_else(|| wrong("has an address without ]"))?;
            let port = match rest {
                "" => "",
                _ => rest.strip_prefix(':').ok_or_else(|| wrong("has something between ] and the port"))?,
            };
            (host, port)
        } else {
            server.split_once(':').unwrap_or((server, ""))
        };
        options.hosts.push(decode(host)?);
        ports.push(decode(port)?);
    }
    if options.hosts.iter().all(String::is_empty) {
        options.hosts.clear();
    }
    if ports.iter().any(|port| !port.is_empty()) {
        set(options, "port", &ports.join(","))?;
    }
    Ok(())
}

fn pairs(text: &str) -> Result<ConnectOptions> {
    let mut options = ConnectOptions::default();
    let mut letters = text.chars().peekable();
    loop {
        skip_blanks(&mut letters);
        if letters.peek().is_none() {
            return Ok(options);
        }
        let mut key = String::new();
        while let Some(letter) = letters.next_if(|letter| *letter != '=' && !letter.is_ascii_whitespace()) {
            key.push(letter);
        }
        skip_blanks(&mut letters);
        if letters.next() != Some('=') {
            return Err(wrong("has a word that is not followed by ="));
        }
        skip_blanks(&mut letters);
        let value = value(&mut letters)?;
        set(&mut options, &key, &value)?;
    }
}

fn value(letters: &mut Peekable<Chars<'_>>) -> Result<String> {
    let quoted = letters.next_if_eq(&'\'').is_some();
    let mut value = String::new();
    loop {
        match letters.peek().copied() {
            None if quoted => return Err(wrong("has a quoted value without its closing quote")),
            None => break,
            Some('\'') if quoted => {
                letters.next();
                break;
            }
            Some(letter) if !quoted && letter.is_ascii_whitespace() => break,
            Some('\\') => {
                letters.next();
                value.extend(letters.next());
            }
            Some(letter) => {
                letters.next();
                value.push(letter);
            }
        }
    }
    Ok(value)
}

fn skip_blanks(letters: &mut Peekable<Chars<'_>>) {
    while letters.next_if(char::is_ascii_whitespace).is_some() {}
}

fn set(options: &mut ConnectOptions, key: &str, value: &str) -> Result<()> {
    options.set(key, value).map_err(|fault| fault.at(PLACE))
}

fn decode(text: &str) -> Result<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
        match (digit(rest.next()), digit(rest.next())) {
            // A zero byte ends a string in the protocol.
            (Some(0), Some(0)) => return Err(wrong("has the forbidden %00")),
            (Some(high), Some(low)) => bytes.push(u8::try_from(high * 16 + low).unwrap_or_default()),
            _ => return Err(wrong("has a % without two hexadecimal digits")),
        }
    }
    String::from_utf8(bytes).map_err(|_| wrong("has percent-encoded bytes that are not UTF-8"))
}

/// Percent-encodes what could be mistaken for something else in a URL.
pub(super) fn encode(text: &str) -> String {
    percent::encode(text, b"-._~")
}

/// As [`encode`], but leaves slashes alone.
pub(super) fn encode_path(text: &str) -> String {
    percent::encode(text, b"-._~/:")
}

#[cfg(test)]
mod tests {
    use super::super::{DEFAULT_PORT, SslMode};
    use super::*;

    fn parsed(text: &str) -> ConnectOptions {
        parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn urls_as_libpq_reads_them() {
        let all = parsed("postgresql://us%65r:p%40ss:%2f@db.example:5433/my%20db?sslmode=verify-ca&connect_timeout=3");
        assert_eq!(all.user.as_deref(), Some("user"));
        assert_eq!(all.password.as_ref().unwrap().expose(), "p@ss:/");
        assert_eq!((all.hosts.as_slice(), all.ports.as_slice()), (&["db.example".to_owned()][..], &[5433][..]));
        assert_eq!(all.dbname.as_deref(), Some("my db"));
        assert_eq!((all.sslmode, all.connect_timeout_seconds), (Some(SslMode::VerifyCa), Some(3)));

        assert_eq!(parsed("postgresql://"), ConnectOptions::default());
        assert_eq!(parsed("postgres:///db").dbname.as_deref(), Some("db"));
        assert_eq!(parsed("postgresql://h").hosts, ["h"]);
        let several = parsed("postgresql://h1,[::1]:6,h3:7/?target_session_attrs=read-write");
        assert_eq!(several.hosts, ["h1", "::1", "h3"]);
        assert_eq!(several.ports, [DEFAULT_PORT, 6, 7]);
        assert!(several.read_write);
        assert_eq!(parsed("postgresql://%2Fvar%2Frun/db").hosts, ["/var/run"]);
        assert_eq!(parsed("postgresql:///db?host=/a,/b&port=1,2").ports, [1, 2]);
        assert_eq!(parsed("postgresql://h/db?ssl=true").sslmode, Some(SslMode::Require));
        assert_eq!(parsed("postgresql://u:a?b@h").password.unwrap().expose(), "a?b");
        assert_eq!(parsed("postgresql://h?user=other").user.as_deref(), Some("other"));
    }

    #[test]
    fn pairs_as_libpq_reads_them() {
        let options = parsed(r"  host = db  port=1 user='it\'s' dbname = 'a b' password=x\ y\\z sslmode='' ");
        assert_eq!(options.hosts, ["db"]);
        assert_eq!(options.user.as_deref(), Some("it's"));
        assert_eq!(options.dbname.as_deref(), Some("a b"));
        assert_eq!(options.password.unwrap().expose(), r"x y\z");
        assert_eq!(options.sslmode, None);
        assert_eq!(parsed(""), ConnectOptions::default());
    }

    #[test]
    fn an_error_never_quotes_the_string() {
        for text in [
            "postgresql://u:SECRET@with@h/",
            "postgresql://u:SECRET%zz@h/",
            "postgresql://u:%ff@SECRET/",
            "postgresql://h:SECRET/",
            "postgresql://[::1SECRET/",
            "postgresql://[::1]SECRET/",
            "postgresql://h/?SECRET",
            "postgresql://h/?port=SECRET",
            "postgresql://h/%00SECRET",
            "password=SECRET SECRET",
            "password='SECRET",
            "password=a SECRET=b",
            "SECRET",
        ] {
            let error = parse(text).expect_err(text);
            assert_eq!(error.kind(), ErrorKind::Config);
            let said = format!("{error} {error:?} {:?}", error.hint());
            assert!(!said.contains("SECRET"), "{text}: {said}");
        }
        let error = parse("postgresql://h/?colour=red").unwrap_err();
        assert!(error.to_string().contains("colour"), "{error}");
    }

    #[test]
    fn encoding_is_undone_by_decoding() {
        for text in ["a b", "ä/ö?&=%", "", "new\nline"] {
            assert_eq!(decode(&encode(text)).unwrap(), text);
        }
    }
}
