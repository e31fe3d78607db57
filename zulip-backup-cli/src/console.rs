//! Printing.
//!
//! Standard output has the product and nothing else: what was asked for, or one JSON object. Standard error has all
//! that is said on the way. Nobody reading is no failure of the work; a full disk under standard output is.

use std::fmt::Display;
use std::io::{self, ErrorKind as IoKind, IsTerminal, Write};

use serde::Serialize;
use serde_json::{Value, json};
use zulip_backup_core::{Error, ErrorKind, Finding, Findings, Result, Severity};

use crate::args::{ColorWhen, OutputArgs};

/// For whom is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A person.
    Human,
    /// A program.
    Json,
}

/// How much is printed beside the product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Warnings and errors.
    Quiet,
    /// And what happens.
    Normal,
    /// And details.
    Verbose,
}

/// Where and how everything is printed.
#[derive(Clone, Copy, Debug)]
pub struct Console {
    format: Format,
    verbosity: Verbosity,
    color: bool,
}

impl Console {
    /// As the flags say.
    pub fn new(args: &OutputArgs) -> Self {
        let format = if args.json { Format::Json } else { Format::Human };
        let verbosity = match (args.quiet, args.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, true) => Verbosity::Verbose,
            (false, false) => Verbosity::Normal,
        };
        Self { format, verbosity, color: use_color(args.color) }
    }

    /// For whom is printed.
    pub fn format(self) -> Format {
        self.format
    }

    /// How much is printed.
    pub fn verbosity(self) -> Verbosity {
        self.verbosity
    }

    /// What was asked for, on standard output: as text, or as one line of JSON.
    pub fn product<T: Display + Serialize>(self, product: &T) -> Result<()> {
        self.result(product, product)
    }

    /// The last word on standard output: the report for a program, the line for a person.
    pub fn result(self, report: &impl Serialize, line: &dyn Display) -> Result<()> {
        match self.format {
            Format::Human => {
                let text = line.to_string();
                print(format!("{}\n", text.trim_end_matches('\n')).as_bytes())
            }
            Format::Json => {
                let mut text = serde_json::to_vec(report)
                    .map_err(|error| Error::new(ErrorKind::Io, "cannot write the report as JSON").with_source(error))?;
                text.push(b'\n');
                print(&text)
            }
        }
    }

    /// Something said to a person who did not ask for quiet, on standard error.
    pub fn aside(self, text: &dyn Display) {
        if self.format == Format::Human && self.verbosity >= Verbosity::Normal {
            say(&text.to_string());
        }
    }

    /// A finding, on standard error in any case.
    pub fn finding(self, finding: &Finding) {
        match self.format {
            Format::Human => say(&self.finding_text(finding)),
            Format::Json => event("finding", &serde_json::to_value(finding).unwrap_or(Value::Null)),
        }
    }

    /// The findings of a report that is not printed, so that nobody has to look into an exit status for them.
    pub fn findings_if_quiet(self, findings: &Findings) {
        if self.format == Format::Json || self.verbosity > Verbosity::Quiet {
            return;
        }
        for finding in findings.list.iter().filter(|finding| finding.severity >= Severity::Warning) {
            self.finding(finding);
        }
        let listed = findings.list.iter().filter(|finding| finding.severity >= Severity::Warning).count() as u64;
        let all = findings.at_least(Severity::Warning);
        if all > listed {
            say(&format!("and {} more", all - listed));
        }
    }

    /// A finding as a person reads it.
    pub fn finding_text(self, finding: &Finding) -> String {
        let label = match finding.severity {
            Severity::Note => self.label("note", "36"),
            Severity::Warning => self.label("warning", "1;33"),
            Severity::Error => self.label("error", "1;31"),
        };
        let hint = finding.hint.as_ref().map_or_else(String::new, |hint| format!("\n{} {hint}", self.hint()));
        format!("{label} {finding}{hint}")
    }

    /// `error:`
    pub fn error(self) -> String {
        self.label("error", "1;31")
    }

    /// `hint:`
    pub fn hint(self) -> String {
        self.label("hint", "1;32")
    }

    fn label(self, word: &str, style: &str) -> String {
        if self.color { format!("\x1b[{style}m{word}:\x1b[0m") } else { format!("{word}:") }
    }
}

/// Whether standard error is to be colored.
pub fn use_color(when: ColorWhen) -> bool {
    match when {
        ColorWhen::Always => true,
        ColorWhen::Never => false,
        ColorWhen::Auto => {
            let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
            !unwanted && !dumb && io::stderr().is_terminal()
        }
    }
}

/// Bytes on standard output.
pub fn print(bytes: &[u8]) -> Result<()> {
    let mut output = io::stdout().lock();
    written(output.write_all(bytes).and_then(|()| output.flush()))
}

/// Text and a line's end on standard error. There is nowhere to complain about a failure.
pub fn say(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", text.trim_end_matches('\n'));
}

/// One event for a program: a line of JSON on standard error, `event` first.
pub fn event(name: &str, fields: &Value) {
    let mut line = json!({ "event": name });
    if let (Some(line), Some(fields)) = (line.as_object_mut(), fields.as_object()) {
        line.extend(fields.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
    say(&line.to_string());
}

/// Nobody reading any more is a success: `zulip-backup inspect … | head -1`.
fn written(result: io::Result<()>) -> Result<()> {
    match result {
        Err(error) if error.kind() != IoKind::BrokenPipe => {
            Err(Error::new(ErrorKind::Io, "cannot write to standard output").with_source(error))
        }
        _ => Ok(()),
    }
}
