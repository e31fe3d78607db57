//! What a backup will do.

use std::fmt;
use std::num::NonZeroUsize;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

use crate::archive::SourceFacts;
use crate::backup::{BackupOptions, tree};
use crate::codec::Compression;
use crate::postgres::{ConnectOptions, DatabaseFacts, Environment, Programs};
use crate::site::{Kind, Site, UploadsBackend};
use crate::{Error, ErrorKind, Finding, Progress, Result, Secret, fs, process};

/// What a backup will do, before anything is done. This is the dry run.
#[derive(Debug, Serialize)]
pub struct BackupPlan {
    /// The archive that will be written.
    pub output: Utf8PathBuf,
    /// Whether an existing output will be replaced.
    pub replace: bool,
    /// How it will be compressed.
    pub compression: Compression,
    /// How hard.
    pub level: i32,
    /// How many threads and connections.
    pub jobs: NonZeroUsize,
    /// The server, as it will stand in the manifest.
    pub source: SourceFacts,
    /// The settings directory of a production server.
    pub settings_dir: Option<Utf8PathBuf>,
    /// `dev-secrets.conf` of a development server.
    pub dev_secrets: Option<Utf8PathBuf>,
    /// The database; absent when it is left out.
    pub database: Option<PlannedDatabase>,
    /// The uploads; absent when they are left out or not on this machine.
    pub uploads: Option<PlannedUploads>,
    /// What the output may take at most, in bytes.
    pub estimate_bytes: u64,
    /// What is free where the output goes, in bytes.
    pub free_bytes: u64,
    /// What was noticed.
    pub findings: Vec<Finding>,
    #[serde(skip)]
    pub(super) connection: Option<ConnectOptions>,
    #[serde(skip)]
    pub(super) avatar_salt: Option<Secret>,
}

/// The database part of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlannedDatabase {
    /// Where it is, without a password.
    pub connection: String,
    /// Its size with indexes.
    pub size_bytes: u64,
    /// The size of its tables without indexes.
    pub table_bytes: u64,
    /// The pg_dump that will be run.
    pub pg_dump: Utf8PathBuf,
    /// Its major version.
    pub pg_dump_major: u32,
}

/// The uploads part of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlannedUploads {
    /// The directory.
    pub dir: Utf8PathBuf,
    /// Its files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Looks at the server and says what a backup will do. Reads, never writes.
///
/// # Errors
/// `Config` naming the setting that could not be known, `Refused` for an output that exists or a disk that is too small,
/// `Incompatible` where the matching pg_dump is not installed, and what the database answers.
pub fn plan(site: &Site, options: &BackupOptions, progress: &dyn Progress) -> Result<BackupPlan> {
    let compression = compression(options)?;
    let level = options.level.unwrap_or_else(|| compression.default_level());
    if !compression.levels().contains(&level) {
        let (low, high) = (*compression.levels().start(), *compression.levels().end());
        return Err(Error::new(ErrorKind::Usage, format!("{compression} has levels {low} to {high}, not {level}")));
    }
    site.refuse_during_upgrade()?;
    // First, because a deployment that is none leads everything else astray.
    let version = site.version()?;
    let mut findings = Vec::new();
    let production = site.kind()?.value == Kind::Production;
    let settings = production.then(|| site.settings_dir()).transpose()?;
    let dev_secrets = if production { None } else { dev_secrets(site, &mut findings)? };
    let (database, connection, server_version) = database(site, options, &mut findings)?;
    let (uploads, backend, uploads_dir) = uploads(site, options, &mut findings, progress)?;
    let output = output(options, compression)?;
    if !options.force && fs::symlink_metadata(&output)?.is_some() {
        return Err(Error::new(ErrorKind::Refused, format!("{output} exists"))
            .with_path(output)
            .with_hint("name another --output, or replace it with --force"));
    }
    outside(&output, settings.map(|settings| settings.path.as_path()))?;
    outside(&output, uploads.as_ref().map(|uploads| uploads.dir.as_path()))?;
    let source = SourceFacts {
        hostname: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        external_host: site.external_host().ok().map(|host| host.value),
        production,
        docker: site.container().is_docker_zulip,
        zulip_version: version.version.clone(),
        zulip_git_describe: version.git_describe.clone(),
        os_version: site.os()?.to_string(),
        postgres_version: server_version,
        uploads_backend: backend.to_owned(),
        settings_dir: settings.map(|settings| settings.named.to_string()),
        uploads_dir,
    };
    let estimate_bytes = database.as_ref().map_or(0, |database| database.table_bytes / 2)
        + uploads.as_ref().map_or(0, |uploads| uploads.bytes)
        + (16 << 20);
    let directory = fs::parent(&output);
    if !fs::is_dir(directory) {
        return Err(Error::new(ErrorKind::NotFound, format!("there is no directory {directory}"))
            .with_path(directory)
            .with_hint("create it, or name another --output"));
    }
    let free_bytes = fs::free_bytes(directory)?;
    if free_bytes < estimate_bytes && !options.ignore_space {
        return Err(Error::new(
            ErrorKind::Refused,
            format!("{directory} has {free_bytes} bytes free, the backup may need {estimate_bytes}"),
        )
        .with_path(directory)
        .with_hint("free some space, name another --output, or go on with --ignore-space"));
    }
    let jobs = process::threads(options.jobs.unwrap_or(0));
    Ok(BackupPlan {
        output,
        replace: options.force,
        compression,
        level,
        jobs,
        source,
        settings_dir: settings.map(|settings| settings.path.clone()),
        dev_secrets,
        database,
        uploads,
        estimate_bytes,
        free_bytes,
        findings,
        connection,
        avatar_salt: site.secrets().ok().and_then(|secrets| secrets.get("avatar_salt").cloned()),
    })
}

