//! PostgreSQL: connections, its programs, throw-away servers, dumps.

mod binary;
mod binary_in;
mod cluster;
mod config;
mod connect;
pub mod dump;
mod facts;
mod fault;
mod identity;
mod keys;
mod programs;
mod quote;
mod rows;
mod sequences;
mod snapshot;
pub(crate) mod tsvector;

pub use binary::{BinaryRow, BinaryRows, integer};
pub(crate) use binary_in::{BEGIN, ColumnType, END, RowBuffer};
pub use cluster::{Cluster, ClusterBuilder, Durability};
pub use config::{ConnectOptions, Environment, SslMode};
pub use facts::{DatabaseFacts, Extension, TextSearchDictionary, applied_migrations};
pub use fault::{ServerError, column, error, sqlstate};
pub(crate) use identity::identity;
pub(crate) use keys::ForeignKey;
pub use programs::{Programs, ServerPrograms};
pub(crate) use quote::quote_identifier;
pub use rows::RowReader;
pub(crate) use sequences::{Behind, OwnedSequence};
pub(crate) use snapshot::lock_out_others;
pub use snapshot::{Invitation, Purpose, Reservation, Snapshot, SnapshotState, TableSize};
