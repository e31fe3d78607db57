//! Inspecting an archive that is read front to back.

use std::collections::BTreeMap;
use std::io::Read;

use crate::archive::inspect::report::{DatabaseSummary, InspectReport, Needs, Secrets};
use crate::archive::inspect::{MigrationsTable, TASK, dump, secrets, take};
use crate::archive::{ArchiveKind, EntryKind, Member, Section, SectionFacts, StreamArchive, member};
use crate::postgres::dump::toc::Toc;
use crate::schema::Fitting;
use crate::{ErrorKind, Finding, Findings, Progress, Result, Task};

const MAX_TOC_BYTES: u64 = 64 << 20;
const MAX_VERSION_BYTES: u64 = 64 << 10;

#[derive(Default)]
struct Seen {
    sections: BTreeMap<String, SectionFacts>,
    versions: BTreeMap<&'static str, String>,
    made_at: Option<u64>,
    toc: Option<Toc>,
    migrations: MigrationsTable,
    secrets: Secrets,
    production: bool,
    manifest: bool,
    findings: Findings,
}

pub(super) fn inspect(archive: &StreamArchive, progress: &dyn Progress) -> Result<InspectReport> {
    progress.begin(Task::bytes(TASK, Some(archive.file_bytes())));
    progress.message("the archive has no index: it is read from front to back");
    let mut seen = Seen::default();
    archive.tail_damage().cloned().into_iter().for_each(|damage| seen.findings.push(damage));
    let mut hostile = Findings::default();
    let result = archive.each(
        |member, content| seen.member(member, content).map(|()| true),
        |finding| hostile.push(finding),
        |bytes| {
            progress.advance(TASK, bytes);
            progress.checkpoint()
        },
    );
    seen.findings.extend(hostile);
    match result {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::Damaged && !error.reasons().is_empty() => {
            error.reasons().iter().cloned().for_each(|finding| seen.findings.push(finding));
        }
        Err(error) => return Err(error),
    }
    progress.end(TASK);
    seen.report(archive)
}

impl Seen {
    fn member(&mut self, member: &Member, content: &mut dyn Read) -> Result<()> {
        if let Some(section) = Section::of(&member.name) {
            let facts = self.sections.entry(section.name().to_owned()).or_default();
            match member.kind {
                EntryKind::Directory => facts.directories += 1,
                _ => facts.files += 1,
            }
            facts.bytes = facts.bytes.saturating_add(member.size);
        }
        self.production |= member.name.is_in(member::SETTINGS.as_bytes());
        self.manifest |= member.name.as_bytes() == member::MANIFEST.as_bytes();
        self.docker_link(member);
        if !member.is_file() {
            return Ok(());
        }
        let name = member.name.as_bytes();
        let version = [member::ZULIP_VERSION, member::OS_VERSION, member::POSTGRES_VERSION]
            .into_iter()
            .find(|version| version.as_bytes() == name);
        if let Some(version) = version {
            let text = String::from_utf8_lossy(&take(content, MAX_VERSION_BYTES)?).into_owned();
            self.versions.insert(version, text);
            self.made_at.get_or_insert(member.mtime);
        } else if name == member::TOC.as_bytes() {
            match Toc::read(&take(content, MAX_TOC_BYTES)?[..]) {
                Ok(toc) => self.toc = Some(toc),
                Err(error) => self.findings.push(Finding::error("toc-damaged", member::TOC, error.to_string())),
            }
        } else if secrets::is_secrets(&member.name) {
            let keys = secrets::keys(&take(content, secrets::MAX_BYTES)?);
            self.secrets = Secrets { member: Some(member.name.to_string()), keys };
        } else if let Some(file) = member.name.below(member::DATABASE.as_bytes()) {
            self.migrations.see(file, member.size, content, self.toc.as_ref())?;
        }
        Ok(())
    }

