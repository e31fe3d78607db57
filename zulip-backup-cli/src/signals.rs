//! Being asked to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::flag;
use zulip_backup_core::{Error, ErrorKind, Result, fs};

/// Whether a signal has asked this process to stop.
///
/// The first SIGINT, SIGTERM or SIGHUP is a request: the verb cleans up and returns. The second one ends the process at
/// once, as if nobody had been listening; the next run removes what is left.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    asked: Arc<AtomicBool>,
    signal: Arc<AtomicUsize>,
}

impl Stop {
    /// Listens from now on.
    pub fn on_signals() -> Result<Self> {
        let stop = Self::default();
        let ignored = ignored_signals();
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            // `nohup` and a shell's `&` have set these to be ignored, and mean it.
            if ignored & (1 << (signal - 1)) != 0 {
                continue;
            }
            // In this order: the flag that makes the second signal deadly is set only after it was looked at.
            flag::register_conditional_default(signal, Arc::clone(&stop.asked))
                .and_then(|_| flag::register_usize(signal, Arc::clone(&stop.signal), signal.unsigned_abs() as usize))
                .and_then(|_| flag::register(signal, Arc::clone(&stop.asked)))
                .map_err(|error| cannot_listen(signal, error))?;
        }
        // A write beyond `ulimit -f` would end the process without cleaning up; with a listener it is an error.
        flag::register(SIGXFSZ, Arc::default()).map_err(|error| cannot_listen(SIGXFSZ, error))?;
        Ok(stop)
    }

    /// Whether it is time to stop.
    pub fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// What an error is in the light of having been asked to stop. Ctrl-C reaches every process of the terminal's group:
    /// that a pg_dump of ours was ended by it is no failure of its own.
    pub fn explain(&self, error: Error) -> Error {
        let ended = self.is_asked() && error.kind() == ErrorKind::Postgres;
        if ended { Error::interrupted().with_source(error) } else { error }
    }

    /// The exit status of a process that stopped because of the signal: 128 and its number.
    pub fn exit_code(&self) -> Option<u8> {
        match self.signal.load(Ordering::Relaxed) {
            0 => None,
            signal => u8::try_from(128 + signal).ok(),
        }
    }
}

fn cannot_listen(signal: i32, error: std::io::Error) -> Error {
    Error::new(ErrorKind::Io, format!("cannot listen to signal {signal}")).with_source(error)
}

/// The mask of signals this process was started with as ignored. Asking the kernel for a disposition needs unsafe
/// code; its report does not.
fn ignored_signals() -> u64 {
    let status = fs::read_to_string("/proc/self/status".into()).unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
