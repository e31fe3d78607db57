//! The two requests: log in, and forget everything.

use std::io::{self, Read, Write};

use crate::Secret;

const REQUEST: u8 = 0x80;
const RESPONSE: u8 = 0x81;

const FLUSH: u8 = 0x08;
const SASL_AUTH: u8 = 0x21;

const OK: u16 = 0x00;
const AUTH_ERROR: u16 = 0x20;
const AUTH_CONTINUE: u16 = 0x21;
const UNKNOWN_COMMAND: u16 = 0x81;

/// The header of requests and responses.
const HEADER: usize = 24;

/// The most that an answer says: a sentence.
const MAX_BODY: u32 = 64 << 10;

/// Why it was not done.
pub(super) enum Fault {
    /// The connection.
    Io(io::Error),
    /// What was answered.
    Answer(String),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Logs in, where that is wanted, and flushes.
pub(super) fn flush(stream: &mut (impl Read + Write), login: Option<&(String, Secret)>) -> Result<(), Fault> {
    if let Some((user, password)) = login {
        let value = format!("\0{user}\0{}", password.expose());
        match ask(stream, SASL_AUTH, b"PLAIN", value.as_bytes())? {
            // A server without SASL lets everybody in, and does not know the request.
            OK | UNKNOWN_COMMAND => {}
            AUTH_ERROR | AUTH_CONTINUE => {
                return Err(Fault::Answer(format!("does not accept the password of {user:?}")));
            }
            status => return Err(Fault::Answer(format!("answered the login with the status {status:#04x}"))),
        }
    }
    match ask(stream, FLUSH, b"", b"")? {
        OK => Ok(()),
        AUTH_ERROR => Err(Fault::Answer("wants a password, and none is known".to_owned())),
        status => Err(Fault::Answer(format!("answered with the status {status:#04x}"))),
    }
}

/// Makes a request; the status of its answer comes back.
fn ask(stream: &mut (impl Read + Write), opcode: u8, key: &[u8], value: &[u8]) -> Result<u16, Fault> {
    let too_long = || Fault::Answer("cannot be asked: the name or password is too long".to_owned());
    let key_length = u16::try_from(key.len()).map_err(|_| too_long())?;
    let body = u32::try_from(key.len() + value.len()).map_err(|_| too_long())?;
    let opaque = u32::from(opcode);
    let mut request = Vec::with_capacity(HEADER + key.len() + value.len());
    request.extend([REQUEST, opcode]);
    request.extend(key_length.to_be_bytes());
    // No extras, no type of data, no bucket.
    request.extend([0; 4]);
    request.extend(body.to_be_bytes());
    request.extend(opaque.to_be_bytes());
    request.extend([0; 8]);
    request.extend(key);
    request.extend(value);
    stream.write_all(&request)?;

    let mut header = [0; HEADER];
    stream.read_exact(&mut header)?;
    let number = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let body = number(8);
    if header[0] != RESPONSE || header[1] != opcode || number(12) != opaque || body > MAX_BODY {
        return Err(Fault::Answer("answers in no way that memcached does".to_owned()));
    }
    // What it says of it is for people who know its words; the status is enough.
    let skipped = io::copy(&mut stream.take(u64::from(body)), &mut io::sink())?;
    if skipped < u64::from(body) {
        return Err(Fault::Io(io::ErrorKind::UnexpectedEof.into()));
    }
    Ok(u16::from_be_bytes([header[6], header[7]]))
}
