//! Values as upstream's exporter writes them: the bytes are orjson's, two spaces a level.
//!
//! Values come in PostgreSQL's binary form and go straight into the bytes of the file.

use crate::postgres::integer;
use crate::schema::Encoding;
use crate::{Error, ErrorKind, Result};

/// Microseconds from 1970 to PostgreSQL's own epoch, 2000.
const EPOCH: i64 = 946_684_800_000_000;

/// Writes a value that is not NULL, at `depth` levels of indentation.
///
/// # Errors
/// `Postgres` where the bytes are not of the type that was declared, in a few words without the column's name.
pub(super) fn value(out: &mut Vec<u8>, encoding: Encoding, bytes: &[u8], depth: usize) -> Result<()> {
    match encoding {
        Encoding::Integer => {
            number(out, integer(bytes).ok_or_else(|| wrong("integer", bytes))?);
            Ok(())
        }
        Encoding::Boolean => {
            out.extend_from_slice(match bytes {
                [0] => b"false",
                [1] => b"true",
                _ => return Err(wrong("boolean", bytes)),
            });
            Ok(())
        }
        Encoding::Text => {
            string(out, bytes);
            Ok(())
        }
        Encoding::Seconds => seconds(out, microseconds(bytes)?),
        Encoding::Iso => iso(out, microseconds(bytes)?),
        Encoding::Json => match bytes {
            [1, text @ ..] => json(out, text, depth),
            _ => Err(wrong("jsonb", bytes)),
        },
        Encoding::Uuid => uuid(out, bytes),
        Encoding::Tsvector => tsvector(out, bytes),
    }
}

/// A whole number.
pub(super) fn number(out: &mut Vec<u8>, value: i64) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    let mut rest = value.unsigned_abs();
    // Two digits with one division.
    while rest >= 10 {
        let pair = usize::from((rest % 100) as u8) * 2;
        rest /= 100;
        at -= 2;
        digits[at..at + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
    }
    if rest > 0 || value == 0 {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
    }
    if value < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[at..]);
}

/// The numbers from 00 to 99.
static PAIRS: [u8; 200] = {
    let mut pairs = [b'0'; 200];
    let mut number = 0_u8;
    while number < 100 {
        pairs[number as usize * 2] += number / 10;
        pairs[number as usize * 2 + 1] += number % 10;
        number += 1;
    }
    pairs
};

/// A string in quotes. Only what JSON demands is escaped, and nothing above 0x7e.
pub(super) fn string(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    escaped(out, text);
    out.push(b'"');
}

/// The inside of a string.
fn escaped(out: &mut Vec<u8>, text: &[u8]) {
    let mut rest = text;
    loop {
        let clean = clean(rest);
        out.extend_from_slice(&rest[..clean]);
        let Some(&byte) = rest.get(clean) else { return };
        escape(out, byte);
        rest = &rest[clean + 1..];
    }
}

/// One byte that cannot stand in a string as it is.
fn escape(out: &mut Vec<u8>, byte: u8) {
    match byte {
        b'"' => out.extend_from_slice(b"\\\""),
        b'\\' => out.extend_from_slice(b"\\\\"),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        0x08 => out.extend_from_slice(b"\\b"),
        0x0c => out.extend_from_slice(b"\\f"),
        control => {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            out.extend_from_slice(b"\\u00");
            out.push(HEX[usize::from(control >> 4)]);
            out.push(HEX[usize::from(control & 15)]);
        }
    }
}

/// How many bytes of `text` there are before the first that has to be escaped.
///
/// Eight bytes are looked at in one go: in each of the words below, the highest bit of a byte is set where the byte is a
/// quote, a backslash or a control character. A borrow can set it in bytes behind such a one, never before.
fn clean(text: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHEST: u64 = u64::from_ne_bytes([0x80; 8]);
    const QUOTES: u64 = u64::from_ne_bytes([b'"'; 8]);
    const BACKSLASHES: u64 = u64::from_ne_bytes([b'\\'; 8]);
    const SPACES: u64 = u64::from_ne_bytes([b' '; 8]);
    let (words, tail) = text.as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let (quote, backslash) = (word ^ QUOTES, word ^ BACKSLASHES);
        let found = quote.wrapping_sub(ONES) & !quote
            | backslash.wrapping_sub(ONES) & !backslash
            | word.wrapping_sub(SPACES) & !word;
        let found = found & HIGHEST;
        if found != 0 {
            return number * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let in_tail = tail.iter().position(|&byte| NEEDS_ESCAPE[usize::from(byte)]);
    words.len() * 8 + in_tail.unwrap_or(tail.len())
}

static NEEDS_ESCAPE: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = true;
        byte += 1;
    }
    table[b'"' as usize] = true;
    table[b'\\' as usize] = true;
    table
};

