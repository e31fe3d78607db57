//! The command `zulip-backup`, run as a user would.

use std::process::{Command, Stdio};

use camino::Utf8PathBuf;
use serde_json::Value;

use crate::Result;

pub(crate) struct Tool {
    program: Utf8PathBuf,
}

impl Tool {
    /// The command that was built together with this program.
    pub(crate) fn beside_this_program() -> Result<Self> {
        let this = Utf8PathBuf::from_path_buf(std::env::current_exe()?)
            .map_err(|_| "the path of this program is not UTF-8")?;
        let program = this.with_file_name("zulip-backup");
        if !program.is_file() {
            return Err(format!("{program} is not built: run `make demo`").into());
        }
        Ok(Self { program })
    }

    /// Runs it and shows what it prints.
    pub(crate) fn show(&self, exit: i32, args: &[impl AsRef<str>]) -> Result<()> {
        let args: Vec<&str> = args.iter().map(AsRef::as_ref).collect();
        println!("$ zulip-backup {}", args.join(" "));
        let status = Command::new(&self.program).args(&args).stdin(Stdio::null()).status()?;
        expect(exit, status.code())
    }

    /// Runs it with `--json` and reads its report; an exit code of 0 is also good where 1, done with findings, is expected.
    pub(crate) fn json(&self, exit: i32, args: &[impl AsRef<str>]) -> Result<Value> {
        let args: Vec<&str> = args.iter().map(AsRef::as_ref).collect();
        println!("$ zulip-backup {}", args.join(" "));
        let output = Command::new(&self.program)
            .args(&args)
            .args(["--json", "--no-progress"])
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .output()?;
        let text = String::from_utf8(output.stdout)?;
        let report = text.lines().last().map(serde_json::from_str).transpose()?.unwrap_or(Value::Null);
        let done = if exit == 1 && output.status.code() == Some(0) { Some(1) } else { output.status.code() };
        expect(exit, done).map_err(|error| format!("{error}: {}", String::from_utf8_lossy(&output.stderr)))?;
        Ok(report)
    }
}

fn expect(expected: i32, found: Option<i32>) -> Result<()> {
    if found == Some(expected) { Ok(()) } else { Err(format!("exit code {found:?}, expected {expected}").into()) }
}

/// The first finding of a report, for the table.
pub(crate) fn first_finding(report: &Value) -> String {
    let finding = &report["findings"]["list"][0];
    format!("{} in {}", finding["code"].as_str().unwrap_or("?"), finding["object"].as_str().unwrap_or("?"))
}
