//! What must not be guessed.

use rustix::rand::{GetRandomFlags, getrandom};

use crate::{Error, ErrorKind, Result};

const ALPHANUMERIC: &[u8; 62] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const HEXADECIMAL: &[u8; 16] = b"0123456789abcdef";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// So many letters and digits: keys and passwords.
pub(crate) fn alphanumeric(length: usize) -> Result<String> {
    text(ALPHANUMERIC, length)
}

/// So many characters of addresses, 6 bits each: what `secrets.token_urlsafe` gives.
pub(crate) fn url_safe(length: usize) -> Result<String> {
    text(URL_SAFE, length)
}

/// So many hexadecimal digits.
pub(crate) fn hexadecimal(length: usize) -> Result<String> {
    text(HEXADECIMAL, length)
}

/// A number below 256.
pub(crate) fn byte() -> Result<u8> {
    Ok(bytes::<1>()?[0])
}

/// A version 4 UUID.
pub(crate) fn uuid() -> Result<String> {
    let mut bytes = bytes::<16>()?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{}-{}-{}-{}-{}", &digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]))
}

fn text(alphabet: &[u8], length: usize) -> Result<String> {
    let mut text = String::with_capacity(length);
    while text.len() < length {
        // Bytes beyond the last multiple of the alphabet's size would make its first letters more likely.
        let usable = 256 - 256 % alphabet.len();
        let letters = bytes::<64>()?.into_iter().map(usize::from).filter(|byte| *byte < usable);
        text.extend(letters.take(length - text.len()).map(|byte| char::from(alphabet[byte % alphabet.len()])));
    }
    Ok(text)
}

fn bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    // Up to 256 bytes come at once, or not at all.
    match getrandom(&mut bytes[..], GetRandomFlags::empty()) {
        Ok(length) if length == N => Ok(bytes),
        Ok(length) => Err(Error::new(ErrorKind::Io, format!("the system gave {length} random bytes instead of {N}"))),
        Err(error) => Err(Error::new(ErrorKind::Io, "the system gives no random bytes").with_source(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_their_length_and_letters() {
        let (key, token, uuid) = (alphanumeric(130).unwrap(), url_safe(24).unwrap(), uuid().unwrap());
        assert!(key.len() == 130 && key.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert!(token.len() == 24 && token.bytes().all(|byte| URL_SAFE.contains(&byte)));
        assert_ne!(alphanumeric(32).unwrap(), alphanumeric(32).unwrap());
        assert!(uuid.len() == 36 && uuid.as_bytes()[14] == b'4' && b"89ab".contains(&uuid.as_bytes()[19]), "{uuid}");
    }
}
