//! What a restore will do.

mod steps;

use std::fmt;

use camino::Utf8PathBuf;
use serde::{Serialize, Serializer};

use crate::archive::Archive;
use crate::process::current_uid;
use crate::restore::admin::{self, Admin};
use crate::restore::journal::{DatabaseMove, Journal, Phase, state_dir};
use crate::restore::source::{Contents, Source, SourceKind, external_host, inherited};
use crate::restore::trees::{TreeKind, TreeMove};
use crate::restore::{RestoreOptions, names};
use crate::site::{Kind, Site, UploadsBackend, ZulipConf};
use crate::{Error, ErrorKind, Finding, Progress, Result, fs};
pub use steps::{PlannedStep, RunsAs, Step, Undo};

/// What a restore will do, before anything is done. This is the dry run.
#[derive(Clone, Debug, Serialize)]
pub struct RestorePlan {
    /// What is restored.
    #[serde(serialize_with = "shown")]
    pub source: Source,
    /// Whether an interrupted restore of the same source is continued.
    pub continues: bool,
    /// The steps, in order; of a continued restore, those that are left.
    pub steps: Vec<PlannedStep>,
    /// What should be known before.
    pub findings: Vec<Finding>,
    #[serde(skip)]
    pub(super) site: Site,
    #[serde(skip)]
    pub(super) options: RestoreOptions,
    #[serde(skip)]
    pub(super) contents: Contents,
    #[serde(skip)]
    pub(super) admin: Option<Admin>,
    #[serde(skip)]
    pub(super) journal: Journal,
    /// What an earlier restore left that this one does not continue.
    #[serde(skip)]
    pub(super) earlier: Option<Journal>,
    #[serde(skip)]
    pub(super) state_dir: Utf8PathBuf,
}

fn shown<S: Serializer>(source: &Source, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(source)
}

/// Looks at source and server and says what a restore will do. Reads, never writes.
///
/// # Errors
/// `Usage` for options that contradict each other or ask for nothing, `Damaged` where the source cannot be read,
/// `Postgres` where the server cannot be reached, and what cannot be known of the site.
pub fn plan(source: &Source, site: &Site, options: &RestoreOptions, progress: &dyn Progress) -> Result<RestorePlan> {
    if options.only_stage && options.in_place {
        return Err(Error::new(ErrorKind::Usage, "--in-place has nothing to stage: leave --only-stage out"));
    }
    let state_dir = state_dir(site, options);
    let found = Journal::load(&state_dir)?;
    let identity = source.identity()?;
    let same = |journal: &Journal| {
        journal.identity == identity
            && journal.options == options.essence()
            && matches!(journal.phase, Phase::Staging | Phase::Switching)
    };
    let continues = found.as_ref().is_some_and(same);
    let contents = match &found {
        // What has been switched does not need the source any more.
        Some(journal) if continues && journal.has_switched() && !options.in_place => Contents::default(),
        _ => Contents::read(source, progress)?,
    };
    let mut findings = contents.findings.clone();
    let (journal, earlier) = match found {
        Some(journal) if continues => (journal, None),
        earlier => (Journal::new(source.to_string(), identity, options), earlier),
    };
    let production = site.kind()?.value == Kind::Production;
    let mut plan = RestorePlan {
        source: source.clone(),
        continues,
        steps: Vec::new(),
        findings: Vec::new(),
        site: site.clone(),
        options: options.clone(),
        contents,
        admin: None,
        journal,
        earlier,
        state_dir,
    };
    if !continues {
        plan.choose_trees(production, &mut findings)?;
    }
    plan.choose_database()?;
    let of_stream = matches!(&*source.kind, SourceKind::Archive(Archive::Stream(_)));
    if of_stream && plan.journal.database.is_some() && plan.journal.dump_dir.is_none() {
        plan.journal.dump_dir = Some(dump_dir(&plan)?);
    }
    if plan.journal.trees.is_empty() && plan.journal.database.is_none() {
        return Err(Error::new(ErrorKind::Usage, format!("{source} holds nothing that is to be restored"))
            .with_hint("leave some of --skip-db, --skip-uploads and --skip-settings out"));
    }
    plan.steps = steps::steps(&plan, production, of_stream);
    if plan.journal.trees.iter().any(|tree| tree.kind == TreeKind::Settings) && !continues {
        findings.extend(plan.about_settings());
    }
    plan.findings = findings;
    Ok(plan)
}

impl RestorePlan {
    fn choose_trees(&mut self, production: bool, findings: &mut Vec<Finding>) -> Result<()> {
        let (site, options) = (&self.site, &self.options);
        let mut add = |kind, target: &camino::Utf8Path| {
            let tree = TreeMove::plan(kind, target, &self.journal.stamp, options.switch_inside)?;
            self.journal.trees.push(tree);
            Ok::<_, Error>(())
        };
        if self.contents.uploads && !options.skip_uploads {
            match &site.uploads()?.value {
                UploadsBackend::Local(local) => add(TreeKind::Uploads, &local.dir)?,
                UploadsBackend::S3(_) => findings.push(
                    Finding::warning(
                        "uploads-not-local",
                        "uploads",
                        "are in the archive, but this server keeps its own in S3",
                    )
                    .with_hint(
                        "extract zulip-backup/uploads and put the files into the bucket, or set LOCAL_UPLOADS_DIR",
                    ),
                ),
            }
        }
        if self.contents.settings && !options.skip_settings && production {
            add(TreeKind::Settings, &site.settings_dir()?.path)?;
        }
        if self.contents.dev_secrets && !options.skip_settings && !production && !options.keep_secrets {
            let file = site.secrets_file()?.value;
            let found = fs::symlink_metadata(&file)?.is_some();
            add(TreeKind::DevSecrets, &if found { fs::canonicalize(&file)? } else { file })?;
        }
        Ok(())
    }

