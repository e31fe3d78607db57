//! The sample Zulip server: a database and a host like a real one's, of any size, the same every time.
//!
//! ```no_run
//! use zulip_backup_examples::{SampleOptions, SampleServer};
//!
//! let sample = SampleServer::new(&SampleOptions { messages: 10_000, ..SampleOptions::default() })?;
//! let connect = || "host=/run/postgresql dbname=sample".parse::<postgres::Config>()?.connect(postgres::NoTls);
//! let loaded = sample.fill_database(&connect)?;
//! let uploads = sample.write_uploads("/tmp/sample/home/zulip/uploads".as_ref())?;
//! # Ok::<(), zulip_backup_examples::SampleError>(())
//! ```

// Ids, counts and sizes of a sample are far below 2^31, and the generator casts them from and to what a table wants.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss
)]
// One arm a table: cutting such a function in two would hide nothing and help nobody.
#![allow(clippy::too_many_lines)]

mod copy;
mod database;
mod deployment;
mod files;
mod hex;
mod host;
mod options;
mod rng;
mod server;
mod tables;
mod text;
mod time;
mod world;

pub use database::{Loaded, TableRows};
pub use deployment::{Call, DatabaseAddress, calls};
pub use files::UploadsReport;
pub use host::SampleHost;
pub use options::SampleOptions;
pub use server::{SampleError, SampleServer};
