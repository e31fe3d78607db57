//! Reading an export's files in the order their check needs.

use std::collections::HashMap;
use std::io::Read;

use crate::package::{Package, message_file_number};
use crate::rows::{self, Shape};
use crate::schema::{Release, RowList};
use crate::validate::facts::Facts;
use crate::validate::messages::Judge;
use crate::validate::records::{DIRECTORIES, Records};
use crate::validate::release::Told;
use crate::validate::sidecars::{SMALL, Sidecars};
use crate::{Findings, Progress, Result};

/// The task told to [`Progress`]: bytes of files, or of a tarball.
pub(super) const TASK: &str = "validate";

/// All but the messages.
pub(super) struct Base {
    pub(super) told: Told,
    pub(super) sidecars: Sidecars,
    pub(super) facts: Facts,
    pub(super) records: HashMap<&'static str, Records>,
    pub(super) findings: Findings,
}

/// The shapes of the lists of each file with rows.
struct Shapes(Vec<(&'static str, Vec<Shape>)>);

impl Shapes {
    fn new(release: &'static Release, converted: bool) -> Result<Self> {
        let of = |lists: &[RowList]| shapes(release, lists, converted);
        let files = &release.export.files;
        Ok(Self(vec![
            ("realm", of(&files.realm)?),
            ("attachment", of(&files.attachment)?),
            ("analytics", of(&files.analytics)?),
        ]))
    }
}

/// The shapes of a file's lists.
pub(super) fn shapes(release: &'static Release, lists: &[RowList], converted: bool) -> Result<Vec<Shape>> {
    let shape = |list| {
        let shape = Shape::new(release, list)?;
        Ok(if converted { shape.converted() } else { shape })
    };
    lists.iter().map(shape).collect()
}

/// Reads everything but the messages.
pub(super) fn base(package: &Package, progress: &dyn Progress) -> Result<Base> {
    let (mut sidecars, mut findings) = (Sidecars::default(), Findings::default());
    let mut records = HashMap::new();
    for name in Sidecars::NAMES {
        if let Some(bytes) = package.read_member(name, SMALL)? {
            sidecars.take(name, &bytes, &mut findings);
        }
    }
    // That says what rows have to look like.
    let told = Told::of_organisation(package, sidecars.migrations.as_ref())?;
    let converted = is_converted(package, told.release)?;
    let mut rows = Rows::new(told.release, converted)?;
    for member in &package.listing()?.members {
        let name = member.name.as_str();
        if let Some(directory) = record_directory(name) {
            let mut content = package.open_member(name)?;
            records.insert(directory, Records::read(name, &mut content, converted, &mut findings)?);
        } else if Rows::has(name) {
            rows.read(name, &mut package.open_member(name)?, &mut findings)?;
        } else {
            continue;
        }
        // A tarball's own bytes are told when it is read.
        if package.is_random_access() {
            progress.advance(TASK, member.size);
        }
        progress.checkpoint()?;
    }
    Ok(Base { told, sidecars, facts: rows.facts, records, findings })
}

/// Whether one of Zulip's converters made it, of another service's data. A Zulip server writes both of these.
fn is_converted(package: &Package, release: &Release) -> Result<bool> {
    let listing = package.listing()?;
    let has = |name| listing.member(name).is_some();
    let exporter = release.export.exporter;
    let told = !exporter.tells_migrations || has("migration_status.json");
    Ok(has("realm.json") && told && !has(exporter.statistics_file()) && !has("analytics.json"))
}

struct Rows {
    shapes: Shapes,
    facts: Facts,
}

impl Rows {
    fn new(release: &'static Release, converted: bool) -> Result<Self> {
        Ok(Self { shapes: Shapes::new(release, converted)?, facts: Facts::new(release, converted)? })
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
