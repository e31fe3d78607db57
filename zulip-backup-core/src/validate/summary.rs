//! What an export says of itself, without a check.

use std::fmt;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use crate::package::{Kind, Layout, Package};
use crate::schema::Fitting;
use crate::units::bytes;
use crate::validate::ReleaseFrom;
use crate::validate::release::Told;
use crate::validate::run::known;
use crate::validate::sidecars::{Migrations, SMALL, Sidecars};
use crate::{ErrorKind, Findings, Progress, Result, Task};

/// The task told to [`Progress`]: bytes of the tarball.
const TASK: &str = "inspect";

/// What an export says of itself. Nothing of it is checked: that is what [`validate`](crate::validate::validate) is for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExportSummary {
    /// The export: a directory or a tarball.
    pub export: Utf8PathBuf,
    /// What it is of.
    pub layout: Layout,
    /// What made it, as far as that shows.
    pub made_by: String,
    /// Whose data it has, where its manifest says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// The organisation's `string_id`; absent for a single user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub realm: Option<String>,
    /// The organisation's name, or the user's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The Zulip version it is of, as it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zulip_version: Option<String>,
    /// What told which Zulip takes it.
    pub release_from: ReleaseFrom,
    /// Which Zulip takes it, and which PostgreSQL that runs on; absent where nothing told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fits: Option<Fitting>,
    /// Users, as its statistics count them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub users: Option<u64>,
    /// Messages, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages: Option<u64>,
    /// Its files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What was noticed.
    pub findings: Findings,
}

/// The row that says whose export it is.
#[derive(Deserialize)]
struct Subject {
    string_id: Option<String>,
    name: Option<String>,
    full_name: Option<String>,
}

/// Tells what the export at `path` is. A tarball that this program did not write is read to its end for that.
///
/// # Errors
/// `Damaged` for what is no export or a tarball that is cut off, `Interrupted`, and what the disk answers.
pub fn summarize(path: &Utf8Path, progress: &dyn Progress) -> Result<ExportSummary> {
    let package = Package::open(path)?;
    progress.begin(Task::bytes(TASK, None));
    package.look_over(&mut |bytes| {
        progress.advance(TASK, bytes);
        progress.checkpoint()
    })?;
    progress.end(TASK);
    known(&package)?;
    let listing = package.listing()?;
    let mut findings = listing.findings.clone();
    let mut sidecars = Sidecars::default();
    for name in Sidecars::NAMES {
        if let Some(bytes) = package.read_member(name, SMALL)? {
            sidecars.take(name, &bytes, &mut findings);
        }
    }
    let layout = package.layout()?.unwrap_or(Layout::Organisation);
    let (file, list) = match layout {
        Layout::Organisation => ("realm.json", "zerver_realm"),
        Layout::SingleUser => ("user.json", "zerver_userprofile"),
    };
    let subject = package.rows::<Subject>(file, list).ok().and_then(|mut rows| rows.next()?.ok());
    let told = match layout {
        Layout::Organisation => Told::of_organisation(&package, sidecars.migrations.as_ref()),
        Layout::SingleUser => Told::of_user(&package),
    };
    let newest = sidecars.migrations.as_ref().and_then(Migrations::newest);
    let (release_from, fits) = match told {
        Ok(told) => {
            told.finding.into_iter().for_each(|finding| findings.push(finding));
            let fits = match (told.from, newest) {
                (ReleaseFrom::Migrations, Some(newest)) => Some(Fitting::of_migration(newest)?),
                (ReleaseFrom::Unknown, _) | (ReleaseFrom::Migrations, None) => None,
                (ReleaseFrom::Columns, _) => Some(Fitting::of_release(told.release)),
            };
            (told.from, fits)
        }
        // Of none that is known: where it stands among those is worth saying.
        Err(error) if error.kind() == ErrorKind::Incompatible => {
            (ReleaseFrom::Migrations, newest.map(Fitting::of_migration).transpose()?)
        }
        Err(error) => return Err(error),
    };
    let count = |list: &str| {
        let stats = sidecars.stats.as_ref()?;
        let of_lists = stats.values().filter_map(|part| part.get(list)?.as_u64());
        Some(of_lists.sum())
    };
    let manifest = package.manifest();
    Ok(ExportSummary {
        export: path.to_owned(),
        layout,
        made_by: manifest.map_or_else(
            || "Zulip's own exporter or a converter, or by hand".to_owned(),
            |manifest| format!("{} {}", manifest.tool.name, manifest.tool.version),
        ),
        kind: manifest.map(|manifest| manifest.kind),
        realm: subject.as_ref().and_then(|subject| subject.string_id.clone()),
        name: subject.and_then(|subject| subject.name.or(subject.full_name)),
        zulip_version: sidecars.migrations.and_then(|migrations| migrations.zulip_version),
        release_from,
        fits,
        users: count("zerver_userprofile"),
        messages: count("zerver_message"),
        files: listing.members.len() as u64,
        bytes: listing.members.iter().map(|member| member.size).sum(),
        findings,
    })
}

impl fmt::Display for ExportSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = match self.layout {
            Layout::Organisation => "an organisation",
            Layout::SingleUser => "a single user",
        };
        write!(f, "{}: export of {of}", self.export)?;
        match self.kind {
            Some(kind) => writeln!(f, ", {kind}")?,
            None => writeln!(f)?,
        }
        writeln!(f, "made by      {}", self.made_by)?;
        let name = self.name.as_deref().unwrap_or("?");
        match &self.realm {
            Some(realm) => writeln!(f, "realm        {realm:?}, {name}")?,
            None => writeln!(f, "name         {name}")?,
        }
        if let (Some(users), Some(messages)) = (self.users, self.messages) {
            writeln!(f, "rows         {users} users, {messages} messages, by its own count")?;
        }
        writeln!(f, "files        {}, {}", self.files, bytes(self.bytes))?;
        if let Some(version) = &self.zulip_version {
            writeln!(f, "server       Zulip {version}")?;
        }
        let from = match self.release_from {
            ReleaseFrom::Columns => ", told by the columns of its rows",
            ReleaseFrom::Migrations | ReleaseFrom::Unknown => "",
        };
        match (&self.fits, self.layout) {
            (Some(fits), Layout::Organisation) => writeln!(f, "to import    {fits}{from}")?,
            (Some(fits), Layout::SingleUser) => writeln!(f, "its tables   {fits}{from}; nothing imports it")?,
            (None, _) => writeln!(f, "to import    nothing tells of which Zulip it is")?,
        }
        for finding in &self.findings.list {
            writeln!(f, "{finding}")?;
            if let Some(hint) = &finding.hint {
                writeln!(f, "    {hint}")?;
            }
        }
        Ok(())
    }
}