/// Line end and indentation.
pub(super) fn line(out: &mut Vec<u8>, depth: usize) {
    const LINE: &[u8; 17] = b"\n                ";
    match LINE.get(..=depth * 2) {
        Some(line) => out.extend_from_slice(line),
        None => {
            out.push(b'\n');
            out.extend(std::iter::repeat_n(b' ', depth * 2));
        }
    }
}

/// An object on its way, as a row of a list: its keys are written in the order they come.
pub(super) struct Row<'a> {
    out: &'a mut Vec<u8>,
    depth: usize,
    keys: usize,
}

impl<'a> Row<'a> {
    /// Begins an object at `depth` levels of indentation, on a line of its own.
    pub(super) fn begin(out: &'a mut Vec<u8>, depth: usize) -> Self {
        line(out, depth);
        out.push(b'{');
        Self { out, depth, keys: 0 }
    }

    /// A key; where its value goes comes back.
    pub(super) fn key(&mut self, key: &str) -> &mut Vec<u8> {
        self.comma();
        line(self.out, self.depth + 1);
        string(self.out, key.as_bytes());
        self.out.extend_from_slice(b": ");
        self.out
    }

    /// A key as [`prefix`](Self::prefix) wrote it.
    pub(super) fn prefixed(&mut self, prefix: &[u8]) -> &mut Vec<u8> {
        self.comma();
        self.out.extend_from_slice(prefix);
        self.out
    }

    /// What stands before the value of a key at `depth` levels, but for the comma.
    pub(super) fn prefix(key: &str, depth: usize) -> Vec<u8> {
        let mut out = Vec::new();
        line(&mut out, depth);
        string(&mut out, key.as_bytes());
        out.extend_from_slice(b": ");
        out
    }

    /// A key with a whole number.
    pub(super) fn number(&mut self, key: &str, value: i64) {
        number(self.key(key), value);
    }

    /// A key with a string.
    pub(super) fn string(&mut self, key: &str, value: &str) {
        string(self.key(key), value.as_bytes());
    }

    /// Ends the object.
    pub(super) fn end(self) {
        line(self.out, self.depth);
        self.out.push(b'}');
    }

    fn comma(&mut self) {
        if self.keys > 0 {
            self.out.push(b',');
        }
        self.keys += 1;
    }
}

/// Microseconds since 1970 of a `timestamptz`.
fn microseconds(bytes: &[u8]) -> Result<i64> {
    let since_2000 = <[u8; 8]>::try_from(bytes).map(i64::from_be_bytes).map_err(|_| wrong("timestamptz", bytes))?;
    since_2000
        .checked_add(EPOCH)
        .filter(|_| since_2000 != i64::MIN)
        .ok_or_else(|| Error::new(ErrorKind::Incompatible, "is an infinite time, which an export cannot hold"))
}

/// Seconds since 1970 as Python's `float` prints them.
#[expect(clippy::cast_precision_loss, reason = "the division rounds once, as Python's does, up to the year 2255")]
fn seconds(out: &mut Vec<u8>, microseconds: i64) -> Result<()> {
    float(out, microseconds as f64 / 1e6)
}

/// The shortest digits that read back as the same number, always with a point or an exponent.
pub(super) fn float(out: &mut Vec<u8>, value: f64) -> Result<()> {
    serde_json::to_writer(&mut *out, &value)
        .map_err(|error| Error::new(ErrorKind::Incompatible, "is no number that JSON has").with_source(error))
}

fn iso(out: &mut Vec<u8>, microseconds: i64) -> Result<()> {
    let time = jiff::Timestamp::from_microsecond(microseconds)
        .map_err(|error| Error::new(ErrorKind::Incompatible, "is a time out of range").with_source(error))?;
    let format =
        if microseconds % 1_000_000 == 0 { "\"%Y-%m-%dT%H:%M:%S+00:00\"" } else { "\"%Y-%m-%dT%H:%M:%S.%6f+00:00\"" };
    out.extend_from_slice(time.strftime(format).to_string().as_bytes());
    Ok(())
}

fn uuid(out: &mut Vec<u8>, bytes: &[u8]) -> Result<()> {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    if bytes.len() != 16 {
        return Err(wrong("uuid", bytes));
    }
    out.push(b'"');
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            out.push(b'-');
        }
        out.push(HEX[usize::from(byte >> 4)]);
        out.push(HEX[usize::from(byte & 15)]);
    }
    out.push(b'"');
    Ok(())
}

