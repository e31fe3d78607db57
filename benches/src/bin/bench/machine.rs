//! What the numbers were measured on.

use std::process::Command;

/// Processor, memory, kernel and the versions of the tools, a line each.
pub(crate) fn describe() -> String {
    let file = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        text.lines()
            .find(|line| line.starts_with(name))
            .and_then(|line| line.split_once(':'))
            .map_or_else(|| "?".to_owned(), |(_, value)| value.trim().to_owned())
    };
    let version = |program: &str| {
        let output = Command::new(program).arg("--version").output();
        output.map_or_else(
            |_| format!("{program}: not found"),
            |output| String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned(),
        )
    };
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    [
        format!("processor  {processors} × {}", field(&file("/proc/cpuinfo"), "model name")),
        format!("memory     {}", field(&file("/proc/meminfo"), "MemTotal")),
        format!("kernel     {}", file("/proc/sys/kernel/osrelease").trim()),
        format!("load       {}", file("/proc/loadavg").trim()),
        format!("tools      zulip-backup {}, {}, {}", env!("CARGO_PKG_VERSION"), version("tar"), version("gzip")),
    ]
    .join("\n")
}
