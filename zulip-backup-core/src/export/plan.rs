//! What an export will do.

use std::fmt;
use std::num::NonZeroUsize;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

use crate::export::consent::Consent;
use crate::export::execute::APPLICATION;
use crate::export::handout::Handout;
use crate::export::scope::{Found, Scope};
use crate::export::{Compat, ExportOptions, Format, Kind, person};
use crate::postgres::ConnectOptions;
use crate::realm::Caches;
use crate::schema::{LiveDifferences, Release, compare_live};
use crate::site::{Site, UploadsBackend};
use crate::units::bytes;
use crate::uploads::Uploads;
use crate::{Error, ErrorKind, Finding, Result, Secret, Severity, fs, process, realm, uploads};

/// What an export will do, before anything is done. This is the dry run.
#[derive(Debug, Serialize)]
pub struct ExportPlan {
    /// The directory or archive that will be written.
    pub output: Utf8PathBuf,
    /// Which of the two.
    pub format: Format,
    /// The address at which the server will hand it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The organisation's id.
    pub realm_id: i64,
    /// Its `string_id`.
    pub realm: String,
    /// The user whose data alone is exported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<PlannedUser>,
    /// Whose data.
    pub kind: Kind,
    /// The message by whose reactions users consented, where that is how they do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consent: Option<Consent>,
    /// What is done where upstream is wrong.
    pub compat: Compat,
    /// Whether the export is recorded in the database.
    pub record: bool,
    /// Whether the organisation is deactivated before.
    pub deactivate: bool,
    /// How many threads and connections.
    pub jobs: NonZeroUsize,
    /// The server's Zulip version.
    pub zulip_version: String,
    /// Where the uploads are.
    pub uploads_dir: Utf8PathBuf,
    /// What the export may take at most, in bytes.
    pub estimate_bytes: u64,
    /// What is free where it goes, in bytes.
    pub free_bytes: u64,
    /// What was noticed.
    pub findings: Vec<Finding>,
    #[serde(skip)]
    pub(super) handout: Option<Handout>,
    #[serde(skip)]
    pub(super) uploads: Box<dyn Uploads>,
    #[serde(skip)]
    pub(super) connection: ConnectOptions,
    #[serde(skip)]
    pub(super) differences: LiveDifferences,
    #[serde(skip)]
    pub(super) avatar_salt: Secret,
    #[serde(skip)]
    pub(super) fake_domain: String,
    #[serde(skip)]
    pub(super) is_system_realm: bool,
    /// What a deactivation makes forget.
    #[serde(skip)]
    pub(super) caches: Option<Caches>,
}

/// The user of a single user's export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlannedUser {
    /// The user's id.
    pub id: i64,
    /// The address (`delivery_email`).
    pub email: String,
}

/// Looks at the server and says what an export will do. Reads, never writes.
///
/// # Errors
/// `NotFound` for an organisation that is not there, `Refused` for an output that exists, a disk that is too small or a
/// result that nobody could use, `Incompatible` for tables that are not known, and what the database answers.
pub fn plan(site: &Site, options: &ExportOptions) -> Result<ExportPlan> {
    let kind = options.kind_asked()?;
    let connection = site.database()?.value.clone();
    let mut client = realm::connect(site, APPLICATION)?;
    let realm = options.realm.as_deref().map(|realm| realm::find(&mut client, realm)).transpose()?;
    let user =
        options.user.as_deref().map(|email| person::find_user(&mut client, email, realm.as_ref())).transpose()?;
    let (realm_id, realm, deactivated, user) = match (realm, user) {
        (_, Some((realm, user))) => (realm.id, realm.string_id, realm.deactivated, Some(user)),
        (Some(realm), None) => (realm.id, realm.string_id, realm.deactivated, None),
        (None, None) => {
            return Err(Error::new(ErrorKind::Usage, "no organisation is named").with_hint("name it with -r"));
        }
    };
    if options.deactivate && deactivated {
        return Err(realm::already());
    }
    let mut differences = differences(&mut client, options.allow_unknown)?;
    let release = differences.release;
    let consent = Consent::find(&mut client, release, realm_id, (kind, options.consent_message))?;
    if !options.force && user.is_none() && release.export.exporter.hides_users {
        let found = Found::default();
        let scope = Scope {
            schema: &release.export,
            realm: realm_id,
            kind,
            consent_message: None,
            missing: &[],
            subject: None,
            found: &found,
        };
        usable(&mut client, &scope)?;
    }
    let backend = &site.uploads()?.value;
    let uploads = uploads::open(backend)?;
    let avatar_salt = site.secrets()?.get("avatar_salt").cloned().ok_or_else(|| {
        Error::new(ErrorKind::Config, "the secrets have no avatar_salt: the paths of avatars are made with it")
    })?;
    let handout = if options.upload { Some(hand_out(site, backend, options, (realm_id, &realm))?) } else { None };
    let output = match (&handout, &options.output) {
        (Some(handout), _) => handout.output(),
        (None, Some(output)) => output.clone(),
        (None, None) => fs::temp_dir().join(unnamed()),
    };
    let (format, _) = Format::of(&output);
    free_name(&output)?;
    let directory = match &handout {
        Some(_) => fs::existing_directory(&output),
        None => fs::parent(&output),
    };
    let free_bytes = fs::free_bytes(directory)?;
    let estimate_bytes = estimate(&mut client, realm_id)?;
    if free_bytes < estimate_bytes {
        return Err(Error::new(
            ErrorKind::Refused,
            format!("{directory} has {free_bytes} bytes free, the export may need {estimate_bytes}"),
        )
        .with_path(directory)
        .with_hint("free some space, or name another --output"));
    }
    let deactivate = options.deactivate && options.user.is_none();
    Ok(ExportPlan {
        caches: deactivate.then(|| Caches::of(site)),
        uploads_dir: match backend {
            UploadsBackend::Local(local) => local.dir.clone(),
            UploadsBackend::S3(s3) => s3.uploads_bucket.clone().into(),
        },
        deactivate,
        url: handout.as_ref().map(Handout::url),
        handout,
        format,
        output,
        realm_id,
        is_system_realm: realm == realm::SYSTEM_REALM,
        // A whole export shows every address: there the server need not be asked.
        fake_domain: if kind == Kind::Full { String::new() } else { fake_domain(site, &realm)? },
        realm,
        kind: if user.is_some() { Kind::Full } else { kind },
        record: !options.no_record && user.is_none(),
        user,
        consent,
        compat: options.compat,
        jobs: process::threads(options.jobs.unwrap_or(0)),
        zulip_version: site.version()?.version.clone(),
        uploads,
        estimate_bytes,
        free_bytes,
        findings: std::mem::take(&mut differences.findings),
        differences,
        connection,
        avatar_salt,
    })
}

