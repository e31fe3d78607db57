//! Rows of an export, read against the declaration of their Zulip version: whoever checks an export reads them so, and
//! whoever imports one.

mod lists;
mod row;
mod shape;
mod strict;

pub(crate) use lists::{Counts, Sink, read};
pub(crate) use row::{Cell, RowParser};
pub(crate) use shape::Shape;
pub(crate) use strict::Strict;
