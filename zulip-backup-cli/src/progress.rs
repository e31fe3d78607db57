//! Showing progress, and asking the verb to stop.

mod bars;
mod events;
mod lines;
mod tally;

use std::io::IsTerminal;

use zulip_backup_core::{Finding, Progress};

use crate::args::OutputArgs;
use crate::console::{Console, Format, Verbosity, say};
use crate::signals::Stop;

/// The way to show progress that fits the flags and what standard error is.
pub fn new(console: Console, args: &OutputArgs, stop: Stop) -> Box<dyn Progress> {
    match (console.format(), console.verbosity()) {
        (_, Verbosity::Quiet) => Box::new(Muted { stop }),
        (Format::Json, _) => Box::new(events::Events::new(console, stop, !args.no_progress)),
        (Format::Human, _) if args.no_progress => Box::new(Words { console, stop }),
        (Format::Human, _) if std::io::stderr().is_terminal() => Box::new(bars::Bars::new(console, stop)),
        (Format::Human, _) => Box::new(lines::Lines::new(console, stop)),
    }
}

/// Says nothing; still listens.
struct Muted {
    stop: Stop,
}

impl Progress for Muted {
    fn is_cancelled(&self) -> bool {
        self.stop.is_asked()
    }
}

/// Says what happens, but not how far it is.
struct Words {
    console: Console,
    stop: Stop,
}

impl Progress for Words {
    fn message(&self, text: &str) {
        say(text);
    }
    fn finding(&self, finding: &Finding) {
        if let Some(text) = detail(self.console, finding) {
            say(&text);
        }
    }
    fn is_cancelled(&self) -> bool {
        self.stop.is_asked()
    }
}

/// A finding at the moment it is made is a detail: the report will list it.
fn detail(console: Console, finding: &Finding) -> Option<String> {
    (console.verbosity() >= Verbosity::Verbose).then(|| console.finding_text(finding))
}