/// What the database has otherwise than its release: warnings, where the caller has allowed it.
fn differences(client: &mut postgres::Client, allow_unknown: bool) -> Result<LiveDifferences> {
    let mut differences = compare_live(client)?;
    if differences.findings.iter().any(|finding| finding.severity == Severity::Error) {
        if !allow_unknown {
            return Err(Error::new(
                ErrorKind::Incompatible,
                "the database is not as an export of this Zulip version expects",
            )
            .with_reasons(differences.findings)
            .with_hint(
                "use a release of this program that knows the server's Zulip version, or go on with --allow-unknown",
            ));
        }
        differences.findings.iter_mut().for_each(|finding| finding.severity = Severity::Warning);
    }
    Ok(differences)
}

/// Where the server hands it out.
fn hand_out(site: &Site, backend: &UploadsBackend, options: &ExportOptions, realm: (i64, &str)) -> Result<Handout> {
    if options.user.is_some() {
        return Err(Error::new(ErrorKind::Usage, "a single user's export is not put where the server hands it out"));
    }
    let UploadsBackend::Local(local) = backend else {
        return Err(Error::new(ErrorKind::Incompatible, "exports are handed out from local uploads only"));
    };
    let name = match options.output.as_deref().map(|output| (output, Format::of(output))) {
        None => format!("{}.tar.gz", unnamed()),
        Some((output, (Format::Archive(_), _))) => output.file_name().unwrap_or_default().to_owned(),
        Some((output, (Format::Directory, _))) => {
            return Err(Error::new(
                ErrorKind::Usage,
                format!("{output}: the server hands out an archive, not a directory"),
            )
            .with_path(output)
            .with_hint("name it so that it ends in .tar.gz or .tar.zst"));
        }
    };
    Handout::choose(site, local, realm, &name)
}

/// Refuses an output that exists. An empty directory may have been made for it, as upstream allows.
///
/// # Errors
/// `Refused`, and what the disk answers.
pub(crate) fn free_name(output: &Utf8Path) -> Result<()> {
    let (format, _) = Format::of(output);
    let empty = format == Format::Directory && fs::is_dir(output) && fs::list(output)?.is_empty();
    if !empty && fs::symlink_metadata(output)?.is_some() {
        return Err(Error::new(ErrorKind::Refused, format!("{output} exists"))
            .with_path(output)
            .with_hint("name another --output"));
    }
    Ok(())
}

/// What an export is called that was not given a name.
fn unnamed() -> String {
    format!("zulip-export-{}", fs::random_name())
}

