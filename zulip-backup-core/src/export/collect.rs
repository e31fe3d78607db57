//! Taking the pieces of an export in order, and keeping count.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::archive::{FORMAT_VERSION, ToolFacts};
use crate::export::ExportPlan;
use crate::export::destination::{Destination, Published};
use crate::export::piece::{Folder, Piece};
use crate::export::report::Stats;
use crate::package::{ExportManifest, FilesFacts};
use crate::{Error, ErrorKind, Finding, Findings, Progress, Result};

/// Takes the pieces.
pub(super) struct Collector<'a> {
    destination: Option<Box<dyn Destination>>,
    pub(super) stats: Stats,
    pub(super) files: BTreeMap<String, FilesFacts>,
    pub(super) findings: Findings,
    /// Ids of attachments whose files are not there.
    pub(super) missing: Vec<i64>,
    progress: &'a dyn Progress,
}

impl<'a> Collector<'a> {
    pub(super) fn new(destination: Box<dyn Destination>, progress: &'a dyn Progress) -> Self {
        Self {
            destination: Some(destination),
            stats: Stats::default(),
            files: BTreeMap::new(),
            findings: Findings::default(),
            missing: Vec::new(),
            progress,
        }
    }

    pub(super) fn take(&mut self, piece: Piece) -> Result<()> {
        match piece {
            Piece::Begin { path, modified } => self.destination()?.begin(&path, modified),
            Piece::Content(block) => self.destination()?.content(&block),
            Piece::End => self.destination()?.end(),
            Piece::Members(batch) => self.destination()?.members(batch),
            Piece::Rows { file, list, rows } => {
                self.stats.rows.entry(file).or_default().insert(list, rows);
                Ok(())
            }
            Piece::Record { folder, row, bytes } => {
                let facts = self.files.entry(folder.name().to_owned()).or_default();
                let before: &[u8] = if facts.files == 0 { b"[" } else { b"," };
                *facts = FilesFacts { files: facts.files + 1, bytes: facts.bytes + bytes };
                let destination = self.destination()?;
                destination.records(folder, before)?;
                destination.records(folder, &row)
            }
            Piece::Records(folder) => self.end_records(folder),
            Piece::Missing(attachment) => {
                self.missing.push(attachment);
                Ok(())
            }
            Piece::Found(finding) => {
                self.found(finding);
                Ok(())
            }
        }
    }

    fn end_records(&mut self, folder: Folder) -> Result<()> {
        let facts = *self.files.entry(folder.name().to_owned()).or_default();
        *self.stats.records(folder) = facts.files;
        let destination = self.destination()?;
        destination.records(folder, if facts.files == 0 { b"[]" } else { b"\n]" })?;
        destination.end_records(folder)
    }

    pub(super) fn found(&mut self, finding: Finding) {
        self.progress.finding(&finding);
        self.findings.push(finding);
    }

    /// Writes a small file.
    pub(super) fn whole(&mut self, path: &str, content: &[u8]) -> Result<()> {
        self.destination()?.whole(path, content)
    }

    /// Writes a small file of JSON, laid out as upstream does.
    pub(super) fn json(&mut self, path: &str, value: &impl Serialize) -> Result<()> {
        let text = serde_json::to_vec_pretty(value)
            .map_err(|error| Error::new(ErrorKind::Io, format!("cannot write {path}")).with_source(error))?;
        self.whole(path, &text)
    }

    /// Makes the export appear under its name.
    pub(super) fn publish(&mut self, plan: &ExportPlan) -> Result<Published> {
        self.progress.checkpoint()?;
        let destination = self.destination.take().ok_or_else(published)?;
        destination.publish(&|compression, index| ExportManifest {
            format: FORMAT_VERSION,
            content: ExportManifest::CONTENT.to_owned(),
            tool: ToolFacts { name: "zulip-backup".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
            compression,
            realm_id: plan.realm_id,
            realm: plan.realm.clone(),
            kind: plan.kind,
            consent_message_id: plan.consent.as_ref().map(|consent| consent.message_id),
            compat: plan.compat,
            zulip_version: plan.zulip_version.clone(),
            rows: self.stats.rows.clone(),
            files: self.files.clone(),
            findings: self.findings.clone(),
            index,
        })
    }

    fn destination(&mut self) -> Result<&mut Box<dyn Destination>> {
        self.destination.as_mut().ok_or_else(published)
    }
}

fn published() -> Error {
    Error::new(ErrorKind::Usage, "the export is published already")
}
