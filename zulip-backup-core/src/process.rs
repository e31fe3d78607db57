//! System users and child processes.

mod user;

pub use user::SystemUser;
