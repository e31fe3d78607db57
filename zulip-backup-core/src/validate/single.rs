//! The export of a single user: nothing imports it, but its files and rows have to be whole, and nobody else's.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::package::{Go, Package, message_file_number};
use crate::rows::{self, RowParser, Shape, Sink};
use crate::schema::{ExportSchema, RowRule, Source};
use crate::validate::read::{TASK, record_directory};
use crate::validate::records::{self, Records};
use crate::validate::release::Told;
use crate::validate::{KindFrom, ValidateReport, counts};
use crate::{Finding, Findings, Progress, Result};

/// Files that every such export has.
const REQUIRED: [&str; 4] = ["user.json", "uploads/records.json", "avatars/records.json", "emoji/records.json"];

/// Checks it.
pub(super) fn check(package: &Package, progress: &dyn Progress, report: &mut ValidateReport) -> Result<()> {
    let Told { release, from, .. } = Told::of_user(package)?;
    (report.release, report.release_from) = (release.name, from);
    let schema = &release.export;
    let shapes = |lists: &[crate::schema::RowList]| {
        lists.iter().map(|list| Shape::new(release, list)).collect::<Result<Vec<_>>>()
    };
    let (of_user, of_messages) = (shapes(&schema.files.user)?, shapes(&schema.files.user_messages)?);
    let mut subject =
        Subject { schema, user: None, owners: Vec::new(), ids: HashMap::new(), findings: Findings::default() };
    let mut records: HashMap<&'static str, Records> = HashMap::new();
    let mut findings = Findings::default();
    let mut rows: BTreeMap<String, u64> = BTreeMap::new();
    package.visit(
        &mut |member, content| {
            let name = member.name.as_str();
            let shapes = match name {
                "user.json" => &of_user,
                name if message_file_number(name).is_some() => &of_messages,
                name => {
                    if let Some(directory) = record_directory(name) {
                        records.insert(directory, Records::read(name, content, false, &mut findings)?);
                    }
                    return Ok(Go::On);
                }
            };
            for (list, count) in rows::read(name, content, shapes, &mut subject, &mut findings)?.into_iter().flatten() {
                *rows.entry(list).or_default() += count;
            }
            Ok(Go::On)
        },
        &mut |bytes| {
            progress.advance(TASK, bytes);
            progress.checkpoint()
        },
    )?;
    let listing = package.listing()?;
    report.kind_from = KindFrom::SingleUser;
    report.users = rows.get("zerver_userprofile").copied().unwrap_or(0);
    report.messages = rows.get("zerver_message").copied().unwrap_or(0);
    report.rows = rows.values().sum();
    report.files = listing.members.len() as u64;
    report.bytes = listing.members.iter().map(|member| member.size).sum();
    report.findings.extend(counts::names(listing, &REQUIRED));
    report.findings.extend(findings);
    report.findings.extend(records::files(&records, listing, false));
    report.findings.extend(subject.judged(&records));
    Ok(())
}

/// Whose the rows are.
struct Subject {
    schema: &'static ExportSchema,
    /// The one user.
    user: Option<i64>,
    /// Rows that name a user as theirs: list, row, user. One for each list and other user.
    owners: Vec<(String, i64, i64)>,
    ids: HashMap<String, HashSet<i64>>,
    findings: Findings,
}

impl Subject {
    /// What belongs to somebody else.
    fn judged(mut self, records: &HashMap<&'static str, Records>) -> Findings {
        let Some(user) = self.user else {
            let message = "has no user: whose the rest is cannot be told";
            self.findings.push(Finding::error("list-missing", "user.json zerver_userprofile", message));
            return self.findings;
        };
        let of_rows = self.owners.iter().map(|(list, row, of)| (format!("user.json {list} {row}"), *of));
        let of_files = records.iter().flat_map(|(directory, records)| {
            records.owners().map(move |(path, of)| (format!("{directory}/records.json {path}"), of))
        });
        let others: Vec<_> = of_rows.chain(of_files).filter(|(_, of)| *of != user).collect();
        for (object, of) in others {
            let message = format!("is of user {of}: the export is of user {user} alone");
            self.findings
                .push(Finding::error("row-unjustified", object, message).with_hint("do not hand this export out"));
        }
        self.findings
    }
}

impl Sink for Subject {
    fn row(&mut self, row: &RowParser<'_>, id: i64) {
        let list = &row.shape.list;
        if list == "zerver_userprofile" {
            if self.user.is_some() {
                let message = "is one user too many";
                self.findings.push(Finding::error("row-unjustified", format!("user.json {list} {id}"), message));
            }
            self.user.get_or_insert(id);
            return;
        }
        if let RowRule::Subject { column } = &row.shape.rule {
            let fields =
                self.schema.tables.get(&row.shape.table).map(|table| table.fields.as_slice()).unwrap_or_default();
            let key =
                fields.iter().find(|field| matches!(&field.source, Source::Column { column: of, .. } if of == column));
            if let Some(owner) = key.and_then(|field| row.integer(&field.key))
                && !self.owners.iter().any(|(of, _, user)| of == list && *user == owner)
            {
                self.owners.push((list.clone(), id, owner));
            }
        }
    }

    fn list(&mut self, shape: &Shape, ids: &[i64]) {
        let known = self.ids.entry(shape.list.clone()).or_default();
        for &id in ids {
            if !known.insert(id) {
                let message = "is an id that more than one row has";
                self.findings.push(Finding::error("id-duplicate", format!("{} {id}", shape.list), message));
            }
        }
    }
}