    /// docker-zulip's archives before 9.3 hold links to files of the image's volume in place of the files.
    fn docker_link(&mut self, member: &Member) {
        const FILES: [&[u8]; 3] =
            [b"zulip-backup/settings/zulip.conf", b"zulip-backup/settings/zulip-secrets.conf", b"zulip-backup/uploads"];
        if let EntryKind::Symlink(target) = &member.kind
            && FILES.contains(&member.name.as_bytes())
        {
            let message = format!("is only a link to {:?}: what it led to is not in the archive", target.0);
            self.findings.push(
                Finding::error("docker-link", member.name.to_string(), message)
                    .with_hint("docker-zulip before 9.3 backed up so: take the file from the container's volume"),
            );
        }
    }

    fn report(mut self, archive: &StreamArchive) -> Result<InspectReport> {
        let line = |name: &str, number: usize| -> Option<String> {
            let text = self.versions.get(name)?;
            text.lines().nth(number).map(|line| line.trim().to_owned()).filter(|line| !line.is_empty())
        };
        let zulip_version = line(member::ZULIP_VERSION, 0).unwrap_or_default();
        let zulip_git_describe = line(member::ZULIP_VERSION, 1);
        let os_version = line(member::OS_VERSION, 0).unwrap_or_default();
        let postgres_version = line(member::POSTGRES_VERSION, 0).and_then(|version| version.parse::<i32>().ok());
        let bytes = |section: Section| self.sections.get(section.name()).map_or(0, |facts| facts.bytes);
        let mut needs = Needs {
            zulip_version: zulip_version.clone(),
            os_version: os_version.clone(),
            postgres_major: postgres_version.and_then(|version| u32::try_from(version / 10_000).ok()),
            database_bytes: bytes(Section::Database),
            uploads_bytes: bytes(Section::Uploads),
            ..Needs::default()
        };
        let database = self.toc.take().map(|toc| {
            needs.pg_restore_major = Some(dump::pg_restore_for_toc(&toc));
            needs.extensions = dump::extensions(&toc);
            needs.dictionary_files = dump::dictionary_files(&toc);
            let server = toc.server_major().or(needs.postgres_major);
            for finding in dump::traps(&needs.extensions, needs.pg_restore_major, server) {
                self.findings.push(finding);
            }
            let migrations = self.migrations.read(&toc);
            DatabaseSummary {
                name: toc.dbname.clone().unwrap_or_default(),
                tables: toc.tables().count() as u64,
                server_version: toc.server_version.unwrap_or_default(),
                dump_version: toc.dump_version.unwrap_or_default(),
                migrations,
                ..DatabaseSummary::default()
            }
        });
        if database.is_none() && self.findings.count("toc-damaged") == 0 {
            self.findings.push(
                Finding::warning("no-database", member::DATABASE, "the archive has no database")
                    .with_hint("it was made with --skip-db and cannot restore a server"),
            );
        }
        let made_by = if self.manifest {
            "zulip-backup; its index is lost, or it was packed again".to_owned()
        } else {
            "Zulip's own manage.py backup, or by hand".to_owned()
        };
        let fits = database
            .as_ref()
            .map_or(Ok(None), |database: &DatabaseSummary| Fitting::of_migrations(&database.migrations))?;
        Ok(InspectReport {
            archive: archive.path().to_owned(),
            kind: ArchiveKind::Stream,
            compression: archive.compression(),
            archive_bytes: archive.file_bytes(),
            format: None,
            made_by,
            created_at: self
                .made_at
                .and_then(|seconds| i64::try_from(seconds).ok())
                .and_then(|seconds| jiff::Timestamp::from_second(seconds).ok()),
            zulip_version,
            zulip_git_describe,
            os_version,
            postgres_version,
            hostname: None,
            external_host: None,
            production: self.production,
            sections: self.sections,
            database,
            secrets: self.secrets,
            needs,
            fits,
            findings: self.findings,
        })
    }
}
