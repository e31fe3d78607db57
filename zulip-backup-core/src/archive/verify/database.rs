//! The parts of a backup against each other: version files, table of contents, files of the dump, manifest.

use std::collections::BTreeMap;

use crate::archive::verify::collector::{AT_THE_END, Collector};
use crate::archive::verify::content::database_file;
use crate::archive::verify::report::TableCheck;
use crate::archive::{DatabaseFacts, Manifest, MemberName, SourceFacts, TableFacts, member};
use crate::postgres::dump::copy_text::CopyFacts;
use crate::postgres::dump::toc::Toc;
use crate::{Finding, Severity};

/// What was seen of the members that mean something together.
#[derive(Default)]
pub(super) struct Parts {
    /// Contents of the version files and the table of contents by full name.
    kept: BTreeMap<&'static str, Kept>,
    /// Files of the dump by name, and their rows where they could be counted.
    files: BTreeMap<String, Option<CopyFacts>>,
}

enum Kept {
    Content(Vec<u8>),
    /// It is there, and a finding says why its content is not known.
    Spoiled,
}

const KEPT: [&str; 4] = [member::ZULIP_VERSION, member::OS_VERSION, member::POSTGRES_VERSION, member::TOC];

impl Parts {
    /// A member that is there, whatever becomes of its content.
    pub(super) fn present(&mut self, name: &MemberName) {
        if let Some(file) = database_file(name).filter(|&file| file != "toc.dat") {
            self.files.entry(file.to_owned()).or_default();
        }
        if let Some(kept) = KEPT.into_iter().find(|kept| kept.as_bytes() == name.as_bytes()) {
            self.kept.entry(kept).or_insert(Kept::Spoiled);
        }
    }

    /// The content of a member that is kept.
    pub(super) fn keep(&mut self, name: &MemberName, content: Vec<u8>) {
        if let Some(kept) = KEPT.into_iter().find(|kept| kept.as_bytes() == name.as_bytes()) {
            self.kept.insert(kept, Kept::Content(content));
        }
    }

    /// The rows of a file of the dump.
    pub(super) fn rows(&mut self, name: &MemberName, facts: CopyFacts) {
        if let Some(file) = database_file(name) {
            self.files.insert(file.to_owned(), Some(facts));
        }
    }

    /// Compares all of it; the tables of the dump come back. Where the archive was not read to its end, `complete` is
    /// false and nothing is called missing.
    pub(super) fn check(
        &self,
        manifest: Option<&Manifest>,
        complete: bool,
        collector: &Collector<'_>,
    ) -> Vec<TableCheck> {
        const ABSENCE: [&str; 4] = ["member-missing", "toc-file-missing", "table-missing", "no-database"];
        let push = |finding: Finding| {
            if complete || !ABSENCE.contains(&finding.code.as_str()) {
                collector.push(AT_THE_END, finding);
            }
        };
        self.check_versions(manifest.map(|manifest| &manifest.source), &push);
        let expected = manifest.and_then(|manifest| manifest.database.as_ref());
        let has_database = expected.is_some() || !self.files.is_empty() || self.kept.contains_key(member::TOC);
        if !has_database {
            push(
                Finding::note("no-database", member::DATABASE, "the archive has no database")
                    .with_hint("it was made with --skip-db and cannot restore a server"),
            );
            return Vec::new();
        }
        if manifest.is_some() && expected.is_none() {
            push(Finding::error("member-extra", member::DATABASE, "is in the archive, the manifest knows of none"));
        }
        let toc = match self.kept.get(member::TOC) {
            None => {
                push(Finding::error("member-missing", member::TOC, "is not in the archive: no table can be restored"));
                return self.without_toc(expected);
            }
            Some(Kept::Spoiled) => return self.without_toc(expected),
            Some(Kept::Content(bytes)) => match Toc::read(&bytes[..]) {
                Ok(toc) => toc,
                Err(error) => {
                    let mut finding = Finding::error("toc-damaged", member::TOC, error.to_string());
                    finding.hint = error.hint().map(str::to_owned);
                    push(finding);
                    return self.without_toc(expected);
                }
            },
        };
        check_toc_facts(&toc, expected, &push);
        let tables = self.check_files(&toc, expected, &push);
        if let Some(expected) = expected {
            for table in &expected.tables {
                if !tables.iter().any(|check| check.schema == table.schema && check.name == table.name) {
                    push(Finding::error(
                        "table-missing",
                        format!("{}.{}", table.schema, table.name),
                        format!("has {} rows in the manifest and is not in the table of contents", table.rows),
                    ));
                }
            }
        }
        tables
    }

