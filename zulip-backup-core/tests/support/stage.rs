//! A sample server with one main organisation, and what tests of exports ask of it.
#![allow(dead_code)] // each test uses what it needs

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;
use zulip_backup_core::Silent;
use zulip_backup_core::export::{ExportOptions, ExportReport, plan};
use zulip_backup_core::postgres::Cluster;
use zulip_backup_core::realm;
use zulip_backup_examples::{SampleHost, SampleOptions};

pub struct Stage {
    _temp: tempfile::TempDir,
    pub dir: Utf8PathBuf,
    pub host: SampleHost,
    /// `string_id` of the organisation with the most messages.
    pub realm: String,
    pub realm_id: i64,
}

pub fn stage() -> Stage {
    stage_of(3000)
}

/// With so many messages.
pub fn stage_of(messages: u64) -> Stage {
    let temp = tempfile::tempdir().unwrap();
    let dir = Utf8PathBuf::from_path_buf(temp.path().to_owned()).unwrap();
    let root = dir.join("host");
    std::fs::create_dir(&root).unwrap();
    let options = SampleOptions { messages, missing_files: 1, ..SampleOptions::default() };
    let host = SampleHost::start(&root, &options, Cluster::builder()).unwrap();
    let main =
        realm::list(&host.site().unwrap()).unwrap().realms.into_iter().max_by_key(|realm| realm.messages).unwrap();
    Stage { _temp: temp, dir, host, realm: main.string_id, realm_id: main.id }
}

impl Stage {
    pub fn options(&self, name: &str) -> ExportOptions {
        ExportOptions::of(&self.realm).output(self.dir.join(name)).jobs(2)
    }

    /// A connection that finds Zulip's tables.
    pub fn client(&self) -> postgres::Client {
        let mut client = self.host.database().connect("test").unwrap();
        client.batch_execute("SET search_path = zulip, public").unwrap();
        client
    }

    /// The one number that a query about the organisation gives.
    pub fn number(&self, query: &str) -> i64 {
        self.client().query_one(query, &[&self.realm_id]).unwrap().get(0)
    }

    /// An export as if it were of another server, in which all ids are as here.
    pub fn foreign_export(&self) -> Utf8PathBuf {
        let report = self.export(&self.options("foreign"));
        change(&report.path, "realm.json", |realm| {
            realm["zerver_realm"][0]["uuid"] = "0d9f5c1e-3f1b-4c3e-9f0a-2f6d5a1b7c11".into();
        });
        report.path
    }

    /// Gives the organisation that was imported as `copy` another subdomain and uuid, so that nothing stands against
    /// importing the same export once more.
    pub fn make_room(&self) {
        let statement =
            "UPDATE zerver_realm SET uuid = gen_random_uuid(), string_id = 'copy-' || id WHERE string_id = 'copy'";
        self.client().batch_execute(statement).unwrap();
    }

    /// An export that leaves no trace in the database.
    pub fn export(&self, options: &ExportOptions) -> ExportReport {
        let options = options.clone().no_record(true);
        plan(&self.host.site().unwrap(), &options).unwrap().execute(&Silent).unwrap()
    }
}

/// Packs an export as Zulip's tool does: a tarball without an index.
pub fn pack(export: &Utf8Path, tarball: &Utf8Path) {
    let file = std::fs::File::create(tarball).unwrap();
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(file, flate2::Compression::fast()));
    tar.append_dir_all("export", export).unwrap();
    tar.into_inner().unwrap().finish().unwrap();
}

/// Every file below a directory, by its name there.
pub fn read(root: &Utf8Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in directory.read_dir_utf8().unwrap() {
            let path = entry.unwrap().into_path();
            if path.is_dir() {
                directories.push(path);
            } else {
                files.insert(path.strip_prefix(root).unwrap().to_string(), std::fs::read(&path).unwrap());
            }
        }
    }
    files
}

/// Changes a file of an export in a directory, and what its statistics say of it.
pub fn change(export: &Utf8Path, name: &str, change: impl FnOnce(&mut Value)) {
    let read = |name: &str| serde_json::from_slice::<Value>(&std::fs::read(export.join(name)).unwrap()).unwrap();
    let write =
        |name: &str, value: &Value| std::fs::write(export.join(name), serde_json::to_vec(value).unwrap()).unwrap();
    let (mut value, mut stats) = (read(name), read("stats.json"));
    change(&mut value);
    write(name, &value);
    let counted = name.trim_end_matches(".json").replace('/', "_");
    match &value {
        Value::Array(rows) => stats[counted] = rows.len().into(),
        lists => {
            for (list, rows) in
                lists.as_object().unwrap().iter().filter_map(|(list, rows)| Some((list, rows.as_array()?)))
            {
                stats[&counted][list] = rows.len().into();
            }
        }
    }
    write("stats.json", &stats);
}

/// A file of an export.
pub fn json(report: &ExportReport, name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(report.path.join(name)).unwrap()).unwrap()
}
