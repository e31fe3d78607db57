//! Dumps in pg_dump's formats.

pub mod copy_text;
pub mod toc;

pub use copy_text::{COPY_END, CopyScanner};
pub use toc::{Toc, TocEntry};
