//! What may be asked of a restore.

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

/// What may be asked of a restore. The default is everything in the archive, beside what is there, then switched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RestoreOptions {
    /// Keep the server's `settings.py`.
    pub keep_settings: bool,
    /// Keep the server's `zulip.conf`.
    pub keep_zulipconf: bool,
    /// Keep the server's `zulip-secrets.conf` (`dev-secrets.conf` of a development server).
    pub keep_secrets: bool,
    /// Leave the server's database as it is.
    pub skip_db: bool,
    /// Leave the server's uploads as they are.
    pub skip_uploads: bool,
    /// Leave the server's settings as they are.
    pub skip_settings: bool,
    /// The name the server is to answer to, instead of the archive's: `EXTERNAL_HOST`.
    pub external_host: Option<String>,
    /// Stop when everything lies ready beside what is there; a later restore goes on from there.
    pub only_stage: bool,
    /// Empty the database and load into it, instead of loading beside it and switching. Cannot be undone; needs `yes`.
    pub in_place: bool,
    /// Treat other versions of Zulip, its migrations, PostgreSQL and the operating system as warnings.
    pub allow_version_mismatch: bool,
    /// What cannot be undone is agreed to.
    pub yes: bool,
    /// Trust the archive unread: somebody verified it just now.
    pub skip_verify: bool,
    /// Begin even if the space seems to be too little.
    pub ignore_space: bool,
    /// Switch the entries of directories one by one, where a file system cannot rename whole ones. Found out by itself for
    /// mount points and where the directory above may not be changed.
    pub switch_inside: bool,
    /// How many threads, connections and processes; absent: the machine's processors.
    pub jobs: Option<usize>,
    /// Where the journal of a restore is; absent: `/var/lib/zulip-backup`.
    pub state_dir: Option<Utf8PathBuf>,
    /// Leave out text-search dictionaries whose files the server lacks: for rehearsals, where nobody searches.
    #[serde(skip)]
    pub leave_out_missing_dictionaries: bool,
}

macro_rules! flags {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        impl RestoreOptions {
            $($(#[$doc])*
            pub fn $name(mut self, on: bool) -> Self {
                self.$name = on;
                self
            })*
        }
    };
}

flags! {
    /// Keep the server's `settings.py`.
    keep_settings,
    /// Keep the server's `zulip.conf`.
    keep_zulipconf,
    /// Keep the server's secrets.
    keep_secrets,
    /// Leave the server's database as it is.
    skip_db,
    /// Leave the server's uploads as they are.
    skip_uploads,
    /// Leave the server's settings as they are.
    skip_settings,
    /// Stop before anything is switched.
    only_stage,
    /// Empty the database and load into it.
    in_place,
    /// Treat other versions as warnings.
    allow_version_mismatch,
    /// What cannot be undone is agreed to.
    yes,
    /// Trust the archive unread.
    skip_verify,
    /// Begin even if the space seems to be too little.
    ignore_space,
    /// Switch the entries of directories one by one.
    switch_inside,
    /// Leave out text-search dictionaries whose files the server lacks.
    leave_out_missing_dictionaries,
}

impl RestoreOptions {
    /// The name the server is to answer to.
    pub fn external_host(mut self, host: impl Into<String>) -> Self {
        self.external_host = Some(host.into());
        self
    }

    /// How many threads, connections and processes.
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.jobs = Some(jobs);
        self
    }

    /// Where the journal is.
    pub fn state_dir(mut self, path: impl Into<Utf8PathBuf>) -> Self {
        self.state_dir = Some(path.into());
        self
    }

    /// What decides about the outcome, and so must be the same when a restore is continued.
    pub(super) fn essence(&self) -> Self {
        Self {
            only_stage: false,
            allow_version_mismatch: false,
            yes: false,
            skip_verify: false,
            ignore_space: false,
            jobs: None,
            state_dir: None,
            ..self.clone()
        }
    }
}