/// A development server has its secrets alone; a Django project that is not Zulip's has none.
fn dev_secrets(site: &Site, findings: &mut Vec<Finding>) -> Result<Option<Utf8PathBuf>> {
    let file = site.secrets_file()?.value;
    if fs::metadata(&file)?.is_some() {
        return Ok(Some(file));
    }
    findings.push(Finding::note(
        "secrets-file-missing",
        file.as_str(),
        "does not exist: the backup is without settings",
    ));
    Ok(None)
}

fn compression(options: &BackupOptions) -> Result<Compression> {
    let by_name = options.output.as_ref().and_then(|output| {
        [Compression::Gzip, Compression::Zstd].into_iter().find(|compression| {
            let name = output.as_str();
            name.ends_with(compression.extension()) || (*compression == Compression::Gzip && name.ends_with("tgz"))
        })
    });
    match (options.compression, by_name) {
        (Some(asked), Some(named)) if asked != named => Err(Error::new(
            ErrorKind::Usage,
            format!("the output is named like a {named} archive, but --compression asks for {asked}"),
        )
        .with_hint(format!("name it .{}, or leave --compression out", asked.extension()))),
        (asked, named) => Ok(asked.or(named).unwrap_or_default()),
    }
}

/// The version is asked for even when the database is left out: it stands in every archive.
fn database(
    site: &Site,
    options: &BackupOptions,
    findings: &mut Vec<Finding>,
) -> Result<(Option<PlannedDatabase>, Option<ConnectOptions>, i32)> {
    let known = site.database();
    let asked = known.and_then(|known| {
        let mut client = known.value.connect(&super::execute::application())?;
        // A table that somebody rewrites would have the sizes wait for hours.
        client
            .batch_execute("SET lock_timeout = '60s'")
            .map_err(|failure| crate::postgres::error("prepare the connection", failure))?;
        let facts = DatabaseFacts::read(&mut client)?;
        let table_bytes: i64 = client
            .query_one(
                "SELECT coalesce(sum(pg_table_size(oid)), 0)::int8 FROM pg_class WHERE relkind = 'r'
                 AND relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)",
                &[],
            )
            .map_err(|failure| crate::postgres::error("read the size of the tables", failure))?
            .get(0);
        Ok((known.value.clone(), facts, u64::try_from(table_bytes).unwrap_or(0)))
    });
    let (connection, facts, table_bytes) = match asked {
        Ok(asked) => asked,
        Err(error) if options.skip_db => {
            let major = site.zulip_conf().ok().and_then(|conf| conf.postgresql_version()?.parse::<i32>().ok());
            findings.push(Finding::warning(
                "postgres-version-unknown",
                crate::archive::member::POSTGRES_VERSION,
                format!("the server was not reached ({}): the major version is zulip.conf's", error.chain()),
            ));
            let Some(major) = major else { return Err(error) };
            return Ok((None, None, major * 10_000));
        }
        Err(error) => return Err(error),
    };
    let version = facts.server_version_num;
    if options.skip_db {
        return Ok((None, None, version));
    }
    let programs = Programs::for_server(version, &Environment::current())?;
    if programs.is_newer_than_server() {
        findings.push(
            Finding::warning(
                "pg-dump-newer",
                programs.path("pg_dump").to_string(),
                format!("is of major {}, the server of {}", programs.major(), version / 10_000),
            )
            .with_hint(format!(
                "a restore will need pg_restore {0} or newer: install postgresql-client-{1} to avoid that",
                programs.major(),
                version / 10_000
            )),
        );
    }
    let planned = PlannedDatabase {
        connection: connection.to_string(),
        size_bytes: facts.size_bytes,
        table_bytes,
        pg_dump: programs.path("pg_dump"),
        pg_dump_major: programs.major(),
    };
    Ok((Some(planned), Some(connection), version))
}

