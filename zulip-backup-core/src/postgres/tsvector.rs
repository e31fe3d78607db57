//! Text-search vectors: from their text form to their binary one.

use crate::{Error, ErrorKind, Result};

/// What the server takes: bytes of a lexeme, places of one, and bytes in front of a lexeme, as it keeps them.
const LEXEME: usize = 2047;
const PLACES: u16 = 256;
const VECTOR: usize = (1 << 20) - 1;

/// Appends a vector's binary form: how many lexemes, and each with its places.
///
/// # Errors
/// `Damaged` for what the server would not take; the message does not name the object.
pub(crate) fn encode(text: &str, bytes: &mut Vec<u8>) -> Result<()> {
    let start = bytes.len();
    bytes.extend_from_slice(&[0; 4]);
    let (mut count, mut kept) = (0_u32, 0);
    let mut rest = text.trim_start_matches(' ');
    while !rest.is_empty() {
        if kept > VECTOR {
            let message =
                format!("is a text-search vector of {kept} bytes and more, of which PostgreSQL takes {VECTOR}");
            return Err(Error::new(ErrorKind::Damaged, message));
        }
        rest = lexeme(rest, bytes, &mut kept).ok_or_else(|| {
            let shown: String = rest.chars().take(40).collect();
            Error::new(ErrorKind::Damaged, format!("{shown:?} is no part of a text-search vector"))
        })?;
        rest = rest.trim_start_matches(' ');
        count += 1;
    }
    bytes[start..start + 4].copy_from_slice(&count.to_be_bytes());
    Ok(())
}

/// One lexeme with its places; what comes behind it. `kept` grows by what the server keeps of it.
fn lexeme<'a>(text: &'a str, bytes: &mut Vec<u8>, kept: &mut usize) -> Option<&'a str> {
    let mut rest = text.strip_prefix('\'')?;
    let start = bytes.len();
    loop {
        let at = memchr::memchr2(b'\'', b'\\', rest.as_bytes())?;
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        let mark = rest.as_bytes()[at];
        let next = rest.as_bytes().get(at + 1).copied();
        rest = &rest[at + 1..];
        if next == Some(mark) {
            bytes.push(mark);
            rest = &rest[1..];
        } else if mark == b'\'' {
            break;
        } else {
            return None;
        }
    }
    let length = bytes.len() - start;
    if length > LEXEME {
        return None;
    }
    *kept += length;
    bytes.push(0);
    let places = bytes.len();
    bytes.extend_from_slice(&[0; 2]);
    let (mut count, mut last, mut before) = (0_u16, None, ':');
    while let Some(behind) = rest.strip_prefix(before) {
        before = ',';
        let digits = behind.bytes().take_while(u8::is_ascii_digit).count();
        let place: u16 = behind[..digits].parse().ok().filter(|place| *place < 1 << 14)?;
        rest = &behind[digits..];
        let weight = match rest.as_bytes().first() {
            Some(b'A') => 3,
            Some(b'B') => 2,
            Some(b'C') => 1,
            _ => 0,
        };
        rest = if weight > 0 { &rest[1..] } else { rest };
        bytes.extend_from_slice(&(place | weight << 14).to_be_bytes());
        if last.replace(place).is_some_and(|last| last >= place) {
            return None;
        }
        count += 1;
        if count > PLACES {
            return None;
        }
    }
    bytes[places..places + 2].copy_from_slice(&count.to_be_bytes());
    if count > 0 {
        // Places are numbers of two bytes, at even distances, behind their number.
        *kept = kept.next_multiple_of(2) + 2 + 2 * usize::from(count);
    }
    (rest.is_empty() || rest.starts_with(' ')).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(text: &str) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        encode(text, &mut bytes).map(|()| bytes)
    }

    #[test]
    fn lexemes_and_their_places_are_read() {
        let expected = [&[0, 0, 0, 2][..], b"a'b\\c\0", &[0, 2, 0xc0, 1, 0x3f, 0xff], b"d\0", &[0, 0]].concat();
        assert_eq!(made("'a''b\\\\c':1A,16383 'd'").unwrap(), expected);
        assert_eq!(made("").unwrap(), [0; 4]);
    }

    #[test]
    fn what_the_server_does_not_take_is_refused() {
        let many = |count: usize| (1..=count).map(|place| place.to_string()).collect::<Vec<_>>().join(",");
        let most = [
            format!("'{}'", "a".repeat(LEXEME)),
            format!("'a':{}", many(usize::from(PLACES))),
            // The last begins at the last byte.
            (0..1023).map(|word| format!("'{word:01024}' ")).collect::<String>() + &format!("'{:01023}' 'x'", 0),
        ];
        assert!(most.iter().all(|text| made(text).is_ok()));
        let more = format!("{} 'y'", most[2]);
        let (long, many) = (format!("'{}'", "a".repeat(LEXEME + 1)), format!("'a':{}", many(257)));
        for strange in
            ["a", "'a", "'a':", "'a':x", "'a':1,", "'a':99999", "'a''", "'a\\b'", "'a'b", "'a':1D", "'a':2,1"]
        {
            assert!(made(strange).is_err(), "{strange}");
        }
        assert!([long, many, more].iter().all(|text| made(text).is_err()));
    }
}
