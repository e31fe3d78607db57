//! What may be asked of a backup.

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

use crate::codec::Compression;

/// What may be asked of a backup. The default is all of the server, gzip, as many threads as the machine has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BackupOptions {
    /// The archive to write; absent: `zulip-backup-<timestamp>-<random>.tar.gz` in the system's temp directory.
    pub output: Option<Utf8PathBuf>,
    /// Replace an existing output.
    pub force: bool,
    /// Leave the database out.
    pub skip_db: bool,
    /// Leave the uploads out.
    pub skip_uploads: bool,
    /// How to compress; absent: by the output's name, else gzip.
    pub compression: Option<Compression>,
    /// How hard to compress; absent: the compression's own default.
    pub level: Option<i32>,
    /// How many threads and connections; absent: the machine's processors.
    pub jobs: Option<usize>,
    /// Begin even if the space seems to be too little.
    pub ignore_space: bool,
}

impl BackupOptions {
    /// Where to write the archive.
    pub fn output(mut self, path: impl Into<Utf8PathBuf>) -> Self {
        self.output = Some(path.into());
        self
    }

    /// How to compress.
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = Some(compression);
        self
    }

    /// How many threads and connections.
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.jobs = Some(jobs);
        self
    }

    /// Leave the database out.
    pub fn skip_db(mut self, skip: bool) -> Self {
        self.skip_db = skip;
        self
    }

    /// Leave the uploads out.
    pub fn skip_uploads(mut self, skip: bool) -> Self {
        self.skip_uploads = skip;
        self
    }

    /// Replace an existing output.
    pub fn force(mut self, force: bool) -> Self {
        self.force = force;
        self
    }
}
