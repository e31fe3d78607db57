//! Exports to look at: Zulip's own where there are some, and those of the sample server.
#![allow(dead_code, clippy::print_stdout)] // each test uses what it needs

use std::collections::BTreeSet;
use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;
use zulip_backup_core::export::{ExportOptions, Kind, plan};
use zulip_backup_core::postgres::Cluster;
use zulip_backup_core::realm;
use zulip_backup_core::{Findings, Severity, Silent};
use zulip_backup_examples::{SampleHost, SampleOptions};

pub const SHARED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/zulip");

/// Zulip's own exports of organisations.
pub const GOLDEN: [(&str, Kind); 4] = [
    ("golden-export-zulip", Kind::Full),
    ("golden-export-lear", Kind::Full),
    ("golden-export-zulip-consent", Kind::FullWithConsent),
    ("golden-export-zulip-public", Kind::Public),
];

pub const KINDS: [Kind; 3] = [Kind::Full, Kind::FullWithConsent, Kind::Public];

/// The tarball of one of Zulip's own exports; `None`, with a line that says so, where there is none.
pub fn golden(name: &str) -> Option<Utf8PathBuf> {
    let path = Utf8Path::new(SHARED).join(format!("{name}.tar.gz"));
    if !path.exists() {
        println!("skipped: no real server's export at {path}");
        return None;
    }
    Some(path)
}

/// Unpacks a tarball of a directory into `target`.
pub fn unpack(tarball: &Utf8Path, target: &Utf8Path) {
    std::fs::create_dir_all(target).unwrap();
    tar(&["-xf", tarball.as_str(), "-C", target.as_str(), "--strip-components=1"]);
}

/// Packs a directory as Zulip does.
pub fn pack(directory: &Utf8Path, tarball: &Utf8Path) {
    let parent = directory.parent().unwrap();
    tar(&["-caf", tarball.as_str(), "-C", parent.as_str(), directory.file_name().unwrap()]);
}

fn tar(arguments: &[&str]) {
    assert!(Command::new("tar").args(arguments).status().unwrap().success());
}

/// A directory of its own with exports in it.
pub struct Stage {
    _temp: tempfile::TempDir,
    pub dir: Utf8PathBuf,
    /// The server that the exports are of, where they are a sample's.
    pub host: Option<SampleHost>,
}

impl Stage {
    pub fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let dir = Utf8PathBuf::from_path_buf(temp.path().to_owned()).unwrap();
        Self { _temp: temp, dir, host: None }
    }

    /// Exports of all kinds of the sample server's largest organisation, at `full`, `full-with-consent` and `public`.
    pub fn with_sample(messages: u64) -> Self {
        let mut stage = Self::new();
        let root = stage.dir.join("host");
        std::fs::create_dir(&root).unwrap();
        let options = SampleOptions { messages, ..SampleOptions::default() };
        let host = SampleHost::start(&root, &options, Cluster::builder()).unwrap();
        let site = host.site().unwrap();
        let realm = realm::list(&site).unwrap().realms.into_iter().max_by_key(|realm| realm.messages).unwrap();
        // What an export must not show, and the sample server has not: an address nobody may see, and messages of a
        // private channel of which nobody consents.
        let mut client = host.database().connect("test").unwrap();
        client.batch_execute("SET search_path = zulip, public").unwrap();
        for statement in [
            "UPDATE zerver_userprofile SET email_address_visibility = 4 WHERE id = (SELECT max(id) FROM zerver_userprofile
             WHERE realm_id = $1::int8 AND is_active AND NOT is_bot AND NOT is_mirror_dummy AND NOT allow_private_data_export)",
            "DELETE FROM zerver_subscription WHERE recipient_id = (SELECT recipient_id FROM zerver_stream
             WHERE realm_id = $1::int8 AND invite_only AND history_public_to_subscribers ORDER BY id LIMIT 1)",
        ] {
            assert!(client.execute(statement, &[&realm.id]).unwrap() > 0, "{statement}");
        }
        for kind in KINDS {
            let options = ExportOptions::of(&realm.string_id).output(stage.of(kind)).kind(kind).jobs(2);
            plan(&site, &ExportOptions { force: true, ..options }).unwrap().execute(&Silent).unwrap();
        }
        stage.host = Some(host);
        stage
    }

    /// Where the export of one kind is.
    pub fn of(&self, kind: Kind) -> Utf8PathBuf {
        self.dir.join(match kind {
            Kind::Full => "full",
            Kind::FullWithConsent => "full-with-consent",
            Kind::Public => "public",
        })
    }

    /// A copy of an export that may be changed.
    pub fn copy(&self, of: &Utf8Path, name: &str) -> Copy {
        let path = self.dir.join(name);
        assert!(Command::new("cp").args(["-r", of.as_str(), path.as_str()]).status().unwrap().success());
        Copy { path, keep: false }
    }
}

/// An export to be changed; removed when it is dropped.
pub struct Copy {
    pub path: Utf8PathBuf,
    /// Whether it stays when this is dropped.
    pub keep: bool,
}

impl Drop for Copy {
    fn drop(&mut self) {
        if !self.keep {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

impl Copy {
    pub fn file(&self, name: &str) -> Utf8PathBuf {
        self.path.join(name)
    }

    pub fn read(&self, name: &str) -> Value {
        serde_json::from_slice(&std::fs::read(self.file(name)).unwrap()).unwrap()
    }

    pub fn write(&self, name: &str, value: &Value) {
        std::fs::write(self.file(name), serde_json::to_vec_pretty(value).unwrap()).unwrap();
    }

    /// Changes a JSON file.
    pub fn edit(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let mut value = self.read(name);
        change(&mut value);
        self.write(name, &value);
    }

    /// Changes the first row of a list for which `which` holds.
    pub fn row(&self, name: &str, list: &str, which: impl Fn(&Value) -> bool, change: impl FnOnce(&mut Value)) {
        self.edit(name, |file| {
            let rows = file[list].as_array_mut().unwrap();
            change(
                rows.iter_mut().find(|row| which(row)).unwrap_or_else(|| panic!("{name} has no such row of {list}")),
            );
        });
    }

    /// Appends a row to a list and counts it in the statistics.
    pub fn add(&self, name: &str, list: &str, row: Value) {
        self.edit(name, |file| file[list].as_array_mut().unwrap().push(row));
        let stem = name.trim_end_matches(".json").to_owned();
        self.edit("stats.json", |stats| {
            let count = stats[&stem][list].as_u64().unwrap();
            stats[&stem][list] = (count + 1).into();
        });
    }

    /// The rows of a file that is one list.
    pub fn list_of(&self, name: &str) -> Vec<Value> {
        self.read(name).as_array().unwrap().clone()
    }

    pub fn list(&self, name: &str, list: &str) -> Vec<Value> {
        self.read(name)[list].as_array().unwrap().clone()
    }
}

/// The codes of all warnings and errors.
pub fn codes(findings: &Findings) -> BTreeSet<&str> {
    findings
        .counts
        .iter()
        .filter(|count| count.severity >= Severity::Warning)
        .map(|count| count.code.as_str())
        .collect()
}