/// PostgreSQL's text form of a `tsvector` as a string: words in quotes, each with its positions.
fn tsvector(out: &mut Vec<u8>, bytes: &[u8]) -> Result<()> {
    let bad = || wrong("tsvector", bytes);
    let (count, mut rest) = bytes.split_first_chunk::<4>().ok_or_else(bad)?;
    out.push(b'"');
    for word in 0..u32::from_be_bytes(*count) {
        let end = memchr::memchr(0, rest).ok_or_else(bad)?;
        out.extend_from_slice(if word > 0 { b" '" } else { b"'" });
        lexeme(out, &rest[..end]);
        out.push(b'\'');
        let (positions, after) = rest[end + 1..].split_first_chunk::<2>().ok_or_else(bad)?;
        let length = usize::from(u16::from_be_bytes(*positions)) * 2;
        let (positions, after) = after.split_at_checked(length).ok_or_else(bad)?;
        rest = after;
        for (at, entry) in positions.as_chunks::<2>().0.iter().enumerate() {
            let entry = u16::from_be_bytes(*entry);
            out.push(if at == 0 { b':' } else { b',' });
            number(out, i64::from(entry & 0x3FFF));
            match entry >> 14 {
                3 => out.push(b'A'),
                2 => out.push(b'B'),
                1 => out.push(b'C'),
                _ => {}
            }
        }
    }
    out.push(b'"');
    if rest.is_empty() { Ok(()) } else { Err(bad()) }
}

/// The inside of one word of a `tsvector`: PostgreSQL doubles quotes and backslashes, and JSON escapes what comes of it.
fn lexeme(out: &mut Vec<u8>, word: &[u8]) {
    let mut rest = word;
    while let Some(at) = rest.iter().position(|&byte| byte == b'\'' || NEEDS_ESCAPE[usize::from(byte)]) {
        out.extend_from_slice(&rest[..at]);
        match rest[at] {
            b'\'' => out.extend_from_slice(b"''"),
            b'\\' => out.extend_from_slice(b"\\\\\\\\"),
            byte => escape(out, byte),
        }
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

/// The text of a `jsonb`, laid out anew. PostgreSQL writes `{"a": [1, 2]}` and escapes what orjson escapes.
fn json(out: &mut Vec<u8>, text: &[u8], depth: usize) -> Result<()> {
    let mut depth = depth;
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'"' => {
                let end = string_end(text, at).ok_or_else(|| wrong("jsonb", text))?;
                out.extend_from_slice(&text[at..end]);
                at = end;
                continue;
            }
            b'{' | b'[' => {
                out.push(byte);
                if matches!(text.get(at + 1), Some(b'}' | b']')) {
                    out.push(text[at + 1]);
                    at += 2;
                    continue;
                }
                depth += 1;
                line(out, depth);
            }
            b'}' | b']' => {
                depth = depth.checked_sub(1).ok_or_else(|| wrong("jsonb", text))?;
                line(out, depth);
                out.push(byte);
            }
            b',' => {
                out.push(byte);
                line(out, depth);
            }
            b':' => out.extend_from_slice(b": "),
            b' ' => {}
            b't' | b'f' | b'n' => {
                let end = at + text[at..].iter().take_while(|byte| byte.is_ascii_lowercase()).count();
                out.extend_from_slice(&text[at..end]);
                at = end;
                continue;
            }
            _ => {
                let end = at + text[at..].iter().take_while(|byte| !matches!(byte, b',' | b'}' | b']' | b' ')).count();
                plain_number(out, &text[at..end])?;
                at = end.max(at + 1);
                continue;
            }
        }
        at += 1;
    }
    Ok(())
}

/// A number of a `jsonb`, as Python reads and writes it: whole ones as they are, others as doubles.
fn plain_number(out: &mut Vec<u8>, digits: &[u8]) -> Result<()> {
    let whole = digits.iter().enumerate().all(|(at, byte)| byte.is_ascii_digit() || at == 0 && *byte == b'-');
    if whole && !digits.is_empty() {
        out.extend_from_slice(digits);
        return Ok(());
    }
    let value = std::str::from_utf8(digits).ok().and_then(|text| text.parse::<f64>().ok());
    float(out, value.ok_or_else(|| wrong("jsonb", digits))?)
}

/// Behind the closing quote of the string that begins at `at`.
fn string_end(text: &[u8], at: usize) -> Option<usize> {
    let mut end = at + 1;
    loop {
        end += memchr::memchr2(b'"', b'\\', text.get(end..)?)?;
        if text[end] == b'"' {
            return Some(end + 1);
        }
        end += 2;
    }
}

