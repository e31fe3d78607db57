//! The steps of a restore, as values.

use std::fmt;

use camino::Utf8PathBuf;
use serde::Serialize;

use crate::restore::plan::{RestorePlan, is_root};
use crate::restore::trees::TreeKind;

/// One step. Those before `stop-server` touch nothing the server uses, unless the database is loaded in place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum Step {
    /// Unpacks an archive without an index, once, to where the next steps want its parts.
    Unpack {
        /// Where the dump goes.
        dump: Option<Utf8PathBuf>,
    },
    /// Makes settings or uploads ready beside what is there.
    Stage {
        /// Which.
        tree: TreeKind,
        /// Where.
        staged: Utf8PathBuf,
        /// Files of the server that are kept.
        keep: Vec<String>,
    },
    /// Makes the database for the dump.
    CreateDatabase {
        /// Its name.
        database: String,
        /// The role that owns it.
        owner: String,
    },
    /// Loads the dump.
    LoadDatabase {
        /// Into this database.
        database: String,
    },
    /// Compares what was loaded with what the archive promised.
    CheckDatabase {
        /// This database.
        database: String,
    },
    /// Stops Zulip.
    StopServer,
    /// Drops all that is in the server's database.
    EmptyDatabase {
        /// This database.
        database: String,
    },
    /// Renames databases in one transaction, ending their sessions.
    SwitchDatabase {
        /// The name the server uses.
        database: String,
        /// The one that gets it.
        new: String,
        /// The name of the old one from then on.
        kept: String,
    },
    /// Exchanges settings or uploads.
    Switch {
        /// Which.
        tree: TreeKind,
        /// The name the server uses.
        target: Utf8PathBuf,
        /// Where the old one is from then on.
        kept: Utf8PathBuf,
    },
    /// Adds secrets that the archive's Zulip did not know.
    GenerateSecrets,
    /// Gives RabbitMQ the restored password, where it is on this machine.
    ConfigureRabbitmq,
    /// Applies the restored `zulip.conf` to the machine.
    PuppetApply,
    /// Starts Zulip.
    RestartServer,
    /// Forgets what was cached of the old database.
    FlushMemcached,
}

impl Step {
    pub(in crate::restore) const SWITCH_DATABASE: &'static str = "switch-database";

    /// The name of the step in the journal, in progress and in reports.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Unpack { .. } => "unpack",
            Self::Stage { tree, .. } => match tree {
                TreeKind::Settings => "stage-settings",
                TreeKind::DevSecrets => "stage-dev-secrets",
                TreeKind::Uploads => "stage-uploads",
            },
            Self::CreateDatabase { .. } => "create-database",
            Self::LoadDatabase { .. } => "load-database",
            Self::CheckDatabase { .. } => "check-database",
            Self::StopServer => "stop-server",
            Self::EmptyDatabase { .. } => "empty-database",
            Self::SwitchDatabase { .. } => Self::SWITCH_DATABASE,
            Self::Switch { tree, .. } => match tree {
                TreeKind::Settings => "switch-settings",
                TreeKind::DevSecrets => "switch-dev-secrets",
                TreeKind::Uploads => "switch-uploads",
            },
            Self::GenerateSecrets => "generate-secrets",
            Self::ConfigureRabbitmq => "configure-rabbitmq",
            Self::PuppetApply => "puppet-apply",
            Self::RestartServer => "restart-server",
            Self::FlushMemcached => "flush-memcached",
        }
    }

    /// The script of the deployment that the step runs.
    pub fn script(&self) -> Option<&'static str> {
        match self {
            Self::StopServer => Some("scripts/stop-server"),
            Self::GenerateSecrets => Some("scripts/setup/generate_secrets.py"),
            Self::ConfigureRabbitmq => Some("scripts/setup/configure-rabbitmq"),
            Self::PuppetApply => Some("scripts/zulip-puppet-apply"),
            Self::RestartServer => Some("scripts/restart-server"),
            Self::FlushMemcached => Some("scripts/setup/flush-memcached"),
            _ => None,
        }
    }
}

/// Who does a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunsAs {
    /// root.
    Root,
    /// The system user `postgres`.
    Postgres,
    /// The owner of the deployment.
    Zulip,
    /// Whoever runs this.
    Caller,
}

/// Whether a step can be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Undo {
    /// There is nothing to take back.
    Nothing,
    /// `rollback` does.
    Rollback,
    /// `rollback` runs it again with the former settings.
    RunAgain,
    /// Never.
    Never,
}

/// A step with who does it and whether it can be taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlannedStep {
    /// The step.
    #[serde(flatten)]
    pub step: Step,
    /// Who does it.
    pub runs_as: RunsAs,
    /// Whether it can be taken back.
    pub undo: Undo,
}