    fn choose_database(&mut self) -> Result<()> {
        let wanted = match &self.journal.database {
            // Once it is switched, the settings may name another server.
            Some(_) => self.continues && !self.journal.is_done(Step::SWITCH_DATABASE),
            None => !self.continues && self.contents.database && !self.options.skip_db,
        };
        if !wanted {
            return Ok(());
        }
        let zulip = &self.site.database()?.value;
        let admin = Admin::find(zulip)?;
        if self.journal.database.is_none() {
            let conf = self.site.zulip_conf()?;
            let name = zulip.dbname.clone().unwrap_or_else(|| conf.database_name().to_owned());
            let existed = admin::exists(&mut admin.connect()?, &name)?;
            let with = |suffix: &str| names::database(&name, suffix, &self.journal.stamp);
            self.journal.database = Some(DatabaseMove {
                side: if self.options.in_place { name.clone() } else { with("restore") },
                kept: with("before"),
                owner: conf.database_user().to_owned(),
                existed,
                in_place: self.options.in_place,
                search_path_set: false,
                name,
            });
        }
        self.admin = Some(admin);
        Ok(())
    }

    /// What the new settings mean for this server.
    fn about_settings(&self) -> Vec<Finding> {
        let options = &self.options;
        let mut findings =
            inherited(&self.contents, options.keep_settings, options.keep_zulipconf, options.keep_secrets);
        if let (Some(database), Some(conf)) = (&self.journal.database, self.contents.files.get("zulip.conf"))
            && !options.keep_zulipconf
        {
            let conf = ZulipConf::parse("zulip.conf", &String::from_utf8_lossy(conf));
            let archived = (conf.database_name(), conf.database_user());
            if archived != (database.name.as_str(), database.owner.as_str()) {
                let message = format!(
                    "names the database {} of {}; the dump is restored to {} of {}",
                    archived.0, archived.1, database.name, database.owner
                );
                findings.push(
                    Finding::warning("settings-name-another-database", "zulip.conf [postgresql]", message).with_hint(
                        "give --keep-zulipconf, or set database_name and database_user before the server is started",
                    ),
                );
            }
        }
        if options.keep_settings {
            return findings;
        }
        let archived = self.contents.files.get("settings.py").and_then(|text| external_host(text));
        let hostname = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let here = self.site.external_host().ok().map(|host| host.value);
        match (&options.external_host, archived) {
            (Some(new), archived) => findings.push(
                Finding::note(
                    "external-host-set",
                    "settings.py EXTERNAL_HOST",
                    format!(
                        "becomes {new}, in the archive it is {}",
                        archived.as_deref().unwrap_or("not a plain text")
                    ),
                )
                .with_hint(
                    "organisations on subdomains, DNS, TLS certificates and login providers must follow the name",
                ),
            ),
            (None, Some(archived)) if here.as_ref().is_some_and(|here| *here != archived) => findings.push(
                Finding::warning(
                    "external-host-differs",
                    "settings.py EXTERNAL_HOST",
                    format!(
                        "becomes {archived}, this server ({hostname}) answers to {}",
                        here.as_deref().unwrap_or("another name")
                    ),
                )
                .with_hint("give --external-host to keep another name: a server refuses requests for any other"),
            ),
            _ => {}
        }
        findings
    }

    /// Whether the server itself is changed, not only what lies beside.
    pub(super) fn switches(&self) -> bool {
        !self.options.only_stage
    }
}

/// The place with the most room that the database's user can enter.
fn dump_dir(plan: &RestorePlan) -> Result<Utf8PathBuf> {
    let mut places = vec![fs::temp_dir(), Utf8PathBuf::from("/var/tmp"), plan.state_dir.clone()];
    places.retain(|place| {
        let user = plan.admin.as_ref().and_then(Admin::system_user);
        fs::is_dir(place)
            && fs::may_change(place)
            && user.is_none_or(|user| place.ancestors().all(|directory| user.may(1, directory).unwrap_or(false)))
    });
    let place = places.into_iter().max_by_key(|place| fs::free_bytes(place).unwrap_or(0));
    let place = place.ok_or_else(|| Error::new(ErrorKind::Io, "there is no directory for temporary files"))?;
    Ok(place.join(format!("zulip-backup-dump-{}-{}", plan.journal.stamp, fs::random_name())))
}

/// Whether this process is root's.
pub(super) fn is_root() -> bool {
    current_uid() == 0
}

impl fmt::Display for RestorePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = if self.continues { "continue the restore of" } else { "restore" };
        writeln!(f, "{verb} {}", self.source)?;
        for (number, step) in self.steps.iter().enumerate() {
            writeln!(f, "{:>3}. {step}", number + 1)?;
        }
        for finding in &self.findings {
            writeln!(f, "note  {finding}")?;
            if let Some(hint) = &finding.hint {
                writeln!(f, "      {hint}")?;
            }
        }
        if self.options.in_place && self.journal.database.is_some() {
            writeln!(f, "The database is emptied and loaded in place: this CANNOT be undone.")?;
        } else if self.switches() {
            writeln!(f, "What is there now is kept until `restore --commit`; `restore --rollback` puts it back.")?;
        } else {
            writeln!(
                f,
                "Nothing the server uses is touched; the same command without --only-stage goes on from there."
            )?;
        }
        Ok(())
    }
}