fn wrong(expected: &str, found: &[u8]) -> Error {
    Error::new(ErrorKind::Postgres, format!("is no {expected}: {} bytes that are something else", found.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(encoding: Encoding, bytes: &[u8]) -> String {
        let mut out = Vec::new();
        value(&mut out, encoding, bytes, 0).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn time(microseconds: i64) -> [u8; 8] {
        (microseconds - EPOCH).to_be_bytes()
    }

    #[test]
    fn strings_are_escaped_where_json_demands_it_and_nowhere_else() {
        let text = "a\"\\/\n\r\t\u{8}\u{c}\u{1}\u{1f}\u{7f}ü✨";
        let expected = "\"a\\\"\\\\/\\n\\r\\t\\b\\f\\u0001\\u001f\u{7f}ü✨\"";
        assert_eq!(written(Encoding::Text, text.as_bytes()), expected);
        assert_eq!(serde_json::from_str::<String>(expected).unwrap(), text);
    }

    /// Every byte at every place of a text that is longer than what is looked at in one go.
    #[test]
    fn a_string_is_escaped_wherever_its_bytes_lie() {
        for byte in 0..=0x7f_u8 {
            for at in 0..20 {
                let mut text = vec![b'x'; 20];
                text[at] = byte;
                text[19 - at] = b'\x7f';
                text.extend_from_slice("ü✨".as_bytes());
                let expected = std::str::from_utf8(&text).unwrap();
                assert_eq!(serde_json::from_str::<String>(&written(Encoding::Text, &text)).unwrap(), expected);
            }
        }
        for byte in 0x80..=0xff_u8 {
            assert_eq!(clean(&[byte; 9]), 9, "{byte}");
        }
    }

    #[test]
    fn times_are_shortest_floats() {
        for (microseconds, expected) in [
            (1_795_294_800_000_000, "1795294800.0"),
            (1_795_291_703_837_150, "1795291703.83715"),
            (0, "0.0"),
            (-1, "-1e-6"),
            (1_500_000, "1.5"),
        ] {
            assert_eq!(written(Encoding::Seconds, &time(microseconds)), expected);
        }
        assert_eq!(written(Encoding::Iso, &time(1_798_761_600_000_000)), "\"2027-01-01T00:00:00+00:00\"");
        assert_eq!(written(Encoding::Iso, &time(1_798_761_600_000_001)), "\"2027-01-01T00:00:00.000001+00:00\"");
        for infinite in [i64::MIN, i64::MAX] {
            assert!(value(&mut Vec::new(), Encoding::Seconds, &infinite.to_be_bytes(), 0).is_err());
        }
    }

    #[test]
    fn whole_numbers_and_truth_values() {
        for number in [0, -1, 9, 10, 42, 99, 100, 101, -999, 1000, 12345, i64::MAX, i64::MIN] {
            assert_eq!(written(Encoding::Integer, &number.to_be_bytes()), number.to_string());
        }
        assert_eq!(written(Encoding::Integer, &7_i16.to_be_bytes()), "7");
        assert_eq!(written(Encoding::Boolean, &[1]), "true");
        for (encoding, bytes) in
            [(Encoding::Boolean, &[2][..]), (Encoding::Integer, &[1, 2, 3]), (Encoding::Uuid, &[1])]
        {
            assert!(value(&mut Vec::new(), encoding, bytes, 0).is_err());
        }
    }

    #[test]
    fn jsonb_is_laid_out_as_orjson_does() {
        let text = br#"{"a": [1, 2.50, true, null], "b": {}, "c,": "x\"}: \\", "d": [], "e": 100000000000000000000}"#;
        let expected = "{\n    \"a\": [\n      1,\n      2.5,\n      true,\n      null\n    ],\n    \"b\": {},\n    \
                        \"c,\": \"x\\\"}: \\\\\",\n    \"d\": [],\n    \"e\": 100000000000000000000\n  }";
        let mut out = Vec::new();
        value(&mut out, Encoding::Json, &[&[1], &text[..]].concat(), 1).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        assert_eq!(written(Encoding::Json, b"\x01{}"), "{}");
        for bad in [&b"\x01\"open"[..], b"\x01}", b"\x02{}", b"\x01{\"a\": x}"] {
            assert!(value(&mut Vec::new(), Encoding::Json, bad, 0).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn words_of_a_search_are_written_as_postgresql_does() {
        let mut bytes = 3_u32.to_be_bytes().to_vec();
        bytes.extend_from_slice(b"a'b\0\0\x02\x00\x01\xc0\x05");
        bytes.extend_from_slice(b"c\\d\0\0\x00");
        bytes.extend_from_slice(b"e\0\0\x01\x80\x07");
        assert_eq!(written(Encoding::Tsvector, &bytes), r#""'a''b':1,5A 'c\\\\d' 'e':7B""#);
        assert!(value(&mut Vec::new(), Encoding::Tsvector, &bytes[..9], 0).is_err());
    }

    #[test]
    fn a_uuid() {
        let bytes: Vec<u8> = (0..16).map(|byte| byte * 17).collect();
        assert_eq!(written(Encoding::Uuid, &bytes), "\"00112233-4455-6677-8899-aabbccddeeff\"");
    }
}
