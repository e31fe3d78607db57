//! What an import will do.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroUsize;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use crate::import::load::is_written;
use crate::import::reasons::{self, Known, Reasons};
use crate::import::space::Space;
use crate::import::way::{self, Way};
use crate::import::{ImportOptions, clients, internal, journal, not_kept, reserve};
use crate::package::{Compat, Kind, Package};
use crate::postgres::ConnectOptions;
use crate::site::{Site, UploadsBackend};
use crate::units::bytes;
use crate::uploads::{self, Uploads};
use crate::validate::{Examined, Migrations, ValidateOptions, examine};
use crate::{Error, ErrorKind, Finding, Progress, Result, Secret, Severity, process, realm};

/// What the server's lists show a connection of this process as.
pub(super) const APPLICATION: &str = "zulip-backup import";

/// What an import will do, before anything is done. This is the dry run.
#[derive(Debug, Serialize)]
pub struct ImportPlan {
    /// The export.
    pub path: Utf8PathBuf,
    /// Whose data it holds.
    pub kind: Kind,
    /// The Zulip release that it is of, by its major version.
    pub export_release: &'static str,
    /// The Zulip version it is of, as it says.
    pub export_zulip_version: Option<String>,
    /// The server's.
    pub zulip_version: String,
    /// The organisation's name in the export.
    pub exported_name: String,
    /// Its `string_id` there.
    pub exported_string_id: String,
    /// The new subdomain; empty for the root domain.
    pub subdomain: String,
    /// The new name.
    pub name: String,
    /// Whether it can be used when it is there.
    pub active: bool,
    /// Whether the organisation of the system's bots is made as well, which a new server lacks.
    pub internal_realm_made: bool,
    /// Programs that messages were sent with, and that this server has not seen yet.
    pub new_clients: Vec<String>,
    /// How many rows are written, by table, but for those that name what the export has not.
    pub rows: BTreeMap<String, u64>,
    /// How many ids are reserved, by table.
    pub reserved_ids: BTreeMap<String, u64>,
    /// Files of the export.
    pub files: u64,
    /// Bytes of the export.
    pub bytes: u64,
    /// About what the files take on this server's disk.
    pub estimate_bytes: u64,
    /// What is free there.
    pub free_bytes: u64,
    /// About what the rows take on the disk of the database, with indexes.
    pub database_bytes: u64,
    /// What is free there, where that can be known.
    pub database_free_bytes: Option<u64>,
    /// How rows get into the large tables.
    #[serde(flatten)]
    pub way: Way,
    /// Why so.
    pub way_because: String,
    /// What is done where upstream is wrong.
    pub compat: Compat,
    /// Whether links in messages follow the new ids.
    pub fix_links: bool,
    /// Whether users keep powers over the whole server.
    pub trust_server_powers: bool,
    /// How many threads.
    pub jobs: NonZeroUsize,
    /// Where the uploads are.
    pub uploads_dir: Utf8PathBuf,
    /// What was noticed.
    pub findings: Vec<Finding>,
    #[serde(skip)]
    pub(super) keep_name: bool,
    #[serde(skip)]
    pub(super) package: Package,
    #[serde(skip)]
    pub(super) examined: Examined,
    #[serde(skip)]
    pub(super) realm: RealmRow,
    #[serde(skip)]
    pub(super) connection: ConnectOptions,
    #[serde(skip)]
    pub(super) uploads: Box<dyn Uploads>,
    #[serde(skip)]
    pub(super) avatar_salt: Secret,
    #[serde(skip)]
    pub(super) caches: realm::Caches,
    #[serde(skip)]
    pub(super) manage: String,
}

/// What of the organisation's own row has to be known before.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct RealmRow {
    pub(super) id: i64,
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) string_id: String,
    #[serde(default)]
    pub(super) uuid: Option<String>,
    #[serde(default)]
    pub(super) deactivated: bool,
    #[serde(default)]
    pub(super) plan_type: i64,
    #[serde(default)]
    pub(super) max_invites: Option<i64>,
    #[serde(default)]
    pub(super) message_visibility_limit: Option<i64>,
    #[serde(default)]
    pub(super) push_notifications_enabled: bool,
}

