//! PostgreSQL: connections, its programs, throw-away servers, dumps.

mod config;

pub use config::{ConnectOptions, SslMode};
