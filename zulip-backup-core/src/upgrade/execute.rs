//! Doing what the plan says.

use std::collections::{BTreeMap, HashSet};
use std::io::Read;
use std::time::Instant;

use camino::Utf8Path;
use serde_json::{Map, Value, json};

use crate::archive::{FORMAT_VERSION, ToolFacts};
use crate::export::{
    ArchiveDestination, Cutter, Destination, DirectoryDestination, Folder, Format, Piece, Stats, ZULIP, give_name,
};
use crate::fs::WorkDir;
use crate::package::{Compat, ExportManifest, FilesFacts, Go, Item, RowReader, message_file_number};
use crate::schema::{MigrationStatus, RowList};
use crate::upgrade::row::RawRow;
use crate::upgrade::special::Special;
use crate::upgrade::spool::Spool;
use crate::upgrade::steps::Steps;
use crate::upgrade::survey::{Person, Survey};
use crate::upgrade::{UpgradePlan, UpgradeReport, UpgradedStep};
use crate::validate::{ValidateOptions, validate};
use crate::{Error, ErrorKind, Findings, Progress, Result, Severity, Task, fs};

/// The task told to [`Progress`]: bytes of the export.
const TASK: &str = "upgrade";

/// How much text is handed on at once.
const PIECE: usize = 1 << 20;

/// The new export on its way.
struct Writer<'a> {
    destination: Box<dyn Destination>,
    cutter: Cutter,
    text: Vec<u8>,
    /// Where rows wait.
    spools: &'a Utf8Path,
    progress: &'a dyn Progress,
}

