//! Dumps in pg_dump's formats.

pub mod copy_text;
mod schema;
pub mod toc;

pub use copy_text::{COPY_END, CopyFacts, CopyScanner};
pub use schema::read_live_toc;
pub use toc::{Toc, TocEntry};
