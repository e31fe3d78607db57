//! Messages, and what users have of them.
//!
//! Files are read, rewritten and encoded by all threads, while the connection's thread sends what is ready, in the order
//! of the files.

use std::collections::HashMap;

use crate::ids::Of;
use crate::import::load::{Copy, Loaded, Target, in_file, sound};
use crate::import::making::Making;
use crate::package::{Go, HANDED_OVER, Item, Package, RowReader, message_file_number, read_small};
use crate::pipeline::{self, Limits, Plan};
use crate::postgres::RowBuffer;
use crate::rows::RowParser;
use crate::{Error, ErrorKind, Progress, Result};

/// The task told to [`Progress`]: messages.
pub(super) const TASK: &str = "messages";

/// How many bytes of rows are handed to the connection at a time: a file may have millions of rows, where each of its
/// messages has thousands of readers.
const BATCH_BYTES: usize = 8 << 20;

/// How many files one job has: each costs the server the beginning of two statements.
const JOB_FILES: usize = 4;

/// Files to be worked on by one thread.
pub(super) enum Job {
    /// To be opened.
    Names(Vec<String>),
    /// Read already.
    Content(String, Vec<u8>),
}

/// Rows of some files.
#[derive(Default)]
pub(super) struct Batch {
    messages: RowBuffer,
    user_messages: RowBuffer,
    left_out: [u64; 2],
    seen: Seen,
}

/// The first and the latest message to each recipient, by the recipients' old ids.
#[derive(Debug, Default)]
pub(super) struct Seen(HashMap<i64, (i64, f64)>);

impl Seen {
    fn add(&mut self, recipient: i64, first: i64, latest: f64) {
        let known = self.0.entry(recipient).or_insert((first, latest));
        *known = (known.0.min(first), known.1.max(latest));
    }

    /// The new id of the first message, and when the latest one was sent, in seconds since 1970.
    pub(super) fn get(&self, recipient: i64) -> Option<(i64, f64)> {
        self.0.get(&recipient).copied()
    }
}

struct Worker<'a> {
    package: &'a Package,
    making: &'a Making<'a>,
    targets: &'a [Target],
    /// Rows of which table are read now; of both where there is none.
    only: Option<&'a str>,
}

impl pipeline::Worker<Job, Batch> for Worker<'_> {
    fn work(&mut self, job: Job, emit: &mut dyn FnMut(Batch) -> Result<()>) -> Result<()> {
        match job {
            Job::Names(names) => {
                let readers = names.into_iter().map(|name| {
                    let content = self.package.open_member(&name)?;
                    Ok(RowReader::new(name, content))
                });
                self.files(readers, emit)
            }
            Job::Content(name, content) => self.files([Ok(RowReader::new(name, &content[..]))], emit),
        }
    }
}

impl Worker<'_> {
    /// Hands out the rows of files, which share a batch while they fit.
    fn files<R: std::io::Read>(
        &self,
        readers: impl IntoIterator<Item = Result<RowReader<R>>>,
        emit: &mut dyn FnMut(Batch) -> Result<()>,
    ) -> Result<()> {
        let mut batch = Batch::default();
        for reader in readers {
            self.file(reader?, &mut batch, emit)?;
        }
        emit(batch)
    }

    /// Adds the rows of a file to a batch, which goes where it is full.
    fn file(
        &self,
        mut reader: RowReader<impl std::io::Read>,
        batch: &mut Batch,
        emit: &mut dyn FnMut(Batch) -> Result<()>,
    ) -> Result<()> {
        let name = reader.name().to_owned();
        let mut current: Option<(&Target, RowParser<'_>)> = None;
        while let Some(item) = reader.next_item()? {
            match item {
                Item::List(key) => {
                    let target = self.targets.iter().find(|target| target.shape.list == key);
                    current = target.map(|target| (target, RowParser::new(&target.shape)));
                }
                Item::Row(row) => {
                    let Some((target, parser)) = &mut current else { continue };
                    let table = target.table.as_ref().filter(|table| self.only.is_none_or(|only| table.name == only));
                    let Some(table) = table else { continue };
                    parser.parse(row.text()?).map_err(|error| row.fault(&error))?;
                    sound(parser, &name)?;
                    let is_message = table.name == "zerver_message";
                    let out = if is_message { &mut batch.messages } else { &mut batch.user_messages };
                    let written = table.write(self.making, parser, out).map_err(|error| in_file(&name, &error))?;
                    batch.left_out[usize::from(!is_message)] += u64::from(!written);
                    if is_message && written {
                        self.note(parser, &mut batch.seen);
                    }
                    if batch.messages.bytes.len() + batch.user_messages.bytes.len() >= BATCH_BYTES {
                        emit(std::mem::take(batch))?;
                    }
                }
                Item::Value(..) => {}
            }
        }
        Ok(())
    }

    fn note(&self, row: &RowParser<'_>, seen: &mut Seen) {
        let new = row.integer("id").and_then(|id| self.making.ids.get(Of::Message, id));
        if let (Some(recipient), Some(new), crate::rows::Cell::Float(sent)) =
            (row.integer("recipient"), new, row.get("date_sent"))
        {
            seen.add(recipient, new, sent);
        }
    }
}