impl UpgradePlan {
    /// Writes the export of the newer release, and checks it.
    ///
    /// # Errors
    /// `Incompatible` for a value of which no step knows what becomes of it, `Damaged` where what came of it is not sound,
    /// `Interrupted`, and what the disk answers. The output is complete and checked, or not there.
    pub fn execute(&self, progress: &dyn Progress) -> Result<UpgradeReport> {
        let started = Instant::now();
        let members = &self.package.listing()?.members;
        progress.begin(Task::bytes(TASK, Some(members.iter().map(|member| member.size).sum())));
        let survey = Survey::of(&self.package, progress)?;
        let steps = Steps::new(self.chain.clone(), Special::new(&survey, &self.chain)?);
        let release = steps.to()?;
        // It gets its name when it is checked.
        let work = WorkDir::create(fs::parent(&self.output), ".zulip-upgrade-", "upgrade")?;
        let made = work.directory("export")?.join(self.output.file_name().unwrap_or("export"));
        let mut writer = self.writer(&made, work.path(), progress)?;
        let mut stats = Stats::default();
        let files = &release.export.files;
        let source = release.export.exporter.names_source.then_some(("import_source", ZULIP));
        self.lists(&steps, &mut writer, "realm", &files.realm, source, &mut stats)?;
        self.lists(&steps, &mut writer, "analytics", &files.analytics, None, &mut stats)?;
        self.lists(&steps, &mut writer, "attachment", &files.attachment, None, &mut stats)?;
        let files = self.messages_and_files(&steps, &survey, &mut writer, &mut stats)?;
        self.records(&steps, &survey, &mut writer, &mut stats)?;
        if let Some((key, text)) = source {
            stats.rows.entry("realm".to_owned()).or_default().insert(key.to_owned(), text.len() as u64);
        }
        if release.export.exporter.counts_in_json {
            writer.json("stats.json", &stats)?;
        } else {
            writer.whole("stats.txt", stats.text(&self.output).as_bytes())?;
        }
        if let Some(consented) = self.package.read_member("consented_user_ids.json", 64 << 20)?
            && release.export.exporter.lists_consenting
        {
            writer.whole("consented_user_ids.json", &consented)?;
        }
        if release.export.exporter.tells_migrations {
            writer.json("migration_status.json", &MigrationStatus::complete(release, &self.to))?;
        }
        let (realm_id, realm) = self.realm.clone().unwrap_or_default();
        let published = writer.destination.publish(&|compression, index| ExportManifest {
            format: FORMAT_VERSION,
            content: ExportManifest::CONTENT.to_owned(),
            tool: ToolFacts { name: "zulip-backup".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
            compression,
            realm_id,
            realm: realm.clone(),
            kind: self.kind,
            consent_message_id: None,
            compat: Compat::Fixed,
            zulip_version: self.to.clone(),
            rows: stats.rows.clone(),
            files: files.clone(),
            findings: Findings::default(),
            index,
        })?;
        progress.end(TASK);
        let checked = validate(&made, &ValidateOptions::default().kind(self.kind).jobs(self.jobs), progress)?;
        if !checked.is_sound() {
            // A step is wrong, or the export has what nobody thought of: nobody is to import it.
            let errors = checked.findings.list.into_iter().filter(|finding| finding.severity == Severity::Error);
            return Err(Error::new(ErrorKind::Damaged, format!("{} became no sound export", self.path))
                .with_path(&self.path)
                .with_reasons(errors.collect())
                .with_hint("nothing was written; report it, with the export if you may"));
        }
        give_name(&made, &self.output)?;
        let worth = |finding: &crate::Finding| finding.severity >= Severity::Warning;
        Ok(UpgradeReport {
            path: self.output.clone(),
            zulip_version: self.to.clone(),
            steps: taken(&steps),
            rows: checked.rows,
            files: files.values().map(|files| files.files).sum(),
            archive_bytes: published.bytes,
            sha256: published.sha256.map(|digest| digest.to_string()),
            findings: checked.findings.list.into_iter().filter(worth).collect(),
            seconds: started.elapsed().as_secs_f64(),
        })
    }

    fn writer<'p>(&self, made: &Utf8Path, spools: &'p Utf8Path, progress: &'p dyn Progress) -> Result<Writer<'p>> {
        let (destination, encoder): (Box<dyn Destination>, _) = match self.format() {
            Format::Directory => (Box::new(DirectoryDestination::create(made)?), None),
            Format::Archive(compression) => {
                let encoder = crate::codec::FrameEncoder::new(compression, compression.default_level())?;
                let folders = Folder::ALL.into_iter();
                let archive = ArchiveDestination::create(made, compression, folders, 0)?;
                (Box::new(archive), Some(encoder))
            }
        };
        Ok(Writer { destination, cutter: Cutter::new(encoder), text: Vec::new(), spools, progress })
    }

    /// A file whose lists have an order of their own.
    fn lists(
        &self,
        steps: &Steps<'_>,
        writer: &mut Writer<'_>,
        file: &str,
        lists: &[RowList],
        then: Option<(&str, &str)>,
        stats: &mut Stats,
    ) -> Result<()> {
        let name = format!("{file}.json");
        let mut spool = Spool::create(writer.spools)?;
        let mut made: Vec<(String, RawRow)> = Vec::new();
        for (release, (list, row)) in steps.special.made() {
            let done = steps.releases.iter().position(|known| known.name == release.name).map_or(0, |at| at + 1);
            if lists.iter().any(|known| known.key == *list) {
                steps.row(done, list, row.clone(), &mut |list, row| {
                    made.push((list.to_owned(), row));
                    Ok(())
                })?;
            }
        }
        spool.made(made);
        let mut reader = RowReader::new(&name, self.package.open_member(&name)?);
        let mut list = String::new();
        while let Some(item) = reader.next_item()? {
            match item {
                Item::List(key) => {
                    writer.progress.checkpoint()?;
                    key.clone_into(&mut list);
                }
                Item::Row(row) => steps.row(0, &list, row.parse()?, &mut |list, row| spool.row(list, &row))?,
                Item::Value(..) => {}
            }
        }
        spool.rest()?;
        writer.begin(&name)?;
        let rows = stats.rows.entry(file.to_owned()).or_default();
        for (place, list) in lists.iter().enumerate() {
            writer.text.extend_from_slice(if place == 0 { b"{" } else { b"," });
            writer.text.extend_from_slice(format!("\n  \"{}\": [", list.key).as_bytes());
            let count = spool.read(&list.key, &mut |text| writer.more(text))?;
            writer.text.extend_from_slice(if count > 0 { b"\n  ]" } else { b"]" });
            rows.insert(list.key.clone(), count);
        }
        if let Some((key, text)) = then {
            writer.text.extend_from_slice(format!(",\n  \"{key}\": {}", json!(text)).as_bytes());
        }
        writer.more(b"\n}")?;
        writer.end()
    }

    /// Files with messages, and uploaded files, in the order in which they come.
    fn messages_and_files(
        &self,
        steps: &Steps<'_>,
        survey: &Survey,
        writer: &mut Writer<'_>,
        stats: &mut Stats,
    ) -> Result<BTreeMap<String, FilesFacts>> {
        let left_out = self.left_out(steps, survey)?;
        let mut facts: BTreeMap<String, FilesFacts> =
            Folder::ALL.map(|folder| (folder.name().to_owned(), FilesFacts::default())).into();
        let progress = writer.progress;
        self.package.visit(
            &mut |member, content| {
                let name = member.name.as_str();
                if message_file_number(name).is_some() {
                    messages(steps, writer, name, content, stats)?;
                } else if let Some((folder, file)) = name.split_once('/')
                    && let Some(facts) = facts.get_mut(folder)
                    && file != "records.json"
                    && !left_out.contains(name)
                {
                    writer.file(name, content)?;
                    facts.files += 1;
                    facts.bytes += member.size;
                }
                Ok(Go::On)
            },
            &mut |bytes| {
                progress.advance(TASK, bytes);
                progress.checkpoint()
            },
        )?;
        Ok(facts)
    }

    /// Avatars that the newer release does not export.
    fn left_out(&self, steps: &Steps<'_>, survey: &Survey) -> Result<HashSet<String>> {
        let mut left_out = HashSet::new();
        if !steps.to()?.export.exporter.exports_generated_avatars {
            self.each_record(Folder::Avatars, &mut |record| {
                if is_generated(&record, survey) {
                    let path = record.get("path").and_then(Value::as_str).unwrap_or_default();
                    left_out.insert(format!("avatars/{path}"));
                }
                Ok(())
            })?;
        }
        Ok(left_out)
    }

    fn each_record(&self, folder: Folder, take: &mut dyn FnMut(Map<String, Value>) -> Result<()>) -> Result<()> {
        let name = format!("{}/records.json", folder.name());
        let mut reader = RowReader::new(&name, self.package.open_member(&name)?);
        while let Some(item) = reader.next_item()? {
            if let Item::Row(row) = item {
                take(row.parse()?)?;
            }
        }
        Ok(())
    }

    /// The records of uploaded files.
    fn records(&self, steps: &Steps<'_>, survey: &Survey, writer: &mut Writer<'_>, stats: &mut Stats) -> Result<()> {
        let exporter = steps.to()?.export.exporter;
        for folder in Folder::ALL {
            let mut count = 0;
            self.each_record(folder, &mut |mut record| {
                if !exporter.names_owners {
                    record.shift_remove("user_profile_email");
                }
                if folder == Folder::Avatars {
                    if !exporter.exports_generated_avatars && is_generated(&record, survey) {
                        return Ok(());
                    }
                    if exporter.versions_avatars && !record.contains_key("avatar_version") {
                        let version = owner(&record, survey).map_or(1, |person| person.avatar_version);
                        let at = record.keys().position(|key| key == "s3_path").unwrap_or(record.len());
                        record.shift_insert(at, "avatar_version".to_owned(), version.into());
                    }
                }
                let text = serde_json::to_string_pretty(&record)
                    .map_err(|error| Error::new(ErrorKind::Io, "cannot write a record").with_source(error))?;
                let text = format!("{}\n  {}", if count == 0 { "[" } else { "," }, text.replace('\n', "\n  "));
                count += 1;
                writer.destination.records(folder, text.as_bytes())
            })?;
            writer.destination.records(folder, if count == 0 { b"[]" } else { b"\n]" })?;
            writer.destination.end_records(folder)?;
            *stats.records(folder) = count;
        }
        Ok(())
    }
}

/// Whose a file is.
fn owner<'s>(record: &Map<String, Value>, survey: &'s Survey) -> Option<&'s Person> {
    record.get("user_profile_id").and_then(Value::as_i64).and_then(|user| survey.users.get(&user))
}

