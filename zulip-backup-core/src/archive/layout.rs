//! Where what lies in an archive. The names are upstream's, unchanged since Zulip 2.0.

use serde::{Deserialize, Serialize};

use crate::archive::MemberName;

/// Full names of the members with a meaning of their own.
pub mod member {
    /// The directory everything lies in. It has no member of its own, as in upstream's archives.
    pub const ROOT: &str = "zulip-backup";
    /// `ZULIP_VERSION` and, where git works, `git describe`.
    pub const ZULIP_VERSION: &str = "zulip-backup/zulip-version";
    /// `debian 12`.
    pub const OS_VERSION: &str = "zulip-backup/os-version";
    /// libpq's integer: `150018`.
    pub const POSTGRES_VERSION: &str = "zulip-backup/postgres-version";
    /// A copy of `/etc/zulip`; production servers only.
    pub const SETTINGS: &str = "zulip-backup/settings";
    /// Development servers: `dev-secrets.conf` and nothing else.
    pub const ZPROJECT: &str = "zulip-backup/zproject";
    /// The dump, in pg_dump's directory format.
    pub const DATABASE: &str = "zulip-backup/database";
    /// The dump's table of contents.
    pub const TOC: &str = "zulip-backup/database/toc.dat";
    /// A copy of `LOCAL_UPLOADS_DIR`.
    pub const UPLOADS: &str = "zulip-backup/uploads";
    /// Ours: one line for each frame and each member.
    pub const INDEX: &str = "zulip-backup/index.jsonl";
    /// Ours: what the archive is, and its proof. The last member.
    pub const MANIFEST: &str = "zulip-backup/manifest.json";

    /// The index of an archive whose members lie in `root`.
    pub fn index(root: &str) -> String {
        format!("{root}/index.jsonl")
    }

    /// The manifest of an archive whose members lie in `root`.
    pub fn manifest(root: &str) -> String {
        format!("{root}/manifest.json")
    }
}

/// What a member belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Section {
    /// The three version files.
    Versions,
    /// `settings/` of a production server or `zproject/` of a development server.
    Settings,
    /// The dump.
    Database,
    /// Uploaded files, avatars, emoji.
    Uploads,
    /// The manifest and the index.
    Proof,
}

impl Section {
    /// All of them, in the order of the archive.
    pub const ALL: [Self; 5] = [Self::Versions, Self::Database, Self::Settings, Self::Uploads, Self::Proof];

    /// What the member `name` belongs to; `None` where no backup has such a member.
    pub fn of(name: &MemberName) -> Option<Self> {
        let full = name.as_bytes();
        if [member::ZULIP_VERSION, member::OS_VERSION, member::POSTGRES_VERSION]
            .iter()
            .any(|version| version.as_bytes() == full)
        {
            return Some(Self::Versions);
        }
        if full == member::INDEX.as_bytes() || full == member::MANIFEST.as_bytes() {
            return Some(Self::Proof);
        }
        [
            (member::SETTINGS, Self::Settings),
            (member::ZPROJECT, Self::Settings),
            (member::DATABASE, Self::Database),
            (member::UPLOADS, Self::Uploads),
        ]
        .into_iter()
        .find_map(|(prefix, section)| name.is_in(prefix.as_bytes()).then_some(section))
    }

    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Versions => "versions",
            Self::Settings => "settings",
            Self::Database => "database",
            Self::Uploads => "uploads",
            Self::Proof => "proof",
        }
    }
}

/// The full name of a file of the dump.
pub fn database_file(file: &str) -> String {
    format!("{}/{file}", member::DATABASE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_has_its_section_and_strangers_have_none() {
        let section = |name: &str| Section::of(&MemberName::try_from(name).unwrap());
        assert_eq!(section("zulip-backup/zulip-version"), Some(Section::Versions));
        assert_eq!(section("zulip-backup/settings/zulip.conf"), Some(Section::Settings));
        assert_eq!(section("zulip-backup/zproject/dev-secrets.conf"), Some(Section::Settings));
        assert_eq!(section("zulip-backup/database/toc.dat"), Some(Section::Database));
        assert_eq!(section("zulip-backup/uploads"), Some(Section::Uploads));
        assert_eq!(section("zulip-backup/manifest.json"), Some(Section::Proof));
        assert_eq!(section("zulip-backup/other"), None);
        assert_eq!(section("etc/passwd"), None);
        assert_eq!(
            (member::index(member::ROOT), member::manifest(member::ROOT)),
            (member::INDEX.to_owned(), member::MANIFEST.to_owned())
        );
    }
}
