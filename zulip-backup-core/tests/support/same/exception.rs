//! What two databases may have otherwise, and how far.

use std::collections::BTreeMap;

use super::html::same_html;
use super::stored::Stored;
use super::table::Table;

/// In the place of a column: the row itself, which one of the databases may lack.
pub const WHOLE_ROW: &str = "*";

/// How the values of a column may differ. Whatever it is, a value is not missing on one side only, but for `Fix`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Made up anew: as long, with letters and digits and other characters in the same places.
    Random,
    /// The time of the import. Nothing is asked of it but to be there.
    Time,
    /// HTML that is the same once it is parsed and the paths of stored files are put equal.
    Html,
    /// Text, or a path, that is the same once the paths of stored files are put equal: those of the same attachment's
    /// row, with the organisation, a random part and the name as Zulip makes them.
    Stored,
    /// A number that means nothing: rows are told apart by these columns, and this one is not looked at.
    Unkeyed(&'static [&'static str]),
    /// Different on purpose: the row `t` of the found database meets this SQL condition. Of `WHOLE_ROW`, the row that
    /// the other database lacks.
    Fix(&'static str),
}

/// Where two databases may differ.
#[derive(Clone, Copy, Debug)]
pub struct Exception {
    pub table: &'static str,
    pub column: &'static str,
    /// The reason, for the reader of the list.
    pub why: &'static str,
    pub kind: Kind,
    /// Of which rows `t` of the expected database it is, as an SQL condition; of all, where it is empty.
    pub only: &'static str,
}

impl Exception {
    /// An exception of all rows.
    pub const fn new(table: &'static str, column: &'static str, kind: Kind, why: &'static str) -> Self {
        Self { table, column, why, kind, only: "" }
    }

    /// The same of some rows.
    pub const fn only(self, only: &'static str) -> Self {
        Self { only, ..self }
    }

    /// What has to be asked of each row to judge it: whether the exception is of the row, and whether the fix holds.
    pub(super) fn conditions(&self) -> [&'static str; 2] {
        let fix = if let Kind::Fix(condition) = self.kind { condition } else { "" };
        [self.only, fix].map(|condition| if condition.is_empty() { "true" } else { condition })
    }

    pub(super) fn check(&self, tables: &BTreeMap<String, Table>) {
        let Self { table, column, kind, .. } = *self;
        assert!(!self.why.is_empty(), "the exception of {table}.{column} has no reason");
        let columns = &tables.get(table).unwrap_or_else(|| panic!("an exception is of {table}, no table")).columns;
        if column == WHOLE_ROW {
            return assert!(matches!(kind, Kind::Fix(_)), "only a fix may be of whole rows of {table}");
        }
        let kind_of_column = |column: &str| {
            columns.get(column).unwrap_or_else(|| panic!("an exception is of {table}.{column}, no column")).as_str()
        };
        let type_name = kind_of_column(column);
        match kind {
            Kind::Time => assert_eq!(type_name, "timestamp with time zone", "{table}.{column} is no time"),
            Kind::Random | Kind::Html | Kind::Stored => {
                let fits = ["text", "uuid"].contains(&type_name) || type_name.starts_with("character");
                assert!(fits, "{table}.{column} is {type_name}");
            }
            Kind::Unkeyed(key) => key.iter().for_each(|column| {
                kind_of_column(column);
            }),
            Kind::Fix(_) => {}
        }
    }

    /// Whether it lets two values that differ pass. The marks are each row's answers to the conditions.
    pub(super) fn admits(
        &self,
        ours: Option<&str>,
        theirs: Option<&str>,
        marks: ([bool; 2], [bool; 2]),
        stored: (&Stored, &Stored),
    ) -> bool {
        let ([of_row, _], [_, fixed]) = marks;
        match (self.kind, ours, theirs) {
            _ if !of_row => false,
            (Kind::Fix(_), ..) => fixed,
            (Kind::Random, Some(ours), Some(theirs)) => shape(ours) == shape(theirs),
            (Kind::Unkeyed(_), ..) | (Kind::Time, Some(_), Some(_)) => true,
            (Kind::Html, Some(ours), Some(theirs)) => same_html(&stored.0.equal(ours), &stored.1.equal(theirs)),
            (Kind::Stored, Some(ours), Some(theirs)) => stored.0.equal(ours) == stored.1.equal(theirs),
            _ => false,
        }
    }
}

/// Whether an exception lets a row pass that only one of the databases has.
pub(super) fn lone_row_is_declared(exceptions: &[&Exception], marks: &[[bool; 2]]) -> bool {
    let mut marked = exceptions.iter().zip(marks);
    marked.any(|(exception, marks)| exception.column == WHOLE_ROW && *marks == [true, true])
}

/// Letters and digits without their identity.
fn shape(text: &str) -> String {
    text.chars().map(|letter| if letter.is_ascii_alphanumeric() { 'a' } else { letter }).collect()
}
