//! What an import will do.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroUsize;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use crate::import::load::is_written;
use crate::import::way::{self, Way};
use crate::import::{ImportOptions, collisions, journal, reserve, version};
use crate::package::{Compat, Kind, Package};
use crate::postgres::ConnectOptions;
use crate::schema::{ExportSchema, compare_live};
use crate::site::{Site, UploadsBackend};
use crate::units::bytes;
use crate::uploads::{self, Uploads};
use crate::validate::{Examined, ValidateOptions, ValidateReport, examine};
use crate::{Error, ErrorKind, Finding, Findings, Progress, Result, Secret, Severity, fs, process, realm};

/// What the server's lists show a connection of this process as.
pub(super) const APPLICATION: &str = "zulip-backup import";

/// What an import will do, before anything is done. This is the dry run.
#[derive(Debug, Serialize)]
pub struct ImportPlan {
    /// The export.
    pub path: Utf8PathBuf,
    /// Whose data it holds.
    pub kind: Kind,
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
    /// How many rows are written, by table, but for those that name what the export has not.
    pub rows: BTreeMap<String, u64>,
    /// How many ids are reserved, by table.
    pub reserved_ids: BTreeMap<String, u64>,
    /// Files of the export.
    pub files: u64,
    /// Bytes of the export.
    pub bytes: u64,
    /// What the files may take on this server's disk.
    pub estimate_bytes: u64,
    /// What is free there.
    pub free_bytes: u64,
    /// How rows get into the large tables.
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
}

/// Looks at an export and at the server, and says what an import will do. Writes nothing.
///
/// # Errors
/// `Incompatible` for other versions, `Damaged` for an export that is not whole, `Refused` for what is there already, each
/// with all reasons; and what disk and database answer.
pub fn plan(site: &Site, path: &Utf8Path, options: &ImportOptions, progress: &dyn Progress) -> Result<ImportPlan> {
    let schema = ExportSchema::latest()?;
    let mut client = realm::connect(site, APPLICATION)?;
    let backend = &site.uploads()?.value;
    let uploads = uploads::open(backend)?;
    let uploads_dir = match backend {
        UploadsBackend::Local(local) => local.dir.clone(),
        UploadsBackend::S3(s3) => s3.uploads_bucket.clone().into(),
    };
    let package = Package::open(path)?;
    let jobs = process::threads(options.jobs.unwrap_or(0));
    let (report, examined) = examine(&package, &ValidateOptions::default().jobs(jobs.get()), progress)?;
    let examined = sound(&report, examined)?;
    let row = package.rows::<RealmRow>("realm.json", "zerver_realm")?.next().transpose()?;
    let row = row.ok_or_else(|| Error::new(ErrorKind::Damaged, "realm.json has no organisation"))?;
    let zulip_version = site.version()?.version.clone();

    let mut reasons = Findings::default();
    let live = compare_live(&mut client, schema)?;
    live.findings.into_iter().for_each(|finding| reasons.push(finding));
    reasons.extend(version::compare(&mut client, examined.migrations.as_ref(), &zulip_version)?);
    let incompatible = reasons.at_least(Severity::Error) > 0;
    reasons.extend(collisions::find(&mut client, site, options, &row, &examined.facts)?);
    reasons.extend(journal::settle(&uploads_dir, &*uploads, &mut client)?);
    let estimate_bytes = file_bytes(&package)? + (16 << 20);
    let free_bytes = fs::free_bytes(existing(&uploads_dir))?;
    if free_bytes < estimate_bytes {
        let message = format!("has {free_bytes} bytes free, the files may need {estimate_bytes}");
        reasons.push(Finding::error("space-low", uploads_dir.as_str(), message));
    }
    if reasons.at_least(Severity::Error) > 0 {
        let kind = if incompatible { ErrorKind::Incompatible } else { ErrorKind::Refused };
        let errors = reasons.list.into_iter().filter(|finding| finding.severity == Severity::Error).collect();
        return Err(Error::new(kind, format!("{path} cannot be imported as {:?}", options.subdomain))
            .with_path(path)
            .with_reasons(errors));
    }
    let avatar_salt = site.secrets()?.get("avatar_salt").cloned().ok_or_else(|| {
        Error::new(ErrorKind::Config, "the secrets have no avatar_salt: the paths of avatars are made with it")
    })?;
    let rows = counts(&examined);
    let (way, way_because) = way::choose(&mut client, &rows)?;
    let mut findings: Vec<Finding> = report.findings.list.into_iter().chain(reasons.list).collect();
    findings.retain(|finding| finding.severity >= Severity::Note);
    Ok(ImportPlan {
        kind: report.kind,
        export_zulip_version: report.zulip_version,
        zulip_version,
        name: if options.keep_name && !row.name.is_empty() { row.name.clone() } else { options.subdomain.clone() },
        exported_name: row.name.clone(),
        exported_string_id: row.string_id.clone(),
        subdomain: options.subdomain.clone(),
        active: !row.deactivated,
        reserved_ids: reserve::counts(&examined),
        rows,
        files: report.files,
        bytes: report.bytes,
        estimate_bytes,
        free_bytes,
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
        connection: site.database()?.value.clone(),
        uploads,
        avatar_salt,
        caches: realm::Caches::of(site),
        manage: format!("{}/manage.py", site.deployment_dir()),
    })
}

/// An export without an error.
fn sound(report: &ValidateReport, examined: Option<Examined>) -> Result<Examined> {
    let errors: Vec<Finding> =
        report.findings.list.iter().filter(|finding| finding.severity == Severity::Error).cloned().collect();
    match examined {
        Some(examined) if errors.is_empty() => Ok(examined),
        _ => Err(Error::new(ErrorKind::Damaged, format!("{} is not whole", report.path))
            .with_path(report.path.clone())
            .with_reasons(errors)
            .with_hint("an import leaves nothing half done, and so begins with nothing that is")),
    }
}

/// Rows for each table, however many lists and files they are in.
fn counts(examined: &Examined) -> BTreeMap<String, u64> {
    let Examined { schema, facts, message_counts, .. } = examined;
    let files = &schema.files;
    let lists = files.realm.iter().chain(&files.attachment).chain(&files.analytics).chain(&files.messages);
    let mut rows: BTreeMap<String, u64> = BTreeMap::new();
    for list in lists.filter(|list| is_written(list)) {
        let counted = facts.counts.values().chain([message_counts]).filter_map(|counts| counts.get(&list.key));
        *rows.entry(list.table().to_owned()).or_default() += counted.sum::<u64>();
    }
    rows.retain(|_, count| *count > 0);
    rows
}

/// Bytes of the files that are not rows.
fn file_bytes(package: &Package) -> Result<u64> {
    let members = &package.listing()?.members;
    Ok(members.iter().filter(|member| member.name.contains('/')).map(|member| member.size).sum())
}

/// A directory, or the nearest above it that is there.
fn existing(path: &Utf8Path) -> &Utf8Path {
    path.ancestors().find(|ancestor| fs::is_dir(ancestor)).unwrap_or(path)
}

impl fmt::Display for ImportPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = self.export_zulip_version.as_deref().unwrap_or("?");
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
        write!(f, "space     at most {} of {} free", bytes(self.estimate_bytes), bytes(self.free_bytes))?;
        self.findings.iter().try_for_each(|finding| write!(f, "\n{:8}  {finding}", finding.severity))
    }
}
