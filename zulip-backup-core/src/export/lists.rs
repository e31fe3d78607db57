//! Files of lists: one object whose values are lists of rows.

use crate::export::json;
use crate::export::piece::{Cutter, Emit, Piece};
use crate::export::select::Selection;
use crate::postgres::RowReader;
use crate::{Progress, Result};

/// A list of a file, and whether the file begins or ends with it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) first: bool,
    pub(super) last: bool,
    /// Where it is the last: a key behind it, and its text.
    pub(super) then: Option<(&'static str, &'static str)>,
}

impl Place {
    /// Between others, or at the end.
    pub(super) fn behind_others(last: bool) -> Self {
        Self { first: false, last, then: None }
    }
}

/// Begins the list `key` of a file.
pub(super) fn begin(out: &mut Vec<u8>, key: &str, first: bool) {
    out.push(if first { b'{' } else { b',' });
    json::line(out, 1);
    json::string(out, key.as_bytes());
    out.extend_from_slice(b": [");
}

/// Ends a list of so many rows.
pub(super) fn end(out: &mut Vec<u8>, rows: u64, place: Place) {
    if rows > 0 {
        json::line(out, 1);
    }
    out.push(b']');
    if !place.last {
        return;
    }
    if let Some((key, text)) = place.then {
        out.push(b',');
        json::line(out, 1);
        json::string(out, key.as_bytes());
        out.extend_from_slice(b": ");
        json::string(out, text.as_bytes());
    }
    out.extend_from_slice(b"\n}");
}

/// A whole list out of the database, into the file `name`.
pub(super) fn write(
    reader: &mut RowReader,
    cutter: &mut Cutter,
    (name, key, place): (&str, &str, Place),
    selection: &Selection<'_>,
    progress: &dyn Progress,
    emit: Emit<'_>,
) -> Result<()> {
    if place.first {
        emit(Piece::begin(name))?;
    }
    let mut text = Vec::new();
    begin(&mut text, key, place.first);
    let mut rows = 0_u64;
    reader.copy_binary(&format!("read the rows of {key}"), &selection.statement(), |row| {
        if !selection.wants(row)? {
            return Ok(());
        }
        if rows > 0 {
            text.push(b',');
        }
        rows += 1;
        if rows.is_multiple_of(1024) {
            progress.checkpoint()?;
        }
        selection.write(&mut text, row)?;
        cutter.cut(&mut text, &mut *emit)
    })?;
    end(&mut text, rows, place);
    cutter.rest(&mut text, &mut *emit)?;
    emit(Piece::Rows { file: name.to_owned(), list: key.to_owned(), rows })?;
    if place.last {
        emit(Piece::End)?;
    }
    Ok(())
}