    fn check_versions(&self, source: Option<&SourceFacts>, push: &impl Fn(Finding)) {
        for (name, expected) in [
            (member::ZULIP_VERSION, source.map(|source| source.zulip_version.clone())),
            (member::OS_VERSION, source.map(|source| source.os_version.clone())),
            (member::POSTGRES_VERSION, source.map(|source| source.postgres_version.to_string())),
        ] {
            let content = match self.kept.get(name) {
                None => {
                    push(Finding::error("member-missing", name, "is not in the archive: every backup has it"));
                    continue;
                }
                Some(Kept::Spoiled) => continue,
                Some(Kept::Content(content)) => content,
            };
            let damaged = |what: String| Finding::error("version-file-damaged", name, what);
            let Some(line) = std::str::from_utf8(content).ok().and_then(|text| text.lines().next()) else {
                push(damaged("is empty or no text".to_owned()));
                continue;
            };
            let line = line.trim();
            let understood = !line.is_empty() && (name != member::POSTGRES_VERSION || line.parse::<u32>().is_ok());
            if !understood {
                push(damaged(format!("says {:?}, which is no version", shortened(line))));
            } else if let Some(expected) = expected.filter(|expected| expected.lines().next() != Some(line)) {
                push(damaged(format!("says {:?}, the manifest says {expected:?}", shortened(line))));
            }
        }
    }

    fn check_files(&self, toc: &Toc, expected: Option<&DatabaseFacts>, push: &impl Fn(Finding)) -> Vec<TableCheck> {
        let promised: BTreeMap<(&str, &str), &TableFacts> = expected
            .iter()
            .flat_map(|expected| &expected.tables)
            .map(|table| ((table.schema.as_str(), table.name.as_str()), table))
            .collect();
        let mut tables = Vec::new();
        let mut known: Vec<&str> = Vec::new();
        for entry in &toc.entries {
            let Some(file) = entry.file.as_deref() else { continue };
            let present = ["", ".gz", ".lz4", ".zst"]
                .iter()
                .find_map(|extension| self.files.get_key_value(&format!("{file}{extension}")));
            let object = entry.tag.as_deref().unwrap_or(file);
            match present {
                Some((name, _)) => known.push(name),
                None => push(Finding::error(
                    "toc-file-missing",
                    object,
                    format!("has no file {file} in the archive, which the table of contents names"),
                )),
            }
            if !entry.is("TABLE DATA") {
                continue;
            }
            let schema = entry.namespace.clone().unwrap_or_default();
            let name = entry.tag.clone().unwrap_or_default();
            let found = present.and_then(|(_, facts)| *facts);
            let table = promised.get(&(schema.as_str(), name.as_str())).copied();
            let object = format!("{schema}.{name}");
            match (expected, table) {
                (Some(_), None) => {
                    push(Finding::error("table-extra", object, "is in the table of contents and not in the manifest"));
                }
                (_, Some(table)) => {
                    if let Some(found) = found
                        && (found.rows, found.bytes) != (table.rows, table.bytes)
                    {
                        push(Finding::error(
                            "table-rows-differ",
                            object,
                            format!(
                                "has {} rows in {} bytes, the manifest says {} rows in {} bytes",
                                found.rows, found.bytes, table.rows, table.bytes
                            ),
                        ));
                    }
                }
                (None, None) => {}
            }
            let rows_expected = table.map(|table| table.rows);
            let rows_found = found.map(|facts| facts.rows);
            tables.push(TableCheck { schema, name, file: file.to_owned(), rows_found, rows_expected });
        }
        known.sort_unstable();
        // Large objects have files of their own that only `blobs.toc` names.
        let blobs = toc.entries.iter().any(|entry| entry.is("BLOBS"));
        for file in self.files.keys() {
            if known.binary_search(&file.as_str()).is_err() && !(blobs && file.starts_with("blob")) {
                let severity = if file.contains(".dat") { Severity::Error } else { Severity::Warning };
                push(Finding::new(
                    severity,
                    "toc-file-extra",
                    format!("{}/{file}", member::DATABASE),
                    "is a file that the table of contents does not name: pg_restore would not read it",
                ));
            }
        }
        tables
    }

    /// The tables as far as the manifest alone tells.
    fn without_toc(&self, expected: Option<&DatabaseFacts>) -> Vec<TableCheck> {
        expected
            .iter()
            .flat_map(|expected| &expected.tables)
            .map(|table| TableCheck {
                schema: table.schema.clone(),
                name: table.name.clone(),
                file: table.file.clone(),
                rows_found: self
                    .files
                    .get(&table.file)
                    .or_else(|| self.files.get(&format!("{}.gz", table.file)))
                    .and_then(|facts| facts.map(|facts| facts.rows)),
                rows_expected: Some(table.rows),
            })
            .collect()
    }
}

fn check_toc_facts(toc: &Toc, expected: Option<&DatabaseFacts>, push: &impl Fn(Finding)) {
    let Some(expected) = expected else { return };
    for (what, found, expected) in [
        ("database", &toc.dbname, &expected.name),
        ("server version", &toc.server_version, &expected.server_version),
        ("pg_dump version", &toc.dump_version, &expected.dump_version),
    ] {
        if let Some(found) = found
            && found != expected
        {
            push(Finding::error(
                "toc-differs",
                member::TOC,
                format!("has {what} {found:?}, the manifest says {expected:?}"),
            ));
        }
    }
}

/// Enough of a line to recognise it.
fn shortened(line: &str) -> String {
    line.chars().take(60).collect()
}
