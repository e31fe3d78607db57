//! What a source holds, as far as a plan must know it.

use std::collections::BTreeMap;
use std::io::Read;

use crate::archive::{
    Archive, EntryKind, IndexedArchive, Member, MigrationsTable, Section, StreamArchive, TableFacts, extract_to, member,
};
use crate::postgres::dump::Toc;
use crate::restore::database::DatabaseRuns;
use crate::restore::source::{Source, SourceKind};
use crate::{Finding, Progress, Result, fs};

/// The files of the settings that are read.
pub(crate) const SETTINGS_FILES: [&str; 3] = ["settings.py", "zulip.conf", "zulip-secrets.conf"];

/// The largest of them that is read.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// What a source holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Contents {
    /// Whether there are settings of a production server.
    pub(crate) settings: bool,
    /// Whether there are the secrets of a development server.
    pub(crate) dev_secrets: bool,
    /// Whether there is a database.
    pub(crate) database: bool,
    /// Whether there are uploads.
    pub(crate) uploads: bool,
    /// First line of `zulip-version`.
    pub(crate) zulip_version: Option<String>,
    /// `os-version`.
    pub(crate) os_version: Option<String>,
    /// `postgres-version`.
    pub(crate) postgres_version: Option<i32>,
    /// The dump's table of contents, where it has one.
    pub(crate) toc: Option<Toc>,
    /// Applied migrations, where they are known.
    pub(crate) migrations: Option<BTreeMap<String, Vec<String>>>,
    /// Rows of each table, where they are known.
    pub(crate) tables: Option<Vec<TableFacts>>,
    /// `LC_COLLATE` and `LC_CTYPE`, where they are known.
    pub(crate) locale: Option<(String, String)>,
    /// `search_path` of the owner's role, where it is known.
    pub(crate) search_path: Option<String>,
    /// Bytes that the database takes with its indexes; an estimate where not `exact`.
    pub(crate) database_bytes: Option<u64>,
    /// Whether the sizes are known and not estimated.
    pub(crate) exact: bool,
    /// Bytes of the settings and of the uploads.
    pub(crate) settings_bytes: Option<u64>,
    /// Bytes of the uploads.
    pub(crate) uploads_bytes: Option<u64>,
    /// `settings.py`, `zulip.conf` and the secrets. Never shown.
    pub(crate) files: BTreeMap<&'static str, Vec<u8>>,
    /// What is strange about it.
    pub(crate) findings: Vec<Finding>,
}

impl Contents {
    /// Looks into a source: at the tail of one of our archives, at the start of others up to the uploads.
    pub(crate) fn read(source: &Source, progress: &dyn Progress) -> Result<Self> {
        match &*source.kind {
            SourceKind::Archive(archive) => match archive {
                Archive::Indexed(indexed) => Self::of_indexed(archive, indexed),
                Archive::Stream(stream) => Self::of_stream(stream, progress),
            },
            SourceKind::Parts(parts) => {
                let mut contents = Self {
                    settings: parts.settings.is_some(),
                    database: parts.database.is_some(),
                    uploads: parts.uploads.is_some(),
                    ..Self::default()
                };
                if let Some(dump) = &parts.database {
                    contents.toc = dump.toc()?;
                    contents.postgres_version = server_major(contents.toc.as_ref());
                    contents.database_bytes = Some(dump.bytes()?.saturating_mul(5));
                }
                if let Some(directory) = &parts.settings {
                    for name in SETTINGS_FILES {
                        let path = directory.join(name);
                        if fs::is_file(&path) {
                            contents.files.insert(name, fs::read(&path, MAX_FILE_BYTES)?);
                        }
                    }
                }
                Ok(contents)
            }
        }
    }

    fn of_indexed(archive: &Archive, indexed: &IndexedArchive) -> Result<Self> {
        let manifest = indexed.manifest();
        let section = |section| manifest.section(section).copied().unwrap_or_default();
        let settings = section(Section::Settings);
        let source = &manifest.source;
        let mut contents = Self {
            settings: source.production && settings.files > 0,
            dev_secrets: !source.production && settings.files > 0,
            database: manifest.database.is_some(),
            uploads: manifest.section(Section::Uploads).is_some(),
            zulip_version: source.zulip_version.lines().next().map(str::to_owned),
            os_version: Some(source.os_version.clone()),
            postgres_version: Some(source.postgres_version),
            exact: true,
            settings_bytes: Some(settings.bytes),
            uploads_bytes: Some(section(Section::Uploads).bytes),
            ..Self::default()
        };
        if let Some(database) = &manifest.database {
            contents.toc = Some(DatabaseRuns::read(indexed)?.toc(indexed)?);
            contents.migrations = Some(database.migrations.clone());
            contents.tables = Some(database.tables.clone());
            contents.locale = Some((database.collate.clone(), database.ctype.clone()));
            contents.search_path.clone_from(&database.search_path);
            contents.database_bytes = Some(database.size_bytes);
        }
        if contents.settings {
            for name in SETTINGS_FILES {
                let mut content = Limited(Vec::new());
                match extract_to(archive, &format!("{}/{name}", member::SETTINGS), &mut content) {
                    Ok(_) => {
                        contents.files.insert(name, content.0);
                    }
                    // It is not there, or a link: what that means is said when it is staged.
                    Err(error) => contents.findings.push(Finding::warning(
                        "settings-file-missing",
                        format!("{}/{name}", member::SETTINGS),
                        format!("cannot be read from the archive: {}", error.chain()),
                    )),
                }
            }
        }
        Ok(contents)
    }

