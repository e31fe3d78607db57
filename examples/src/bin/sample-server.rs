//! Makes a sample Zulip server: a database, uploads, settings and a deployment.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use postgres::config::Host;
use postgres::{Config, NoTls};
use zulip_backup_examples::{DatabaseAddress, SampleError, SampleOptions, SampleServer};

#[derive(Parser)]
#[command(about, max_term_width = 100)]
struct Arguments {
    /// Messages: 100 to 10,000,000.
    #[arg(long, default_value_t = 1000)]
    messages: u64,
    /// People and bots of the main organisation [default: fits the messages].
    #[arg(long)]
    users: Option<u32>,
    /// Bytes of all attachments together.
    #[arg(long, default_value_t = 1 << 20)]
    uploads_bytes: u64,
    /// Attachments [default: fits their bytes].
    #[arg(long)]
    upload_files: Option<u32>,
    /// Attachments that have a row but no file.
    #[arg(long, default_value_t = 0)]
    missing_files: u32,
    /// Files that have no row.
    #[arg(long, default_value_t = 0)]
    orphan_files: u32,
    /// Write one file whose name is not UTF-8.
    #[arg(long)]
    odd_name: bool,
    /// Write one symbolic link that dangles and one that leads out of the tree.
    #[arg(long)]
    odd_links: bool,
    /// The same seed gives the same server.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The Zulip version to imitate.
    #[arg(long, default_value = "10.1")]
    zulip_version: String,
    /// An existing, empty database: a URL or `host=… dbname=…`. Without it, no database is filled.
    #[arg(long)]
    database_url: Option<Config>,
    /// Where to put `etc/`, `home/zulip/deployments/` and `home/zulip/uploads/`. Without it, no file is written.
    #[arg(long)]
    root: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), SampleError> {
    let options = SampleOptions {
        seed: arguments.seed,
        zulip_version: arguments.zulip_version.clone(),
        messages: arguments.messages,
        users: arguments.users,
        uploads_bytes: arguments.uploads_bytes,
        upload_files: arguments.upload_files,
        missing_files: arguments.missing_files,
        orphan_files: arguments.orphan_files,
        odd_name: arguments.odd_name,
        odd_links: arguments.odd_links,
        ..SampleOptions::default()
    };
    let mut out = std::io::stdout().lock();
    let start = Instant::now();
    let sample = SampleServer::new(&options)?;
    writeln!(out, "planned in {:.1} s", start.elapsed().as_secs_f64())?;
    if let Some(config) = &arguments.database_url {
        let loaded = sample.fill_database(&|| config.connect(NoTls))?;
        for table in loaded.tables.iter().filter(|table| table.rows > 0) {
            writeln!(out, "{:>12}  {}", table.rows, table.table)?;
        }
        writeln!(
            out,
            "{:>12}  rows in {:.1} s, keys and indexes in {:.1} s",
            loaded.rows(),
            loaded.copy_seconds,
            loaded.index_seconds
        )?;
    }
    if let Some(root) = &arguments.root {
        let start = Instant::now();
        let uploads = sample.write_uploads(&root.join("home/zulip/uploads"))?;
        let seconds = start.elapsed().as_secs_f64();
        writeln!(out, "{:>12}  files, {} bytes in {seconds:.1} s", uploads.files, uploads.bytes)?;
        sample.write_deployment(root, &address(arguments.database_url.as_ref()))?;
    }
    Ok(())
}

fn address(config: Option<&Config>) -> DatabaseAddress {
    let host = config.and_then(|config| config.get_hosts().first()).map(|host| match host {
        Host::Tcp(name) => name.clone(),
        Host::Unix(path) => path.display().to_string(),
    });
    DatabaseAddress {
        host: host.unwrap_or_default(),
        port: config.and_then(|config| config.get_ports().first().copied()),
        user: config.and_then(Config::get_user).unwrap_or("zulip").to_owned(),
        name: config.and_then(Config::get_dbname).unwrap_or("zulip").to_owned(),
    }
}
