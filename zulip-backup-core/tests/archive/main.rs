//! The archive format through the public interface: what is written is read back, what is damaged is named, what is
//! hostile stays harmless.
#![allow(clippy::disallowed_methods, clippy::print_stderr, clippy::naive_bytecount, clippy::unwrap_used)] // tests may
#![allow(clippy::expect_used, clippy::panic)]

mod builder;
mod damage;
mod exercise;
mod extract;
mod golden;
mod hostile;
mod inspect;
mod mutate;
mod round_trip;
