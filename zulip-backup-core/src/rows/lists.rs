//! One file with lists of rows, from its first byte to its last.

use std::collections::BTreeMap;
use std::io::Read;

use crate::package::{Item, RowReader};
use crate::rows::row::{Fault, RowParser};
use crate::rows::shape::{Shape, ValueShape};
use crate::{ErrorKind, Finding, Findings, Result};

/// Is told the rows of a file.
pub(crate) trait Sink {
    /// A row, which is as its shape says, except for what was found; its id where it has one.
    fn row(&mut self, row: &RowParser<'_>, id: i64);

    /// A key whose value is no list; whether it may be there.
    fn value(&mut self, _key: &str, _json: &[u8]) -> bool {
        false
    }

    /// A list has ended; its ids in the order of the rows.
    fn list(&mut self, shape: &Shape, ids: &[i64]);
}

/// How many rows each list of a file has.
pub(crate) type Counts = BTreeMap<String, u64>;

/// Reads a file whose lists are to be of `shapes`. What is wrong with it is added to `findings`. No counts come back of a
/// file that could not be read to its end.
///
/// # Errors
/// What the source answers. A file that is no JSON is a finding.
pub(crate) fn read(
    file: &str,
    content: &mut (dyn Read + Send),
    shapes: &[Shape],
    sink: &mut dyn Sink,
    findings: &mut Findings,
) -> Result<Option<Counts>> {
    let mut lists = Lists { file, findings, counts: Counts::new(), rows: 0, ids: Vec::new(), reordered: false };
    match lists.all(content, shapes, sink) {
        Err(error) if error.kind() == ErrorKind::Damaged => {
            let text = error.to_string();
            let what = text.strip_prefix(file).unwrap_or(&text).trim_start_matches(", ");
            lists.findings.push(Finding::error("json-invalid", file, format!("is not the JSON it has to be: {what}")));
            return Ok(None);
        }
        Err(error) => return Err(error),
        Ok(()) => {
            for shape in shapes.iter().filter(|shape| shape.required && !lists.counts.contains_key(&shape.list)) {
                let message = format!("has no list {}", shape.list);
                lists.findings.push(Finding::error("list-missing", file, message));
            }
        }
    }
    Ok(Some(lists.counts))
}

struct Lists<'a> {
    file: &'a str,
    findings: &'a mut Findings,
    counts: Counts,
    /// Rows and ids of the current list.
    rows: u64,
    ids: Vec<i64>,
    /// Whether a row of the current list had its keys in another order; said once for a list.
    reordered: bool,
}

impl Lists<'_> {
    fn all(&mut self, content: &mut (dyn Read + Send), shapes: &[Shape], sink: &mut dyn Sink) -> Result<()> {
        let mut reader = RowReader::new(self.file, content);
        let mut parser: Option<RowParser<'_>> = None;
        while let Some(item) = reader.next_item()? {
            match item {
                Item::List(key) => {
                    if let Some(parser) = parser.take() {
                        self.end(parser.shape, sink);
                    }
                    parser = self.begin(key, shapes);
                }
                Item::Row(row) => {
                    let Some(parser) = &mut parser else { continue };
                    self.rows += 1;
                    // A string that is only looked over is not proved to be UTF-8 on the way.
                    match parser.parse(row.text()?) {
                        Ok(()) => self.row(parser, sink),
                        Err(error) if error.is_data() => {
                            let error = row.fault(&error).to_string();
                            let message = error.strip_prefix(self.file).unwrap_or(&error).trim_start_matches(", ");
                            let object = format!("{} {}", self.file, parser.shape.list);
                            self.findings.push(Finding::error("value-type", object, format!("{message}: no row")));
                        }
                        Err(error) => return Err(row.fault(&error)),
                    }
                }
                Item::Value(key, value) => {
                    if sink.value(key, value.bytes) {
                        continue;
                    }
                    let message = format!("{key} is no list of rows");
                    self.findings.push(Finding::error("list-unknown", self.file, message));
                }
            }
        }
        if let Some(parser) = parser {
            self.end(parser.shape, sink);
        }
        Ok(())
    }

    fn begin<'s>(&mut self, key: &str, shapes: &'s [Shape]) -> Option<RowParser<'s>> {
        self.ids.clear();
        (self.rows, self.reordered) = (0, false);
        let Some(shape) = shapes.iter().find(|shape| shape.list == key) else {
            let message = format!("has a list {key:?}, which no export of this version has");
            self.findings.push(Finding::error("list-unknown", self.file, message));
            return None;
        };
        if self.counts.insert(key.to_owned(), 0).is_some() {
            self.findings.push(Finding::error("list-duplicate", self.file, format!("has the list {key} twice")));
        }
        Some(RowParser::new(shape))
    }

    fn row(&mut self, parser: &RowParser<'_>, sink: &mut dyn Sink) {
        let id = parser.integer("id");
        let shape = parser.shape;
        let object = || match id {
            Some(id) => format!("{} {} {id}", self.file, shape.list),
            None => format!("{} {}", self.file, shape.list),
        };
        for fault in &parser.faults {
            self.findings.push(described(fault, shape, object()));
        }
        if parser.reordered && !self.reordered && shape.ordered {
            self.reordered = true;
            let message = "has keys in another order than Zulip writes them; said once for a list";
            self.findings.push(Finding::note("key-order", object(), message));
        }
        if let Some(id) = id {
            let sorted = shape.ordered && shape.release.export.exporter.sorts_rows;
            if sorted && self.ids.last().is_some_and(|&last| last > id) {
                let message = "comes behind a row with a larger id: Zulip writes rows in order";
                self.findings.push(Finding::warning("rows-unsorted", object(), message));
            }
            self.ids.push(id);
            sink.row(parser, id);
        }
    }

    fn end(&mut self, shape: &Shape, sink: &mut dyn Sink) {
        *self.counts.entry(shape.list.clone()).or_default() += self.rows;
        sink.list(shape, &self.ids);
    }
}

fn described(fault: &Fault, shape: &Shape, object: String) -> Finding {
    let key = |at: &usize| shape.fields.get(*at).map_or("?", |field| field.key.as_str());
    match fault {
        Fault::KeyUnknown(key) => Finding::error("key-unknown", object, format!("has a key {key:?} that no row has")),
        Fault::KeyMissing(at) => Finding::error("key-missing", object, format!("has no key {}", key(at))),
        Fault::KeyDuplicate(key) => Finding::error("key-duplicate", object, format!("has the key {key} twice")),
        Fault::Range(at, found) => {
            Finding::error("value-range", object, format!("{}: {found}: more than its column takes", key(at)))
        }
        Fault::Type(at, found) => {
            let expected = shape.fields.get(*at).map_or_else(String::new, |field| {
                let what = match field.value {
                    ValueShape::Ids => "a list of ids".to_owned(),
                    ValueShape::Column(encoding) => format!("{encoding:?}").to_lowercase(),
                };
                if field.nullable { format!("{what} or null") } else { what }
            });
            Finding::error("value-type", object, format!("{}: expected {expected}, found {found}", key(at)))
        }
    }
}
