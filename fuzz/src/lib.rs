//! What the fuzz targets share with the tests that run what they found again.

#[path = "../../zulip-backup-core/tests/archive/exercise.rs"]
mod exercise;

pub use exercise::{exercise, forge};