fn uploads(
    site: &Site,
    options: &BackupOptions,
    findings: &mut Vec<Finding>,
    progress: &dyn Progress,
) -> Result<(Option<PlannedUploads>, &'static str, Option<String>)> {
    if options.skip_uploads {
        return Ok((None, "skipped", None));
    }
    match &site.uploads()?.value {
        UploadsBackend::Local(local) if local.exists => {
            let (files, bytes) = tree::measure(&local.dir, progress)?;
            let planned = PlannedUploads { dir: local.dir.clone(), files, bytes };
            Ok((Some(planned), "local", Some(local.named.to_string())))
        }
        UploadsBackend::Local(local) => Err(Error::new(
            ErrorKind::NotFound,
            format!("LOCAL_UPLOADS_DIR is {}, and there is no such directory", local.named),
        )
        .with_path(&local.named)
        .with_hint("name the directory with --uploads-dir, or leave the uploads out with --skip-uploads")),
        UploadsBackend::S3(s3) => {
            findings.push(
                Finding::warning(
                    "uploads-in-s3",
                    s3.uploads_bucket.clone(),
                    "uploads lie in S3 and are not in the archive",
                )
                .with_hint("protect the buckets by versioning or replication"),
            );
            Ok((None, "s3", None))
        }
    }
}

fn output(options: &BackupOptions, compression: Compression) -> Result<Utf8PathBuf> {
    if let Some(output) = &options.output {
        return Ok(output.clone());
    }
    let temp = Utf8PathBuf::from_path_buf(std::env::temp_dir())
        .map_err(|path| Error::new(ErrorKind::Config, format!("the temp directory {} is not UTF-8", path.display())))?;
    let time = jiff::Timestamp::now().strftime("%Y-%m-%d-%H-%M-%S");
    Ok(temp.join(format!("zulip-backup-{time}-{}.{}", fs::random_name(), compression.extension())))
}

/// An archive inside a directory it holds would hold a part of itself.
fn outside(output: &Utf8Path, directory: Option<&Utf8Path>) -> Result<()> {
    let parent = fs::parent(output);
    let (Some(directory), Ok(parent)) = (directory, fs::canonicalize(parent)) else { return Ok(()) };
    let inside = fs::canonicalize(directory).is_ok_and(|directory| parent.starts_with(directory));
    if inside {
        return Err(Error::new(ErrorKind::Usage, format!("{output} lies in {directory}, which will be backed up"))
            .with_path(output)
            .with_hint("name an --output elsewhere"));
    }
    Ok(())
}

impl fmt::Display for BackupPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use crate::units::bytes;
        writeln!(f, "Zulip {} on {}", self.source.zulip_version, self.source.os_version)?;
        match &self.database {
            Some(database) => writeln!(
                f,
                "database  {} ({} of tables), PostgreSQL {}, with {}",
                database.connection,
                bytes(database.table_bytes),
                self.source.postgres_version / 10_000,
                database.pg_dump
            )?,
            None => writeln!(f, "database  left out")?,
        }
        match (&self.settings_dir, &self.dev_secrets) {
            (Some(dir), _) => writeln!(f, "settings  {dir}")?,
            (None, Some(file)) => writeln!(f, "settings  {file}")?,
            (None, None) => {}
        }
        match &self.uploads {
            Some(uploads) => {
                writeln!(f, "uploads   {} ({} files, {})", uploads.dir, uploads.files, bytes(uploads.bytes))?;
            }
            None => writeln!(f, "uploads   left out ({})", self.source.uploads_backend)?,
        }
        writeln!(f, "output    {} ({} level {}, {} jobs)", self.output, self.compression, self.level, self.jobs)?;
        write!(f, "space     at most {} of {} free", bytes(self.estimate_bytes), bytes(self.free_bytes))?;
        self.findings.iter().try_for_each(|finding| write!(f, "\nnote      {finding}"))
    }
}
