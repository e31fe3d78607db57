//! One process, measured from outside.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::Result;

/// What a process took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Measured {
    /// Seconds from start to end.
    pub(crate) wall: f64,
    /// Seconds of processor time, children included; the PostgreSQL server's is not in it.
    pub(crate) cpu: f64,
    /// Most resident memory of the process itself, in bytes.
    pub(crate) peak_bytes: u64,
}

impl Measured {
    /// The faster of two runs of the same; memory is the most that either took.
    pub(crate) fn best(before: Option<Self>, now: Self) -> Self {
        let Some(before) = before else { return now };
        let faster = if before.wall <= now.wall { before } else { now };
        Self { peak_bytes: before.peak_bytes.max(now.peak_bytes), ..faster }
    }

    /// One after the other.
    pub(crate) fn then(self, next: Self) -> Self {
        Self { wall: self.wall + next.wall, cpu: self.cpu + next.cpu, peak_bytes: self.peak_bytes.max(next.peak_bytes) }
    }
}

/// The fastest of so many runs, as [`Measured::best`] has it.
pub(crate) fn best_of(rounds: usize, mut once: impl FnMut() -> Result<Measured>) -> Result<Measured> {
    let first = once()?;
    (1..rounds).try_fold(first, |best, _| Ok(Measured::best(Some(best), once()?)))
}

/// Runs a process to its end.
///
/// The peak memory is the kernel's own high-water mark, read while the process lives; it only grows, so the last reading
/// misses at most what was added in the last milliseconds.
pub(crate) fn run(command: &mut Command, good: &[i32]) -> Result<Measured> {
    run_into(command, good, Stdio::null())
}

/// The same, with somewhere for what it prints.
pub(crate) fn run_into(command: &mut Command, good: &[i32], stdout: Stdio) -> Result<Measured> {
    let cpu = children_cpu()?;
    let begun = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(stdout).spawn()?;
    let status_file = format!("/proc/{}/status", child.id());
    let mut peak_bytes = 0;
    let status = loop {
        if let Ok(text) = std::fs::read_to_string(&status_file) {
            peak_bytes = peak_bytes.max(high_water(&text));
        }
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(Duration::from_millis(3));
    };
    let wall = begun.elapsed().as_secs_f64();
    if !status.code().is_some_and(|code| good.contains(&code)) {
        return Err(format!("{command:?} ended with {status}").into());
    }
    Ok(Measured { wall, cpu: children_cpu()? - cpu, peak_bytes })
}

fn high_water(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap_or(0) * 1024
}

/// Processor time of all children that have ended, theirs included: fields 16 and 17 of `/proc/self/stat`, in ticks of
/// which every Linux has a hundred a second.
fn children_cpu() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks: f64 = fields.split_whitespace().skip(13).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    Ok(ticks / 100.0)
}