/// Looks at an export and at the server, and says what an import will do. Writes nothing.
///
/// # Errors
/// `Damaged` for an export that is not whole, `Incompatible` for another version, `Refused` for what is in the way, each
/// with all reasons of all kinds; and what disk and database answer.
pub fn plan(site: &Site, path: &Utf8Path, options: &ImportOptions, progress: &dyn Progress) -> Result<ImportPlan> {
    let mut client = realm::connect(site, APPLICATION)?;
    let backend = &site.uploads()?.value;
    let uploads = uploads::open(backend)?;
    let uploads_dir = match backend {
        UploadsBackend::Local(local) => local.dir.clone(),
        UploadsBackend::S3(s3) => s3.uploads_bucket.clone().into(),
    };
    let avatar_salt = site.secrets()?.get("avatar_salt").cloned().ok_or_else(|| {
        Error::new(ErrorKind::Config, "the secrets have no avatar_salt: the paths of avatars are made with it")
    })?;
    let package = Package::open(path)?;
    let jobs = process::threads(options.jobs.unwrap_or(0));

    let mut reasons = Reasons::default();
    let (report, examined) = match examine(&package, &ValidateOptions::default().jobs(jobs.get()), progress) {
        Ok((mut report, examined)) => {
            reasons.of_export(std::mem::take(&mut report.findings).list);
            (Some(report), examined)
        }
        Err(error) if error.kind() == ErrorKind::Incompatible => {
            reasons.of_versions([unknown(path, &error)]);
            (None, None)
        }
        Err(error) => return Err(error),
    };
    let migrations = Migrations::read(&package)?;
    // Where it cannot be read, the check has said so.
    let row = package.rows::<RealmRow>("realm.json", "zerver_realm").ok().and_then(|mut rows| rows.next()?.ok());
    let known =
        Known { package: &package, examined: examined.as_ref(), migrations: migrations.as_ref(), row: row.as_ref() };
    reasons::look(&mut client, site, options, &known, &mut reasons)?;
    reasons.of_server(journal::settle(&uploads_dir, &*uploads, &mut client)?.list);
    let connection = &site.database()?.value;
    let space = Space::of(&package, &uploads_dir, connection, &mut client)?;
    reasons.of_server(space.findings());
    let mut findings = reasons.judge(path, &options.subdomain)?;

    let (Some(report), Some(mut examined), Some(row)) = (report, examined, row) else {
        return Err(Error::new(ErrorKind::Damaged, format!("{path} has no organisation")).with_path(path));
    };
    if options.compat == Compat::Strict {
        // Upstream makes none.
        examined.facts.bare.clear();
    }
    findings.extend(not_kept::find(&row, &examined.facts, options));
    findings.retain(|finding| finding.severity >= Severity::Note);
    let rows = counts(&examined);
    let (way, way_because) = way::choose(&mut client, &rows)?;
    Ok(ImportPlan {
        kind: report.kind,
        export_release: report.release,
        export_zulip_version: report.zulip_version,
        zulip_version: site.version()?.version.clone(),
        name: if options.keep_name && !row.name.is_empty() { row.name.clone() } else { options.subdomain.clone() },
        exported_name: row.name.clone(),
        exported_string_id: row.string_id.clone(),
        subdomain: options.subdomain.clone(),
        active: !row.deactivated,
        internal_realm_made: internal::is_missing(&mut client)?,
        new_clients: clients::missing(&mut client, &examined.facts)?,
        reserved_ids: reserve::counts(&examined),
        rows,
        files: report.files,
        bytes: report.bytes,
        estimate_bytes: space.uploads_bytes,
        free_bytes: space.uploads_free,
        database_bytes: space.database_bytes,
        database_free_bytes: space.database_free,
        way,
        way_because,
        compat: options.compat,
        fix_links: options.fix_links.unwrap_or(options.compat == Compat::Fixed),
        trust_server_powers: options.trust_server_powers,
        jobs,
        uploads_dir,
        findings,
        keep_name: options.keep_name,
        path: path.to_owned(),
        package,
        examined,
        realm: row,
        connection: connection.clone(),
        uploads,
        avatar_salt,
        caches: realm::Caches::of(site),
        manage: format!("{}/manage.py", site.deployment_dir()),
    })
}

/// An export whose version is not known here cannot be looked at any further.
fn unknown(path: &Utf8Path, error: &Error) -> Finding {
    let finding = Finding::error("version-unknown", path.as_str(), error.to_string());
    match error.hint() {
        Some(hint) => finding.with_hint(hint),
        None => finding,
    }
}

/// Rows for each table, however many lists and files they are in.
fn counts(examined: &Examined) -> BTreeMap<String, u64> {
    let Examined { release, facts, message_counts, .. } = examined;
    let mut rows: BTreeMap<String, u64> = BTreeMap::new();
    for list in release.export.files.of_organisation().filter(|list| is_written(list)) {
        let counted = facts.counts.values().chain([message_counts]).filter_map(|counts| counts.get(&list.key));
        *rows.entry(list.table().to_owned()).or_default() += counted.sum::<u64>();
    }
    rows.retain(|_, count| *count > 0);
    rows
}

impl fmt::Display for ImportPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = self.export_zulip_version.as_deref().unwrap_or(self.export_release);
        writeln!(f, "export    {} ({}), Zulip {version}", self.path, self.kind)?;
        writeln!(f, "realm     {:?} becomes {:?}, named {:?}", self.exported_string_id, self.subdomain, self.name)?;
        writeln!(f, "database  {}, Zulip {}", self.connection, self.zulip_version)?;
        let count = |list: &str| self.rows.get(list).copied().unwrap_or(0);
        writeln!(
            f,
            "rows      {}: {} messages, {} users, {} channels",
            self.rows.values().sum::<u64>(),
            count("zerver_message"),
            count("zerver_userprofile"),
            count("zerver_stream")
        )?;
        writeln!(f, "way       {}: {} ({} jobs)", self.way, self.way_because, self.jobs)?;
        writeln!(f, "uploads   {}", self.uploads_dir)?;
        write!(f, "space     about {} of {} free", bytes(self.estimate_bytes), bytes(self.free_bytes))?;
        write!(f, "; in the database about {}", bytes(self.database_bytes))?;
        self.database_free_bytes.iter().try_for_each(|free| write!(f, " of {} free", bytes(*free)))?;
        self.findings.iter().try_for_each(|finding| write!(f, "\n{:8}  {finding}", finding.severity))
    }
}
