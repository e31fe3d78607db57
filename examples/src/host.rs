//! A whole sample host: PostgreSQL, database, uploads, settings, deployment.

use camino::{Utf8Path, Utf8PathBuf};
use zulip_backup_core::postgres::{Cluster, ClusterBuilder, ConnectOptions};
use zulip_backup_core::site::{Site, SiteOptions};

use crate::{DatabaseAddress, SampleError, SampleOptions, SampleServer, UploadsReport};

/// The database of every sample host, and the role that owns it.
const NAME: &str = "zulip";

/// A throw-away PostgreSQL with a sample server's database, and everything else of that server below a directory. The
/// database ends when this is dropped; the directory stays.
pub struct SampleHost {
    cluster: Cluster,
    root: Utf8PathBuf,
    sample: SampleServer,
    rows: u64,
    uploads: UploadsReport,
}

impl SampleHost {
    /// Starts PostgreSQL as `cluster` says and makes the server of `options` below `root`.
    ///
    /// # Errors
    /// What PostgreSQL and the file system answer.
    pub fn start(root: &Utf8Path, options: &SampleOptions, cluster: ClusterBuilder) -> Result<Self, SampleError> {
        let cluster = cluster.start()?;
        cluster.create_database(NAME, NAME)?;
        let sample = SampleServer::new(options)?;
        let connect = cluster.connect_options(NAME);
        let config: postgres::Config = words(&connect).parse()?;
        let loaded = sample.fill_database(&|| config.connect(postgres::NoTls))?;
        // What a dump does not hold and a Zulip server cannot do without.
        config.connect(postgres::NoTls)?.batch_execute("ALTER ROLE zulip SET search_path = zulip, public")?;
        let uploads = sample.write_uploads(root.join("home/zulip/uploads").as_std_path())?;
        let address = DatabaseAddress {
            host: connect.hosts.first().cloned().unwrap_or_default(),
            port: connect.ports.first().copied(),
            user: NAME.to_owned(),
            name: NAME.to_owned(),
        };
        sample.write_deployment(root.as_std_path(), &address)?;
        Ok(Self { cluster, root: root.to_owned(), rows: loaded.rows(), sample, uploads })
    }

    /// The directory that stands for `/`.
    pub fn root(&self) -> &Utf8Path {
        &self.root
    }

    /// The directory of the uploads.
    pub fn uploads_dir(&self) -> Utf8PathBuf {
        self.root.join("home/zulip/uploads")
    }

    /// The throw-away server.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// How to reach the database, as its superuser.
    pub fn database(&self) -> ConnectOptions {
        self.cluster.connect_options(NAME)
    }

    /// What the sample was made from.
    pub fn sample(&self) -> &SampleServer {
        &self.sample
    }

    /// Rows of all tables.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Files of the uploads.
    pub fn uploads(&self) -> &UploadsReport {
        &self.uploads
    }

    /// The flags that tell the command which server is meant.
    pub fn flags(&self) -> [String; 2] {
        [format!("--root={}", self.root), format!("--database-url={}", self.address())]
    }

    /// How to reach the database, in libpq's words.
    pub fn address(&self) -> String {
        words(&self.database())
    }

    /// The server as the library sees it.
    ///
    /// # Errors
    /// Those of [`SiteBuilder::build`](zulip_backup_core::site::SiteBuilder::build).
    pub fn site(&self) -> zulip_backup_core::Result<Site> {
        let environment = zulip_backup_core::site::Environment::from_pairs::<String, String>([]);
        Site::builder()
            .options(SiteOptions::default().root(self.root.clone()))
            .environment(environment)
            .database(self.database())
            .build()
    }
}

/// The address in libpq's words.
fn words(options: &ConnectOptions) -> String {
    let host = options.hosts.first().map_or("", String::as_str);
    let port = options.ports.first().copied().unwrap_or(5432);
    format!("host={host} port={port} user=postgres dbname={NAME}")
}
