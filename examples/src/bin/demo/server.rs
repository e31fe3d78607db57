//! A whole sample server: PostgreSQL, database, uploads, settings, deployment.

use camino::{Utf8Path, Utf8PathBuf};
use zulip_backup_core::postgres::{Cluster, ConnectOptions};
use zulip_backup_core::units;
use zulip_backup_examples::{DatabaseAddress, SampleOptions, SampleServer};

use crate::Result;

pub(crate) struct Server {
    cluster: Cluster,
    pub(crate) root: Utf8PathBuf,
    root_flag: String,
    url_flag: String,
    summary: String,
}

impl Server {
    pub(crate) fn start(root: &Utf8Path, seed: u64, messages: u64, uploads_bytes: u64) -> Result<Self> {
        std::fs::create_dir_all(root)?;
        let cluster = Cluster::builder().start()?;
        cluster.create_database("zulip", "zulip")?;
        let options = cluster.connect_options("zulip");
        let sample = SampleServer::new(&SampleOptions { seed, messages, uploads_bytes, ..SampleOptions::default() })?;
        let config: postgres::Config = address(&options).parse()?;
        let loaded = sample.fill_database(&|| config.connect(postgres::NoTls))?;
        let uploads = sample.write_uploads(root.join("home/zulip/uploads").as_std_path())?;
        let host = options.hosts.first().cloned().unwrap_or_default();
        let place =
            DatabaseAddress { host, port: options.ports.first().copied(), user: "zulip".into(), name: "zulip".into() };
        sample.write_deployment(root.as_std_path(), &place)?;
        let summary = format!(
            "PostgreSQL {}, {} rows, {} files of {}",
            cluster.major(),
            loaded.rows(),
            uploads.files,
            units::bytes(uploads.bytes)
        );
        Ok(Self {
            root: root.to_owned(),
            root_flag: format!("--root={root}"),
            url_flag: format!("--database-url={}", address(&options)),
            cluster,
            summary,
        })
    }

    /// The flags that say which server is meant.
    pub(crate) fn flags(&self) -> [&str; 2] {
        [&self.root_flag, &self.url_flag]
    }

    pub(crate) fn summary(&self) -> String {
        self.summary.clone()
    }

    pub(crate) fn connect(&self) -> Result<postgres::Client> {
        Ok(self.cluster.connect_options("zulip").connect("zulip-backup demo")?)
    }
}

/// The address in libpq's form.
fn address(options: &ConnectOptions) -> String {
    let host = options.hosts.first().map_or("", String::as_str);
    let port = options.ports.first().copied().unwrap_or(5432);
    format!("host={host} port={port} user=postgres dbname=zulip")
}
