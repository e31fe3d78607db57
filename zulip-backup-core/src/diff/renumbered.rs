//! Two exports of one organisation with an import between them: every id is another, and still the rows are the same.
//!
//! An import keeps the order of ids, so rows belong together by their places; where one is missing, by what is alike
//! around it. What belongs together gets one number, and before rows are compared every id in them gives way to its
//! number: in keys that name rows of other tables, in texts that do, in paths of files. What an import changes by right is
//! not compared: [`NOT_COMPARED`](super::NOT_COMPARED).

mod align;
mod entries;
mod files;
mod find;
mod index;
mod learn;
mod name;
mod numbers;
mod row;
pub(super) mod rules;

use std::collections::BTreeSet;

use crate::diff::compare::sets;
use crate::diff::index::{Migrations, check};
use crate::diff::renumbered::find::Reading;
use crate::diff::renumbered::index::Index;
use crate::diff::renumbered::learn::Known;
use crate::diff::renumbered::numbers::Names;
use crate::diff::renumbered::row::{Plan, Side};
use crate::diff::renumbered::rules::NOT_COMPARED;
use crate::diff::report::{DiffReport, Difference, LeftOut};
use crate::ids::Of;
use crate::package::{Layout, Package};
use crate::schema::Release;
use crate::validate::release_of;
use crate::{Error, ErrorKind, Progress, Result};

/// Adds to `report` what differs, with at most `limit` names of each difference.
pub(super) fn compare(
    packages: [&Package; 2],
    limit: usize,
    jobs: usize,
    report: &mut DiffReport,
    progress: &dyn Progress,
) -> Result<()> {
    let [a, b] = learn::learn(packages, jobs, progress)?;
    for package in packages {
        organisation(package)?;
    }
    let plans = Plan::all(&one_release(packages)?.export);
    let names = [&a, &b].map(|known| Names { numbers: &known.numbers, realm: known.realm, paths: &known.paths });
    let sides = [Side::new(&a, &names[0]), Side::new(&b, &names[1])];
    let [side_a, side_b] = &sides;
    let indexes = [
        Index::read(packages[0], side_a, &plans, jobs, progress)?,
        Index::read(packages[1], side_b, &plans, jobs, progress)?,
    ];
    let mut not_compared: Vec<[u64; 2]> =
        (0..NOT_COMPARED.len()).map(|rule| [side_a.counts.get(rule), side_b.counts.get(rule)]).collect();

    let readings = [Reading { package: packages[0], side: side_a }, Reading { package: packages[1], side: side_b }];
    let found = find::find(&readings, &indexes, &plans, jobs, progress)?;
    if !found.is_empty() {
        report.lists = name::name(&readings, found, &plans, limit, jobs, progress)?;
    }
    let files = files::compare(&indexes, [&a, &b], limit);
    (report.records, report.files) = (files.records, files.files);
    for (rule, counts) in files.not_compared {
        not_compared[rule] = counts;
    }
    let left_out = NOT_COMPARED.iter().zip(not_compared).filter(|(_, counts)| *counts != [0, 0]);
    report.not_compared = left_out.map(|(rule, counts)| LeftOut::new(rule, counts)).collect();

    let [of_a, of_b] = &indexes;
    report.consented = consented([(of_a, &a), (of_b, &b)], limit);
    // The version is the other server's own affair as long as the tables are the same, and so are apps that it lacks:
    // an import goes by that.
    let none = Migrations::default();
    let (of_a, of_b) = (of_a.migrations.as_ref().unwrap_or(&none), of_b.migrations.as_ref().unwrap_or(&none));
    for (app, lines) in &of_a.migrations_by_app {
        let Some(others) = of_b.migrations_by_app.get(app) else { continue };
        let difference = sets(lines, others, limit);
        if !difference.is_empty() {
            report.migrations.insert(app.clone(), difference);
        }
    }
    Ok(())
}

/// Refuses what cannot have been imported.
fn organisation(package: &Package) -> Result<()> {
    check(package)?;
    if package.layout()? == Some(Layout::Organisation) {
        return Ok(());
    }
    let message = format!("{} is of a single user, and nothing imports those", package.path());
    Err(Error::new(ErrorKind::Usage, message).with_path(package.path()).with_hint("leave --renumbered out"))
}

/// The release of both, whose rows are alike only where it is one.
fn one_release(packages: [&Package; 2]) -> Result<&'static Release> {
    let [a, b] = [release_of(packages[0])?, release_of(packages[1])?];
    if a.name == b.name {
        return Ok(a);
    }
    let [path_a, path_b] = packages.map(Package::path);
    let message = format!("{path_a} is of Zulip {}, {path_b} of Zulip {}: no import lies between them", a.name, b.name);
    Err(Error::new(ErrorKind::Incompatible, message).with_path(path_b))
}

/// Who consents, by the ids of each.
fn consented(of: [(&Index, &Known); 2], limit: usize) -> Option<Difference<i64>> {
    if of.iter().all(|(index, _)| index.consented.is_none()) {
        return None;
    }
    let users = of.map(|(index, known)| {
        let ids = index.consented.iter().flatten();
        ids.map(|id| (known.numbers.of(Of::User, *id), *id)).collect::<Vec<_>>()
    });
    let numbers = |side: usize| users[side].iter().filter_map(|(number, _)| *number).collect::<BTreeSet<u64>>();
    let only = |side: usize| {
        let others = numbers(1 - side);
        let alone = move |number: Option<u64>| number.is_none_or(|number| !others.contains(&number));
        users[side].iter().filter(move |(number, _)| alone(*number)).map(|(_, id)| *id)
    };
    let mut difference = Difference::default();
    only(0).for_each(|id| difference.only_in_a.push(limit, id));
    only(1).for_each(|id| difference.only_in_b.push(limit, id));
    let one_has_none = of.iter().any(|(index, _)| index.consented.is_none());
    (one_has_none || !difference.is_empty()).then_some(difference)
}