/// The steps that are left, in order: first all that destroys nothing, then the short window, then the finish.
pub(super) fn steps(plan: &RestorePlan, production: bool, of_stream: bool) -> Vec<PlannedStep> {
    let journal = &plan.journal;
    let mut steps = Vec::new();
    if of_stream {
        steps.push(Step::Unpack { dump: journal.dump_dir.clone() });
    }
    for tree in &journal.trees {
        let keep = if tree.kind == TreeKind::Settings { kept_files(plan) } else { Vec::new() };
        steps.push(Step::Stage { tree: tree.kind, staged: tree.staged.clone(), keep });
    }
    let database = journal.database.as_ref();
    let beside = database.filter(|database| !database.in_place);
    if let Some(database) = beside {
        let (name, owner) = (database.side.clone(), database.owner.clone());
        steps.push(Step::CreateDatabase { database: name.clone(), owner });
        steps.push(Step::LoadDatabase { database: name.clone() });
        steps.push(Step::CheckDatabase { database: name });
    }
    let settings = journal.trees.iter().any(|tree| tree.kind == TreeKind::Settings);
    if plan.switches() {
        let stops = production && (settings || database.is_some());
        if stops {
            steps.push(Step::StopServer);
        }
        if let Some(database) = database.filter(|database| database.in_place) {
            let name = || database.name.clone();
            steps.push(Step::EmptyDatabase { database: name() });
            steps.push(Step::LoadDatabase { database: name() });
            steps.push(Step::CheckDatabase { database: name() });
        }
        if let Some(database) = beside {
            let (name, new, kept) = (database.name.clone(), database.side.clone(), database.kept.clone());
            steps.push(Step::SwitchDatabase { database: name, new, kept });
        }
        for tree in &journal.trees {
            steps.push(Step::Switch { tree: tree.kind, target: tree.target.clone(), kept: tree.kept.clone() });
        }
        if production && settings {
            steps.extend([Step::GenerateSecrets, Step::ConfigureRabbitmq, Step::PuppetApply]);
        }
        if stops {
            steps.push(Step::RestartServer);
        }
        if settings || database.is_some() {
            steps.push(Step::FlushMemcached);
        }
    }
    steps.retain(|step| !journal.is_done(step.name()));
    steps.into_iter().map(|step| planned(plan, step)).collect()
}

fn kept_files(plan: &RestorePlan) -> Vec<String> {
    let options = &plan.options;
    [
        (options.keep_settings, "settings.py"),
        (options.keep_zulipconf, "zulip.conf"),
        (options.keep_secrets, "zulip-secrets.conf"),
    ]
    .into_iter()
    .filter(|(keep, _)| *keep)
    .map(|(_, name)| name.to_owned())
    .collect()
}

fn planned(plan: &RestorePlan, step: Step) -> PlannedStep {
    let as_postgres = plan.admin.as_ref().is_some_and(|admin| admin.system_user().is_some());
    let root_or_caller = if is_root() { RunsAs::Root } else { RunsAs::Caller };
    let in_place = plan.options.in_place;
    let (runs_as, undo) = match &step {
        Step::CreateDatabase { .. }
        | Step::LoadDatabase { .. }
        | Step::SwitchDatabase { .. }
        | Step::EmptyDatabase { .. } => {
            let undo = if in_place { Undo::Never } else { Undo::Rollback };
            (if as_postgres { RunsAs::Postgres } else { RunsAs::Caller }, undo)
        }
        Step::CheckDatabase { .. } => (if as_postgres { RunsAs::Postgres } else { RunsAs::Caller }, Undo::Nothing),
        Step::Unpack { .. } | Step::Stage { .. } | Step::Switch { .. } | Step::GenerateSecrets => {
            (root_or_caller, Undo::Rollback)
        }
        Step::ConfigureRabbitmq | Step::PuppetApply => (root_or_caller, Undo::RunAgain),
        Step::StopServer | Step::RestartServer => (RunsAs::Zulip, Undo::RunAgain),
        Step::FlushMemcached => (RunsAs::Zulip, Undo::Nothing),
    };
    PlannedStep { step, runs_as, undo }
}

impl fmt::Display for PlannedStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.step {
            Step::Unpack { dump: Some(dump) } => write!(f, "unpack the archive, its dump to {dump}")?,
            Step::Unpack { dump: None } => write!(f, "unpack the archive")?,
            Step::Stage { tree, staged, keep } => {
                write!(f, "make the {} ready in {staged}", tree.name())?;
                if !keep.is_empty() {
                    write!(f, ", keeping this server's {}", keep.join(" and "))?;
                }
            }
            Step::CreateDatabase { database, owner } => write!(f, "create the database {database}, owned by {owner}")?,
            Step::LoadDatabase { database } => write!(f, "load the dump into {database}")?,
            Step::CheckDatabase { database } => write!(f, "compare {database} with the archive")?,
            Step::EmptyDatabase { database } => write!(f, "drop everything in the database {database}")?,
            Step::SwitchDatabase { database, new, kept } => {
                write!(f, "end the sessions of {database} and rename it to {kept}, {new} to {database}")?;
            }
            Step::Switch { tree, target, kept } => {
                write!(f, "switch the {} {target}; the old go to {kept}", tree.name())?;
            }
            Step::ConfigureRabbitmq => write!(f, "scripts/setup/configure-rabbitmq, if RABBITMQ_HOST is this machine")?,
            Step::PuppetApply => write!(f, "scripts/zulip-puppet-apply -f")?,
            Step::GenerateSecrets => write!(f, "scripts/setup/generate_secrets.py --production")?,
            Step::StopServer | Step::RestartServer | Step::FlushMemcached => {
                f.write_str(self.step.script().unwrap_or_default())?;
            }
        }
        let who = match self.runs_as {
            RunsAs::Root => "root",
            RunsAs::Postgres => "postgres",
            RunsAs::Zulip => "zulip",
            RunsAs::Caller => "caller",
        };
        let undo = match self.undo {
            Undo::Nothing => "",
            Undo::Rollback => "; can be rolled back",
            Undo::RunAgain => "; run again by a rollback",
            Undo::Never => "; CANNOT be undone",
        };
        write!(f, " (as {who}{undo})")
    }
}
