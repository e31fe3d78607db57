//! Reading an export's files in the order their check needs, whatever order they come in.

use std::collections::{BTreeSet, HashMap};
use std::io::Read;

use crate::package::{Go, Member, Package, message_file_number, read_small};
use crate::rows::{self, Shape};
use crate::schema::{ExportSchema, RowList};
use crate::validate::facts::Facts;
use crate::validate::messages::Judge;
use crate::validate::records::{DIRECTORIES, Records};
use crate::validate::sidecars::{SMALL, Sidecars, declaration};
use crate::{Findings, Progress, Result};

/// The task told to [`Progress`]: bytes of files, or of a tarball.
pub(super) const TASK: &str = "validate";

/// All but the messages.
pub(super) struct Base {
    pub(super) schema: &'static ExportSchema,
    pub(super) sidecars: Sidecars,
    pub(super) facts: Facts,
    pub(super) records: HashMap<&'static str, Records>,
    pub(super) findings: Findings,
}

/// The shapes of the lists of each file with rows.
struct Shapes(Vec<(&'static str, Vec<Shape>)>);

impl Shapes {
    fn new(schema: &ExportSchema, converted: bool) -> Result<Self> {
        let of = |lists: &[RowList]| shapes(schema, lists, converted);
        let files = &schema.files;
        Ok(Self(vec![
            ("realm", of(&files.realm)?),
            ("attachment", of(&files.attachment)?),
            ("analytics", of(&files.analytics)?),
        ]))
    }
}

/// The shapes of a file's lists.
pub(super) fn shapes(schema: &ExportSchema, lists: &[RowList], converted: bool) -> Result<Vec<Shape>> {
    let shape = |list| {
        let shape = Shape::new(schema, list)?;
        if converted { shape.converted() } else { Ok(shape) }
    };
    lists.iter().map(shape).collect()
}

/// Reads everything but the messages. Of a tarball that takes two readings where rows come before the migrations that
/// say what they have to look like.
pub(super) fn base(package: &Package, converted: bool, progress: &dyn Progress) -> Result<Base> {
    let (mut sidecars, mut findings) = (Sidecars::default(), Findings::default());
    let mut records = HashMap::new();
    let mut rows: Option<Rows> = None;
    let mut left: BTreeSet<String> = BTreeSet::new();
    if package.is_random_access() {
        // Any order can be had: the small files come first.
        for name in ["migration_status.json", "stats.json", "consented_user_ids.json"] {
            if let Some(bytes) = package.read_member(name, SMALL)? {
                sidecars.take(name, &bytes, &mut findings);
            }
        }
        rows = Some(Rows::new(sidecars.migrations.as_ref(), converted)?);
    }
    let random = package.is_random_access();
    each(package, progress, None, &mut |member, content| {
        let name = member.name.as_str();
        if Sidecars::has(name) && !random {
            sidecars.take(name, &read_small(name, content, SMALL)?, &mut findings);
            if name == "migration_status.json" {
                rows = Some(Rows::new(sidecars.migrations.as_ref(), converted)?);
            }
        } else if let Some(directory) = record_directory(name) {
            records.insert(directory, Records::read(name, content, converted, &mut findings)?);
        } else if Rows::has(name) {
            match &mut rows {
                Some(rows) => rows.read(name, content, &mut findings)?,
                None => {
                    left.insert(member.name.clone());
                }
            }
        }
        Ok(())
    })?;
    let mut rows = match rows {
        Some(rows) => rows,
        None => Rows::new(None, converted)?,
    };
    if !left.is_empty() {
        each(package, progress, Some(&left), &mut |member, content| rows.read(&member.name, content, &mut findings))?;
    }
    Ok(Base { schema: rows.schema, sidecars, facts: rows.facts, records, findings })
}

struct Rows {
    schema: &'static ExportSchema,
    shapes: Shapes,
    facts: Facts,
}

impl Rows {
    fn new(migrations: Option<&super::sidecars::Migrations>, converted: bool) -> Result<Self> {
        let schema = declaration(migrations)?;
        Ok(Self { schema, shapes: Shapes::new(schema, converted)?, facts: Facts::new(schema, converted)? })
    }

    fn has(name: &str) -> bool {
        matches!(name, "realm.json" | "attachment.json" | "analytics.json")
    }

    fn read(&mut self, name: &str, content: &mut (dyn Read + Send), findings: &mut Findings) -> Result<()> {
        let stem = name.trim_end_matches(".json");
        let Some((_, shapes)) = self.shapes.0.iter().find(|(of, _)| *of == stem) else { return Ok(()) };
        if let Some(counts) = rows::read(name, content, shapes, &mut self.facts, findings)? {
            self.facts.counts.insert(stem.to_owned(), counts);
        }
        Ok(())
    }
}

pub(super) fn record_directory(name: &str) -> Option<&'static str> {
    let (directory, file) = name.split_once('/')?;
    DIRECTORIES.into_iter().find(|known| *known == directory && file == "records.json")
}

/// Visits the files `wanted`, or all, and stops when there are no more.
fn each(
    package: &Package,
    progress: &dyn Progress,
    wanted: Option<&BTreeSet<String>>,
    visit: &mut dyn FnMut(&Member, &mut (dyn Read + Send)) -> Result<()>,
) -> Result<()> {
    let mut rest = wanted.map(BTreeSet::len);
    // Bytes are those of files read, or those of the tarball: files of a directory that nobody opens are not counted.
    let streams = !package.is_random_access();
    package.visit(
        &mut |member, content| {
            if wanted.is_some_and(|wanted| !wanted.contains(&member.name)) {
                return Ok(Go::On);
            }
            visit(member, content)?;
            rest = rest.map(|rest| rest.saturating_sub(1));
            Ok(if rest == Some(0) { Go::Stop } else { Go::On })
        },
        &mut |bytes| {
            if streams {
                progress.advance(TASK, bytes);
            }
            progress.checkpoint()
        },
    )
}

/// Checks all files with messages, `jobs` at a time.
pub(super) fn messages(package: &Package, judge: &Judge<'_>, jobs: usize, progress: &dyn Progress) -> Result<()> {
    package.for_each(
        jobs,
        &|name| message_file_number(name).is_some(),
        &|member, content| judge.file(&member.name, message_file_number(&member.name).unwrap_or_default(), content),
        &|bytes| {
            progress.advance(TASK, bytes);
            progress.checkpoint()
        },
    )
}