/// Writes all messages, with what users have of them. With `apart` all of the one table come before all of the other:
/// the server keeps at hand the indexes of one of them only, and the export is read twice for it.
///
/// # Errors
/// `Damaged` for rows that are not as they have to be, `Interrupted`, and what the database answers.
pub(super) fn load(
    client: &mut postgres::Client,
    package: &Package,
    making: &Making<'_>,
    targets: &[Target],
    jobs: std::num::NonZeroUsize,
    apart: bool,
    progress: &dyn Progress,
) -> Result<(Vec<Loaded>, Seen)> {
    let table = |name: &str| {
        let found = targets.iter().filter_map(|target| target.table.as_ref()).find(|table| table.name == name);
        found.ok_or_else(|| Error::new(ErrorKind::Damaged, format!("files with messages have no list of {name}")))
    };
    let tables = [table("zerver_message")?, table("zerver_usermessage")?];
    let mut loaded =
        tables.map(|table| Loaded { list: table.name.clone(), table: table.name.clone(), rows: 0, left_out: 0 });
    let mut seen = Seen::default();
    let names = tables.map(|table| Some(table.name.as_str()));
    let passes: &[Option<&str>] = if apart { &names } else { &[None] };
    for &only in passes {
        let worker = || Worker { package, making, targets, only };
        pipeline::run(
            Limits { threads: jobs, results_waiting: 1 },
            progress,
            || Ok(worker()),
            |plan: &Plan<'_, Job, Batch>| plan_all(&worker(), plan),
            |batch| {
                for (at, rows) in [&batch.messages, &batch.user_messages].into_iter().enumerate() {
                    loaded[at].left_out += batch.left_out[at];
                    if rows.rows > 0 {
                        let mut copy = Copy::begin(client, tables[at])?;
                        copy.send(rows)?;
                        loaded[at].rows += copy.finish()?;
                    }
                }
                for (recipient, (first, latest)) in batch.seen.0 {
                    seen.add(recipient, first, latest);
                }
                progress.advance(TASK, batch.messages.rows);
                Ok(())
            },
        )?;
    }
    Ok((loaded.into(), seen))
}

/// Reads all files with messages, in the order they come in.
///
/// # Errors
/// As [`Package::visit`].
pub(super) fn for_each_file(
    package: &Package,
    progress: &dyn Progress,
    each: &mut dyn FnMut(&mut RowReader<&mut (dyn std::io::Read + Send)>) -> Result<()>,
) -> Result<()> {
    package.visit(
        &mut |member, content| {
            if message_file_number(&member.name).is_some() {
                each(&mut RowReader::new(member.name.clone(), content))?;
            }
            Ok(Go::On)
        },
        &mut |_| progress.checkpoint(),
    )
}

fn plan_all(worker: &Worker<'_>, plan: &Plan<'_, Job, Batch>) -> Result<()> {
    let package = worker.package;
    if package.is_random_access() {
        let files = package.listing()?.message_files();
        return files
            .chunks(JOB_FILES)
            .try_for_each(|files| plan.job(Job::Names(files.iter().map(|file| file.member.name.clone()).collect())));
    }
    let mut rest = package.listing()?.message_files().len();
    if rest == 0 {
        return Ok(());
    }
    package.visit(
        &mut |member, content| {
            if message_file_number(&member.name).is_none() {
                return Ok(Go::On);
            }
            if member.size > HANDED_OVER {
                worker.files([Ok(RowReader::new(&*member.name, content))], &mut |full| plan.ready(full))?;
            } else {
                plan.job(Job::Content(member.name.clone(), read_small(&member.name, content, HANDED_OVER)?))?;
            }
            rest = rest.saturating_sub(1);
            Ok(if rest == 0 { Go::Stop } else { Go::On })
        },
        &mut |_| Ok(()),
    )
}