/// The domain of addresses that are made up: the organisation's own host where it makes an address, else the server's
/// `FAKE_EMAIL_DOMAIN`, which is its name without the port unless somebody set it.
fn fake_domain(site: &Site, realm: &str) -> Result<String> {
    let server = site.external_host()?.value;
    let own = realm::host(site, realm)?;
    if is_domain(&own) {
        return Ok(own);
    }
    let set = site.setting("FAKE_EMAIL_DOMAIN").ok().and_then(|known| known.value.text().map(str::to_owned));
    Ok(set.unwrap_or_else(|| server.split(':').next().unwrap_or(&server).to_owned()))
}

fn is_domain(host: &str) -> bool {
    let label = |label: &str| {
        let inside = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        inside && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
    };
    let last = host.rsplit('.').next().unwrap_or_default();
    host.split('.').count() > 1 && host.split('.').all(label) && last.bytes().any(|byte| byte.is_ascii_alphabetic())
}

/// Who imports it has to be able to log in as somebody.
fn usable(client: &mut postgres::Client, scope: &Scope<'_>) -> Result<()> {
    let condition = match scope.kind {
        Kind::Full => return Ok(()),
        Kind::FullWithConsent => format!("id IN ({})", scope.consenting()),
        Kind::Public => "email_address_visibility IN (1, 2, 3, 5)".to_owned(),
    };
    let query = format!(
        "SELECT EXISTS (SELECT FROM zerver_userprofile WHERE realm_id = {} AND role = 100 AND {condition})",
        scope.realm
    );
    let row = client
        .query_one(query.as_str(), &[])
        .map_err(|failure| crate::postgres::error("look for owners of the organisation", failure))?;
    if row.get::<_, bool>(0) {
        return Ok(());
    }
    let why = match scope.kind {
        Kind::Public => "shows an address",
        _ => "consents to the export of private data",
    };
    Err(Error::new(ErrorKind::Refused, format!("no owner of the organisation {why}: nobody could use the export"))
        .with_hint("have an owner change that setting, or go on with --force"))
}

/// Twice the organisation's share of the rows, by its share of the messages, and its attachments.
fn estimate(client: &mut postgres::Client, realm: i64) -> Result<u64> {
    let row = client
        .query_one(
            "SELECT (SELECT coalesce(sum(size::int8), 0)::int8 FROM zerver_attachment WHERE realm_id = $1::int8),
                    (SELECT count(*) FROM zerver_message WHERE realm_id = $1::int8),
                    (SELECT greatest(reltuples, 1)::int8 FROM pg_class WHERE oid = 'zerver_message'::regclass),
                    pg_table_size('zerver_message') + pg_table_size('zerver_usermessage')",
            &[&realm],
        )
        .map_err(|failure| crate::postgres::error("estimate the size of the export", failure))?;
    let number = |at: usize| u64::try_from(row.get::<_, i64>(at)).unwrap_or(0);
    let (uploads, messages, all, bytes) = (number(0), number(1), number(2).max(number(1)), number(3));
    let rows = u128::from(bytes) * 2 * u128::from(messages) / u128::from(all.max(1));
    Ok(uploads + u64::try_from(rows).unwrap_or(u64::MAX / 2) + (16 << 20))
}

impl ExportPlan {
    /// The server's release.
    pub(super) fn release(&self) -> &'static Release {
        self.differences.release
    }

    /// Names this process in the server's list of connections.
    pub(super) fn application(&self) -> String {
        format!("{APPLICATION} of realm {}", self.realm_id)
    }
}

impl fmt::Display for ExportPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "realm     {:?} (id {}), {}", self.realm, self.realm_id, self.kind)?;
        if let Some(PlannedUser { id, email }) = &self.user {
            writeln!(f, "user      {email} (id {id}), nobody else")?;
        }
        if let Some(Consent { message_id, content, users, of }) = &self.consent {
            writeln!(f, "consent   {users} of {of} users reacted to message {message_id}: {content:?}")?;
        }
        writeln!(f, "database  {}, Zulip {}", self.connection, self.zulip_version)?;
        writeln!(f, "uploads   {}", self.uploads_dir)?;
        if self.deactivate {
            writeln!(f, "before    the organisation is deactivated: nobody can log in or send messages")?;
        }
        writeln!(f, "output    {} ({} jobs)", self.output, self.jobs)?;
        if let Some(url) = &self.url {
            writeln!(f, "url       {url}: whoever knows it gets the export")?;
        }
        write!(f, "space     at most {} of {} free", bytes(self.estimate_bytes), bytes(self.free_bytes))?;
        self.findings.iter().try_for_each(|finding| write!(f, "\nnote      {finding}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_made_up_in_domains_only() {
        for host in ["chat.example.com", "acme.chat.example.com", "x-1.de"] {
            assert!(is_domain(host), "{host}");
        }
        for host in ["acme.zulipdev.com:9991", "localhost", "10.0.0.1", "-a.de", "a..de", "", "ä.de"] {
            assert!(!is_domain(host), "{host}");
        }
    }
}
