//! Rows for `COPY … FROM STDIN (FORMAT binary)`.

use crate::Result;
use crate::postgres::tsvector;

/// What a binary COPY begins with: signature, flags, no extension.
pub(crate) const BEGIN: &[u8; 19] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// What it ends with.
pub(crate) const END: &[u8; 2] = b"\xff\xff";

/// Microseconds between 1970 and 2000, from which PostgreSQL counts.
const EPOCH_MICROSECONDS: i64 = 946_684_800_000_000;

/// The type of a column, as far as its binary form differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ColumnType {
    Int2,
    Int4,
    Int8,
    Bool,
    Text,
    Timestamp,
    Jsonb,
    Uuid,
    Tsvector,
}

impl ColumnType {
    /// Of an SQL type as the catalog names it.
    pub(crate) fn of(sql_type: &str) -> Option<Self> {
        let base = sql_type.split_once('(').map_or(sql_type, |(base, _)| base);
        Some(match base {
            "smallint" => Self::Int2,
            "integer" => Self::Int4,
            "bigint" => Self::Int8,
            "boolean" => Self::Bool,
            "text" | "character varying" => Self::Text,
            "timestamp with time zone" => Self::Timestamp,
            "jsonb" => Self::Jsonb,
            "uuid" => Self::Uuid,
            "tsvector" => Self::Tsvector,
            _ => return None,
        })
    }
}

/// Rows in the making.
#[derive(Debug, Default)]
pub(crate) struct RowBuffer {
    pub(crate) bytes: Vec<u8>,
    pub(crate) rows: u64,
}

impl RowBuffer {
    /// Begins a row of so many values.
    pub(crate) fn begin(&mut self, values: u16) {
        self.bytes.extend_from_slice(&values.to_be_bytes());
        self.rows += 1;
    }

    /// Takes a row back whose beginning is at `from`.
    pub(crate) fn take_back(&mut self, from: usize) {
        self.bytes.truncate(from);
        self.rows -= 1;
    }

    pub(crate) fn null(&mut self) {
        self.bytes.extend_from_slice(&(-1_i32).to_be_bytes());
    }

    /// A whole number in a column of whole numbers; `false` where it does not fit.
    #[must_use]
    pub(crate) fn integer(&mut self, column: ColumnType, value: i64) -> bool {
        match column {
            ColumnType::Int2 => i16::try_from(value).map(|value| self.value(&value.to_be_bytes())).is_ok(),
            ColumnType::Int4 => i32::try_from(value).map(|value| self.value(&value.to_be_bytes())).is_ok(),
            ColumnType::Int8 => {
                self.value(&value.to_be_bytes());
                true
            }
            _ => false,
        }
    }

    pub(crate) fn boolean(&mut self, value: bool) {
        self.value(&[u8::from(value)]);
    }

    pub(crate) fn text(&mut self, value: &str) {
        self.value(value.as_bytes());
    }

    /// A time in microseconds since 1970; `false` for one that no column holds.
    #[must_use]
    pub(crate) fn timestamp(&mut self, microseconds: i64) -> bool {
        microseconds.checked_sub(EPOCH_MICROSECONDS).map(|since| self.value(&since.to_be_bytes())).is_some()
    }

    pub(crate) fn jsonb(&mut self, json: &str) {
        self.length(json.len() + 1);
        // The version of the format.
        self.bytes.push(1);
        self.bytes.extend_from_slice(json.as_bytes());
    }

    /// A UUID in its usual form; `false` for what is none.
    #[must_use]
    pub(crate) fn uuid(&mut self, text: &str) -> bool {
        let mut bytes = [0; 16];
        let mut digits = text.bytes().filter(|byte| *byte != b'-').map(|byte| char::from(byte).to_digit(16));
        for byte in &mut bytes {
            let (Some(Some(high)), Some(Some(low))) = (digits.next(), digits.next()) else { return false };
            *byte = u8::try_from(high << 4 | low).unwrap_or(0);
        }
        self.value(&bytes);
        digits.next().is_none()
    }

    /// A text-search vector in its text form: `'word':1A,2 'other'`.
    ///
    /// # Errors
    /// `Damaged` for what is none.
    pub(crate) fn tsvector(&mut self, text: &str) -> Result<()> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4]);
        tsvector::encode(text, &mut self.bytes)?;
        let length = i32::try_from(self.bytes.len() - start - 4).unwrap_or(i32::MAX);
        self.bytes[start..start + 4].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }

    fn value(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.bytes.extend_from_slice(bytes);
    }

    fn length(&mut self, length: usize) {
        // PostgreSQL takes no value of more than 1 GiB, and rows are bounded far below that before they come here.
        self.bytes.extend_from_slice(&i32::try_from(length).unwrap_or(i32::MAX).to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(make: impl FnOnce(&mut RowBuffer)) -> Vec<u8> {
        let mut buffer = RowBuffer::default();
        make(&mut buffer);
        buffer.bytes
    }

    #[test]
    fn values_have_the_form_the_server_reads() {
        assert_eq!(made(|row| assert!(row.integer(ColumnType::Int2, -2))), [0, 0, 0, 2, 0xff, 0xfe]);
        assert!(made(|row| assert!(!row.integer(ColumnType::Int2, 1 << 15))).is_empty());
        assert_eq!(made(|row| assert!(row.timestamp(EPOCH_MICROSECONDS + 1))), [0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(made(|row| row.jsonb("{}")), [0, 0, 0, 3, 1, b'{', b'}']);
        let uuid = made(|row| assert!(row.uuid("00112233-4455-6677-8899-aabbccddeeff")));
        assert_eq!((uuid.len(), uuid[4], uuid[19]), (20, 0, 0xff));
        for strange in ["", "00112233-4455-6677-8899-aabbccddeef", "00112233-4455-6677-8899-aabbccddeeff0", "x"] {
            made(|row| assert!(!row.uuid(strange), "{strange}"));
        }
    }
}
