//! The command `zulip-backup`: arguments in, progress and reports out. What it does is in `zulip-backup-core`.

mod args;
mod console;
mod errors;
mod exit;
mod identity;
mod progress;
mod run;
mod signals;

use std::process::ExitCode;

fn main() -> ExitCode {
    run::main(std::env::args_os().collect())
}
