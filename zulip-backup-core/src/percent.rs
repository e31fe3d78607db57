//! Percent-encoding, for addresses (RFC 3986).

use std::fmt::Write;

/// Encodes all bytes but ASCII letters, digits and those of `plain`.
pub(crate) fn encode(text: &str, plain: &[u8]) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || plain.contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
