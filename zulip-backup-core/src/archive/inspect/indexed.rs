//! Inspecting one of our archives: the manifest says nearly all.

use crate::archive::extract::read_member;
use crate::archive::inspect::report::{DatabaseSummary, InspectReport, Needs, Secrets};
use crate::archive::inspect::{dump, secrets};
use crate::archive::runs::RunReader;
use crate::archive::{ArchiveKind, IndexedArchive, Section, SectionFacts};
use crate::schema::Fitting;
use crate::{Finding, Result};

pub(super) fn inspect(archive: &IndexedArchive) -> Result<InspectReport> {
    let manifest = archive.manifest();
    let source = &manifest.source;
    let mut findings = manifest.findings.clone();
    let database = manifest.database.as_ref();
    let mut needs = Needs {
        zulip_version: source.zulip_version.clone(),
        os_version: source.os_version.clone(),
        uploads_bytes: manifest.section(Section::Uploads).map_or(0, |facts: &SectionFacts| facts.bytes),
        ..Needs::default()
    };
    if let Some(database) = database {
        needs.postgres_major = major(&database.server_version);
        needs.pg_restore_major = major(&database.dump_version).map(dump::pg_restore_for_dump);
        needs.extensions =
            database.extensions.iter().map(|(name, version)| (name.clone(), Some(version.clone()))).collect();
        needs.dictionary_files = database.dictionary_files.values().flatten().cloned().collect();
        needs.dictionary_files.sort_unstable();
        needs.dictionary_files.dedup();
        needs.database_bytes = database.size_bytes;
        for finding in dump::traps(&needs.extensions, needs.pg_restore_major, needs.postgres_major) {
            findings.push(finding);
        }
    }
    let secrets = match find_secrets(archive) {
        Ok(secrets) => secrets,
        Err(error) => {
            findings.push(Finding::error("index-damaged", crate::archive::member::INDEX, error.chain()));
            Secrets::default()
        }
    };
    Ok(InspectReport {
        archive: archive.path().to_owned(),
        kind: ArchiveKind::Indexed,
        compression: archive.compression(),
        archive_bytes: archive.file_bytes(),
        format: Some(manifest.format),
        made_by: format!("{} {}", manifest.tool.name, manifest.tool.version),
        created_at: Some(manifest.created_at),
        zulip_version: source.zulip_version.clone(),
        zulip_git_describe: source.zulip_git_describe.clone(),
        os_version: source.os_version.clone(),
        postgres_version: Some(source.postgres_version),
        hostname: Some(source.hostname.clone()),
        external_host: source.external_host.clone(),
        production: source.production,
        sections: manifest.sections.clone(),
        database: database.map(|database| DatabaseSummary {
            name: database.name.clone(),
            server_version: database.server_version.clone(),
            dump_version: database.dump_version.clone(),
            tables: database.tables.len() as u64,
            rows: Some(manifest.rows()),
            snapshot_at: Some(database.snapshot.taken_at),
            size_bytes: Some(database.size_bytes),
            migrations: database.migrations.clone(),
        }),
        secrets,
        needs,
        fits: database.map_or(Ok(None), |database| Fitting::of_migrations(&database.migrations))?,
        findings,
    })
}

/// Looks for the secrets, which stand before the uploads: the index, most of which is uploads, is read no further.
fn find_secrets(archive: &IndexedArchive) -> Result<Secrets> {
    for run in RunReader::new(archive.index()?) {
        let run = run?;
        if let Some(member) = run.members.iter().find(|member| secrets::is_secrets(&member.name)) {
            let keys = if member.is_file() && member.size <= secrets::MAX_BYTES {
                let mut content = Vec::new();
                read_member(archive, &run, member, &mut content)?;
                secrets::keys(&content)
            } else {
                Vec::new()
            };
            return Ok(Secrets { member: Some(member.name.to_string()), keys });
        }
        if run.members.iter().any(|member| Section::of(&member.name) >= Some(Section::Uploads)) {
            break;
        }
    }
    Ok(Secrets::default())
}

/// The major version at the front of a version text.
pub(super) fn major(version: &str) -> Option<u32> {
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}