/// Whether an avatar is one that the server made itself.
fn is_generated(record: &Map<String, Value>, survey: &Survey) -> bool {
    owner(record, survey).is_some_and(|person| !person.has_uploaded_avatar)
}

/// A file with messages, whose lists come as they go.
fn messages(
    steps: &Steps<'_>,
    writer: &mut Writer<'_>,
    name: &str,
    content: &mut dyn Read,
    stats: &mut Stats,
) -> Result<()> {
    let mut reader = RowReader::new(name, content);
    writer.begin(name)?;
    let counts = stats.rows.entry(name.trim_end_matches(".json").to_owned()).or_default();
    let mut list = String::new();
    let mut rows = 0_u64;
    while let Some(item) = reader.next_item()? {
        match item {
            Item::List(key) => {
                let before: &[u8] = match (list.is_empty(), rows) {
                    (true, _) => b"{",
                    (false, 0) => b"],",
                    (false, _) => b"\n  ],",
                };
                writer.more(before)?;
                writer.more(format!("\n  \"{key}\": [").as_bytes())?;
                key.clone_into(&mut list);
                rows = 0;
                counts.insert(list.clone(), 0);
            }
            Item::Row(row) => steps.row(0, &list, row.parse()?, &mut |list, row| {
                if rows > 0 {
                    writer.text.push(b',');
                }
                rows += 1;
                *counts.entry(list.to_owned()).or_default() += 1;
                row.write(&mut writer.text);
                writer.more(b"")
            })?,
            Item::Value(..) => {}
        }
    }
    writer.more(if rows > 0 { b"\n  ]\n}" } else { b"]\n}" })?;
    writer.end()
}

