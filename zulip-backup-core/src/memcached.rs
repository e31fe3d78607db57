//! Making memcached forget: its binary protocol, as far as that takes.
//!
//! Zulip's processes remember organisations, users and messages there, for up to a week. Whoever changes rows beside
//! Zulip has to make them forget, or people are shown what was.

mod binary;

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;

use crate::Secret;

/// The port where none is said.
const PORT: u16 = 11211;

/// How long one server may take for all of it.
const LIMIT: Duration = Duration::from_secs(2);

/// Where one memcached listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A host and a port.
    Tcp(String, u16),
    /// A socket.
    Unix(Utf8PathBuf),
}

impl Address {
    /// Reads `HOST`, `HOST:PORT`, `[IPV6]:PORT`, `/SOCKET` or `unix:/SOCKET`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Some(path) = text.strip_prefix("unix:").or(text.starts_with('/').then_some(text)) {
            return Some(Self::Unix(path.into()));
        }
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest.split_once(']')?;
                (host, rest.strip_prefix(':'))
            }
            None if text.matches(':').count() > 1 => (text, None),
            None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
        };
        let host_is_plain = !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || "'\"[]()/,;".contains(c));
        let port = port.map_or(Some(PORT), |port| port.parse().ok())?;
        host_is_plain.then(|| Self::Tcp(host.to_owned(), port))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp(host, port) => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "{path}"),
        }
    }
}

/// A server's memcached, and how to log in there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memcached {
    /// Where it listens: all of them have to forget.
    pub addresses: Vec<Address>,
    /// Name and password (SASL PLAIN), where it wants them.
    pub login: Option<(String, Secret)>,
}

impl Memcached {
    /// Makes all of them forget everything.
    ///
    /// # Errors
    /// Why one did not, with its address; never the password.
    pub fn flush(&self) -> Result<(), String> {
        let failed: Vec<String> = self
            .addresses
            .iter()
            .filter_map(|address| Some(format!("{address} {}", self.flush_one(address).err()?)))
            .collect();
        if failed.is_empty() { Ok(()) } else { Err(failed.join("; ")) }
    }

    /// On a thread of its own, which is given up when the time is over: nothing bounds how long a name is looked up.
    fn flush_one(&self, address: &Address) -> Result<(), String> {
        let (sender, receiver) = mpsc::sync_channel(1);
        let (address, login) = (address.clone(), self.login.clone());
        let work = move || {
            let deadline = Instant::now() + LIMIT;
            // Nobody waits any more when the time is over.
            let _ = sender.send(flush(&address, login.as_ref(), deadline));
        };
        let thread = std::thread::Builder::new().name("memcached".into()).spawn(work);
        thread.map_err(|error| format!("could not be asked: {error}"))?;
        receiver.recv_timeout(LIMIT + Duration::from_millis(500)).unwrap_or_else(|_| Err(silence()))
    }
}

fn silence() -> String {
    format!("did not answer within {} s", LIMIT.as_secs())
}

/// A connection whose every wait ends when the time is over.
enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

struct Connection {
    stream: Stream,
    deadline: Instant,
}

impl Connection {
    fn left(&self) -> io::Result<Option<Duration>> {
        match self.deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            Some(left) => Ok(Some(left)),
            None => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.left()?;
        match &mut self.stream {
            Stream::Tcp(stream) => stream.set_read_timeout(left).and_then(|()| stream.read(buffer)),
            Stream::Unix(stream) => stream.set_read_timeout(left).and_then(|()| stream.read(buffer)),
        }
    }
}

impl Write for Connection {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let left = self.left()?;
        match &mut self.stream {
            Stream::Tcp(stream) => stream.set_write_timeout(left).and_then(|()| stream.write(buffer)),
            Stream::Unix(stream) => stream.set_write_timeout(left).and_then(|()| stream.write(buffer)),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn connect(address: &Address, deadline: Instant) -> io::Result<Connection> {
    let stream = match address {
        Address::Unix(path) => Stream::Unix(UnixStream::connect(path)?),
        Address::Tcp(host, port) => {
            let mut refusal = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
            let mut found = None;
            for resolved in (host.as_str(), *port).to_socket_addrs()? {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                match TcpStream::connect_timeout(&resolved, left) {
                    Ok(stream) => {
                        found = Some(stream);
                        break;
                    }
                    Err(error) => refusal = error,
                }
            }
            Stream::Tcp(found.ok_or(refusal)?)
        }
    };
    Ok(Connection { stream, deadline })
}

fn flush(address: &Address, login: Option<&(String, Secret)>, deadline: Instant) -> Result<(), String> {
    let told = |error: io::Error| match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => silence(),
        _ => format!("could not be reached: {error}"),
    };
    let mut connection = connect(address, deadline).map_err(told)?;
    binary::flush(&mut connection, login).map_err(|fault| match fault {
        binary::Fault::Io(error) => match error.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => silence(),
            io::ErrorKind::UnexpectedEof => "ended the connection".to_owned(),
            _ => format!("could not be asked: {error}"),
        },
        binary::Fault::Answer(text) => text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_in_all_their_forms() {
        let tcp = |host: &str, port| Some(Address::Tcp(host.to_owned(), port));
        assert_eq!(Address::parse("127.0.0.1:11211"), tcp("127.0.0.1", 11211));
        assert_eq!(Address::parse(" memcached "), tcp("memcached", 11211));
        assert_eq!(Address::parse("[::1]:5"), tcp("::1", 5));
        assert_eq!(Address::parse("::1"), tcp("::1", 11211));
        assert_eq!(Address::parse("unix:/run/m.sock"), Some(Address::Unix("/run/m.sock".into())));
        assert_eq!(Address::parse("/run/m.sock"), Some(Address::Unix("/run/m.sock".into())));
        for wrong in ["", ":1", "host:port", "host:70000", "[::1", "a b:1", "('a', 1)"] {
            assert_eq!(Address::parse(wrong), None, "{wrong}");
        }
        assert_eq!(Address::parse("[::1]:5").unwrap().to_string(), "[::1]:5");
    }
}
