//! Values of the rows to be written.

use std::borrow::Cow;

use crate::postgres::{ColumnType, RowBuffer};
use crate::rows::{Cell, RowParser};
use crate::{Error, ErrorKind, Result};

/// A value on its way into a column.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    Int(i64),
    /// Seconds since 1970.
    Seconds(f64),
    /// Text, or what has a text form: JSON, a UUID, a time, a text-search vector.
    Text(Cow<'a, str>),
}

impl<'a> Value<'a> {
    pub(super) fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Text(text.into())
    }

    /// What stands in the export.
    pub(super) fn of(row: &'a RowParser<'_>, cell: Cell) -> Self {
        match cell {
            Cell::Bool(value) => Self::Bool(value),
            Cell::Int(value) => Self::Int(value),
            Cell::Float(value) => Self::Seconds(value),
            Cell::Text(..) | Cell::Json(..) => row.text_of(cell).map_or(Self::Null, Self::text),
            Cell::Missing | Cell::Null | Cell::Ids(..) | Cell::Wrong => Self::Null,
        }
    }

    /// Writes it as a column of this type wants it.
    ///
    /// # Errors
    /// `Damaged` for what does not fit.
    pub(super) fn write(&self, column: ColumnType, row: &mut RowBuffer) -> Result<()> {
        let fits = match (self, column) {
            (Self::Null, _) => {
                row.null();
                true
            }
            (Self::Bool(value), ColumnType::Bool) => {
                row.boolean(*value);
                true
            }
            (Self::Int(value), ColumnType::Int2 | ColumnType::Int4 | ColumnType::Int8) => row.integer(column, *value),
            (Self::Seconds(value), ColumnType::Timestamp) => {
                microseconds(*value).is_some_and(|microseconds| row.timestamp(microseconds))
            }
            (Self::Text(text), ColumnType::Text) => {
                row.text(text);
                true
            }
            (Self::Text(text), ColumnType::Jsonb) => {
                row.jsonb(text);
                true
            }
            (Self::Text(text), ColumnType::Uuid) => row.uuid(text),
            (Self::Text(text), ColumnType::Tsvector) => {
                row.tsvector(text)?;
                true
            }
            (Self::Text(text), ColumnType::Timestamp) => match text.parse::<jiff::Timestamp>() {
                Ok(time) => row.timestamp(time.as_microsecond()),
                Err(_) => false,
            },
            _ => false,
        };
        if fits {
            return Ok(());
        }
        let shown = format!("{self:?}").chars().take(60).collect::<String>();
        Err(Error::new(ErrorKind::Damaged, format!("{shown} is no value of a column of type {column:?}")))
    }
}

/// A time that a double holds as seconds, to the nearest microsecond.
fn microseconds(seconds: f64) -> Option<i64> {
    let microseconds = (seconds * 1e6).round();
    #[expect(clippy::cast_possible_truncation, reason = "the range was looked at")]
    (microseconds.abs() < 9e18).then_some(microseconds as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_come_back_to_the_microsecond() {
        for (seconds, expected) in [
            (1_795_291_703.837_15, 1_795_291_703_837_150),
            (1_795_294_800.0, 1_795_294_800_000_000),
            (0.000_001, 1),
            (-0.5, -500_000),
            (4_102_444_799.999_999, 4_102_444_799_999_999),
        ] {
            assert_eq!(microseconds(seconds), Some(expected));
        }
        assert_eq!((microseconds(f64::NAN), microseconds(1e300)), (None, None));
    }
}
