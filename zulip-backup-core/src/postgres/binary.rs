//! Rows of `COPY … TO STDOUT (FORMAT binary)`.

use crate::{Error, ErrorKind, Result};

/// What every binary COPY begins with; flags and the length of an extension follow.
const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";

/// Takes a binary COPY apart, however it is cut into pieces.
#[derive(Debug, Default)]
pub struct BinaryRows {
    /// The beginning of something whose end has not come yet.
    pending: Vec<u8>,
    /// Where the values of a row lie; kept from row to row.
    places: Vec<Option<(usize, usize)>>,
    begun: bool,
    ended: bool,
}

/// The values of one row, as they lie in the data: `None` is NULL.
#[derive(Clone, Copy, Debug)]
pub struct BinaryRow<'a> {
    bytes: &'a [u8],
    places: &'a [Option<(usize, usize)>],
}

impl BinaryRows {
    /// Hands on the rows that are complete with `bytes`.
    ///
    /// # Errors
    /// `Postgres` where it is no binary COPY, and what `each` answers.
    pub fn push(&mut self, bytes: &[u8], mut each: impl FnMut(BinaryRow<'_>) -> Result<()>) -> Result<()> {
        if self.pending.is_empty() {
            let used = self.take(bytes, &mut each)?;
            self.pending.extend_from_slice(&bytes[used..]);
            return Ok(());
        }
        let mut pending = std::mem::take(&mut self.pending);
        pending.extend_from_slice(bytes);
        let used = self.take(&pending, &mut each)?;
        pending.drain(..used);
        self.pending = pending;
        Ok(())
    }

    /// The end of the data: everything has to be there.
    ///
    /// # Errors
    /// `Postgres` where it was cut off.
    pub fn finish(self) -> Result<()> {
        if self.ended && self.pending.is_empty() { Ok(()) } else { Err(strange("was cut off")) }
    }

    fn take(&mut self, bytes: &[u8], each: &mut impl FnMut(BinaryRow<'_>) -> Result<()>) -> Result<usize> {
        let mut at = 0;
        if !self.begun {
            let Some(header) = bytes.get(..19) else { return Ok(0) };
            if header[..11] != *SIGNATURE {
                return Err(strange("has no binary COPY in it"));
            }
            let extension = usize::try_from(long(&header[15..])).map_err(|_| strange("has a strange header"))?;
            if bytes.len() < 19 + extension {
                return Ok(0);
            }
            at = 19 + extension;
            self.begun = true;
        }
        while at < bytes.len() {
            if self.ended {
                return Err(strange("goes on behind its end"));
            }
            let Some(count) = bytes.get(at..at + 2) else { break };
            let count = i16::from_be_bytes([count[0], count[1]]);
            let mut next = at + 2;
            if count == -1 {
                self.ended = true;
                at = next;
                continue;
            }
            self.places.clear();
            for _ in 0..count {
                let Some(length) = bytes.get(next..next + 4).map(long) else { return Ok(at) };
                next += 4;
                let Ok(length) = usize::try_from(length) else {
                    self.places.push(None);
                    continue;
                };
                if bytes.len() - next < length {
                    return Ok(at);
                }
                self.places.push(Some((next, next + length)));
                next += length;
            }
            each(BinaryRow { bytes, places: &self.places })?;
            at = next;
        }
        Ok(at)
    }
}

impl<'a> BinaryRow<'a> {
    /// How many values it has.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether it has no values at all.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The bytes of a value; `None` where it is NULL or not there.
    pub fn bytes(&self, index: usize) -> Option<&'a [u8]> {
        self.places.get(index).copied().flatten().and_then(|(start, end)| self.bytes.get(start..end))
    }

    /// An integer of 2, 4 or 8 bytes.
    ///
    /// # Errors
    /// `Postgres` where it is NULL or something else.
    pub fn integer(&self, index: usize) -> Result<i64> {
        self.bytes(index).and_then(integer).ok_or_else(|| strange("has something else where an integer was asked for"))
    }

    /// A truth value.
    ///
    /// # Errors
    /// `Postgres` where it is NULL or something else.
    pub fn boolean(&self, index: usize) -> Result<bool> {
        match self.bytes(index) {
            Some([0]) => Ok(false),
            Some([1]) => Ok(true),
            _ => Err(strange("has something else where a truth value was asked for")),
        }
    }
}

/// An integer of 2, 4 or 8 bytes.
pub fn integer(bytes: &[u8]) -> Option<i64> {
    match bytes.len() {
        2 => bytes.try_into().ok().map(|bytes| i64::from(i16::from_be_bytes(bytes))),
        4 => bytes.try_into().ok().map(|bytes| i64::from(i32::from_be_bytes(bytes))),
        8 => bytes.try_into().ok().map(i64::from_be_bytes),
        _ => None,
    }
}

fn long(bytes: &[u8]) -> i32 {
    i32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

fn strange(what: &str) -> Error {
    Error::new(ErrorKind::Postgres, format!("what the server sends {what}"))
        .with_hint("is there a pooler or proxy between, that changes what it passes on?")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data() -> Vec<u8> {
        let mut data = SIGNATURE.to_vec();
        data.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 2, 9, 9]);
        data.extend_from_slice(&[0, 3, 0, 0, 0, 2, 0x01, 0x00, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 1]);
        data.extend_from_slice(&[0, 1, 0, 0, 0, 0]);
        data.extend_from_slice(&[0xff, 0xff]);
        data
    }

    #[test]
    fn rows_come_out_however_the_data_is_cut() {
        let data = data();
        for size in 1..=data.len() {
            let (mut rows, mut seen) = (BinaryRows::default(), Vec::new());
            for piece in data.chunks(size) {
                rows.push(piece, |row| {
                    seen.push((row.len(), row.integer(0).ok(), row.bytes(1).is_none(), row.boolean(2).ok()));
                    Ok(())
                })
                .unwrap();
            }
            rows.finish().unwrap();
            assert_eq!(seen, [(3, Some(256), true, Some(true)), (1, None, true, None)], "{size}");
        }
    }

    #[test]
    fn what_is_cut_off_or_goes_on_is_an_error() {
        let data = data();
        for end in 0..data.len() {
            let mut rows = BinaryRows::default();
            rows.push(&data[..end], |_| Ok(())).unwrap();
            assert!(rows.finish().is_err(), "{end}");
        }
        let more = [&data[..], &[0]].concat();
        assert!(BinaryRows::default().push(&more, |_| Ok(())).is_err());
        assert!(BinaryRows::default().push(&[b'x'; 40], |_| Ok(())).is_err());
    }
}
