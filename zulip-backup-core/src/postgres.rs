//! PostgreSQL: connections, its programs, throw-away servers, dumps.

mod config;
pub mod dump;

pub use config::{ConnectOptions, SslMode};
