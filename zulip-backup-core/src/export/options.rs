//! What may be asked of an export.

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize, Serializer};

use crate::codec::Compression;
use crate::package::{Compat, Kind};
use crate::{Error, ErrorKind, Result};

/// What an export is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A directory.
    Directory,
    /// One file, every member below one directory.
    Archive(Compression),
}

/// What the names of archives end in.
const ENDINGS: [(&str, Compression); 3] =
    [(".tar.gz", Compression::Gzip), (".tgz", Compression::Gzip), (".tar.zst", Compression::Zstd)];

impl Format {
    /// What a name asks for, and the name without its ending.
    pub(crate) fn of(output: &Utf8Path) -> (Self, &str) {
        let name = output.file_name().unwrap_or_default();
        let archive = ENDINGS.iter().find_map(|(ending, compression)| {
            name.strip_suffix(ending).map(|stem| (Self::Archive(*compression), stem))
        });
        archive.unwrap_or((Self::Directory, name))
    }
}

impl Serialize for Format {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Self::Directory => "directory",
            Self::Archive(Compression::Gzip) => "tar.gz",
            Self::Archive(Compression::Zstd) => "tar.zst",
        })
    }
}

/// What may be asked of an export. The default is all of the organisation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExportOptions {
    /// The organisation: its id, or its `string_id`; empty for the one at the root domain. Only for a single user need it
    /// not be named.
    pub realm: Option<String>,
    /// The address (`delivery_email`) of the user whose data alone is exported.
    pub user: Option<String>,
    /// The directory to write, or the archive where the name ends in `.tar.gz`, `.tgz` or `.tar.zst`.
    pub output: Option<Utf8PathBuf>,
    /// Put the archive where the server hands it out to everybody who knows its address, as upstream's `--upload` does. Of
    /// `output` the name alone counts then.
    pub upload: bool,
    /// Whose data.
    pub kind: Kind,
    /// The message by whose reactions users consented, where the release asks that way: Zulip before 10. With it the kind
    /// is [`Kind::FullWithConsent`].
    pub consent_message: Option<i64>,
    /// What to do where upstream is wrong.
    pub compat: Compat,
    /// Leave no trace in the database.
    pub no_record: bool,
    /// Deactivate the organisation before.
    pub deactivate: bool,
    /// Export also where nobody could use the result.
    pub force: bool,
    /// Export also where the database has tables or columns that are not known, or lacks some.
    pub allow_unknown: bool,
    /// How many threads and connections; absent: the machine's processors.
    pub jobs: Option<usize>,
}

impl ExportOptions {
    /// Of the organisation with this id or `string_id`.
    pub fn of(realm: impl Into<String>) -> Self {
        Self { realm: Some(realm.into()), ..Self::default() }
    }

    /// Of a single user, in upstream's layout of `export_single_user`, which no importer reads. Nothing of it is recorded.
    pub fn of_user(email: impl Into<String>) -> Self {
        Self { user: Some(email.into()), no_record: true, ..Self::default() }
    }

    /// Of which kind the export is to be.
    pub(super) fn kind_asked(&self) -> Result<Kind> {
        match (self.consent_message, self.kind) {
            (Some(_), Kind::Public) => Err(Error::new(ErrorKind::Usage, "what is public needs nobody's consent")),
            (Some(_), _) => Ok(Kind::FullWithConsent),
            (None, kind) => Ok(kind),
        }
    }

    /// The directory or archive to write.
    pub fn output(mut self, path: impl Into<Utf8PathBuf>) -> Self {
        self.output = Some(path.into());
        self
    }

    /// Put the archive where the server hands it out.
    pub fn upload(mut self, upload: bool) -> Self {
        self.upload = upload;
        self
    }

    /// Whose data.
    pub fn kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// Of the users who reacted to this message, and of all what is public.
    pub fn consent_message(mut self, id: i64) -> Self {
        self.kind = Kind::FullWithConsent;
        self.consent_message = Some(id);
        self
    }

    /// What to do where upstream is wrong.
    pub fn compat(mut self, compat: Compat) -> Self {
        self.compat = compat;
        self
    }

    /// Leave no trace in the database.
    pub fn no_record(mut self, no_record: bool) -> Self {
        self.no_record = no_record;
        self
    }

    /// Deactivate the organisation before.
    pub fn deactivate(mut self, deactivate: bool) -> Self {
        self.deactivate = deactivate;
        self
    }

    /// Export also where nobody could use the result.
    pub fn force(mut self, force: bool) -> Self {
        self.force = force;
        self
    }

    /// Export also where the database is not as expected.
    pub fn allow_unknown(mut self, allow_unknown: bool) -> Self {
        self.allow_unknown = allow_unknown;
        self
    }

    /// How many threads and connections.
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.jobs = Some(jobs);
        self
    }
}