impl Writer<'_> {
    fn begin(&mut self, path: &str) -> Result<()> {
        self.destination.begin(path, None)
    }

    /// Hands on what there is, once it is enough.
    fn more(&mut self, text: &[u8]) -> Result<()> {
        self.text.extend_from_slice(text);
        let Self { destination, cutter, text, .. } = self;
        cutter.cut(text, &mut |piece| content(&mut **destination, &piece))
    }

    fn end(&mut self) -> Result<()> {
        let Self { destination, cutter, text, .. } = self;
        cutter.rest(text, &mut |piece| content(&mut **destination, &piece))?;
        destination.end()
    }

    fn file(&mut self, path: &str, from: &mut dyn Read) -> Result<()> {
        self.begin(path)?;
        let mut buffer = vec![0; PIECE];
        loop {
            let length = from.read(&mut buffer).map_err(|error| Error::io("read", path, error))?;
            if length == 0 {
                return self.end();
            }
            self.more(&buffer[..length])?;
        }
    }

    fn whole(&mut self, path: &str, content: &[u8]) -> Result<()> {
        self.begin(path)?;
        self.more(content)?;
        self.end()
    }

    fn json(&mut self, path: &str, value: &impl serde::Serialize) -> Result<()> {
        let text = serde_json::to_vec_pretty(value)
            .map_err(|error| Error::new(ErrorKind::Io, format!("cannot write {path}")).with_source(error))?;
        self.whole(path, &text)
    }
}

fn content(destination: &mut dyn Destination, piece: &Piece) -> Result<()> {
    match piece {
        Piece::Content(block) => destination.content(block),
        _ => Ok(()),
    }
}

/// What the steps did.
fn taken(steps: &Steps<'_>) -> Vec<UpgradedStep> {
    let (lost, dropped) = (steps.lost.borrow(), steps.dropped.borrow());
    let step = |(at, release): (usize, &&'static crate::schema::Release)| {
        let mut made: BTreeMap<String, u64> = BTreeMap::new();
        for (_, (list, _)) in steps.special.made().iter().filter(|(by, _)| by.name == release.name) {
            *made.entry((*list).to_owned()).or_default() += 1;
        }
        UpgradedStep {
            from: release.upgrade.from.clone().unwrap_or_default(),
            to: release.name.to_owned(),
            made,
            left_out: dropped[at].clone(),
            lost: lost[at].clone(),
        }
    };
    steps.releases.iter().enumerate().map(step).collect()
}
