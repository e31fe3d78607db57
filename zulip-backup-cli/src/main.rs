//! The command `zulip-backup`.
fn main() {}
