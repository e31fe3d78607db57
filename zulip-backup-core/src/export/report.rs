//! What an export did.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Instant;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;
use serde::ser::SerializeMap;

use crate::codec::Digest;
use crate::export::collect::Collector;
use crate::export::destination::Published;
use crate::export::piece::Folder;
use crate::export::{ExportPlan, Kind};
use crate::units::{bytes, seconds};
use crate::{Findings, Severity};

/// What an export did. Its JSON is stable: keys are added, never changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExportReport {
    /// The directory or archive.
    pub path: Utf8PathBuf,
    /// The address at which the server hands it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The organisation's `string_id`.
    pub realm: String,
    /// Whose data it has.
    pub kind: Kind,
    /// Messages.
    pub messages: u64,
    /// Users with an account.
    pub users: u64,
    /// Rows of all lists together.
    pub rows: u64,
    /// Uploaded files.
    pub files: u64,
    /// Their bytes.
    pub files_bytes: u64,
    /// Size of an archive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archive_bytes: Option<u64>,
    /// SHA-256 of an archive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Digest>,
    /// Where the organisation was deactivated: how many sessions of its users were ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_sessions: Option<u64>,
    /// What was noticed.
    pub findings: Findings,
    /// What is left to do by hand: commands, in order.
    pub next_steps: Vec<String>,
    /// What all took, in seconds.
    pub seconds: f64,
}

impl ExportReport {
    pub(super) fn new(
        plan: &ExportPlan,
        collector: Collector<'_>,
        published: Published,
        ended_sessions: Option<u64>,
        begun: Instant,
    ) -> Self {
        let (mut findings, mut next_steps) = (collector.findings, Vec::new());
        if let Some(caches) = plan.caches.as_ref().filter(|_| ended_sessions.is_some()) {
            caches.flush_into(&mut findings, &mut next_steps);
        }
        let rows = &collector.stats.rows;
        let of = |file: &str, list: &str| rows.get(file).and_then(|lists| lists.get(list)).copied().unwrap_or(0);
        let messages = rows.keys().filter(|file| file.starts_with("messages-"));
        Self {
            path: plan.output.clone(),
            url: plan.url.clone(),
            realm: plan.realm.clone(),
            kind: plan.kind,
            messages: messages.map(|file| of(file, "zerver_message")).sum(),
            users: of("realm", "zerver_userprofile"),
            rows: rows.values().flat_map(BTreeMap::values).sum(),
            files: collector.files.values().map(|files| files.files).sum(),
            files_bytes: collector.files.values().map(|files| files.bytes).sum(),
            archive_bytes: published.bytes,
            sha256: published.sha256,
            ended_sessions,
            next_steps,
            findings,
            seconds: begun.elapsed().as_secs_f64(),
        }
    }

    /// Whether something needs a person's look: exit code 1. Notes do not.
    pub fn has_findings(&self) -> bool {
        self.findings.at_least(Severity::Warning) > 0
    }
}

impl fmt::Display for ExportReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "messages  {}", self.messages)?;
        writeln!(f, "users     {}", self.users)?;
        writeln!(f, "rows      {}", self.rows)?;
        writeln!(f, "files     {}, {}", self.files, bytes(self.files_bytes))?;
        if let Some(sessions) = self.ended_sessions {
            writeln!(f, "realm     deactivated, {sessions} sessions ended")?;
        }
        for finding in &self.findings.list {
            writeln!(f, "{:9} {finding}", finding.severity)?;
        }
        for step in &self.next_steps {
            writeln!(f, "next      {step}")?;
        }
        if let Some(sha256) = &self.sha256 {
            writeln!(f, "sha256    {sha256}")?;
        }
        let size = self.archive_bytes.map_or_else(String::new, |size| format!(", {}", bytes(size)));
        if let Some(url) = &self.url {
            writeln!(f, "url       {url}")?;
        }
        write!(f, "export    {}{size} in {}", self.path, seconds(self.seconds))
    }
}

/// `stats.json`: how many rows each list of each file has, and how many records each directory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stats {
    pub(crate) rows: BTreeMap<String, BTreeMap<String, u64>>,
    avatars: u64,
    uploads: u64,
    emoji: u64,
    realm_icons: u64,
}

impl Stats {
    /// `stats.txt`, of an export that is, or could be unpacked to, `directory`.
    pub(crate) fn text(&self, directory: &Utf8Path) -> String {
        let mut text = String::new();
        for (file, rows) in &self.rows {
            text.push_str(&format!("{file}.json\n"));
            for (list, count) in rows {
                text.push_str(&format!("{count:5} {list}\n"));
            }
            text.push('\n');
        }
        for (folder, records) in [("avatars", self.avatars), ("uploads", self.uploads)] {
            text.push_str(&format!("{directory}/{folder}/records.json\n{records:5} records\n\n"));
        }
        text
    }

    /// How many records a folder has.
    pub(crate) fn records(&mut self, folder: Folder) -> &mut u64 {
        match folder {
            Folder::Uploads => &mut self.uploads,
            Folder::Avatars => &mut self.avatars,
            Folder::Emoji => &mut self.emoji,
            Folder::RealmIcons => &mut self.realm_icons,
        }
    }
}

impl Serialize for Stats {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (file, rows) in &self.rows {
            map.serialize_entry(file, rows)?;
        }
        map.serialize_entry("avatars_records", &self.avatars)?;
        map.serialize_entry("uploads_records", &self.uploads)?;
        map.serialize_entry("emoji_records", &self.emoji)?;
        map.serialize_entry("realm_icons_records", &self.realm_icons)?;
        map.end()
    }
}
