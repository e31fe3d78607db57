//! Rows into the database: one connection, one transaction.

use std::io::Write;

use postgres::{Client, CopyInWriter};

use crate::import::making::Making;
use crate::import::table::Table;
use crate::package::{Item, RowReader};
use crate::postgres::{BEGIN, END, RowBuffer, error};
use crate::rows::{RowParser, Shape};
use crate::schema::{Release, RowList, RowRule};
use crate::{Error, ErrorKind, Progress, Result};

/// How many bytes of rows are sent at a time.
const SEND_BYTES: usize = 1 << 20;

/// A list's shape, and the table its rows go to.
pub(super) struct Target {
    pub(super) shape: Shape,
    /// Nothing where the rows themselves are not imported.
    pub(super) table: Option<Table>,
}

impl Target {
    /// For each of a file's lists; of an export that a converter made, if `converted`.
    pub(super) fn of(release: &'static Release, lists: &[RowList], converted: bool) -> Result<Vec<Self>> {
        lists
            .iter()
            .map(|list| {
                let shape = Shape::new(release, list)?;
                let shape = if converted { shape.converted() } else { shape };
                let table = if is_written(list) { Some(Table::new(list, &shape)?) } else { None };
                Ok(Self { shape, table })
            })
            .collect()
    }
}

/// Whether a list's rows are written: bots and clients are this server's own, and so is what it has exported.
pub(super) fn is_written(list: &RowList) -> bool {
    !matches!(list.rows, RowRule::CrossRealmBots | RowRule::Clients) && list.table() != "zerver_realmexport"
}

/// How many rows of a table were written, and how many of its list were left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Loaded {
    pub(super) list: String,
    pub(super) table: String,
    pub(super) rows: u64,
    pub(super) left_out: u64,
}

/// Writes all lists of a file whose rows are written as they come.
///
/// # Errors
/// `Damaged` for rows that are not as they have to be, and what the database answers.
pub(super) fn lists(
    client: &mut Client,
    targets: &[Target],
    making: &Making<'_>,
    reader: &mut RowReader<impl std::io::Read>,
    task: &'static str,
    progress: &dyn Progress,
) -> Result<Vec<Loaded>> {
    let mut loaded = Vec::new();
    let mut list = next_list(reader)?;
    while let Some(key) = list {
        let target = targets.iter().find(|target| target.shape.list == key);
        let Some((target, table)) = target.and_then(|target| target.table.as_ref().map(|table| (target, table))) else {
            list = next_list(reader)?;
            continue;
        };
        let mut copy = Copy::begin(client, table)?;
        let mut parser = RowParser::new(&target.shape);
        let mut left_out = 0;
        let name = reader.name().to_owned();
        list = loop {
            match reader.next_item()? {
                Some(Item::Row(row)) => {
                    parser.parse(row.text()?).map_err(|error| row.fault(&error))?;
                    sound(&parser, &name)?;
                    left_out += u64::from(
                        !table.write(making, &parser, &mut copy.rows).map_err(|error| in_file(&name, &error))?,
                    );
                    copy.flow(SEND_BYTES)?;
                }
                Some(Item::List(next)) => break Some(next.to_owned()),
                Some(Item::Value(..)) => {}
                None => break None,
            }
        };
        let rows = copy.finish()?;
        progress.advance(task, rows);
        progress.checkpoint()?;
        loaded.push(Loaded { list: key, table: table.name.clone(), rows, left_out });
    }
    Ok(loaded)
}

/// The key of the next list; what comes before it is passed over.
fn next_list(reader: &mut RowReader<impl std::io::Read>) -> Result<Option<String>> {
    loop {
        match reader.next_item()? {
            Some(Item::List(key)) => return Ok(Some(key.to_owned())),
            Some(Item::Row(_) | Item::Value(..)) => {}
            None => return Ok(None),
        }
    }
}

/// A row that was sound when the export was checked.
pub(super) fn sound(parser: &RowParser<'_>, file: &str) -> Result<()> {
    match parser.faults.first() {
        None => Ok(()),
        Some(fault) => {
            let id = parser.integer("id").map(|id| format!(" {id}")).unwrap_or_default();
            let message = format!("{file}, {}{id}: {fault:?}", parser.shape.list);
            Err(Error::new(ErrorKind::Damaged, message).with_path(file))
        }
    }
}

pub(super) fn in_file(file: &str, error: &Error) -> Error {
    Error::new(error.kind(), format!("{file}, {}", error.chain())).with_path(file)
}

/// A COPY into a table.
pub(super) struct Copy<'c> {
    writer: CopyInWriter<'c>,
    doing: String,
    /// Rows that are not sent yet.
    pub(super) rows: RowBuffer,
}

impl<'c> Copy<'c> {
    pub(super) fn begin(client: &'c mut Client, table: &Table) -> Result<Self> {
        let doing = format!("write rows of {}", table.name);
        let writer = client.copy_in(table.copy().as_str()).map_err(|failure| error(&doing, failure))?;
        let mut copy = Self { writer, doing, rows: RowBuffer::default() };
        copy.rows.bytes.extend_from_slice(BEGIN);
        Ok(copy)
    }

    /// Sends what there is, once it is so much.
    pub(super) fn flow(&mut self, least: usize) -> Result<()> {
        if self.rows.bytes.len() >= least {
            let Self { writer, rows, doing } = self;
            send(writer, &rows.bytes, doing)?;
            rows.bytes.clear();
        }
        Ok(())
    }

    /// Sends rows that are ready.
    pub(super) fn send(&mut self, rows: &RowBuffer) -> Result<()> {
        self.flow(0)?;
        self.rows.rows += rows.rows;
        send(&mut self.writer, &rows.bytes, &self.doing)
    }

    /// Ends it; how many rows the database has taken.
    pub(super) fn finish(mut self) -> Result<u64> {
        self.rows.bytes.extend_from_slice(END);
        self.flow(0)?;
        let Self { writer, doing, rows } = self;
        let taken = writer.finish().map_err(|failure| error(&doing, failure))?;
        if taken == rows.rows {
            return Ok(taken);
        }
        Err(Error::new(ErrorKind::Postgres, format!("cannot {doing}: {} were sent, {taken} taken", rows.rows)))
    }
}

fn send(writer: &mut CopyInWriter<'_>, bytes: &[u8], doing: &str) -> Result<()> {
    writer.write_all(bytes).and_then(|()| writer.flush()).map_err(|failure| {
        match failure.into_inner().map(<dyn std::error::Error + Send + Sync>::downcast::<postgres::Error>) {
            Some(Ok(server)) => error(doing, *server),
            _ => Error::new(ErrorKind::Postgres, format!("cannot {doing}: the connection is lost")),
        }
    })
}