    /// Stops at the first upload: what comes before is what matters, and uploads are most of an archive.
    fn of_stream(archive: &StreamArchive, progress: &dyn Progress) -> Result<Self> {
        let mut contents = Self::default();
        let mut dump_bytes = 0_u64;
        let mut migrations = MigrationsTable::default();
        archive.each(
            |found, content| {
                contents.visit(found, content, &mut dump_bytes, &mut migrations)?;
                Ok(!contents.uploads)
            },
            |_| {},
            |_| progress.checkpoint(),
        )?;
        contents.postgres_version = contents.postgres_version.or(server_major(contents.toc.as_ref()));
        let migrations = contents.toc.as_ref().map(|toc| migrations.read(toc)).unwrap_or_default();
        contents.migrations = (!migrations.is_empty()).then_some(migrations);
        // The rows of a Zulip server compress to a quarter, and take as much again for indexes.
        contents.database_bytes = contents.database.then_some(dump_bytes.saturating_mul(8));
        Ok(contents)
    }

    fn visit(
        &mut self,
        found: &Member,
        content: &mut dyn Read,
        dump_bytes: &mut u64,
        migrations: &mut MigrationsTable,
    ) -> Result<()> {
        let name = found.name.as_bytes();
        match Section::of(&found.name) {
            Some(Section::Versions) => {
                let text = String::from_utf8_lossy(&some(content, 4096)?).trim().to_owned();
                let first = text.lines().next().unwrap_or_default().to_owned();
                if name == member::ZULIP_VERSION.as_bytes() {
                    self.zulip_version = Some(first);
                } else if name == member::OS_VERSION.as_bytes() {
                    self.os_version = Some(first);
                } else {
                    self.postgres_version = first.parse().ok();
                }
            }
            Some(Section::Settings) => {
                if found.name.is_in(member::ZPROJECT.as_bytes()) {
                    self.dev_secrets |= found.is_file();
                } else {
                    self.settings = true;
                }
                *self.settings_bytes.get_or_insert(0) += found.size;
                let inner = found.name.below(member::SETTINGS.as_bytes());
                let file = SETTINGS_FILES.into_iter().find(|file| inner == Some(file.as_bytes()));
                match (file, &found.kind) {
                    (Some(file), EntryKind::File) => {
                        self.files.insert(file, some(content, MAX_FILE_BYTES)?);
                    }
                    (Some(_), EntryKind::Symlink(target)) => self.findings.push(dangling(found, &target.0)),
                    _ => {}
                }
            }
            Some(Section::Database) => {
                self.database |= found.is_file();
                *dump_bytes += found.size;
                if name == member::TOC.as_bytes() {
                    self.toc = Some(Toc::read(std::io::BufReader::with_capacity(1 << 20, content))?);
                } else if let Some(file) = found.name.below(member::DATABASE.as_bytes()) {
                    migrations.see(file, found.size, content, self.toc.as_ref())?;
                }
            }
            Some(Section::Uploads) => {
                self.uploads = true;
                if let EntryKind::Symlink(target) = &found.kind {
                    self.findings.push(dangling(found, &target.0));
                }
            }
            Some(Section::Proof) | None => {}
        }
        Ok(())
    }
}

/// The trap of docker-zulip's archives from 2.0.3 to 9.2.
fn dangling(found: &Member, target: &str) -> Finding {
    Finding::error(
        "link-instead-of-content",
        found.name.to_string(),
        format!("is a link to {target}: its content is not in the archive"),
    )
    .with_hint(
        "archives that Zulip before 9.3 made in Docker have such links; take the content from the data volume and \
        restore with --skip-settings, --skip-uploads or the keep flags",
    )
}

fn server_major(toc: Option<&Toc>) -> Option<i32> {
    i32::try_from(toc?.server_major()?).ok().map(|major| major * 10_000)
}

fn some(content: &mut dyn Read, limit: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    content
        .take(limit)
        .read_to_end(&mut bytes)
        .map_err(|error| crate::Error::new(crate::ErrorKind::Damaged, "a member cannot be read").with_source(error))?;
    Ok(bytes)
}

/// Takes so much and no more: a settings file of gigabytes is none.
struct Limited(Vec<u8>);

impl std::io::Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if (self.0.len() + bytes.len()) as u64 > MAX_FILE_BYTES {
            return Err(std::io::Error::other("the file is larger than any settings file"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
